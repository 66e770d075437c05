//! The document that `status -o json` prints: stable, fields are added and never renamed.

use std::path::PathBuf;

use brain::report::{AuthorityReport, Decision, MemberReport};
use serde::Serialize;

use crate::any_group::AnyGroup;
use crate::group::{Group, Seen};
use crate::remote;
use crate::story::{self, Story};
use crate::verdict::Verdict;

/// A group.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StatusView {
    /// The tag.
    pub(crate) group: String,
    /// One word.
    pub(crate) verdict: Verdict,
    /// What is wrong or awaited; empty when healthy.
    pub(crate) reasons: Vec<String>,
    /// Whether the group would survive the loss of its primary now.
    #[serde(rename = "canFailOver")]
    pub(crate) can_fail_over: bool,
    /// Why, or why not.
    #[serde(rename = "canFailOverReason")]
    pub(crate) can_fail_over_reason: String,
    /// The newest epoch that anybody knows.
    pub(crate) epoch: u64,
    /// Who leads, as most agents say.
    pub(crate) primary: Option<String>,
    /// Where clients write, host:port.
    pub(crate) write: String,
    /// Where clients read, host:port.
    pub(crate) read: String,
    /// The file that holds the password of the default user; null on Kubernetes.
    pub(crate) password_file: Option<PathBuf>,
    /// The group's directory; null on Kubernetes.
    pub(crate) directory: Option<PathBuf>,
    /// The engine and its version, as the primary (or anybody) says.
    pub(crate) engine: Option<String>,
    /// How the primary holds its authority.
    pub(crate) authority: Option<AuthorityView>,
    /// `gate` or `process`.
    pub(crate) fence: Option<String>,
    /// Why it is weaker than it could be; absent when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fence_why: Option<String>,
    /// Who may succeed.
    pub(crate) electorate: Vec<String>,
    /// How many replicas a waited write needs.
    pub(crate) copies: u32,
    /// How many agents answer, and how many of them agree.
    pub(crate) agents: AgentsView,
    /// The last failover or handover, if any is remembered.
    pub(crate) last_failover: Option<LastView>,
    /// Every member.
    pub(crate) members: Vec<MemberView>,
    /// The namespace; null on this machine.
    pub(crate) namespace: Option<String>,
    /// The context of the kubeconfig; null on this machine.
    pub(crate) context: Option<String>,
    /// The Secret that holds the password of the default user; null on this machine.
    pub(crate) password_secret: Option<String>,
    /// How the agents were asked: `local`, `api-server` or `agents`.
    pub(crate) via: &'static str,
    /// Why the agents of a group on Kubernetes were asked themselves; null when they were not.
    pub(crate) via_why: Option<String>,
}

/// How the primary holds its authority.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuthorityView {
    /// `lease+peers`, `lease`, `peers`, `alone`, `none`.
    pub(crate) mode: String,
    /// How long the lease holds, in milliseconds.
    pub(crate) lease_left_ms: u64,
    /// How long the peers' acks hold, in milliseconds; null: for ever.
    pub(crate) peers_left_ms: Option<u64>,
    /// Peers whose acks are fresh.
    pub(crate) peers_fresh: u32,
    /// Of how many.
    pub(crate) peers_total: u32,
    /// The lease is at rest: the peers suffice.
    pub(crate) lazy: bool,
}

impl From<&AuthorityReport> for AuthorityView {
    fn from(report: &AuthorityReport) -> Self {
        Self {
            mode: report.mode.clone(),
            lease_left_ms: report.lease_left_ms,
            peers_left_ms: report.peers_left_ms,
            peers_fresh: report.peers_fresh,
            peers_total: report.peers_total,
            lazy: report.lazy,
        }
    }
}

/// How many agents answer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct AgentsView {
    /// Members.
    pub(crate) total: usize,
    /// Agents that answered.
    pub(crate) answered: usize,
    /// Agents that name the same primary.
    pub(crate) agree: usize,
    /// Agents that reach the store.
    pub(crate) store: usize,
}

/// The last failover in short; `interrex why` tells it in full.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LastView {
    /// The epoch that it led to.
    pub(crate) epoch: u64,
    /// Wall clock, milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// Why.
    pub(crate) cause: String,
    /// Milliseconds from the first decision to the last.
    pub(crate) took_ms: u64,
}

