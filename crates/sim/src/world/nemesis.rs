//! Faults made and undone, the healing, and the end.

use std::fmt::Write as _;

use brain::{Exit, Span, Wish};

use super::{What, World};
use crate::faults::{Fault, Frozen, Kind, Stuck};
use crate::history::{Happening, Last};
use crate::network::{Plane, Weather};
use crate::server::{Disk, Link, Role};
use crate::store::Temper;
use crate::{MS, SECOND};

impl World {
    pub(super) fn nemesis(&mut self) {
        if self.now >= self.chaos_until {
            return;
        }
        let primary = self.primaries().into_iter().find(|m| self.stands.contains(m));
        let nemesis = self.plan.nemesis.clone();
        let fault = nemesis.draw(&mut self.rng, &self.stands, primary);
        let pause = nemesis.pause(&mut self.rng);
        self.faults_drawn += 1;
        if !self.plan.skips.contains(&self.faults_drawn) {
            let number = self.faults_drawn;
            self.trace.line(self.now, "fault", || format!("number {number}"));
            self.make(fault);
        }
        self.after(pause, What::Nemesis);
    }

    /// Those whose engine calls itself a primary.
    pub fn primaries(&self) -> Vec<usize> {
        let is =
            |m: &usize| self.members[*m].server.as_ref().is_some_and(|s| s.role == Role::Primary);
        (0..self.members.len()).filter(is).collect()
    }

    /// Makes a fault now; what it undoes by itself is arranged.
    pub fn make(&mut self, fault: Fault) {
        self.trace.line(self.now, "fault", || format!("{fault:?}"));
        let word = format!("{fault:?}");
        let word = word.split([' ', '{']).next().unwrap_or_default().to_owned();
        *self.faults_made.entry(word).or_insert(0) += 1;
        self.note(Happening::Harmed { beyond_store: !matches!(fault, Fault::StoreDown { .. }) });
        match fault {
            Fault::KillEngine { member, signal } => self.end_server(member, Exit::Signal(signal)),
            Fault::KillAgent { member, orphan, back } => {
                self.end_agent(member, orphan);
                self.member_back(member, back);
            }
            Fault::Freeze { member, what, lasts } => {
                self.freeze(member, what);
                self.after(lasts, What::Undo(Box::new(Fault::Freeze { member, what, lasts })));
            }
            Fault::Hang { member, why, lasts } => {
                self.stick(member, why);
                self.after(lasts, What::Undo(Box::new(Fault::Hang { member, why, lasts })));
            }
            Fault::Wipe { member, back } => self.wipe(member, back),
            Fault::Empty { member } => self.empty(member),
            Fault::LoseState { member, back } => self.lose_state(member, back),
            Fault::FailSaves { member, lasts } => {
                self.set_saves(member, false);
                self.after(lasts, What::Undo(Box::new(Fault::FailSaves { member, lasts })));
            }
            Fault::Twin { member, keeps_disk, paths, lasts } => {
                if self.make_twin(member, keeps_disk, &paths) {
                    let old = Fault::Twin { member, keeps_disk, paths, lasts };
                    self.after(lasts, What::Undo(Box::new(old)));
                }
            }
            Fault::Recreate { member, back } => {
                self.end_agent(member, false);
                self.end_server(member, Exit::Signal(9));
                self.members[member].pod += 1;
                self.member_back(member, back);
            }
            Fault::StopMember { member, within, back } => self.stop_member(member, within, back),
            Fault::LoseRoom { member, lasts } => {
                self.set_room(member, false);
                self.after(lasts, What::Undo(Box::new(Fault::LoseRoom { member, lasts })));
            }
            other => self.make_to_group(other),
        }
    }

