//! A trial as a history that the simulator's checkers read, so that one and the same code judges a
//! simulated world and real processes.
//!
//! Who acknowledged is known where a client speaks to an engine's own address: from the probers and
//! from the writes that were queued there. Of writes through the group's address it is known when
//! they were sent and how they ended. An acknowledgement belongs to the newest epoch that its
//! member had led by then, as the agents tell in their decisions; everything else in a history is
//! seen from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use brain::report::MemberReport;
use serde::{Deserialize, Serialize};
use sim::check::{self, Violation};
use sim::history::{Happening, History, Last, Who, Write as Id};

use crate::journal::{At, Clock, Outcome, Track, Write};
use crate::probe::SLACK;
use crate::status::Group;

/// An answer that took longer than this had been queued in a process that stood still.
const QUEUED: Duration = Duration::from_secs(1);

/// What a member notes when an epoch becomes its own, before its engine is promoted in it.
const BEFORE_PROMOTION: [&str; 4] = ["accepted", "takeover", "reclaimed", "route"];

/// One part of a trial: a deed with everything until the group was healthy again, or the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// `interrex-history/1`: fields are added, never renamed.
    pub schema: String,
    /// The scenario's name.
    pub scenario: String,
    /// Which run of it, from 1; absent for what came after the last.
    pub run: Option<u32>,
    /// Members by their numbers.
    pub members: Vec<String>,
    /// Writers by the upper half of a write's number; the lower half counts their writes.
    pub writers: Vec<String>,
    /// What happened, in nanoseconds since the scenario began.
    pub history: History,
}

impl Recorded {
    /// The schema's name.
    pub const SCHEMA: &'static str = "interrex-history/1";

    /// The broken promises: of safety only, or where the history has an end all of them.
    pub fn broken(&self) -> Vec<Violation> {
        match self.history.events.last() {
            Some((_, Happening::Ended { .. })) => check::all(&self.history),
            _ => check::safety(&self.history),
        }
    }
}

/// A promotion as the agents tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// When.
    pub at: At,
    /// Who.
    pub by: Who,
    /// The epoch.
    pub epoch: u64,
    /// Whether the dataset was whole.
    pub complete: bool,
    /// How many keys it held, and the most that another member held whole.
    pub keys: (u64, u64),
}

/// One writer: who it speaks to, if that is known, and what it did.
#[derive(Clone, Debug)]
pub struct Source {
    /// The member.
    pub engine: Option<Who>,
    /// The writes.
    pub track: Track,
}

/// What members hold of a part's writes: for each source the numbers.
pub type Held = Vec<BTreeSet<u32>>;

/// Makes the parts of one scenario's history, one after the other.
#[derive(Debug)]
pub struct Recorder {
    scenario: String,
    members: Vec<String>,
    copies: u32,
    gate: bool,
    clock: Clock,
    promotions: Vec<Promotion>,
    from: At,
    beyond_store: bool,
    /// Whose answers the network held, and until when: some come when the next part is under way.
    held: Vec<(Who, At)>,
}

impl Recorder {
    /// A recorder for a group that looks like this now.
    pub fn new(
        scenario: &str,
        members: Vec<String>,
        copies: u32,
        gate: bool,
        clock: Clock,
    ) -> Self {
        let scenario = scenario.to_owned();
        let (promotions, from) = (Vec::new(), clock.now());
        let (beyond_store, held) = (true, Vec::new());
        Self { scenario, members, copies, gate, clock, promotions, from, beyond_store, held }
    }

    /// What the next part's deed touches: something else than the store of the record, or not. A
    /// machine that stands still touches everything.
    pub fn harmed(&mut self, beyond_store: bool) {
        self.beyond_store = beyond_store;
    }

    /// The network held this member's answers to clients until then: one that came later may have
    /// been given as soon as it was asked for.
    pub fn answers_held(&mut self, member: &str, until: At) {
        self.held.extend(self.who(member).map(|who| (who, until)));
    }

    /// Whose answers the network held so far, by their numbers, and until when.
    pub fn held(&self) -> &[(Who, At)] {
        &self.held
    }

    /// Now, on the clock of its times.
    pub fn now(&self) -> At {
        self.clock.now()
    }

    /// The number of a member.
    pub fn who(&self, member: &str) -> Option<Who> {
        self.members.iter().position(|name| name == member)
    }

