//! Giving promises (failover.md 2.4): detached, stamped and on disk before the word is given.

use crate::cure::Cure;
use crate::effect::PersistId;
use crate::identity::{Epoch, MemberId, MemberName};
use crate::message::{Candidacy, Denial, Message, Promise};
use crate::reason::Reason;
use crate::record::Record;
use crate::time::{Span, Tick};

use super::Election;
use super::engine_side::Posture;

/// A promise on its way: to a peer, or to this member itself when it is the candidate.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Vote {
    pub(crate) candidacy: Candidacy,
    stage: Stage,
    deadline: Tick,
    began: Tick,
}

#[derive(Clone, Debug, Hash)]
enum Stage {
    /// The engine must say that it replicates from nobody.
    Detaching,
    /// The promise must reach the disk.
    Persisting(PersistId),
}

impl Election {
    /// How long the engine may take to let go before the promise is refused.
    const DETACH_WITHIN: Span = Span::from_millis(1000);

    pub(super) fn on_prevote_ask(&mut self, from: &MemberName, asked: &Candidacy, now: Tick) {
        self.yield_to_better(asked, now);
        let denied = self.objection(asked, now);
        let candidate = asked.candidate.clone();
        let message = Message::PreVote { epoch: asked.epoch, candidate, denied };
        self.send(from, message, Reason::routine("prevote"));
    }

    pub(super) fn on_promise_ask(&mut self, from: &MemberName, asked: Candidacy, now: Tick) {
        if asked.candidate.id.name != *from {
            return;
        }
        self.yield_to_better(&asked, now);
        if let Some(denial) = self.objection(&asked, now) {
            return self.answer_promise(&asked, Some(denial));
        }
        if self.vote.as_ref().is_some_and(|v| v.candidacy != asked) || self.candidate.is_some() {
            return self.answer_promise(&asked, Some(Denial::Busy));
        }
        self.begin_vote(asked, now);
    }

    /// Begins to promise: to a peer, or to itself.
    pub(super) fn begin_vote(&mut self, candidacy: Candidacy, now: Tick) {
        if self.vote.as_ref().is_some_and(|v| v.candidacy == candidacy) {
            return;
        }
        let deadline = now + Self::DETACH_WITHIN;
        self.vote = Some(Vote { candidacy, stage: Stage::Detaching, deadline, began: now });
        if self.settings.keeps(Cure::DetachBeforePromise) {
            self.engine.want = Posture::DeadEnd;
        }
        self.observe_soon(now);
        self.vote_sees_engine(now);
    }

    /// Why this member would not promise, if so. The same for the pre-vote and the promise; the
    /// promise looks once more after the engine has let go.
    fn objection(&self, asked: &Candidacy, now: Tick) -> Option<Denial> {
        let own = asked.candidate.id == self.id;
        if !self.may_vote() && !own {
            let lives = self.holder_may_live(now);
            return Some(if lives { Denial::HolderLives } else { Denial::NoSeat });
        }
        if let Some((promised, to)) = &self.memory.promised {
            let same = *promised == asked.epoch && *to == asked.candidate.id;
            if *promised > asked.epoch || (*promised == asked.epoch && !same) {
                return Some(Denial::Epoch(*promised));
            }
        }
        let known = self.memory.led.max(self.memory.followed);
        if known >= asked.epoch {
            return Some(Denial::Epoch(known));
        }
        if self.settings.keeps(Cure::PromiseForElectorate) {
            let version = self.version_known(asked.for_epoch);
            if version > asked.for_version {
                return Some(Denial::Electorate(version));
            }
        }
        if self.too_early(asked, now) {
            return Some(Denial::TooEarly);
        }
        if !self.engine.is_ready() || self.wiped.is_some() {
            return Some(Denial::Busy);
        }
        let fresher = self.stamp_told().is_above(&asked.stamp) && !own;
        if !fresher || !self.settings.keeps(Cure::VotersProtect) {
            return None;
        }
        // What it holds does not count against others while it could not lead with it, and it gives
        // its word to nobody who would drop that.
        let unable = self.is_unable(now) && self.settings.keeps(Cure::UnableGivesWay);
        Some(if unable { Denial::Busy } else { Denial::Fresher(self.memory.stamp.clone()) })
    }

    /// The newest electorate that this member knows of that record's epoch.
    fn version_known(&self, epoch: Epoch) -> u64 {
        let disk = self.memory.electorate.as_ref();
        let disk = disk.filter(|(e, _)| *e >= epoch).map_or(0, |(_, el)| el.version);
        let seen = self.store.record().filter(|r| r.epoch >= epoch);
        disk.max(seen.map_or(0, |r| r.electorate.version))
    }

    /// In E of the record, or its last holder: the latter counts only in a recovery election.
    fn may_vote(&self) -> bool {
        if self.leading.is_some() && !self.is_deposed_or_fenced() {
            return true;
        }
        self.is_of_record(&self.id)
    }

    fn is_deposed_or_fenced(&self) -> bool {
        self.leading.as_ref().is_none_or(|l| l.is_fenced())
    }

    /// The last holder's record was released, and this member has read so.
    pub(super) fn has_read_release(&self, epoch: Epoch) -> bool {
        self.store.record().is_some_and(|r: &Record| r.is_released() && r.epoch >= epoch)
    }