    /// The same with what is nobody's own: the network, the store, the record, all members at once.
    fn make_to_group(&mut self, fault: Fault) {
        match fault {
            Fault::Cut { paths, lasts } => {
                for (plane, from, to) in &paths {
                    self.network.cut(*plane, *from, *to);
                }
                self.refresh_links();
                self.after(lasts, What::Undo(Box::new(Fault::Cut { paths, lasts })));
            }
            Fault::StoreDown { read_only, lasts } => {
                self.store.read_only |= read_only;
                self.store.down |= !read_only;
                self.after(lasts, What::Undo(Box::new(Fault::StoreDown { read_only, lasts })));
            }
            Fault::RollBack { writes } => self.roll_back(writes),
            Fault::ReuseAddress { of, by, lasts } => {
                self.reused.insert(of, by);
                self.after(lasts, What::Undo(Box::new(Fault::ReuseAddress { of, by, lasts })));
            }
            Fault::StopAll { clean, back } => self.stop_all(clean, back),
            Fault::Handover { to } => {
                let to = to.map(|t| self.name(t));
                if let Some(primary) = self.primaries().first().copied() {
                    self.ask(primary, Wish::Handover { to, dry_run: false });
                }
            }
            Fault::DeleteRecord => {
                self.store.delete();
                self.announce();
            }
            Fault::Maintenance { lasts } => {
                self.set_paused(true);
                self.after(lasts, What::Undo(Box::new(Fault::Maintenance { lasts })));
            }
            _ => {}
        }
    }

    /// Takes a fault away: what [`World::make`] arranges for its end.
    pub fn undo(&mut self, fault: Fault) {
        self.trace.line(self.now, "fault", || format!("over: {fault:?}"));
        let stays = |world: &Self, m: usize| world.members.get(m).is_some_and(|m| m.broken);
        match fault {
            Fault::Freeze { member, .. } | Fault::Hang { member, .. } if stays(self, member) => {}
            Fault::Freeze { member, what, .. } => self.thaw(member, what),
            Fault::Hang { member, .. } => self.unstick(member),
            Fault::Cut { paths, .. } => {
                for (plane, from, to) in paths {
                    let left = self.members.iter().any(|m| m.cut_off.contains(&(plane, from, to)));
                    if left || stays(self, from) || stays(self, to) {
                        continue;
                    }
                    if self.network.mend(plane, from, to) {
                        self.mended(plane, from, to);
                    }
                }
                self.refresh_links();
            }
            Fault::StoreDown { read_only, .. } => {
                self.store.read_only &= !read_only;
                self.store.down &= read_only;
                self.announce();
            }
            Fault::LoseRoom { member, .. } => self.set_room(member, true),
            Fault::FailSaves { member, .. } => self.set_saves(member, true),
            Fault::ReuseAddress { of, .. } => drop(self.reused.remove(&of)),
            Fault::Maintenance { .. } => self.set_paused(false),
            Fault::Twin { member, .. } => self.end_old(member),
            _ => {}
        }
    }

    fn freeze(&mut self, member: usize, what: Frozen) {
        if what != Frozen::Agent {
            self.stick(member, Stuck::Stopped);
        }
        if what != Frozen::Engine {
            self.freeze_agent(member);
        }
    }

    fn roll_back(&mut self, writes: usize) {
        if self.store.restore(writes) {
            self.note(Happening::Restored);
            self.announce();
        }
    }

    fn thaw(&mut self, member: usize, what: Frozen) {
        let agent_first = self.rng.per_mille(500);
        if what != Frozen::Engine && agent_first {
            self.thaw_agent(member);
        }
        if what != Frozen::Agent {
            self.unstick(member);
        }
        if what != Frozen::Engine && !agent_first {
            self.thaw_agent(member);
        }
    }

    fn mended(&mut self, plane: Plane, from: usize, to: usize) {
        match plane {
            Plane::Engine => self.release_wires(from, to),
            Plane::Peer => {
                for message in self.held_peers.remove(&(from, to)).unwrap_or_default() {
                    self.peer_on_its_way(from, to, message);
                }
            }
            Plane::Store | Plane::Client => {}
        }
    }