/// A member.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MemberView {
    /// Its name.
    pub(crate) name: String,
    /// What it is now; `unknown` when its agent does not answer.
    pub(crate) role: String,
    /// Its engine, host:port.
    pub(crate) address: String,
    /// Its engine's process; 0 when none runs or it is not known.
    pub(crate) engine_pid: u32,
    /// Its agent's process; 0 when it is not known.
    pub(crate) agent_pid: u32,
    /// Its directory; null on Kubernetes.
    pub(crate) directory: Option<PathBuf>,
    /// The host of its pod; null on this machine.
    pub(crate) host: Option<String>,
    /// Bytes behind the primary; null when unknown.
    pub(crate) lag: Option<u64>,
    /// Whether its dataset is whole.
    pub(crate) complete: bool,
    /// Its engine's link to its primary.
    pub(crate) link_up: bool,
    /// How many keys.
    pub(crate) keys: u64,
    /// Bytes of memory in use.
    pub(crate) memory_bytes: u64,
    /// `maxmemory` in bytes; 0 for none.
    pub(crate) memory_max_bytes: u64,
    /// The newest epoch it knows.
    pub(crate) epoch: u64,
    /// How far its data are.
    pub(crate) offset: u64,
    /// Whether it could take over now.
    pub(crate) electable: bool,
    /// Why it could not.
    pub(crate) why_not: Option<String>,
    /// Directives that are not as rendered: name, wanted, actual.
    pub(crate) drift: Vec<(String, String, String)>,
    /// Why nothing is known of it; null when its agent answers.
    pub(crate) error: Option<String>,
}

impl StatusView {
    /// What was seen of a group, as a document.
    pub(crate) fn of(group: &AnyGroup, seen: &Seen) -> Self {
        let judged = &seen.judgement;
        let leader = judged.primary.as_deref().and_then(|name| seen.report(name));
        let anybody = || seen.reports().next();
        let decisions: Vec<&Decision> = seen.reports().flat_map(|r| &r.decisions).collect();
        let place = Placed::of(group, seen);
        Self {
            group: group.tag().to_owned(),
            verdict: judged.verdict,
            reasons: judged.reasons.clone(),
            can_fail_over: judged.can_fail_over,
            can_fail_over_reason: judged.fail_over_reason.clone(),
            epoch: judged.epoch,
            primary: judged.primary.clone(),
            write: place.write,
            read: place.read,
            password_file: place.password_file,
            directory: place.directory,
            engine: leader.or_else(anybody).map(|r| r.engine.clone()).filter(|e| !e.is_empty()),
            authority: leader.and_then(|r| r.authority.as_ref()).map(AuthorityView::from),
            fence: leader.map(|r| r.fence.clone()),
            fence_why: leader.and_then(|r| r.fence_why.clone()),
            electorate: leader.map(|r| r.electorate.clone()).unwrap_or_default(),
            copies: leader.map_or(0, |r| r.copies),
            agents: AgentsView {
                total: seen.answers.len(),
                answered: seen.reports().count(),
                agree: judged.agree,
                store: seen.reports().filter(|r| r.store_reachable).count(),
            },
            last_failover: story::last(&decisions, None).as_ref().map(LastView::from),
            members: place.seats.iter().map(|seat| MemberView::seen(seat, seen)).collect(),
            namespace: seen
                .place
                .as_ref()
                .map(|place| place.namespace.clone())
                .filter(|namespace| !namespace.is_empty()),
            context: seen.place.as_ref().and_then(|place| place.context.clone()),
            password_secret: seen.place.as_ref().and_then(|place| place.secret.clone()),
            via: seen.place.as_ref().map_or("local", |place| place.via()),
            via_why: seen.place.as_ref().and_then(|place| place.via_why()),
        }
    }
}

/// What is known of a member before it says anything.
struct Seat {
    name: String,
    address: String,
    directory: Option<PathBuf>,
    host: Option<String>,
}

/// Where a group is.
struct Placed {
    write: String,
    read: String,
    password_file: Option<PathBuf>,
    directory: Option<PathBuf>,
    seats: Vec<Seat>,
}

impl Placed {
    fn of(group: &AnyGroup, seen: &Seen) -> Self {
        match group {
            AnyGroup::Local(group) => Self::here(group),
            AnyGroup::Remote(remote) => Self::there(remote.name(), remote.namespace(), seen),
        }
    }

    fn here(group: &Group) -> Self {
        let seats = group.members().iter().map(|member| Seat {
            name: member.name.clone(),
            address: group.engine(member),
            directory: Some(group.directory(&member.name)),
            host: None,
        });
        Self {
            write: group.write(),
            read: group.read(),
            password_file: Some(group.home.password_file()),
            directory: Some(group.home.root().to_owned()),
            seats: seats.collect(),
        }
    }

