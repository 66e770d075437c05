//! How this member's data stand: its stamp, kept true by what the engine says (failover.md 2.8).

use engine::{Offset, Replid};

use crate::cure::Cure;
use crate::effect::{Act, PersistId};
use crate::identity::{Epoch, MemberName};
use crate::message::{Message, Standing};
use crate::reason::Reason;
use crate::stamp::Stamp;
use crate::time::{Span, Tick};

use super::outbox::Deferred;
use super::parted::parted_from;
use super::{Election, Peer};

impl Election {
    /// All that others judge this member by.
    pub(super) fn standing(&self) -> Standing {
        Standing {
            who: self.incarnation(),
            stamp: self.stamp_told(),
            exact: self.memory.exact,
            attached_in: self.memory.attached_in,
            epoch: self.memory.epoch_max(),
            virgin: self.is_virgin(),
            lost: self.is_lost(),
            ready: self.engine.is_ready(),
            keys: self.engine.view.as_ref().map_or(0, |v| v.keys),
            link_up: self.engine.view.as_ref().is_some_and(|v| v.link_up),
            syncing: self.engine.view.as_ref().is_some_and(|v| v.sync_in_progress || v.loading),
            link_run: self.engine.link_run,
            stopping: self.stopping.is_some(),
            quarantined: self.is_quarantined(),
            roomy: self.short.is_none() && !self.refuses_writes(),
            holder_may_live: self.holder_may_live(self.clock),
            unable: self.is_unable(self.clock),
        }
    }

    /// The stamp that others are told. The mutant calls every copy one of the newest line, so that
    /// offsets alone are compared.
    pub(super) fn stamp_told(&self) -> Stamp {
        let stamp = self.memory.stamp.clone();
        let newest = self.store.record().map(crate::Record::data_epoch);
        match newest.filter(|_| !self.settings.keeps(Cure::StampByEpoch)) {
            Some(epoch) => Stamp { epoch, ..stamp },
            None => stamp,
        }
    }

    /// It has never known an epoch, and its engine holds nothing: data beside a new state file are
    /// somebody's.
    pub(super) fn is_virgin(&self) -> bool {
        self.memory.is_virgin()
            && !self.memory.damaged
            && self.engine.view.as_ref().is_none_or(|v| v.keys == 0)
    }

    /// It held data, or must have, and the loaded engine has none: half a dataset is still
    /// something that nobody may begin anew over.
    fn is_lost(&self) -> bool {
        self.engine.is_ready()
            && !self.memory.stamp.complete
            && self.engine.view.as_ref().is_some_and(|v| v.keys == 0)
            && !self.is_virgin()
            && !self.memory.damaged
            && self.engine.is_detached()
    }

    /// Whether store or disk have failed this member for so long that it could not lead, or it
    /// makes way since it could not promote. Not at once: a fuller copy is worth a wait.
    pub(super) fn is_unable(&self, now: Tick) -> bool {
        let long = |since: Option<Tick>| since.is_some_and(|t| now.since(t) >= self.long_enough());
        let rests = self.leading.as_ref().is_some_and(|leading| now < leading.rests_until);
        rests || long(self.store.failing_since) || long(self.unwritten_since)
    }

    /// How long a member is given that fails to lead: for it to be able again, or to promote.
    pub(super) fn long_enough(&self) -> Span {
        self.settings.timing.lease.scaled(2, 1)
    }

    /// Three deaths as primary by its own fault in ten minutes (failover.md 2.12).
    pub(super) fn is_quarantined(&self) -> bool {
        let recent = self.memory.deaths.iter().rev().take(3).collect::<Vec<_>>();
        recent.len() == 3 && recent[0].since(*recent[2]) <= Span::from_millis(600_000)
    }

