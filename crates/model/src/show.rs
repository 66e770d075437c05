//! A state for people, on one line: the record, then who does what.

use crate::dataset::Log;
use crate::rules::age_of;
use crate::state::{Member, Record, SLOTS, Set, State, has, role, stage, status};
use crate::world::World;

/// A is slot 0.
fn letter(slot: usize) -> char {
    (b'A' + slot as u8) as char
}

fn set(slots: Set) -> String {
    (0..SLOTS).filter(|slot| has(slots, *slot)).map(letter).collect()
}

fn log(log: Log) -> String {
    (0..log.len()).map(|place| log.at(place).to_string()).collect()
}

fn record(w: &World, record: &Record) -> String {
    let Record { epoch, seats, version, copies, .. } = *record;
    let holder = letter(record.holder.into());
    let held = format!("@{epoch} E={{{}}}.{version} k={copies}", set(seats));
    let line = format!(" line {} from [{}]", record.line, log(record.start));
    let line = if w.config.data { line } else { String::new() };
    match record.status {
        status::ABSENT => "no record".to_owned(),
        status::FIRST => "first record".to_owned(),
        status::RELEASED => format!("released by {holder}{held}{line}"),
        _ => format!("{holder}{held}{line}"),
    }
}

/// The whole of it.
pub fn state(w: &World, s: &State) -> String {
    let mut parts = vec![record(w, &s.record)];
    for slot in w.slots(s) {
        parts.push(format!("{}: {}", letter(slot), member(w, s, slot)));
    }
    for swap in s.swaps.iter().filter(|swap| swap.stage != stage::NONE) {
        let how = ["", "sent", "stale", "done", "refused"][usize::from(swap.stage)];
        let heard = if swap.heard == 1 { "" } else { ", given up" };
        let owner = letter(swap.owner.into());
        parts.push(format!("{owner} writes {} ({how}{heard})", record(w, &swap.to)));
    }
    let waited: String = (1..=s.writes)
        .filter(|write| s.waited[usize::from(*write) - 1] > 0)
        .map(|write| write.to_string())
        .collect();
    if !waited.is_empty() {
        parts.push(format!("waited {waited}"));
    }
    parts.join(" | ")
}

fn member(w: &World, s: &State, slot: usize) -> String {
    let member = &s.members[slot];
    let mut words = vec![doing(w, s, slot)];
    if w.config.data {
        words.push(data(member));
    }
    if member.promised.0 > 0 {
        let to = letter(member.promised.1.into());
        words.push(format!("promised {} to {to}", member.promised.0));
    }
    if member.asks > 0 {
        words.push(format!("asks for {} has {{{}}}", member.asks, set(member.granted)));
    }
    if member.named.0 > 0 {
        words.push(format!("is to lead {}", member.named.0));
    }
    words.retain(|word| !word.is_empty());
    words.join(", ")
}

fn doing(w: &World, s: &State, slot: usize) -> String {
    let member = &s.members[slot];
    let said = match member.role {
        role::LEADS if w.has_authority(s, slot) => "WRITES",
        role::LEADS => "leads",
        role::FENCED => "fenced",
        role::YIELDED => "yielded",
        role::WIDOWED => return "engine dead".to_owned(),
        role::DOWN => return "down".to_owned(),
        _ if w.config.clock && member.saw > 0 => {
            return format!("saw the record {} ticks ago", member.saw - 1);
        }
        _ => return "follows".to_owned(),
    };
    let both = member.under.0 | member.also.0;
    let acks: Vec<String> = (0..SLOTS)
        .filter(|m| has(both, *m) && age_of(member.acks, *m) < w.rules.expired())
        .map(|m| format!("{}:{}", letter(m), age_of(member.acks, m)))
        .collect();
    let joint = if member.also == member.under {
        String::new()
    } else {
        format!("+{{{}}}.{}", set(member.also.0), member.also.1)
    };
    let under = set(member.under.0);
    let held = if w.config.clock {
        format!(" lease {} acks [{}]", member.lease, acks.join(" "))
    } else {
        String::new()
    };
    format!("{said} @{} under {{{under}}}{joint}{held}", member.epoch)
}

fn data(member: &Member) -> String {
    let whole = if member.complete == 1 { "" } else { " half" };
    let exact = if member.exact == 1 { "" } else { " inexact" };
    let from = match member.upstream {
        0 => String::new(),
        upstream => format!(" from {}", letter(usize::from(upstream) - 1)),
    };
    format!("[{}] of line {}{whole}{exact}{from}", log(member.log), member.line.0)
}