    fn wipe(&mut self, member: usize, back: u64) {
        self.end_agent(member, false);
        self.end_server(member, Exit::Signal(9));
        let had = std::mem::take(&mut self.members[member].disk);
        self.note_loss(member, had.data, &Disk::default());
        self.members[member].vouch_at_most(0);
        self.members[member].memory = None;
        self.members[member].pod += 1;
        self.member_back(member, back);
    }

    /// It comes back with its data beside a state file that is gone.
    fn lose_state(&mut self, member: usize, back: u64) {
        self.end_agent(member, false);
        self.end_server(member, Exit::Signal(9));
        self.members[member].memory = None;
        // What nobody remembers cannot be told from what a newcomer brings.
        self.members[member].vouch_at_most(0);
        self.member_back(member, back);
    }

    /// The engine is killed and the whole directory emptied in the same instant; the agent runs on.
    pub(crate) fn empty(&mut self, member: usize) {
        self.note(Happening::Harmed { beyond_store: true });
        self.end_server(member, Exit::Signal(9));
        let had = std::mem::take(&mut self.members[member].disk);
        self.note_loss(member, had.data, &Disk::default());
        self.members[member].vouch_at_most(0);
        self.members[member].memory = None;
        self.members[member].wiped = true;
    }

    /// The state file is taken away from a running member.
    pub fn take_state(&mut self, member: usize) {
        self.note(Happening::Harmed { beyond_store: true });
        self.members[member].memory = None;
        self.members[member].wiped = true;
    }

    fn stop_all(&mut self, clean: bool, back: Vec<(usize, u64)>) {
        for (member, back) in back {
            if clean {
                self.stop_member(member, 10 * SECOND, back + 10 * SECOND);
            } else {
                self.end_agent(member, false);
                self.end_server(member, Exit::Signal(9));
                self.member_back(member, back);
            }
        }
    }

    fn stop_member(&mut self, member: usize, within: u64, back: u64) {
        if self.members[member].agent.is_none() {
            return;
        }
        let life = self.members[member].life;
        self.ask(member, Wish::Stop { within: Span(within) });
        // At the end of the grace the kubelet kills what is left, and starts it again.
        let rest = within + 2 * SECOND + back;
        self.members[member].back_at = Some(self.now + rest);
        let kill = Fault::KillAgent { member, orphan: false, back };
        self.after(within + 2 * SECOND, What::Grace { m: member, life, kill: Box::new(kill) });
    }

    fn set_room(&mut self, m: usize, roomy: bool) {
        self.members[m].roomy = roomy;
        let short = (!roomy).then_some(brain::Shortage::Disk);
        self.deliver(m, brain::Input::Room { short });
    }

    fn set_saves(&mut self, m: usize, work: bool) {
        self.members[m].saves_fail = !work;
        if let Some(server) = &mut self.members[m].server {
            server.break_disk(!work);
        }
    }

    fn set_paused(&mut self, paused: bool) {
        if let Some((_, record)) = self.store.record.clone() {
            self.write_record(brain::Record { paused, ..record });
        }
    }

    /// Writes the record as no member would: a person's hand, or a script's.
    pub fn write_record(&mut self, record: brain::Record) {
        self.store.put(record);
        self.announce();
    }

    /// Takes every fault away and starts whoever is down.
    pub fn heal(&mut self) {
        self.chaos_until = self.now;
        self.healed = true;
        self.trace.line(self.now, "fault", || "healed".to_owned());
        self.note(Happening::Healed);
        (0..self.members.len()).for_each(|m| self.end_old(m));
        for m in self.spared() {
            if self.may_lack_store(m) {
                self.leave_without_store(m);
            } else {
                self.leave_broken(m);
            }
        }
        self.heal_network();
        self.network.weather = Weather { loss: 0, twice: 0, ..self.network.weather };
        self.plan.temper = Temper { slow: 0, lost_answer: 0, lost_call: 0, ..self.plan.temper };
        (self.store.down, self.store.read_only) = (false, false);
        self.reused.clear();
        self.set_paused(false);
        for m in (0..self.members.len()).filter(|m| !self.members[*m].broken).collect::<Vec<_>>() {
            self.thaw(m, Frozen::Both);
            self.set_room(m, true);
            self.set_saves(m, true);
            if self.members[m].agent.is_none() {
                self.member_back(m, 100 * MS);
            }
        }
        self.refresh_links();
    }