    /// The first look at a freshly loaded engine: what is left of what the memory promises.
    pub(super) fn reconcile_stamp(&mut self, now: Tick) {
        self.engine.reconciled = true;
        let Some(view) = self.engine.view.clone() else { return };
        let before = self.memory.stamp.clone();
        let was_virgin = self.memory.is_virgin();
        // Files that give an empty dataset and no position after an unclean stop prove nothing:
        // such a member must never lead over one that holds something.
        let proves_nothing = view.keys == 0
            && self.memory.keys > 0
            && view.replid != before.replid
            && !self.memory.clean
            && !self.settings.fsync_always;
        // Another one than the memory speaks of.
        let another = self.engine.files.other && !self.memory.clean;
        if self.engine.files.found && !proves_nothing {
            let stamp = &mut self.memory.stamp;
            if view.replid.is_known() && view.replid == stamp.replid {
                stamp.offset = view.offset.unwrap_or_default();
            } else if another {
                (stamp.epoch, stamp.offset) = (Epoch(0), Offset(0));
                self.memory.exact = false;
            } else if !self.memory.clean && stamp.durable == Offset(0) && !stamp.origin {
                // What a full sync brought was on no disk yet: the files are those from before it,
                // of whatever line that was.
                (stamp.epoch, stamp.offset) = (Epoch(0), Offset(0));
            } else if !self.memory.clean
                && (!self.settings.fsync_always || stamp.durable == Offset(0))
            {
                // An append-only file that is written at every command is none before its first
                // rewrite after a full sync has ended.
                stamp.offset = stamp.offset.min(stamp.durable);
            }
            self.rank_cut_stamp_last();
            if view.offset.is_none() {
                // All of it was just read from the disk; until it attaches or leads, no look at an
                // engine without a position tells anything else.
                self.memory.stamp.durable = self.memory.stamp.offset;
            }
            if self.memory.syncing && view.keys > 0 {
                // The files were whole before the sync and are after it: which of both, who knows.
                self.stamp_of_unknown_line(&view.replid, view.offset.unwrap_or_default());
            }
            self.memory.stamp.complete &= !self.memory.syncing;
        } else if !was_virgin {
            self.stamp_lost();
            // Nor is it lost where an empty file stood beside what stands aside now.
            self.memory.damaged |= self.engine.files.unread && self.settings.persistent;
            if before.complete {
                let text = format!("the data are gone: there was {before}, the disk is empty now");
                self.out.note(Reason::story("emptied", text));
            }
        }
        if std::mem::take(&mut self.memory.clean) {
            // On the disk before anything can change the data: a crash after that is unclean.
            self.engine.attach_after = self.persist("unclean", now);
        }
        self.dirty = true;
        self.next_gossip = now;
        self.next_persist = now;
    }

    /// A stamp cut below the start of its own epoch loses that epoch (protocol-traces D5).
    fn rank_cut_stamp_last(&mut self) {
        let stamp = &mut self.memory.stamp;
        let begun = self.memory.history.iter().find(|b| b.epoch == stamp.epoch);
        if begun.is_some_and(|b| stamp.offset < b.start) {
            stamp.epoch = Epoch(0);
        }
    }

    /// Takes over what the engine says of its data.
    pub(super) fn refresh_stamp(&mut self, now: Tick) {
        if !self.engine.reconciled {
            return;
        }
        let Some(view) = self.engine.view.clone() else { return };
        let before = (self.memory.stamp.complete, self.memory.stamp.epoch, self.memory.exact);
        if view.loading || view.sync_in_progress {
            self.memory.syncing |= view.sync_in_progress;
            self.memory.stamp.complete = false;
        } else if view.is_primary {
            self.stamp_as_primary(&view);
        } else if view.upstream.is_some() {
            self.stamp_as_replica(&view);
        } else if view.replid.is_known()
            && let Some(offset) = view.offset
        {
            self.stamp_unlinked(&view, offset);
        }
        self.memory.stamp.filled = view.keys > 0;
        self.memory.stamp.hollow =
            self.memory.stamp.complete && view.keys == 0 && !self.memory.exact;
        if self.memory.stamp.complete {
            self.memory.keys = view.keys;
            self.memory.damaged = false;
        }
        if view.offset.is_some() || view.sync_in_progress || self.memory.syncing {
            self.memory.stamp.durable = view.durable.min(self.memory.stamp.offset);
        }
        let after = (self.memory.stamp.complete, self.memory.stamp.epoch, self.memory.exact);
        if before == after {
            self.dirty = true;
        } else {
            self.dirty = true;
            self.next_persist = now;
            self.next_gossip = self.next_gossip.min(now);
        }
    }

