//! Ports of groups beside each other, of groups that start again, and of strangers in the way.

use std::collections::BTreeSet;
use std::net::TcpListener;

use super::{Chosen, MOST_MEMBERS, PortsError, Wanted, choose, renew};
use crate::home::Group;
use crate::home::tests::sample;
use crate::links::{Party, Plane};
use crate::relay::loopback;

fn wanted(tag: &str, members: u32) -> Wanted<'_> {
    Wanted { tag, members, write: None, direct: false }
}

fn group(tag: &str, chosen: &Chosen) -> Group {
    Group {
        ports: chosen.ports,
        members: chosen.members.clone(),
        links: chosen.links.clone(),
        ..sample(tag, 0)
    }
}

#[test]
fn every_way_has_its_own_port_and_groups_share_none() {
    let one = choose(wanted("one", 3), &[]).unwrap();
    let first = group("one", &one);
    drop(one);
    let two = choose(wanted("two", MOST_MEMBERS), std::slice::from_ref(&first)).unwrap();
    let second = group("two", &two);
    let count = |group: &Group| group.all_ports().len();
    assert_eq!(count(&first), 4 + 3 * 3 + 3 + 2 * 6);
    let all: BTreeSet<u16> = [&first, &second]
        .iter()
        .flat_map(|group| group.all_ports())
        .map(|(port, _)| port)
        .collect();
    assert_eq!(all.len(), count(&first) + count(&second), "a port was given twice");
    let link = first.link(&Party("one-2".to_owned()), &Party("one-0".to_owned()), Plane::Engine);
    assert_eq!(link.unwrap().target, first.members[0].engine);
    let store = first.link(&Party("one-1".to_owned()), &Party::store(), Plane::Store).unwrap();
    assert_eq!(store.target, first.ports.store);
}

#[test]
fn two_that_choose_at_the_same_time_get_different_ports() {
    let one = choose(wanted("one", 2), &[]).unwrap();
    let two = choose(wanted("two", 2), &[]).unwrap();
    assert_ne!(one.ports.write, two.ports.write);
}

#[test]
fn engines_without_links_keep_their_peers_and_store() {
    let chosen = choose(Wanted { direct: true, ..wanted("d", 2) }, &[]).unwrap();
    let planes: Vec<Plane> = chosen.links.iter().map(|link| link.plane).collect();
    assert_eq!(planes, [Plane::Store, Plane::Peer, Plane::Store, Plane::Peer]);
}

#[test]
fn a_port_that_was_asked_for_is_given_or_refused_by_name() {
    let listener = TcpListener::bind(loopback(0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Wanted { write: Some(port), ..wanted("cart", 1) };
    let error = choose(asked, &[]).unwrap_err();
    let text = format!("port {port} for the write address is taken by another process");
    assert_eq!(error.to_string(), text);
    drop(listener);
    let chosen = choose(asked, &[]).unwrap();
    assert_eq!(chosen.ports.write, port);
    let other = group("other", &chosen);
    let error = choose(asked, &[other]).unwrap_err();
    assert!(matches!(&error, PortsError::Owned { tag, .. } if tag == "other"), "{error}");
}

#[test]
fn too_many_members_and_none_are_refused() {
    for members in [0, MOST_MEMBERS + 1] {
        let error = choose(wanted("cart", members), &[]).unwrap_err();
        assert!(matches!(error, PortsError::Members { .. }), "{error}");
    }
}

#[test]
fn a_group_that_starts_again_keeps_what_clients_know_and_replaces_the_rest() {
    let chosen = choose(wanted("again", 2), &[]).unwrap();
    let before = group("again", &chosen);
    let mut after = before.clone();
    assert!(!renew(&mut after, &[]).unwrap());
    assert_eq!(after, before);
    let stranger = TcpListener::bind(loopback(before.members[1].peer)).unwrap();
    assert!(renew(&mut after, &[]).unwrap());
    assert_eq!((after.ports.write, after.ports.read), (before.ports.write, before.ports.read));
    assert_eq!(after.members[1].engine, before.members[1].engine);
    let taken = stranger.local_addr().unwrap().port();
    assert!(after.all_ports().iter().all(|(port, _)| *port != taken));
    let peer = after.link(&Party("again-0".into()), &Party("again-1".into()), Plane::Peer);
    assert_eq!(peer.unwrap().target, after.members[1].peer, "links follow");
    let engine = TcpListener::bind(loopback(before.members[0].engine)).unwrap();
    let error = renew(&mut after, &[]).unwrap_err();
    assert!(error.to_string().contains("the engine of again-0"), "{error}");
    drop(engine);
}
