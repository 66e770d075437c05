//! Namespaces and cuts: their commands and their rules.

use super::{Networks, is_of, next, rules};
use crate::home::tests::sample;
use crate::links::{Cut, CutFrom, Direction, Plane};

fn cut(from: CutFrom, direction: Direction, plane: Option<Plane>) -> Cut {
    Cut { member: "cart-0".to_owned(), from, direction, plane }
}

#[test]
fn every_part_has_a_name_and_an_address_of_its_own() {
    let networks = Networks::of(3, 3);
    assert_eq!(networks.clients(), "ixc3");
    let commands = networks.commands();
    for wanted in [
        "ip netns add ixc3",
        "ip netns add ixc3m2",
        "ip -n ixc3 address add 10.98.3.1/24 dev ixcbr0",
        "ip -n ixc3s address add 10.98.3.2/24 dev eth0",
        "ip -n ixc3 link add v3 type veth peer name eth0 netns ixc3m2",
        "ip -n ixc3m2 address add 10.98.3.22/24 dev eth0",
        "ip -n ixc3m2 address add 10.98.3.12/24 dev eth0",
    ] {
        assert!(commands.iter().any(|command| command == wanted), "{wanted} is in {commands:#?}");
    }
    assert_eq!(networks.first(2).members.len(), 2);
    let mut address = std::net::Ipv4Addr::new(10, 98, 3, 29);
    for _ in 0..100 {
        address = next(address);
        let last = address.octets()[3];
        assert!((20..=249).contains(&last) && last % 10 == 9, "{address}");
    }
}

#[test]
fn only_the_namespaces_of_one_set_are_its_own() {
    for (name, own) in [
        ("ixc1", true),
        ("ixc1s", true),
        ("ixc1m0", true),
        ("ixc11", false),
        ("ixc1mx", false),
        ("ixn1", false),
        ("ixk", false),
    ] {
        assert_eq!(is_of(name, 1), own, "{name}");
    }
}

#[test]
fn a_cut_drops_what_its_plane_and_its_direction_say() {
    let mut group = sample("cart", 3);
    group.networks = Some(Box::new(Networks::of(1, 3)));
    let text = |cut: &Cut| rules::text(&rules::of(&group, cut));
    let both = text(&cut(CutFrom::Store, Direction::Both, None));
    // The store's port is 3 in the sample.
    for wanted in [
        "chain input {\n    type filter hook input priority 0; policy accept;\n    \
         ip saddr 10.98.1.2 tcp sport { 3 } drop\n    ip saddr 10.98.1.2 tcp dport { 3 } drop",
        "ip daddr 10.98.1.2 tcp dport { 3 } drop",
    ] {
        assert!(both.contains(wanted), "{wanted} is in\n{both}");
    }
    // What two agents send each other, whoever has dialled: their ports are 70 and 72.
    let one = CutFrom::Member("cart-2".to_owned());
    let inwards = text(&cut(one, Direction::In, Some(Plane::Peer)));
    assert!(inwards.contains("ip saddr 10.98.1.22 tcp dport { 70, 72 } drop"), "{inwards}");
    assert!(!inwards.contains("daddr") && !inwards.contains("10.98.1.21"), "{inwards}");
    let everyone = rules::of(&group, &cut(CutFrom::Everyone, Direction::Out, None));
    assert_eq!(everyone.len(), 5, "the store, and two members by two planes: {everyone:?}");
    let clients = rules::of(&group, &cut(CutFrom::Clients, Direction::Out, Some(Plane::Client)));
    assert_eq!(clients.len(), 1, "{clients:?}");
    group.networks = None;
    assert!(rules::of(&group, &cut(CutFrom::Everyone, Direction::Both, None)).is_empty());
}

#[test]
fn no_rules_leave_no_table() {
    assert_eq!(rules::text(&[]), "table ip interrex_chaos\ndelete table ip interrex_chaos\n");
}
