//! One world: how it begins, what follows from a state, and what of it is judged.

use brain::Cure;

use crate::action::Action;
use crate::config::{Config, Slip};
use crate::dataset::Log;
use crate::property::Property;
use crate::rules::Rules;
use crate::search::Machine;
use crate::state::{Member, NOBODY, Packed, Record, SLOTS, Set, State, Swap, bit, has};
use crate::state::{role, stage, status};
use crate::steps;

/// Where a step's outcome goes.
pub type Out<'a> = dyn FnMut(Action, State) + 'a;

/// A world that can be searched.
#[derive(Debug)]
pub struct World {
    /// What it is.
    pub config: Config,
    /// The brain's rules, asked for this world.
    pub rules: Rules,
}

impl World {
    /// The world that this describes.
    pub fn new(config: Config) -> Self {
        assert!((1..=3).contains(&config.replicas), "replicas {}: 1 to 3", config.replicas);
        assert!(config.epochs <= 6 && config.writes <= 3, "epochs up to 6, writes up to 3");
        assert!(config.replicas < 3 || config.budget.pods == 0, "pods: the last slot is taken");
        Self { config, rules: Rules::new(config) }
    }

    /// The slots that are in use.
    pub fn slots(&self, s: &State) -> impl Iterator<Item = usize> + use<> {
        let replicas = self.config.replicas;
        let again = (s.recreated > 0).then_some(SLOTS - 1);
        (0..=replicas).chain(again)
    }

    /// Whether this process runs.
    pub fn is_up(&self, s: &State, slot: usize) -> bool {
        s.members[slot].role != role::DOWN
    }

    /// Whether this process holds the record and leads by it.
    pub fn is_its_own(&self, s: &State, slot: usize) -> bool {
        let record = &s.record;
        record.status == status::HELD
            && usize::from(record.holder) == slot
            && record.epoch == s.members[slot].epoch
    }

    /// Whether the holder waits for an answer of the store.
    pub fn is_busy(&self, s: &State, slot: usize) -> bool {
        let waits = |w: &Swap| w.stage != stage::NONE && w.heard == 1;
        s.swaps.iter().any(|w| waits(w) && usize::from(w.owner) == slot)
    }

    /// Whether its engine may write.
    pub fn has_authority(&self, s: &State, slot: usize) -> bool {
        let member = &s.members[slot];
        member.role == role::LEADS && (!self.config.clock || self.rules.holds(member))
    }

    /// Whether the record is as new as what this member knows (else it is "lacking").
    pub fn is_current(&self, s: &State, slot: usize) -> bool {
        let known = s.members[slot].known;
        s.record.status != status::ABSENT && (s.record.epoch, s.record.version) >= known
    }

    /// Whether it has seen the record as it stands.
    pub fn has_seen(&self, s: &State, slot: usize) -> bool {
        !self.config.clock || s.members[slot].saw > 0
    }

    /// {A} ∪ E of the record, by their disks, among the slots in use.
    pub fn of_record(&self, s: &State) -> Set {
        let named = s.record.seats | bit(s.record.holder.into());
        let disks: Set =
            (0..SLOTS).filter(|m| has(named, *m)).fold(0, |set, m| set | bit(s.disk(m)));
        self.slots(s).filter(|m| has(disks, s.disk(*m))).fold(0, |set, m| set | bit(m))
    }

    /// The seats that promises of these fill: the very pods, or the disks of a released record.
    pub fn seats_of(&self, s: &State, granted: Set) -> Set {
        let by_disk =
            s.record.status == status::RELEASED || !self.config.keeps(Cure::WholeIdentity);
        let fills = |seat: usize| {
            has(granted, seat)
                || by_disk && self.slots(s).any(|m| has(granted, m) && s.disk(m) == s.disk(seat))
        };
        (0..SLOTS).filter(|m| has(s.record.seats, *m) && fills(*m)).fold(0, |e, m| e | bit(m))
    }

    /// The next epoch as this member knows it: above the record, its disk, its promise.
    pub fn next_epoch(&self, s: &State, slot: usize) -> u8 {
        let member = &s.members[slot];
        s.record.epoch.max(member.known.0).max(member.promised.0) + 1
    }