    fn heal_network(&mut self) {
        let stays = |path: &(Plane, usize, usize)| {
            self.members.iter().any(|member| member.cut_off.contains(path))
        };
        let cuts = self.network.all_cuts();
        let (left, healed): (Vec<_>, Vec<_>) = cuts.into_iter().partition(stays);
        self.network.heal();
        for (plane, from, to) in left {
            self.network.cut(plane, from, to);
        }
        for (plane, from, to) in healed {
            self.mended(plane, from, to);
        }
    }

    /// Whom the group can do without, when the plan heals no more than is needed (failover.md 2.3
    /// L1): who is of no electorate; and the holder, if every copy of the electorate is certain.
    fn spared(&mut self) -> Vec<usize> {
        let Some((_, record)) = self.store.record.clone().filter(|_| self.plan.heals_enough) else {
            return Vec::new();
        };
        if record.paused || !record.initialised {
            return Vec::new();
        }
        let needed: Vec<usize> = self.record_members().collect();
        if needed.len() != record.electorate.len() + 1 {
            // Somebody of the record has lost its state: others may be all that there is.
            return Vec::new();
        }
        let mut spared: Vec<usize> = self.counted().filter(|m| !needed.contains(m)).collect();
        let holder = record.holder.as_ref().and_then(|holder| self.index(&holder.id.name));
        let stays = |m| self.report(m).is_some_and(|report| report.role != "stopping");
        let certain = |m: usize| {
            let member = &self.members[m];
            let stamp = member.memory.as_ref().filter(|s| s.exact).map(|s| &s.stamp);
            let whole = stamp.is_some_and(|s| s.complete && s.epoch == record.data_epoch());
            // One that stands still may be ended by its agent when both are healed.
            let runs = member.stuck.is_none() && member.agent.as_ref().is_some_and(|a| !a.frozen);
            whole && runs && stays(m) && member.server.is_some() && self.is_linked(m)
        };
        let seats = self.seats();
        let serves = holder.is_some_and(|m| self.leads(m) && stays(m));
        if !seats.is_empty() && seats.iter().all(|m| certain(*m)) {
            spared.extend(holder.filter(|m| !seats.contains(m)));
        } else if !serves {
            return Vec::new();
        }
        spared.retain(|_| self.rng.per_mille(700));
        // A `strict` group writes only while so many others have a copy.
        if let brain::Durability::Strict { copies } = self.plan.durability {
            spared.truncate(self.plan.members.saturating_sub(copies as usize + 1));
        }
        if spared.len() == self.plan.members { Vec::new() } else { spared }
    }

    /// This member is lost for good: its machine, its process, or its ways.
    fn leave_broken(&mut self, m: usize) {
        self.members[m].broken = true;
        self.note(Happening::Harmed { beyond_store: true });
        match self.rng.below(3) {
            0 => self.end_agent(m, false),
            1 => {
                self.stick(m, Stuck::Stopped);
                self.freeze_agent(m);
            }
            _ => {
                self.cut_off(m, crate::faults::isolation(&self.stands, m));
            }
        }
        self.say(m, || "is left broken".to_owned());
    }

