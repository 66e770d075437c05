//! The election of one member (failover.md 2): one door in, effects with reasons out. The parts
//! live in `election/`, one file a rule; this file holds the state and the order in which it is
//! looked at.

mod authority;
mod candidacy;
mod change;
mod engine_side;
mod fence;
mod follow;
mod handover;
mod lead;
mod members;
mod outbox;
mod parted;
mod quorum;
mod rank;
mod recovery;
mod standing;
mod status;
mod stop;
mod store_side;
mod succession;
mod vote;
mod wiped;

/// The rules that are plain functions of what they are given, for whoever checks them alone: the
/// model asks these very functions (docs/proof/README.md).
pub mod rules {
    pub use super::authority::Authority;
    pub use super::quorum::{
        Shortfall, acks, data_suffice, is_known, is_witness, leads_again, promises,
        recovery_quorum, stands, witnesses,
    };
    pub use super::rank::{best, compare};
    pub use engine::Offset;
}

use std::collections::BTreeMap;

use crate::effect::{Act, AskId, Effect, GateDeadline, PersistId};
use crate::identity::{Ended, Epoch, Incarnation, MemberId, MemberName};
use crate::input::{EngineNews, Input, Shortage, Wish};
use crate::memory::Memory;
use crate::message::{Message, Standing};
use crate::reason::Reason;
use crate::time::{Span, Tick};
use crate::topology::Settings;

use candidacy::Candidate;
use engine_side::EngineSide;
use follow::Following;
use lead::Leading;
use outbox::Outbox;
use standing::WaitingAsk;
use stop::Stopping;
use store_side::StoreSide;
use succession::{Creation, Succession};
use vote::Vote;
use wiped::Wiped;

/// One member's election.
#[derive(Clone, Debug, Hash)]
pub struct Election {
    settings: Settings,
    id: MemberId,
    memory: Memory,
    out: Outbox,
    store: StoreSide,
    engine: EngineSide,
    peers: BTreeMap<MemberName, Peer>,
    /// The primary whose heartbeats this member acknowledges.
    following: Option<Following>,
    /// This member holds the record and leads (or is about to, or is fenced).
    leading: Option<Box<Leading>>,
    /// This member holds the record and has no engine to lead with.
    succession: Option<Succession>,
    /// This member asks for promises.
    candidate: Option<Candidate>,
    /// This member is giving a promise.
    vote: Option<Vote>,
    /// The last ack given: promises wait for it to fade.
    last_ack: Option<GivenAck>,
    /// Runs that have ended for certain, newest last.
    ended: Vec<Ended>,
    /// This member has been told to stop.
    stopping: Option<Stopping>,
    /// This member's state file is gone.
    wiped: Option<Wiped>,
    /// When this agent started.
    born: Tick,
    /// When it was called last.
    clock: Tick,
    /// No candidacy before this.
    candidacy_after: Tick,
    /// Since when no primary has been seen, for the recovery timeout.
    orphan_since: Option<Tick>,
    /// Since when a memory waits for this member's disk.
    unwritten_since: Option<Tick>,
    /// Clients are to be sent away once the next primary is writable (after a handover).
    farewell: Option<Tick>,
    /// What stands in the way of a primary, for people.
    blocked: Option<String>,
    /// A record that this member writes as nobody's successor: bootstrap, a new beginning, by
    /// force.
    creation: Option<Creation>,
    /// A person wants this member to lead once its engine has let go of a primary that has gone.
    letting_go: Option<AskId>,
    /// What the gate was last told.
    gate: Option<GateDeadline>,
    /// Tells one round of questions from the next.
    asks_made: u64,
    /// Counts this run's writes of the record.
    renewals: u64,
    short: Option<Shortage>,
    /// What is wrong though there is a primary, for people.
    alarm: Option<String>,
    /// No handover for want of room before this.
    relief_after: Tick,
    /// When the group's holder changed, newest last: the budget (failover.md 2.3 L2).
    changes: Vec<Tick>,
    /// Peers that wait to hear this member's offset.
    asks: Vec<WaitingAsk>,
    /// The memory that holds what the newest ack depends on.
    beat_persist: PersistId,
    next_gossip: Tick,
    next_persist: Tick,
    dirty: bool,
    wake: Option<Tick>,
}