    /// The store carries a write of the record out.
    pub fn write(&self, s: &mut State, to: Record) {
        let kept = self.config.budget.rollbacks > 0 && to != s.record;
        if kept && s.record.status != status::ABSENT {
            s.before = s.record;
        }
        s.record = to;
        s.unheard = 0;
        for swap in &mut s.swaps {
            if swap.stage == stage::OPEN {
                let stale = Swap { stage: stage::STALE, ..*swap };
                // Nobody waits for the refusal of what was given up.
                *swap = if swap.heard == 1 { stale } else { Swap::default() };
            }
        }
        for member in &mut s.members {
            member.saw = 0;
            // A candidacy is for one version of the record: its compare-and-swap would be refused.
            if self.config.keeps(Cure::PromiseForElectorate) {
                member.forget_candidacy();
            }
        }
    }

    /// A member begins to lead.
    pub fn lead(&self, s: &mut State, slot: usize, epoch: u8, seats: Set, lease: u8) {
        let expired = self.rules.expired();
        let (copies, version) = (s.record.copies, s.record.version);
        let member = &mut s.members[slot];
        member.stop_leading(expired);
        member.role = role::LEADS;
        member.epoch = epoch;
        member.under = (seats, copies);
        member.also = (seats, copies);
        member.version = version;
        member.lease = lease;
        member.known = member.known.max((epoch, version));
        member.upstream = 0;
        member.attached_in = 0;
        member.virgin = 0;
    }

    /// A line of data begins with what this member holds: here is judged what a primary must have.
    pub fn begin_line(&self, s: &mut State, slot: usize, line: u8) {
        if !self.config.data {
            return;
        }
        let member = s.members[slot];
        let owed = |write: &u8| {
            let epoch = s.waited[usize::from(*write) - 1];
            epoch != 0 && epoch < line && !member.log.has(*write)
        };
        if (1..=s.writes).any(|write| owed(&write)) {
            s.fault = Property::I2 as u8;
        } else if member.complete == 0 {
            s.fault = Property::I3 as u8;
        }
        let member = &mut s.members[slot];
        member.line = (line, member.log.len());
        member.complete = 1;
        member.exact = 1;
    }

    /// The record of a new lead whose line begins with what `slot` holds.
    pub fn new_line(&self, s: &State, slot: usize, epoch: u8, seats: Set) -> Record {
        let member = &s.members[slot];
        Record {
            status: status::HELD,
            holder: slot as u8,
            epoch,
            seats,
            version: 0,
            copies: s.record.copies,
            from: [member.log.len(); SLOTS],
            line: if self.config.data { epoch } else { 0 },
            start: member.log,
            parent: member.line.0,
            appointed: 0,
            chosen: (0, 0),
        }
    }

    /// A member follows, whatever it was.
    pub fn follow(&self, s: &mut State, slot: usize) {
        s.members[slot].stop_leading(self.rules.expired());
        self.drop_replicas(s, slot);
    }

    /// Whoever replicates from this engine loses its link.
    pub fn drop_replicas(&self, s: &mut State, slot: usize) {
        for member in &mut s.members {
            if usize::from(member.upstream) == slot + 1 {
                member.upstream = 0;
            }
        }
    }

    /// Whether this member's last ack to anybody but `to` has faded.
    pub fn is_silent_for(&self, s: &State, slot: usize, to: usize) -> bool {
        let member = &s.members[slot];
        let faded = member.acked.0 >= self.rules.expired() || usize::from(member.acked.1) == to;
        let gap = self.config.slips(Slip::ImpatientVoter) && member.acked.0 > 0;
        let released = s.record.status == status::RELEASED
            && self.has_seen(s, slot)
            && self.is_current(s, slot);
        !self.config.clock || faded || gap || released
    }