    /// Learns from what the members say of themselves who has been promoted.
    pub fn learn(&mut self, group: &Group) {
        for decision in group.members.iter().flat_map(|member| &member.decisions) {
            if decision.rule == "promoted" && decision.at_ms >= self.clock.wall_ms(At(0)) {
                // The note comes after the engine's own answer, and clients may be faster: what
                // counts is when it had the epoch.
                let own = group.members.iter().flat_map(|member| &member.decisions).filter(|one| {
                    (one.epoch, &one.member) == (decision.epoch, &decision.member)
                        && BEFORE_PROMOTION.contains(&one.rule.as_str())
                });
                let begun = own.map(|one| one.at_ms).min().unwrap_or(decision.at_ms);
                let at = self.clock.at_wall_ms(begun.min(decision.at_ms));
                self.promoted(group, at, &decision.member, decision.epoch);
            }
        }
        // Who leads now has been promoted, whatever became of the decision's note; a higher epoch
        // of who led before is none: a holder may write a lost record again.
        let newest = self.promotions.iter().max_by_key(|one| one.epoch).map(|one| one.by);
        if let Some(primary) = group.primary()
            && newest.is_none_or(|by| self.who(&primary.name) != Some(by))
        {
            self.promoted(group, self.clock.now(), &primary.name, primary.epoch);
        }
        self.promotions.sort_by_key(|promotion| (promotion.at, promotion.epoch));
    }

    fn promoted(&mut self, group: &Group, at: At, member: &str, epoch: u64) {
        let Some(by) = self.who(member) else { return };
        if self.promotions.iter().any(|known| (known.by, known.epoch) == (by, epoch)) {
            return;
        }
        // One that has stopped since holds the epoch all the same, and its engine nothing for now.
        // Who led before everything was not promoted here: what it lacks was taken from it, and
        // others may be behind that.
        let first = self.promotions.is_empty();
        let leads = |report: &&MemberReport| report.epoch == epoch && report.role == "primary";
        let told = group.member(member).filter(leads).filter(|_| !first);
        let whole = |report: &&MemberReport| report.name != member && report.complete;
        let others = group.members.iter().filter(whole).map(|report| report.keys).max();
        let keys = told.map_or((1, 0), |report| (report.keys, others.unwrap_or(0)));
        let complete = told.is_none_or(|report| report.complete);
        self.promotions.push(Promotion { at, by, epoch, complete, keys });
    }

    /// The writes of each source that ended since the part before, by their numbers: to be looked
    /// for before [`Self::part`] is made with the same `until`.
    pub fn numbers(&self, sources: &[Source], until: At) -> Vec<(String, Vec<u32>)> {
        let of = |source: &Source| {
            let numbers = self.writes(source, until).iter().map(|write| write.number).collect();
            (source.track.name().to_owned(), numbers)
        };
        sources.iter().map(of).collect()
    }

    fn writes(&self, source: &Source, until: At) -> Vec<Write> {
        let mut writes = source.track.writes_since(At(self.from.0 + 1));
        writes.retain(|write| write.ended <= until);
        writes
    }

    /// The part until now: what `holding`, a primary of that epoch, held of it, and how it ended.
    pub fn part(
        &mut self,
        run: Option<u32>,
        sources: &[Source],
        until: At,
        holding: Option<(Who, u64, Held)>,
        end: Option<Vec<(MemberEnd, Held)>>,
    ) -> Recorded {
        let mut history = History { copies: self.copies, gate: self.gate, ..History::default() };
        let harm = Happening::Harmed { beyond_store: self.beyond_store };
        self.beyond_store = true;
        let mut events = self.promotions_since(self.from, until);
        events.push((self.from.0, harm));
        let mut acks = Vec::new();
        for (n, source) in (0_u32..).zip(sources) {
            for write in self.writes(source, until) {
                let id = Id::from(n) << 32 | Id::from(write.number);
                events.extend(self.unattributed(id, &write));
                if let Some(by) = source.engine.filter(|_| write.outcome.is_acked()) {
                    acks.push(self.ack(id, by, &write));
                }
            }
        }
        events.extend(in_order(acks));
        events.sort_by_key(|(at, what)| (*at, rank(what)));
        history.events = events;
        let ids = |held: &Held| {
            let of = |(n, set): (u64, &BTreeSet<u32>)| {
                set.iter().map(move |number| n << 32 | Id::from(*number)).collect::<Vec<_>>()
            };
            (0..).zip(held).flat_map(of).collect::<BTreeSet<Id>>()
        };
        if let Some((by, term, held)) = holding {
            history.add(until.0, Happening::Holding { by, term, data: ids(&held) });
        }
        if let Some(members) = end {
            let last = |(end, held): &(MemberEnd, Held)| Last {
                writable: end.writable,
                linked: end.linked,
                data: ids(held),
                blocked: end.blocked.clone(),
                // The count has read every write through the group's address just before.
                routed: Some(end.writable),
                ..Last::default()
            };
            history.add(until.0, Happening::Healed);
            history.add(until.0, Happening::Ended { members: members.iter().map(last).collect() });
        }
        self.from = until;
        Recorded {
            schema: Recorded::SCHEMA.to_owned(),
            scenario: self.scenario.clone(),
            run,
            members: self.members.clone(),
            writers: sources.iter().map(|source| source.track.name().to_owned()).collect(),
            history,
        }
    }