/// What is known of another member.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Peer {
    /// Its last word, and when it came.
    report: Option<(Standing, Tick)>,
    link_up: bool,
    /// When its last ack for the present lead came.
    last_ack: Option<Tick>,
    /// Since when it has had a seat under the present lead.
    seated: Tick,
    /// It said goodbye at this time.
    goodbye: Option<Tick>,
    /// Its link number, and when it was told.
    link_seen: (u64, Tick),
}

/// The newest ack given.
#[derive(Debug, Clone, Hash)]
struct GivenAck {
    to: Incarnation,
    epoch: Epoch,
    at: Tick,
}

impl Election {
    /// A member that has just started, with what its disk remembers. The first effects come from
    /// the first [`Input::Tick`].
    pub fn new(settings: Settings, mut memory: Memory, now: Tick) -> Self {
        let id = MemberId {
            name: settings.me.clone(),
            pod: settings.pod.clone(),
            state: memory.state_id.clone(),
        };
        // Not even with `appendfsync always`: the data may be whole, but the stamp that this memory
        // has of them is up to a second old, and a restart loses the engine's own count.
        let unclean = !memory.clean && !memory.is_virgin();
        if unclean && settings.keeps(crate::Cure::ExactOnlyWhenClean) {
            memory.exact = false;
        }
        if unclean {
            memory.keep_reached(memory.stamp.epoch);
        }
        // The engine that the stamp is of has ended with its agent, and it kept nothing on disk.
        memory.stamp.complete &= settings.persistent;
        memory.boot.clone_from(&settings.boot);
        memory.forget_deaths(now);
        let peers = settings.others().map(|m| (m.clone(), Peer::default())).collect();
        Self {
            id,
            memory,
            out: Outbox::default(),
            store: StoreSide::new(now),
            engine: EngineSide::new(&settings.boot, now),
            peers,
            following: None,
            leading: None,
            succession: None,
            candidate: None,
            vote: None,
            last_ack: None,
            ended: Vec::new(),
            stopping: None,
            wiped: None,
            born: now,
            clock: now,
            candidacy_after: now,
            orphan_since: Some(now),
            unwritten_since: None,
            farewell: None,
            blocked: None,
            creation: None,
            letting_go: None,
            gate: None,
            asks_made: engine_side::first_number(&settings.boot),
            renewals: 0,
            short: None,
            alarm: None,
            relief_after: now,
            changes: Vec::new(),
            asks: Vec::new(),
            beat_persist: PersistId(0),
            next_gossip: now,
            next_persist: now,
            dirty: true,
            wake: None,
            settings,
        }
    }

    /// Tells the election what happened; returns what is to be done, in order.
    pub fn on(&mut self, input: Input, now: Tick) -> Vec<Effect> {
        self.clock = now;
        // Deadlines are judged before anything else is: a late input must not find authority that
        // is over.
        self.fence(now);
        self.take_in(input, now);
        // What one step makes due at once is done at once, but never without end.
        for _ in 0..Self::STEPS_AT_ONCE {
            self.step(now);
            if self.wake.is_none_or(|wake| wake > now) {
                break;
            }
        }
        self.wake = self.wake.map(|wake| wake.max(now + Self::WAKE_AGAIN));
        self.out.take()
    }

    /// How often one call may look at everything again.
    const STEPS_AT_ONCE: usize = 4;
    /// No sooner than this does it want to be called again: a wake in the past would starve whoever
    /// drives it.
    const WAKE_AGAIN: Span = Span::from_millis(1);

    /// When it must be called again at the latest.
    pub fn wake_at(&self) -> Option<Tick> {
        self.wake
    }

    /// This run of this member.
    pub fn incarnation(&self) -> Incarnation {
        Incarnation { id: self.id.clone(), boot: self.settings.boot.clone() }
    }