    /// Whether this one may go on without the store: the holder, where nobody waits for a seat,
    /// which only a write of the record gives. In every third world.
    fn may_lack_store(&self, m: usize) -> bool {
        let Some((_, record)) = &self.store.record else { return false };
        let holds = record.holder.as_ref().is_some_and(|h| self.index(&h.id.name) == Some(m));
        // A seat that has promised another epoch follows only a bump, which the store gives.
        let willing = self.seats().into_iter().all(|seat| {
            let promised = self.members[seat].memory.as_ref().and_then(|m| m.promised.as_ref());
            let asks = self.report(seat).is_none_or(|report| report.role == "candidate");
            !asks && promised.is_none_or(|(epoch, _)| *epoch <= record.epoch)
        });
        // One that is on its way out comes back in only by the store, too.
        let leads = self.members[m].server.as_ref().is_some_and(|s| s.role == Role::Primary);
        let in_sight = |seat: usize| {
            let agent = self.members[seat].agent.as_ref();
            agent.is_some_and(|a| !a.frozen)
                && self.network.both(Plane::Peer, m, seat)
                && self.is_linked(seat)
        };
        let stay = !leads || self.seats().into_iter().all(in_sight);
        // Nor would it ever learn that maintenance is over.
        let unpaused = !self.plan.makes(Kind::Maintenance);
        holds
            && willing
            && stay
            && unpaused
            && record.electorate.len() + 1 == self.members.len()
            && self.plan.seed.is_multiple_of(3)
    }

    /// It lives, and hears and is heard by the others: it leads by their acks, or one of them
    /// leads; whatever it holds is no reason for nobody to lead (protocol-traces L11).
    fn leave_without_store(&mut self, m: usize) {
        self.cut_off(m, crate::faults::store_paths(m).to_vec());
        self.say(m, || "is left without the store".to_owned());
    }

    fn cut_off(&mut self, m: usize, paths: Vec<(Plane, usize, usize)>) {
        for (plane, from, to) in &paths {
            self.network.cut(*plane, *from, *to);
        }
        self.members[m].cut_off = paths;
    }

    /// Those that something is asked of in the end.
    fn counted(&self) -> impl Iterator<Item = usize> {
        (0..self.members.len()).filter(|m| !self.members[*m].broken)
    }

    /// One primary that acknowledges, and everybody else linked to it, directly or not.
    pub fn is_whole(&self) -> bool {
        let primaries = self.primaries();
        let mut led = primaries.iter().filter(|m| !self.members[**m].broken);
        let (Some(primary), None) = (led.next(), led.next()) else { return false };
        let quiet = self.clients.iter().all(|c| c.retired);
        let fresh = quiet || self.now - self.last_ack < 2 * SECOND;
        fresh && self.counted().all(|m| m == *primary || self.is_linked(m))
    }

    /// Everybody holds as much.
    fn is_even(&self) -> bool {
        let counted = self.counted().map(|m| &self.members[m]);
        let mut held = counted.filter_map(|m| m.server.as_ref()).map(|s| s.data.len());
        let first = held.next();
        held.all(|h| Some(h) == first)
    }

    fn is_linked(&self, m: usize) -> bool {
        self.members[m].agent.is_some()
            && self.members[m]
                .server
                .as_ref()
                .is_some_and(|s| matches!(s.link, Link::Up { .. }) && s.loading_until.is_none())
    }

    /// A person reads `status`: maintenance that a holder's memory or a restored store brought back
    /// is lifted; where the group says that it is blocked, and where by its own rules nobody may
    /// lead (the record is gone, or no copy is certainly whole), the fullest copy is made to lead
    /// (failover.md 2.11).
    pub(super) fn a_person_helps(&mut self) {
        if self.store.record.as_ref().is_some_and(|(_, record)| record.paused) {
            self.trace.line(self.now, "person", || "ends the maintenance".to_owned());
            return self.set_paused(false);
        }
        let reports: Vec<_> = (0..self.members.len()).filter_map(|m| self.report(m)).collect();
        let said = reports.iter().any(|r| r.blocked.is_some());
        let deleted =
            ["DeleteRecord", "RollBack"].iter().any(|f| self.faults_made.contains_key(*f));
        let none_whole = !self.record_members().any(|m| self.report(m).is_some_and(|r| r.complete));
        let fullest = (0..self.members.len())
            .filter(|m| self.members[*m].agent.is_some() && !self.members[*m].broken)
            .max_by_key(|m| self.members[*m].server.as_ref().map_or(0, |s| s.data.len()));
        let asked = |r: &brain::report::MemberReport| {
            r.blocked.as_ref().is_some_and(|text| text.contains("a person decides"))
        };
        let wanted = deleted || none_whole || reports.iter().any(asked);
        if let Some(m) = fullest.filter(|_| said && wanted) {
            self.trace.line(self.now, "person", || format!("makes member {m} lead"));
            self.ask(m, Wish::PromoteAcceptingLoss);
        }
    }