    fn stamp_as_primary(&mut self, view: &crate::input::EngineView) {
        let Some(leading) = &self.leading else { return };
        self.memory.stamp = Stamp {
            epoch: leading.lineage.epoch,
            replid: view.replid.clone(),
            offset: view.offset.unwrap_or(self.memory.stamp.offset),
            durable: view.durable,
            complete: true,
            origin: true,
            filled: view.keys > 0,
            hollow: false,
        };
        self.memory.syncing = false;
        self.memory.exact = true;
    }

    /// Whether the engine at the dead end goes on counting on the stamp's stream.
    pub(super) fn continues_stamp(&self, view: &crate::input::EngineView) -> bool {
        view.replid == self.memory.stamp.replid || view.replid2 == self.memory.stamp.replid
    }

    fn stamp_as_replica(&mut self, view: &crate::input::EngineView) {
        let Some(offset) = view.offset else {
            // After an aborted full sync the engine shows old numbers over no data (engine.md 1.4).
            // Only a sync that really began can have emptied it.
            let emptied = view.keys == 0 && self.memory.keys > 0;
            if !view.link_up && !self.continues_stamp(view) && (self.memory.syncing || emptied) {
                self.memory.stamp.complete = false;
            }
            return;
        };
        if !view.link_up {
            return self.stamp_unlinked(view, offset);
        }
        let Some(following) = &self.following else { return };
        let beat = &following.beat;
        if !beat.replid.is_known() || view.replid != beat.replid {
            return self.stamp_of_unknown_line(&view.replid, offset);
        }
        self.memory.syncing = false;
        let stamp = &mut self.memory.stamp;
        stamp.replid = view.replid.clone();
        stamp.offset = offset;
        stamp.complete = true;
        stamp.origin = false;
        let at_start = offset >= beat.lineage.start || !self.settings.keeps(Cure::EpochAtStart);
        if at_start {
            stamp.epoch = beat.lineage.epoch;
        }
        if beat.link_seen == self.engine.link_run && offset >= beat.offset {
            self.memory.exact = true;
        }
    }

    /// An engine without a link that knows its position has a whole copy: a full sync that empties
    /// it takes the position first (engine.md 1.4).
    fn stamp_unlinked(&mut self, view: &crate::input::EngineView, offset: Offset) {
        let (replid, before) = (&view.replid, &self.memory.stamp);
        if !self.memory.syncing || view.keys == 0 {
            if self.continues_stamp(view) {
                self.memory.stamp.offset = offset;
                self.earn_by_name(view, offset);
            }
        } else if (replid, offset) == (&before.replid, before.offset) {
            // The file never came: the copy is the one from before.
            self.memory.syncing = false;
            self.memory.stamp.complete = true;
        } else {
            // The file was loaded, and the link was gone before anybody looked.
            self.stamp_of_unknown_line(replid, offset);
        }
    }

    /// The link may be gone before anybody looked: a stream that the followed primary has named as
    /// its own is its line of data all the same.
    fn earn_by_name(&mut self, view: &crate::input::EngineView, offset: Offset) {
        let Some(beat) = self.following.as_ref().map(|f| &f.beat) else { return };
        let named = beat.replid.is_known() && beat.replid == view.replid;
        if named && self.memory.stamp.complete && offset >= beat.lineage.start {
            let stamp = &mut self.memory.stamp;
            stamp.epoch = stamp.epoch.max(beat.lineage.epoch);
            stamp.replid = view.replid.clone();
            stamp.origin = false;
        }
    }