    fn first(&self) -> State {
        let mut s = State { left: self.config.budget, ..State::default() };
        let expired = self.rules.expired();
        let data = u8::from(self.config.data);
        for member in &mut s.members {
            *member = Member { complete: 1, exact: 1, ..Member::default() };
            member.stop_leading(expired);
            member.acked = (expired, NOBODY);
            member.virgin = u8::from(self.config.bootstrap);
            member.complete = u8::from(!self.config.bootstrap || data == 0);
            member.exact = member.complete;
        }
        s.record.copies = self.config.copies;
        s.record.status = status::FIRST;
        if !self.config.bootstrap {
            self.begin_with_a_primary(&mut s);
        }
        s
    }

    /// A leads epoch 1, everybody else follows and has all of nothing.
    fn begin_with_a_primary(&self, s: &mut State) {
        let seats = (1..=self.config.replicas).fold(0, |e, m| e | bit(m));
        let to = self.new_line(s, 0, 1, seats);
        self.write(s, to);
        s.record.parent = 0;
        self.lead(s, 0, 1, seats, 0);
        self.begin_line(s, 0, s.record.line);
        for slot in 1..=self.config.replicas {
            let member = &mut s.members[slot];
            member.known = (1, 0);
            if self.config.data {
                member.upstream = 1;
                member.line = (1, 0);
                member.attached_in = 1;
            }
        }
        s.members[SLOTS - 1].known = (1, 0);
    }
}

impl Machine for World {
    type State = State;
    type Action = Action;
    type Packed = Packed;

    fn initial(&self) -> State {
        let mut s = self.first();
        self.judge(&mut s);
        s
    }

    fn pack(&self, s: &State) -> Packed {
        s.pack()
    }

    fn unpack(&self, packed: &Packed) -> State {
        State::unpack(packed)
    }

    fn next(&self, s: &State, out: &mut dyn FnMut(Action, State)) {
        let mut judged = |action: Action, mut after: State| {
            self.judge(&mut after);
            out(action, after);
        };
        steps::all(self, s, &mut judged);
    }

    fn broken(&self, s: &State) -> Option<Property> {
        Property::of(s.fault)
    }

    fn show(&self, s: &State) -> String {
        crate::show::state(self, s)
    }
}

impl World {
    /// What must hold in every state, and the highest epoch that ever had authority.
    fn judge(&self, s: &mut State) {
        if !self.config.clock {
            return;
        }
        let mut holders = 0;
        for slot in self.slots(s) {
            if !self.has_authority(s, slot) {
                continue;
            }
            holders += 1;
            let epoch = s.members[slot].epoch;
            if epoch < s.top && s.fault == 0 {
                s.fault = Property::I6 as u8;
            }
            s.top = s.top.max(epoch);
        }
        if holders > 1 {
            s.fault = Property::I1 as u8;
        }
        if self.config.calm && s.fault == 0 && !self.has_authority(s, 0) {
            s.fault = Property::Lazy as u8;
        }
    }
}

impl State {
    /// The slot whose disk this slot has: its own, or the one that it goes on with.
    pub fn disk(&self, slot: usize) -> usize {
        let again = slot == SLOTS - 1 && self.recreated > 0;
        if again { usize::from(self.recreated) - 1 } else { slot }
    }
}

impl Member {
    /// Nothing that belongs to leading or asking is left.
    pub fn stop_leading(&mut self, expired: u8) {
        self.role = role::FOLLOWS;
        self.epoch = 0;
        self.under = (0, 0);
        self.also = (0, 0);
        self.version = 0;
        self.lease = expired;
        self.acks = expired | expired << 2 | expired << 4 | expired << 6;
        self.late = 0;
        self.expelled = 0;
        self.barrier = 0;
        self.named = (0, 0);
        self.chosen = (0, 0);
        self.forget_candidacy();
    }

    /// It asks for nothing.
    pub fn forget_candidacy(&mut self) {
        self.asks = 0;
        self.granted = 0;
        self.proof = (0, 0, 0);
    }

    /// The data of an unclean stop: what is left of them, and what that proves.
    pub fn lose(&mut self, log: Log, keeps_epoch: bool) {
        self.log = log;
        if log.len() < self.line.1 && !keeps_epoch {
            self.line = (0, 0);
        }
    }
}
