//! The words of the trace.

use brain::{Act, EngineCommand, EngineNews, Input, Message, StoreOutcome};

use super::What;
use crate::server::Wire;

/// A number for a kind of event and whom it is about: for the hash.
pub(super) fn kind(what: &What) -> (u64, u64) {
    match what {
        What::Wake { m, .. } => (1, *m as u64),
        What::Hear { m, .. } => (2, *m as u64),
        What::Peer { from, to, .. } => (3, (*from * 16 + *to) as u64),
        What::Link { m, peer, .. } => (4, (*m * 16 + *peer) as u64),
        What::StoreArrive(call) => (5, *call),
        What::StoreAnswer(call) => (6, *call),
        What::StoreTimeout(call) => (7, *call),
        What::Watch { m, .. } => (8, *m as u64),
        What::Relist { m, .. } => (9, *m as u64),
        What::Persisted { m, .. } => (10, *m as u64),
        What::Order { m, .. } => (11, *m as u64),
        What::OrderTimeout { m, .. } => (12, *m as u64),
        What::OrderDone { m, .. } => (13, *m as u64),
        What::StartServer { m, .. } => (14, *m as u64),
        What::StopServer { m, .. } => (15, *m as u64),
        What::Silence { m, .. } => (16, *m as u64),
        What::Wire { from, to, .. } => (17, (*from * 16 + *to) as u64),
        What::Cron { m, .. } => (18, *m as u64),
        What::Alarm { m, .. } => (19, *m as u64),
        What::Gate { m, .. } => (20, *m as u64),
        What::Client { c, .. } => (21, *c as u64),
        What::ClientTimeout { c, .. } => (22, *c as u64),
        What::Command { m, .. } => (23, *m as u64),
        What::ClientReply { c, .. } => (24, *c as u64),
        What::Routed { m, .. } => (25, *m as u64),
        What::Nemesis => (26, 0),
        What::Undo(_) => (27, 0),
        What::Return { m, .. } => (28, *m as u64),
        What::Grace { m, .. } => (29, *m as u64),
        What::Certified { m, .. } => (30, *m as u64),
    }
}