    /// A full sync has ended, and no heartbeat has named the stream yet, or its link or its engine
    /// ended with it: the copy is whole, of an epoch that nobody can tell.
    fn stamp_of_unknown_line(&mut self, replid: &Replid, offset: Offset) {
        if self.memory.syncing {
            self.memory.syncing = false;
            self.memory.exact = false;
            self.memory.stamp =
                Stamp { replid: replid.clone(), offset, complete: true, ..Stamp::default() };
        }
    }

    /// How many bytes were written here that are not part of the line being followed; 0 when there
    /// are some and nobody can count them.
    pub(super) fn diverged_bytes(&self) -> Option<u64> {
        let following = self.following.as_ref()?;
        let stamp = &self.memory.stamp;
        if stamp.epoch == Epoch(0) && stamp.filled && !self.memory.syncing {
            // Of a line that nobody named, or beside a new state file: whatever they are.
            return Some(0);
        }
        // How far this copy had come counts, if that was farther than what the disk kept.
        let (epoch, offset) = match self.memory.reached {
            Some((epoch, offset)) if epoch >= stamp.epoch => (epoch, offset.max(stamp.offset)),
            _ => (stamp.epoch, stamp.offset),
        };
        let known = epoch > Epoch(0) && epoch < following.beat.lineage.epoch;
        if !known || stamp.epoch >= following.beat.lineage.epoch {
            return None;
        }
        let beat = &following.beat;
        parted_from((beat.lineage.epoch, &beat.history), &self.memory.history, (epoch, offset))
    }

    /// Somebody wants to know how this member stands.
    pub(super) fn on_stamp_ask(
        &mut self,
        from: &MemberName,
        ask: u64,
        until: Option<Offset>,
        within: Span,
        now: Tick,
    ) {
        // Without an offset to wait for, the answer waits for a look at the engine: what was seen
        // before may lack a write that this copy has vouched for since (protocol-traces D6).
        let within = if until.is_none() { within.max(Self::LOOK_WITHIN) } else { within };
        let deadline = now + within;
        self.asks.retain(|a| a.from != *from);
        self.asks.push(WaitingAsk { from: from.clone(), ask, until, since: now, deadline });
        self.observe_soon(now);
        self.answer_asks(now);
    }

    /// A look at the engine that takes longer is not worth waiting for: whoever asked asks again.
    const LOOK_WITHIN: Span = Span::from_millis(2000);

    /// Whether somebody waits for this member's offset.
    pub(super) fn waiting_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Answers the asks whose offset is reached or whose time is over. One that asks for the stamp
    /// as it is gets no stale one.
    pub(super) fn answer_asks(&mut self, now: Tick) {
        let offset = self.memory.stamp.offset;
        let (asked, ready) = (self.engine.asked, self.engine.is_ready());
        self.asks.retain(|a| a.until.is_some() || now < a.deadline);
        let (due, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.asks).into_iter().partition(|a| match a.until {
                Some(until) => offset >= until || now >= a.deadline,
                None => asked >= a.since || !ready,
            });
        self.asks = waiting;
        for ask in due {
            let report = Box::new(self.standing());
            let why = Reason::routine("standing");
            self.send(&ask.from, Message::Standing { ask: ask.ask, report }, why);
        }
        if let Some(deadline) = self.asks.iter().map(|a| a.deadline).min() {
            self.wake_by(deadline);
        }
    }

    pub(super) fn on_standing(
        &mut self,
        from: &MemberName,
        ask: u64,
        report: &Standing,
        now: Tick,
    ) {
        self.learn_standing(from, report, now);
        self.succession_hears(from, ask, report, now);
        self.handover_hears(from, ask, report, now);
        self.change_hears(now);
    }