    /// Pre-vote and promise both wait: for the record to be still for W, for the primary to be
    /// silent for T_p, for one's own last ack to fade (failover.md 2.4).
    fn too_early(&self, asked: &Candidacy, now: Tick) -> bool {
        // Who has given its lease away without an answer leads only by a higher epoch.
        if let Some(leading) = &self.leading
            && !leading.is_fenced()
            && !leading.gave
        {
            return true;
        }
        let record_epoch = self.store.record().map_or(Epoch(0), |r| r.epoch);
        if self.has_read_release(asked.for_epoch.max(record_epoch)) {
            return false;
        }
        let lease = self.challenge_wait();
        let record_moved = now.since(self.store.changed_at) < lease && self.held_by_another(asked);
        record_moved
            || self.ack_still_counts(&asked.candidate.id, now)
            || self.following_is_fresh(now)
    }

    fn held_by_another(&self, asked: &Candidacy) -> bool {
        self.store.holder().is_some_and(|holder| holder.id != asked.candidate.id)
    }

    /// What a member without a seat knows of the holder. Its own acks hold nobody's authority, but
    /// where all seats are said to be lost, others may live on under their names (protocol-traces
    /// H7): it hears the holder that they hold, or it has come in the place of one just now.
    pub(super) fn holder_may_live(&self, now: Tick) -> bool {
        let Some((record, holder)) = self.store.record().zip(self.store.holder()) else {
            return false;
        };
        if self.has_ended(holder) || !self.settings.keeps(Cure::StrangersTell) {
            return false;
        }
        // T_p is no longer than W, whatever profile the holder has.
        let limit = self.lease_wait().max(self.memory.peer_max);
        let seated = record.electorate.seat_named(&self.id.name).is_some();
        let newest = self.following.as_ref().is_some_and(|f| f.beat.epoch >= record.epoch);
        (newest && self.following_is_fresh(now)) || (seated && now.since(self.born) < limit)
    }

    /// Whether an ack given to anybody but `to` may still hold somebody's authority.
    pub(super) fn ack_still_counts(&self, to: &MemberId, now: Tick) -> bool {
        let limit = self.settings.timing.peer.max(self.memory.peer_max);
        let given = self
            .last_ack
            .as_ref()
            .is_some_and(|a| a.to.id != *to && now.since(a.at) < limit && !self.has_ended(&a.to));
        // What an earlier run of this agent acked is not known: wait as long after the start.
        let restarted = self.memory.followed > Epoch(0)
            && now.since(self.born) < limit
            && self.settings.keeps(Cure::WaitAfterRestart);
        given || restarted
    }

    pub(super) fn step_vote(&mut self, now: Tick) {
        let Some(vote) = &self.vote else { return };
        match vote.stage {
            Stage::Detaching if now >= vote.deadline => {
                let candidacy = vote.candidacy.clone();
                self.vote = None;
                self.answer_promise(&candidacy, Some(Denial::Busy));
            }
            Stage::Detaching => {
                let deadline = vote.deadline;
                self.wake_by(deadline);
            }
            Stage::Persisting(_) => {}
        }
    }

    /// The engine has said something: it may have let go by now.
    pub(super) fn vote_sees_engine(&mut self, now: Tick) {
        let Some(vote) = &self.vote else { return };
        if !matches!(vote.stage, Stage::Detaching) {
            return;
        }
        let free = self.engine.is_detached_since(vote.began) && self.engine.is_ready();
        if !free && self.settings.keeps(Cure::DetachBeforePromise) {
            return self.observe_soon(now);
        }
        let candidacy = vote.candidacy.clone();
        // Once more, now that the stamp can change no longer.
        if let Some(denial) = self.objection(&candidacy, now) {
            self.vote = None;
            return self.answer_promise(&candidacy, Some(denial));
        }
        self.memory.promised = Some((candidacy.epoch, candidacy.candidate.id.clone()));
        let id = self.persist("promise", now);
        if let Some(vote) = &mut self.vote {
            vote.stage = Stage::Persisting(id);
        }
        let own = candidacy.candidate == self.incarnation();
        if !own && !self.settings.keeps(Cure::PromiseOnDisk) {
            self.vote = None;
            self.answer_promise(&candidacy, None);
        }
    }

    pub(super) fn vote_persisted(&mut self, now: Tick) {
        let Some(Vote { stage: Stage::Persisting(id), candidacy, .. }) = &self.vote else { return };
        if self.out.persisted < *id {
            return;
        }
        let candidacy = candidacy.clone();
        self.vote = None;
        if candidacy.candidate == self.incarnation() {
            return self.own_promise_given(&candidacy, now);
        }
        let text = format!(
            "epoch {} promised to {} ({} there, {} here)",
            candidacy.epoch, candidacy.candidate.id.name, candidacy.stamp, self.memory.stamp
        );
        self.out.note(Reason::story("promised", text));
        self.answer_promise(&candidacy, None);
    }

    fn answer_promise(&mut self, asked: &Candidacy, denied: Option<Denial>) {
        if asked.candidate == self.incarnation() {
            return self.own_promise_denied();
        }
        let promise = Promise {
            epoch: asked.epoch,
            candidate: asked.candidate.clone(),
            for_epoch: asked.for_epoch,
            for_version: asked.for_version,
            denied,
            report: Box::new(self.standing()),
        };
        let to = asked.candidate.id.name.clone();
        self.send(&to, Message::Promise(Box::new(promise)), Reason::routine("promise"));
    }
}