    fn there(group: &str, namespace: &str, seen: &Seen) -> Self {
        let pods = || seen.place.iter().flat_map(|place| &place.pods);
        let mut names: Vec<&str> = seen.answers.keys().map(String::as_str).collect();
        names.sort_by_key(|name| (brain::MemberName::from(*name).ordinal(), *name));
        let seats = names.into_iter().map(|name| Seat {
            name: name.to_owned(),
            address: remote::address(name, seen).unwrap_or_else(|| "unknown".to_owned()),
            directory: None,
            host: pods().find(|pod| pod.name == name).and_then(|pod| pod.host.clone()),
        });
        let names = kubernetes::names::Names::of(group);
        let service = |name: &str| {
            let dot = if namespace.is_empty() { "" } else { "." };
            let suffix = if namespace.is_empty() { "" } else { ".svc" };
            format!("{name}{dot}{namespace}{suffix}:{}", kubernetes::names::ENGINE_PORT)
        };
        Self {
            write: service(group),
            read: service(&names.replicas()),
            password_file: None,
            directory: None,
            seats: seats.collect(),
        }
    }
}

impl From<&Story> for LastView {
    fn from(story: &Story) -> Self {
        Self {
            epoch: story.epoch,
            at_ms: story.begun_ms,
            cause: story.cause.clone(),
            took_ms: story.took_ms(),
        }
    }
}

impl MemberView {
    fn seen(seat: &Seat, seen: &Seen) -> Self {
        match seen.answers.get(&seat.name) {
            Some(Ok(report)) => Self::of(report, seat),
            Some(Err(why)) => Self::silent(seat, why),
            None => Self::silent(seat, "not asked"),
        }
    }

    fn of(report: &MemberReport, seat: &Seat) -> Self {
        Self {
            name: report.name.clone(),
            role: report.role.clone(),
            address: seat.address.clone(),
            engine_pid: report.engine_pid,
            agent_pid: report.agent_pid,
            directory: seat.directory.clone(),
            host: seat.host.clone(),
            lag: report.lag,
            complete: report.complete,
            link_up: report.link_up,
            keys: report.keys,
            memory_bytes: report.memory_bytes,
            memory_max_bytes: report.memory_max_bytes,
            epoch: report.epoch,
            offset: report.offset,
            electable: report.electable,
            why_not: report.why_not.clone(),
            drift: report.drift.clone(),
            error: None,
        }
    }

    fn silent(seat: &Seat, why: &str) -> Self {
        let unknown = MemberReport {
            name: seat.name.clone(),
            role: "unknown".to_owned(),
            ..MemberReport::default()
        };
        Self { error: Some(why.to_owned()), ..Self::of(&unknown, seat) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A healthy group of two, for tests of what is made of it.
    pub(crate) fn sample() -> StatusView {
        let member = |name: &str, role: &str, port: u16| {
            let report = MemberReport {
                name: name.into(),
                role: role.into(),
                engine_pid: 7,
                agent_pid: 6,
                lag: (role == "replica").then_some(1536),
                complete: true,
                link_up: role == "replica",
                keys: 184_208,
                memory_bytes: 612 << 20,
                electable: role == "replica",
                why_not: (role == "primary").then(|| "it is the primary".into()),
                ..MemberReport::default()
            };
            let seat = Seat {
                name: name.into(),
                address: format!("127.0.0.1:{port}"),
                directory: Some(PathBuf::from("/g").join(name)),
                host: None,
            };
            MemberView::of(&report, &seat)
        };
        StatusView {
            group: "cart".into(),
            verdict: Verdict::Healthy,
            reasons: Vec::new(),
            can_fail_over: true,
            can_fail_over_reason: "1 candidate, complete".into(),
            epoch: 3,
            primary: Some("cart-0".into()),
            write: "127.0.0.1:7100".into(),
            read: "127.0.0.1:7199".into(),
            password_file: Some("/g/password".into()),
            directory: Some("/g".into()),
            engine: Some("redis 7.0.15".into()),
            authority: Some(AuthorityView {
                mode: "peers".into(),
                lease_left_ms: 0,
                peers_left_ms: Some(4400),
                peers_fresh: 1,
                peers_total: 1,
                lazy: true,
            }),
            fence: Some("gate".into()),
            fence_why: None,
            electorate: vec!["cart-1".into()],
            copies: 1,
            agents: AgentsView { total: 2, answered: 2, agree: 2, store: 2 },
            last_failover: None,
            members: vec![member("cart-0", "primary", 7101), member("cart-1", "replica", 7102)],
            namespace: None,
            context: None,
            password_secret: None,
            via: "local",
            via_why: None,
        }
    }

    #[test]
    fn every_field_of_the_document_is_in_the_help() {
        let value = serde_json::to_value(sample()).expect("a document");
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().expect("an object").keys().cloned().collect()
        };
        let all = [keys(&value), keys(&value["members"][0]), keys(&value["agents"])].concat();
        for key in all {
            assert!(crate::args::STATUS_HELP.contains(&key), "{key} is not in the help of status");
        }
        assert_eq!(value["verdict"], "HEALTHY");
        assert_eq!(value["members"][1]["lag"], 1536);
        assert_eq!(value["members"][0]["lag"], serde_json::Value::Null);
    }
}