    pub(super) fn learn_standing(&mut self, from: &MemberName, report: &Standing, now: Tick) {
        if let Some(peer) = self.peers.get_mut(from) {
            let new_link = peer.link_seen.0 != report.link_run || peer.is_another_run(report);
            if new_link {
                peer.link_seen = (report.link_run, now);
            }
            // Of two pods of one name the one counts whose seat it is, while it acknowledges.
            let seated =
                self.leading.as_ref().zip(peer.report.as_ref()).is_some_and(|(l, (r, _))| {
                    let recent = self.settings.timing.heartbeat.scaled(4, 1);
                    let acks = l.authority.acked_at(&r.who.id);
                    r.who.id != report.who.id && acks.is_some_and(|at| now.since(at) < recent)
                });
            if seated {
                return;
            }
            peer.report = Some((report.clone(), now));
            // A member that is not exact becomes so by an offset that is younger than its link.
            if let (true, true, Some(leading)) = (new_link, !report.exact, &mut self.leading) {
                leading.tell_offset = true;
                self.observe_soon(now);
            }
        }
    }

    /// Tells everybody how this member stands: often while there is no primary, seldom else.
    pub(super) fn step_gossip(&mut self, now: Tick) {
        self.answer_asks(now);
        if now < self.next_gossip {
            return self.wake_by(self.next_gossip);
        }
        let calm = self.leading.is_some() || self.following_is_fresh(now);
        let pause = if calm { 10 } else { 1 };
        self.next_gossip = now + self.settings.timing.heartbeat.scaled(pause, 1);
        self.wake_by(self.next_gossip);
        let report = Box::new(self.standing());
        let others: Vec<MemberName> = self.settings.others().cloned().collect();
        for to in others {
            let message = Message::Standing { ask: 0, report: report.clone() };
            self.send(&to, message, Reason::routine("gossip"));
        }
    }

    /// Puts the memory on disk, at most once a second when nothing presses.
    pub(super) fn step_memory(&mut self, now: Tick) {
        if !self.dirty {
            return;
        }
        if now < self.next_persist {
            return self.wake_by(self.next_persist);
        }
        self.persist("stamp", now);
    }

    /// Puts the memory on disk now.
    pub(super) fn persist(&mut self, why: &'static str, now: Tick) -> PersistId {
        self.dirty = false;
        self.next_persist = now + Span::from_millis(1000);
        self.unwritten_since.get_or_insert(now);
        self.out.persist(&self.memory, Reason::routine(why))
    }

    pub(super) fn on_persisted(&mut self, id: PersistId, now: Tick) {
        self.unwritten_since = (!self.out.is_newest(id)).then_some(now);
        for deferred in self.out.confirmed(id) {
            match deferred {
                Deferred::Send(to, message, why) => {
                    if self.may_still_send(&message) {
                        self.out.push(Act::Send { to, message }, why);
                    }
                }
            }
        }
        self.lead_persisted(now);
        self.vote_persisted(now);
    }

    /// An ack that waited for the disk must not leave when a promise was given meanwhile.
    fn may_still_send(&self, message: &Message) -> bool {
        match message {
            Message::Ack(ack) if ack.nack.is_none() => {
                self.memory.promised.as_ref().is_none_or(|(epoch, _)| *epoch <= ack.epoch)
                    && self.vote.is_none()
            }
            _ => true,
        }
    }
}

impl Peer {
    fn is_another_run(&self, report: &Standing) -> bool {
        self.report.as_ref().is_none_or(|(known, _)| known.who != report.who)
    }
}

/// Somebody waits to hear how this member stands.
#[derive(Clone, Debug, Hash)]
pub(crate) struct WaitingAsk {
    from: MemberName,
    ask: u64,
    until: Option<Offset>,
    since: Tick,
    deadline: Tick,
}