/// A rule's name as a number.
pub(super) fn rule_hash(rule: &str) -> u64 {
    rule.bytes().fold(7, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether a reason says that a primary was chosen by what is left, and writes may be lost.
pub(crate) fn accepts_loss(why: &brain::Reason) -> bool {
    match why.rule {
        "forced" | brain::BEGINS_EMPTY => true,
        "takeover" => why.text.contains("recovery"),
        _ => false,
    }
}

/// An input, when it is worth a line.
pub(crate) fn input(input: &Input) -> Option<String> {
    Some(match input {
        Input::Tick => return None,
        Input::Engine(EngineNews::Seen { view, .. }) => {
            let offset = view.offset.map_or("-".to_owned(), |o| o.to_string());
            let role = if view.is_primary { "primary" } else { "replica" };
            let up = view.upstream.as_ref().map_or("dead end", |u| u.0.as_str());
            let link = if view.link_up { "up" } else { "down" };
            format!(
                "seen {role} of {up} link {link} offset {offset} replid {} keys {} loading {} \
                 sync {} replicas {:?}",
                view.replid,
                view.keys,
                view.loading,
                view.sync_in_progress,
                view.replicas.iter().map(|r| (&r.member.0, r.offset.0)).collect::<Vec<_>>(),
            )
        }
        Input::Store { request, outcome } => match outcome {
            StoreOutcome::Read(Some((version, record))) => {
                format!("store {}: read {} epoch {}", request.0, version.0, record.epoch)
            }
            other => format!("store {}: {other:?}", request.0),
        },
        Input::Watched(Some((version, record))) => {
            let holder = record.holder.as_ref().map_or("nobody".to_owned(), ToString::to_string);
            format!("watched {} epoch {} holder {holder}", version.0, record.epoch)
        }
        Input::Peer { from, message } => format!("from {from}: {}", self::message(message)),
        other => format!("{other:?}"),
    })
}

/// An effect, when it is worth a line.
pub(crate) fn act(act: &Act) -> Option<String> {
    Some(match act {
        Act::Engine { command: EngineCommand::Observe, .. } => return None,
        Act::Replace { request, expected, record } => {
            let holder = record.holder.as_ref().map_or("nobody".to_owned(), ToString::to_string);
            let seats: Vec<_> = record
                .electorate
                .seats
                .iter()
                .map(|s| format!("{} from {}", s.member.name, s.from))
                .collect();
            format!(
                "replace {} on {:?}: epoch {} holder {holder} E v{} k{} {seats:?}",
                request.0,
                expected.as_ref().map(|v| v.0.as_str()),
                record.epoch,
                record.electorate.version,
                record.electorate.copies
            )
        }
        Act::Send { to, message } => format!("to {to}: {}", self::message(message)),
        Act::Persist { id, memory } => format!(
            "persist: promised {:?} led {} followed {} stamp {} exact {} attached {:?} ({})",
            memory.promised.as_ref().map(|(e, m)| (e.0, m.name.0.as_str())),
            memory.led,
            memory.followed,
            memory.stamp,
            memory.exact,
            memory.attached_in,
            id.0,
        ),
        Act::Engine { request, command } => format!("engine {}: {command:?}", request.0),
        other => format!("{other:?}"),
    })
}

fn message(message: &Message) -> String {
    match message {
        Message::Heartbeat(h) => format!(
            "heartbeat {} epoch {} v{} offset {} attach {:?}",
            h.seq, h.epoch, h.electorate.version, h.offset, h.attach
        ),
        Message::Ack(a) => format!(
            "ack {} epoch {} v{} nack {:?} {}",
            a.seq, a.epoch, a.version, a.nack, a.report.stamp
        ),
        Message::Standing { ask, report } => {
            format!("standing {ask}: {} exact {} lost {}", report.stamp, report.exact, report.lost)
        }
        Message::Promise(p) => format!(
            "promise {} for e{} v{} denied {:?} {}",
            p.epoch, p.for_epoch, p.for_version, p.denied, p.report.stamp
        ),
        Message::Written { version, record } => {
            format!("written {} epoch {}", version.0, record.epoch)
        }
        other => format!("{other:?}"),
    }
}

/// What engines say, without the data.
pub(super) fn wire(wire: &Wire) -> String {
    match wire {
        Wire::Psync { user, wanted } => format!("psync {} {wanted:?}", user.name),
        Wire::Continue { replid } => format!("continue {replid}"),
        Wire::FullData { replid, offset, data } => {
            format!("full data {replid} {offset} writes {}", data.len())
        }
        Wire::FullBegin { .. } => "full sync begins".to_owned(),
        Wire::Refused(why) => format!("refused: {why:?}"),
        Wire::Closed => "closed".to_owned(),
        Wire::Stream(_) | Wire::Ack(_) => String::new(),
    }
}

/// Whether a line says the same as this member's last of its kind: told once.
pub(super) fn is_old_news(
    known: &mut std::collections::BTreeMap<String, String>,
    text: &str,
) -> bool {
    let routine = ["seen", "persist", "standing", "watched", "ack", "heartbeat"];
    let news: String = text.split('(').next().unwrap_or(text).to_owned();
    let Some(kind) = routine.iter().find(|k| news.contains(*k)) else {
        return text.starts_with("Persisted") || text.contains("Read {");
    };
    // A kind and a direction: `< from orders-1: standing`.
    let key: String = news.chars().take(18).chain(kind.chars()).collect();
    let news: String = news
        .split(' ')
        .scan(false, |counted, word| {
            let skip = std::mem::replace(counted, word == "ack" || word == "heartbeat");
            Some(if skip { "" } else { word })
        })
        .collect();
    known.insert(key, news.clone()).is_some_and(|last| last == news)
}