    /// Who may lead by the record: its holder, or who released it, and its seats, by their state.
    fn record_members(&self) -> impl Iterator<Item = usize> {
        let record = self.store.record.as_ref().map(|(_, r)| r.clone()).unwrap_or_default();
        let mut states: Vec<_> = record.electorate.members().map(|m| m.state.clone()).collect();
        states.extend(record.holder.map(|h| h.id.state));
        states.extend(record.released.map(|r| r.by.state));
        (0..self.members.len()).filter(move |m| states.contains(&self.identity(*m).state))
    }

    /// Ends the run: the clients fall silent, the streams run dry, and everybody is looked at.
    pub fn finish(&mut self) {
        self.retire_clients();
        let until = self.now + 15 * SECOND;
        self.run_until(self.now + 4 * SECOND);
        while self.now < until && !(self.is_whole() && self.is_even()) {
            self.run_until(self.now + SECOND / 2);
        }
        let members = (0..self.members.len()).map(|m| self.last_look(m)).collect();
        self.note(Happening::Ended { members });
    }

    fn last_look(&self, m: usize) -> Last {
        let blocked = self.report(m).and_then(|r| r.blocked);
        let Some(server) = self.members[m].server.as_ref() else {
            let broken = self.members[m].broken;
            return Last { blocked, broken, ..Last::default() };
        };
        Last {
            writable: server.role == Role::Primary
                && self.now - self.last_ack < 20 * SECOND
                && !self.members[m].broken,
            linked: self.is_linked(m),
            data: server.data.iter().copied().collect(),
            blocked,
            routed: Some(self.route.is_some() && self.route_at == m),
            broken: self.members[m].broken,
        }
    }

    /// How everybody stands, one line a member: for the report of a failing seed.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        if let Some((count, record)) = &self.store.record {
            let holder = record.holder.as_ref().map_or("nobody".to_owned(), ToString::to_string);
            let seats: Vec<_> = record.electorate.members().map(ToString::to_string).collect();
            let _ = writeln!(
                text,
                "    record v{count} epoch {} holder {holder} E v{} {seats:?} paused {}",
                record.epoch, record.electorate.version, record.paused
            );
        }
        for m in 0..self.members.len() {
            let engine = match self.members[m].server.as_ref() {
                Some(s) => format!(
                    "{:?} link {} offset {} writes {} whole {}",
                    s.role,
                    if matches!(s.link, Link::Up { .. }) { "up" } else { "down" },
                    s.offset,
                    s.data.len(),
                    s.complete
                ),
                None => "no engine".to_owned(),
            };
            let report = self.report(m).map_or("no agent".to_owned(), |r| {
                format!(
                    "{} epoch {} stamp {} offset {} complete {} blocked {:?} why not {:?}",
                    r.role, r.epoch, r.stamp_epoch, r.offset, r.complete, r.blocked, r.why_not
                )
            });
            let _ = writeln!(text, "    {}: {engine}; {report}", self.identity(m));
        }
        let mut rules: Vec<_> = self.rules.iter().filter(|(_, n)| **n > 500).collect();
        rules.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        text + &format!("    {rules:?}")
    }
}