    fn take_in(&mut self, input: Input, now: Tick) {
        match input {
            Input::Tick => {}
            Input::Store { request, outcome } => self.on_store(request, outcome, now),
            Input::Watched(seen) => self.on_watched(seen, now),
            Input::Peer { from, message } => self.on_message(&from, message, now),
            Input::PeerLink { peer, up } => {
                if let Some(known) = self.peers.get_mut(&peer) {
                    known.link_up = up;
                    if up {
                        self.next_gossip = now;
                    }
                }
            }
            Input::Engine(news) => self.on_engine(news, now),
            Input::Persisted(id) => self.on_persisted(id, now),
            Input::Asked { ask, wish } => match wish {
                Wish::Handover { to, dry_run } => {
                    self.wish_handover(ask, to.as_ref(), dry_run, now);
                }
                Wish::Stop { within } => self.wish_stop(ask, within, now),
                Wish::PromoteAcceptingLoss => self.wish_promote(ask, now),
            },
            Input::Ended(ended) => self.on_ended(ended),
            Input::RouteStands { epoch } => self.on_newer_epoch(epoch, now),
            Input::Room { short } => self.short = short,
            Input::Wiped => self.on_wiped(now),
        }
    }

    /// Everything that time or the new facts make due. Each part registers when it wants to be
    /// looked at again.
    fn step(&mut self, now: Tick) {
        self.wake = None;
        self.fence(now);
        self.step_store(now);
        self.step_engine(now);
        self.step_following(now);
        self.step_vote(now);
        self.step_leading(now);
        self.step_succession(now);
        self.step_candidacy(now);
        self.step_recovery(now);
        self.step_stopping(now);
        self.step_wiped(now);
        self.step_gossip(now);
        self.command_engine(now);
        self.step_memory(now);
        self.fence(now);
    }

    fn on_message(&mut self, from: &MemberName, message: Message, now: Tick) {
        if !self.peers.contains_key(from) {
            return;
        }
        match message {
            Message::Heartbeat(beat) => self.on_heartbeat(from, *beat, now),
            Message::Ack(ack) => self.on_ack(from, &ack, now),
            Message::Fenced { epoch, seq } => self.on_fenced(from, epoch, seq),
            Message::StampAsk { ask, until, within } => {
                self.on_stamp_ask(from, ask, until, within, now);
            }
            Message::Standing { ask, report } => self.on_standing(from, ask, &report, now),
            Message::PreVoteAsk(candidacy) => self.on_prevote_ask(from, &candidacy, now),
            Message::PreVote { epoch, candidate, denied } => {
                self.on_prevote(from, (epoch, &candidate), denied, now);
            }
            Message::PromiseAsk(candidacy) => self.on_promise_ask(from, candidacy, now),
            Message::Promise(promise) => self.on_promise(from, *promise, now),
            Message::Written { version, record } => self.on_written(version, *record, now),
            Message::Goodbye => self.on_goodbye(from, now),
        }
    }

    fn on_engine(&mut self, news: EngineNews, now: Tick) {
        match news {
            EngineNews::Started { run, files } => self.on_started(run, files, now),
            EngineNews::Seen { run, asked, view } => self.on_seen(run, asked, view, now),
            EngineNews::Silent { run, since, process } => self.on_silent(run, since, process, now),
            EngineNews::Exited { run, exit } => self.on_exited(run, exit, now),
            EngineNews::Did { request, result } => self.on_did(request, result, now),
        }
    }

    /// Wants to be called again at `tick`.
    fn wake_by(&mut self, tick: Tick) {
        self.wake = Some(self.wake.map_or(tick, |known| known.min(tick)));
    }

    /// Says something to one peer.
    fn send(&mut self, to: &MemberName, message: Message, why: Reason) {
        self.out.push(Act::Send { to: to.clone(), message }, why);
    }

    /// The members of {holder} ∪ E of the record last seen, as ids.
    fn members_of_record(&self) -> Vec<MemberId> {
        let Some(record) = self.store.record() else { return Vec::new() };
        let last = record.holder.as_ref().map(|h| &h.id);
        let last = last.or(record.released.as_ref().map(|r| &r.by));
        let mut all: Vec<MemberId> = record.electorate.members().cloned().collect();
        all.extend(last.filter(|id| record.electorate.seat(id).is_none()).cloned());
        all
    }

    /// Whether this member's disk is one of the record's, whatever the pod.
    fn is_of_record(&self, id: &MemberId) -> bool {
        self.members_of_record().iter().any(|m| m.same_disk(id))
    }

    /// The highest epoch that is known anywhere: record, own disk, peers.
    fn epoch_known(&self) -> Epoch {
        let record = self.store.record().map_or(Epoch(0), |r| r.epoch);
        let peers = self.peers.values().filter_map(|p| p.report.as_ref().map(|(r, _)| r.epoch));
        peers.fold(record.max(self.memory.epoch_max()), Epoch::max)
    }
}
