//! A cut as the kernel sees it: packets from or to an address and a port are dropped in the
//! member's own namespace, silently, one way or both.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use super::{NAMED, NetnsError};
use crate::home::Group;
use crate::links::{Cut, CutFrom, Direction, Plane};

/// The table that holds all cuts; it is replaced as a whole.
const TABLE: &str = "interrex_chaos";

/// What is dropped: what comes from (`In`) or goes to (`Out`) an address, on connections that have
/// one of these ports at either end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// `In`, or not.
    pub inwards: bool,
    /// The other side.
    pub other: Ipv4Addr,
    /// The listening ports of the plane, on both sides.
    pub ports: BTreeSet<u16>,
}

/// The rules in the namespace of `cut.member` that make this cut.
pub fn of(group: &Group, cut: &Cut) -> Vec<Rule> {
    let Some(networks) = &group.networks else { return Vec::new() };
    let Some(me) = group.members.iter().find(|member| member.name == cut.member) else {
        return Vec::new();
    };
    let wanted = |plane| cut.plane.is_none_or(|only| only == plane);
    let mut flows: Vec<(Ipv4Addr, BTreeSet<u16>)> = Vec::new();
    if matches!(cut.from, CutFrom::Store | CutFrom::Everyone) && wanted(Plane::Store) {
        flows.push((networks.store.address, [group.ports.store].into()));
    }
    if cut.from == CutFrom::Clients && wanted(Plane::Client) {
        flows.push((networks.clients_address(), [me.engine].into()));
    }
    let others = group.members.iter().zip(&networks.members);
    for (other, spot) in others.filter(|(other, _)| other.name != me.name) {
        let meant = match &cut.from {
            CutFrom::Peers | CutFrom::Everyone => true,
            CutFrom::Member(name) => *name == other.name,
            CutFrom::Store | CutFrom::Clients => false,
        };
        if meant && wanted(Plane::Peer) {
            flows.push((spot.address, [me.peer, other.peer].into()));
        }
        if meant && wanted(Plane::Engine) {
            flows.push((spot.address, [me.engine, other.engine].into()));
        }
    }
    let ways = match cut.direction {
        Direction::Both => [true, false].as_slice(),
        Direction::In => &[true],
        Direction::Out => &[false],
    };
    let rule = |inwards, (other, ports)| Rule { inwards, other, ports };
    flows
        .into_iter()
        .flat_map(|flow| ways.iter().map(move |way| rule(*way, flow.clone())))
        .collect()
}

/// What `nft -f -` makes these rules of, and nothing else of ours.
pub fn text(rules: &[Rule]) -> String {
    // A table that is named before it is deleted is no error when it is not there.
    let mut text = format!("table ip {TABLE}\ndelete table ip {TABLE}\n");
    if rules.is_empty() {
        return text;
    }
    let _ = writeln!(text, "table ip {TABLE} {{");
    for (chain, inwards) in [("input", true), ("output", false)] {
        let _ = writeln!(text, "  chain {chain} {{");
        let _ = writeln!(text, "    type filter hook {chain} priority 0; policy accept;");
        for rule in rules.iter().filter(|rule| rule.inwards == inwards) {
            let side = if inwards { "saddr" } else { "daddr" };
            let ports: Vec<String> = rule.ports.iter().map(ToString::to_string).collect();
            for end in ["sport", "dport"] {
                let (other, ports) = (rule.other, ports.join(", "));
                let _ = writeln!(text, "    ip {side} {other} tcp {end} {{ {ports} }} drop");
            }
        }
        let _ = writeln!(text, "  }}");
    }
    let _ = writeln!(text, "}}");
    text
}

/// Puts these rules in force in a namespace, in place of those before.
pub fn apply(namespace: &str, rules: &[Rule]) -> Result<(), NetnsError> {
    let line = format!("nsenter --net={NAMED}/{namespace} nft -f -");
    let start = |source: io::Error| NetnsError::Start { command: line.clone(), source };
    let mut words = line.split_whitespace();
    let mut child = Command::new(words.next().unwrap_or_default())
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text(rules).as_bytes()).map_err(start)?;
    }
    let output = child.wait_with_output().map_err(start)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NetnsError::Failed { command: line, said })
}