    fn promotions_since(&self, from: At, until: At) -> Vec<(u64, Happening)> {
        let during = |one: &&Promotion| one.at > from && one.at <= until;
        let happened = |one: &Promotion| {
            let Promotion { at, by, epoch, complete, keys } = *one;
            let (held, others) = (keys.0 as usize, keys.1 as usize);
            (at.0, Happening::Promoted { by, term: epoch, epoch, complete, held, others })
        };
        self.promotions.iter().filter(during).map(happened).collect()
    }

    /// What is known of a write whoever carried it out.
    fn unattributed(&self, id: Id, write: &Write) -> Vec<(u64, Happening)> {
        let ended = match write.outcome {
            Outcome::Refused => Some(Happening::Refused { write: id }),
            Outcome::Unknown => Some(Happening::Unknown { write: id }),
            Outcome::Acked => None,
            Outcome::Replicated => Some(Happening::Waited { write: id, copies: self.copies }),
        };
        let invoked = (write.invoked.0, Happening::Invoked { write: id });
        std::iter::once(invoked).chain(ended.map(|what| (write.ended.0, what))).collect()
    }

    fn ack(&self, id: Id, by: Who, write: &Write) -> Ack {
        let frozen = write.ended.since(write.invoked) > QUEUED;
        let term = self.term(by, write.ended);
        let what = Happening::Acked { write: id, by, term, frozen };
        let is_held = |(who, until): &(Who, At)| *who == by && write.invoked <= *until;
        let held = self.held.iter().any(is_held);
        let earliest = if held {
            let own = self.promotions.iter().filter(|one| (one.by, one.epoch) == (by, term));
            own.map(|one| one.at).fold(write.invoked, At::max)
        } else {
            write.invoked.max(write.ended.minus(SLACK))
        };
        Ack { term, earliest, came: write.ended, held, what }
    }

    /// The newest epoch that this member had led by then; 0 when it never led.
    fn term(&self, by: Who, at: At) -> u64 {
        let own = || self.promotions.iter().filter(|promotion| promotion.by == by);
        let by_then = own().filter(|promotion| promotion.at <= at).map(|one| one.epoch).max();
        by_then.or_else(|| own().map(|one| one.epoch).min()).unwrap_or(0)
    }
}

/// How a member stood at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberEnd {
    /// It was the primary.
    pub writable: bool,
    /// It followed the primary, linked.
    pub linked: bool,
    /// What stood in its way.
    pub blocked: Option<String>,
}

impl MemberEnd {
    /// What a member says of itself.
    pub fn of(report: Option<&MemberReport>) -> Self {
        report.map_or_else(Self::default, |report| Self {
            writable: report.role == "primary",
            linked: report.link_up,
            blocked: report.blocked.clone(),
        })
    }
}

/// An acknowledgement: it was given somewhen between two moments.
struct Ack {
    term: u64,
    /// A little before it was noted, and never before it was asked for.
    earliest: At,
    /// It was noted.
    came: At,
    /// The network held it back: the moment at which it came says nothing.
    held: bool,
    what: Happening,
}

/// The moments that make nobody late who may not have been: each as early as it can be, but none
/// before the first one of its term was certainly there.
fn in_order(acks: Vec<Ack>) -> Vec<(u64, Happening)> {
    let mut first: BTreeMap<u64, At> = BTreeMap::new();
    for Ack { term, came, .. } in acks.iter().filter(|ack| !ack.held) {
        first.entry(*term).and_modify(|first| *first = (*first).min(*came)).or_insert(*came);
    }
    let begun = |ack: &Ack| first.get(&ack.term).copied().unwrap_or_default();
    let at = |ack: &Ack| if ack.held { ack.earliest } else { ack.earliest.max(begun(ack)) };
    acks.into_iter().map(|ack| (at(&ack).0, ack.what)).collect()
}

/// At one moment: what was asked, then what was answered, older terms first.
fn rank(what: &Happening) -> (u8, u64) {
    match what {
        Happening::Harmed { .. } | Happening::Promoted { .. } => (0, 0),
        Happening::Invoked { .. } => (1, 0),
        Happening::Acked { term, .. } => (2, *term),
        _ => (3, 0),
    }
}

#[cfg(test)]
mod tests;
