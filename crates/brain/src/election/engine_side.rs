//! The engine beside this agent: what it is, what it is wanted to be, and the commands in between.
//! Level-triggered: the wanted role is compared with what the engine says of itself, again and
//! again.

use std::collections::BTreeMap;

use engine::Offset;

use crate::cure::Cure;
use crate::effect::{EngineCommand, PersistId, RequestId};
use crate::identity::{Epoch, MemberId, MemberName};
use crate::input::{DataFiles, EngineView, Exit, ProcessState};
use crate::reason::Reason;
use crate::stamp::Stamp;
use crate::time::{Span, Tick};

use super::Election;

/// Whether there is a process, and whether it has spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// None runs.
    Absent,
    /// Wanted, not there yet.
    Starting,
    /// It runs.
    Up,
}

/// What the engine is, or is wanted to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Posture {
    /// A replica of nobody.
    DeadEnd,
    /// A replica of this member.
    Follow(MemberName),
    /// A primary.
    Primary,
}

impl std::fmt::Display for Posture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Posture::DeadEnd => f.write_str("dead end"),
            Posture::Follow(member) => write!(f, "replica of {member}"),
            Posture::Primary => f.write_str("primary"),
        }
    }
}

/// What a command under way is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Purpose {
    Posture(Posture),
    Admit(Vec<MemberId>),
    MinReplicas(u32),
    /// For the line of this epoch.
    SetAside(Epoch),
    Handover,
    Start,
    Other,
}

/// From where a run of an agent counts what its peers repeat to it: no two runs count alike.
pub(super) fn first_number(boot: &str) -> u64 {
    let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    boot.bytes().fold(0xcbf2_9ce4_8422_2325, mix) >> 16
}

/// The engine as this member knows it.
#[derive(Clone, Debug, Hash)]
pub(crate) struct EngineSide {
    pub(crate) run: u64,
    pub(crate) phase: Phase,
    pub(crate) view: Option<EngineView>,
    /// When the question behind `view` was sent.
    pub(crate) asked: Tick,
    /// What it has certainly become since `view`: a command was answered.
    assumed: Option<(Posture, Tick)>,
    pub(crate) want: Posture,
    observing: Option<Tick>,
    pub(crate) observe_at: Tick,
    /// A look that was asked for before this is not fresh enough.
    look_after: Tick,
    under_way: BTreeMap<RequestId, Purpose>,
    posture_retry: Tick,
    /// What there was to load when it started.
    pub(crate) files: DataFiles,
    /// The memory's stamp has been held against what this process loaded.
    pub(crate) reconciled: bool,
    start_at: Tick,
    quick_deaths: u32,
    started_at: Tick,
    pub(crate) link_run: u64,
    admitted: Option<Vec<MemberId>>,
    min_replicas: Option<u32>,
    aside_for: Option<Epoch>,
    pub(super) attach_after: PersistId,
    pub(crate) hang_killed: bool,
    /// A command for its role failed or was not answered at this time: only a later look tells.
    unsure: Option<Tick>,
    /// It must have let go of its role by then, or it is ended (failover.md 2.7 F3).
    demote_by: Option<Tick>,
    /// No second try of an admission or a guard before this.
    others_retry: Tick,
    /// It has not answered since then, and what the kernel says of it.
    silent: Option<(Tick, ProcessState)>,
}

impl EngineSide {
    /// `boot`: no two runs of an agent count their links alike.
    pub(crate) fn new(boot: &str, now: Tick) -> Self {
        Self {
            run: 0,
            phase: Phase::Absent,
            view: None,
            asked: now,
            assumed: None,
            want: Posture::DeadEnd,
            observing: None,
            observe_at: now,
            look_after: now,
            under_way: BTreeMap::new(),
            posture_retry: now,
            files: DataFiles::default(),
            reconciled: false,
            start_at: now,
            quick_deaths: 0,
            started_at: now,
            link_run: first_number(boot),
            admitted: None,
            min_replicas: None,
            aside_for: None,
            attach_after: PersistId(0),
            hang_killed: false,
            silent: None,
            unsure: None,
            demote_by: None,
            others_retry: now,
        }
    }

    /// Up, and it has loaded its files.
    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Up && self.reconciled && self.view.as_ref().is_some_and(|v| !v.loading)
    }

    /// What it is, as far as is certain: nothing is while a command that would make it more than a
    /// dead end is unanswered.
    pub(crate) fn posture(&self) -> Option<Posture> {
        let rising = self
            .under_way
            .values()
            .any(|p| matches!(p, Purpose::Posture(to) if *to != Posture::DeadEnd));
        if rising || self.unsure.is_some() {
            return None;
        }
        if let Some((posture, _)) = &self.assumed {
            return Some(posture.clone());
        }
        let view = self.view.as_ref()?;
        Some(match (&view.upstream, view.is_primary) {
            (_, true) => Posture::Primary,
            (Some(upstream), _) => Posture::Follow(upstream.clone()),
            (None, _) => Posture::DeadEnd,
        })
    }

    /// Whether it certainly replicates from nobody and accepts no write: it is gone, or it has said
    /// that it stands at the dead end.
    pub(crate) fn is_detached(&self) -> bool {
        match self.phase {
            Phase::Absent => true,
            Phase::Starting => false,
            Phase::Up => {
                self.assumed.is_none()
                    && self.posture() == Some(Posture::DeadEnd)
                    && self
                        .view
                        .as_ref()
                        .is_some_and(|v| !v.is_primary && v.upstream.is_none() && !v.link_up)
            }
        }
    }

    /// The same, said in answer to a question that was sent no earlier than this.
    pub(crate) fn is_detached_since(&self, moment: Tick) -> bool {
        self.asked >= moment && self.is_detached()
    }

    /// Whether it is at the dead end by its own word or by an answered command.
    pub(crate) fn is_demoted(&self) -> bool {
        self.phase == Phase::Absent || self.posture() == Some(Posture::DeadEnd)
    }

    /// Whether it replicates from this member, or may: not only by what was last heard of it.
    pub(crate) fn may_follow(&self, member: &MemberName) -> bool {
        let is = |posture: &Posture| matches!(posture, Posture::Follow(m) if m == member);
        let said = self.view.as_ref().and_then(|view| view.upstream.as_ref()) == Some(member);
        said || self.assumed.as_ref().is_some_and(|(posture, _)| is(posture))
            || self.under_way.values().any(|p| matches!(p, Purpose::Posture(to) if is(to)))
            || self.unsure.is_some()
    }

    pub(crate) fn offset(&self) -> Option<Offset> {
        self.view.as_ref().and_then(|v| v.offset)
    }

    fn posture_under_way(&self) -> Option<&Posture> {
        self.under_way.values().rev().find_map(|p| match p {
            Purpose::Posture(posture) => Some(posture),
            _ => None,
        })
    }

    /// Whether its own write guard is this, for certain.
    pub(crate) fn has_guard(&self, n: u32) -> bool {
        self.min_replicas == Some(n)
    }

    /// Whether these members' users are on, and no others', for certain.
    pub(crate) fn has_admitted(&self, members: &[MemberId]) -> bool {
        self.admitted.as_deref() == Some(members)
    }
}

impl Election {
    /// An engine that died sooner than this after its start waits before the next one.
    const QUICK_DEATH: Span = Span::from_millis(3000);

    pub(super) fn step_engine(&mut self, now: Tick) {
        if self.engine.phase == Phase::Absent && self.may_start_engine() {
            if now < self.engine.start_at {
                return self.wake_by(self.engine.start_at);
            }
            self.engine.phase = Phase::Starting;
            let why = Reason::detail("start", "start the engine");
            let request = self.out.engine(EngineCommand::Start, why);
            self.engine.under_way.insert(request, Purpose::Start);
        }
        if self.engine.phase != Phase::Up {
            return;
        }
        self.judge_silence(now);
        match self.engine.observing {
            // A lost answer must not blind the member; the edge reports silence on its own.
            Some(sent) if now.since(sent) < Span::from_millis(2000) => {
                self.wake_by(sent + Span::from_millis(2000));
            }
            _ if now >= self.engine.observe_at => {
                self.engine.observing = Some(now);
                self.out.engine(EngineCommand::Observe, Reason::routine("observe"));
            }
            _ => self.wake_by(self.engine.observe_at),
        }
    }

    fn may_start_engine(&self) -> bool {
        self.stopping.is_none() && self.wiped.is_none()
    }

    /// Looks at the engine as soon as possible.
    pub(super) fn observe_soon(&mut self, now: Tick) {
        self.engine.observe_at = self.engine.observe_at.min(now);
        self.engine.look_after = now;
    }

    pub(super) fn on_started(&mut self, run: u64, files: DataFiles, now: Tick) {
        self.engine.run = run;
        self.engine.phase = Phase::Up;
        self.engine.view = None;
        self.engine.assumed = None;
        self.engine.want = Posture::DeadEnd;
        self.engine.observing = None;
        self.engine.observe_at = now;
        self.engine.files = files;
        if files.unread && !files.found && self.settings.persistent && !self.memory.damaged {
            // Nothing is here, since it stands aside: that is not "everything is lost".
            self.memory.damaged = true;
            (self.dirty, self.next_persist) = (true, now);
        }
        self.engine.reconciled = false;
        self.engine.under_way.clear();
        self.engine.admitted = None;
        self.engine.min_replicas = None;
        self.engine.started_at = now;
        self.engine.hang_killed = false;
        self.engine.unsure = None;
        self.engine.demote_by = None;
        self.engine.silent = None;
        self.out.note(Reason::detail("started", format!("engine process {run} started")));
    }

    pub(super) fn on_seen(&mut self, run: u64, asked: Tick, view: EngineView, now: Tick) {
        if run != self.engine.run || self.engine.phase != Phase::Up {
            return;
        }
        self.engine.observing = None;
        self.engine.silent = None;
        if self.engine.unsure.is_some_and(|since| asked >= since) {
            self.engine.unsure = None;
        }
        // While it loads or anything waits for it, look often; else every H.
        let pause = if asked < self.engine.look_after {
            Span::ZERO
        } else if view.loading || self.is_busy() {
            Span::from_millis(20)
        } else {
            self.settings.timing.heartbeat
        };
        self.engine.observe_at = now + pause;
        if self.engine.assumed.as_ref().is_some_and(|(_, since)| asked >= *since) {
            self.engine.assumed = None;
        }
        let new_stream = view.is_primary
            && self.engine.view.as_ref().is_none_or(|v| !v.is_primary || v.replid != view.replid);
        let look_after = self.engine.look_after;
        if let Some(leading) = &mut self.leading {
            // The members wait to hear the stream's name before they attach, and a fresh offset
            // before they are exact again.
            let told = leading.tell_offset && asked >= look_after;
            if new_stream || told {
                leading.next_beat = now;
                leading.tell_offset &= !told;
            }
        }
        if self.engine.reconciled
            && self.engine.view.as_ref().is_some_and(|v| is_replaced(v, &view))
        {
            // A full sync has begun and ended between two looks.
            self.memory.syncing = true;
        }
        let was_up = self.engine.view.as_ref().is_some_and(|v| v.link_up);
        if view.link_up && !was_up {
            self.engine.link_run += 1;
            self.next_gossip = now;
        }
        let loaded = !view.loading;
        self.engine.asked = asked;
        self.engine.view = Some(view);
        if loaded && !self.engine.reconciled {
            self.reconcile_stamp(now);
        }
        self.refresh_stamp(now);
        self.handover_sees_engine(asked, now);
        self.promote_sees_engine(now);
        self.vote_sees_engine(now);
    }

    /// Something waits for what the engine says next.
    fn is_busy(&self) -> bool {
        self.vote.is_some()
            || self.waiting_asks()
            || self.leading.as_ref().is_some_and(|l| l.is_busy())
            || self.engine.posture() != Some(self.engine.want.clone())
            || self.engine.view.as_ref().is_some_and(|v| {
                matches!(self.engine.want, Posture::Follow(_)) && (!v.link_up || v.sync_in_progress)
            })
    }

    pub(super) fn on_did(&mut self, request: RequestId, result: Result<(), String>, now: Tick) {
        let Some(purpose) = self.engine.under_way.remove(&request) else { return };
        self.observe_soon(now);
        match (purpose, result) {
            (Purpose::Posture(posture), Ok(())) => {
                self.engine.assumed = Some((posture.clone(), now));
                if posture == Posture::Primary {
                    self.on_promoted(now);
                }
            }
            (Purpose::Posture(posture), Err(error)) => {
                self.engine.posture_retry = now + Span::from_millis(100);
                self.engine.unsure = Some(now);
                let text = format!("the engine did not become {posture}: {error}");
                self.out.note(Reason::detail("refused", text));
            }
            (Purpose::Admit(members), Ok(())) => self.on_admitted(members, now),
            (Purpose::MinReplicas(n), Ok(())) => self.engine.min_replicas = Some(n),
            (Purpose::Admit(_), Err(_)) => {
                self.engine.admitted = None;
                self.engine.others_retry = now + Span::from_millis(100);
            }
            (Purpose::MinReplicas(_), Err(_)) => {
                self.engine.min_replicas = None;
                self.engine.others_retry = now + Span::from_millis(100);
            }
            (Purpose::Start, Err(error)) => {
                self.engine.phase = Phase::Absent;
                self.engine.start_at = now + Span::from_millis(1000);
                self.out
                    .note(Reason::detail("start", format!("the engine did not start: {error}")));
            }
            (Purpose::SetAside(epoch), kept) => {
                self.engine.aside_for = Some(epoch);
                if let Err(error) = kept {
                    let text = format!("the data here are not kept aside: {error}");
                    self.out.note(Reason::story("not-aside", text));
                }
            }
            (Purpose::Start | Purpose::Other, _) => {}
            (Purpose::Handover, result) => self.handover_paused(result, now),
        }
    }

    /// An engine that must let go of its role and has not in time is ended, whoever leads by now.
    pub(super) fn enforce_demotion(&mut self, now: Tick) {
        let Some(limit) = self.engine.demote_by else { return };
        if self.engine.is_demoted() {
            self.engine.demote_by = None;
        } else if now < limit {
            self.wake_by(limit);
        } else {
            self.engine.demote_by = None;
            let text = "the engine did not let go of its role in time: ended".to_owned();
            self.kill_engine(Reason::story("fence-kill", text));
        }
    }

    /// Sends the commands that bring the engine to what is wanted.
    pub(super) fn command_engine(&mut self, now: Tick) {
        if self.engine.phase != Phase::Up || !self.engine.reconciled {
            return;
        }
        self.admit(now);
        let want = self.engine.want.clone();
        if self.engine.posture() == Some(want.clone()) && self.engine.posture_under_way().is_none()
        {
            match want {
                // The answer to a promotion can be lost where the promotion is not.
                Posture::Primary => self.on_promoted(now),
                // Whom it follows has begun another line: the engine connects again by itself.
                Posture::Follow(_) => drop(self.keep_aside()),
                Posture::DeadEnd => {}
            }
            return;
        }
        match self.engine.posture_under_way() {
            Some(under_way) if *under_way == want => return,
            // The dead end is safe to ask for at any time; everything else waits its turn.
            Some(_) if want != Posture::DeadEnd => return,
            _ => {}
        }
        if now < self.engine.posture_retry {
            return self.wake_by(self.engine.posture_retry);
        }
        match &want {
            Posture::DeadEnd => self.posture(Posture::DeadEnd, EngineCommand::DeadEnd),
            // That the disk is no longer as a clean stop left it is written down first.
            Posture::Primary if self.out.persisted < self.engine.attach_after => {}
            Posture::Primary => self.posture(Posture::Primary, EngineCommand::Promote),
            Posture::Follow(member) => {
                let member = member.clone();
                if self.may_attach(&member) {
                    self.posture(want, EngineCommand::Follow(member));
                }
            }
        }
    }

    fn posture(&mut self, posture: Posture, command: EngineCommand) {
        let why = Reason::detail("posture", format!("the engine becomes {posture}"));
        let request = self.out.engine(command, why);
        self.engine.under_way.insert(request, Purpose::Posture(posture));
    }

    /// Demotes at once, whatever is under way (failover.md 2.7 F2).
    /// With `by` it is ended if it has not let go by then.
    pub(super) fn demote_now(&mut self, why: Reason, by: Option<Tick>) {
        self.engine.want = Posture::DeadEnd;
        if self.engine.phase == Phase::Up && self.engine.posture() != Some(Posture::DeadEnd) {
            self.engine.demote_by = by;
            let request = self.out.engine(EngineCommand::DeadEnd, why);
            self.engine.under_way.insert(request, Purpose::Posture(Posture::DeadEnd));
        }
    }

    /// Before the engine attaches: the attachment is on disk, and data that would be thrown away
    /// are set aside.
    fn may_attach(&mut self, upstream: &MemberName) -> bool {
        let Some(following) = &self.following else { return false };
        let epoch = following.beat.lineage.epoch;
        let direct = following.beat.holder.id.name == *upstream;
        if self.keep_aside() {
            return false;
        }
        if direct && self.memory.attached_in != Some(epoch) {
            self.memory.attached_in = Some(epoch);
            let why = Reason::detail("attach", format!("about to attach in epoch {epoch}"));
            self.engine.attach_after = self.out.persist(&self.memory, why);
        }
        self.out.persisted >= self.engine.attach_after || !self.settings.keeps(Cure::AttachOnDisk)
    }

    /// Has data kept aside that are not part of the line being followed; whether that is under way.
    fn keep_aside(&mut self) -> bool {
        let Some(epoch) = self.following.as_ref().map(|f| f.beat.lineage.epoch) else {
            return false;
        };
        let Some(lost) = self.diverged_bytes() else { return false };
        let is_aside = |p: &Purpose| matches!(p, Purpose::SetAside(_));
        if self.engine.under_way.values().any(is_aside) {
            return true;
        }
        // An engine that ended took an answer along that it owed: then it is asked for again.
        let done = self.engine.aside_for == Some(epoch);
        if !done {
            let text = match lost {
                0 => format!("data here may not be of epoch {epoch}: the files are kept aside"),
                _ => format!(
                    "{lost} B written here were never part of epoch {epoch}: the files are kept \
                     aside"
                ),
            };
            let request = self.out.engine(EngineCommand::SetAside, Reason::story("diverged", text));
            self.engine.under_way.insert(request, Purpose::SetAside(epoch));
        }
        !done
    }

    /// Has these members' users switched on, and all others' off.
    fn admit(&mut self, now: Tick) {
        if now < self.engine.others_retry {
            let again = self.engine.others_retry;
            return self.wake_by(again);
        }
        let wanted = self.wanted_admissions();
        let under_way = self.engine.under_way.values().any(|p| matches!(p, Purpose::Admit(_)));
        if under_way || self.engine.admitted.as_ref() == Some(&wanted) {
            return;
        }
        let names: Vec<String> = wanted.iter().map(|m| m.name.to_string()).collect();
        let why = Reason::detail("admit", format!("may replicate: {}", names.join(", ")));
        let request = self.out.engine(EngineCommand::Admit(wanted.clone()), why);
        self.engine.under_way.insert(request, Purpose::Admit(wanted));
    }

    fn on_admitted(&mut self, members: Vec<MemberId>, now: Tick) {
        if let Some(leading) = &mut self.leading {
            let before = leading.let_in.len();
            leading.let_in.extend(members.iter().cloned());
            if leading.let_in.len() > before {
                // They wait to hear it.
                leading.next_beat = now;
                self.wake_by(now);
            }
        }
        self.engine.admitted = Some(members);
    }

    /// Sets the engine's own write guard, if it is another.
    pub(super) fn guard(&mut self, n: u32) {
        let again = self.engine.others_retry > self.clock;
        if self.engine.phase != Phase::Up || self.engine.min_replicas == Some(n) || again {
            return;
        }
        if self.engine.under_way.values().any(|p| matches!(p, Purpose::MinReplicas(_))) {
            return;
        }
        let why = Reason::detail("guard", format!("min-replicas-to-write {n}"));
        let request = self.out.engine(EngineCommand::MinReplicas(n), why);
        self.engine.under_way.insert(request, Purpose::MinReplicas(n));
    }

    /// A command whose answer nobody waits for.
    pub(super) fn tell_engine(&mut self, command: EngineCommand, why: Reason) {
        if self.engine.phase == Phase::Up {
            let request = self.out.engine(command, why);
            self.engine.under_way.insert(request, Purpose::Other);
        }
    }

    /// A command of the handover.
    pub(super) fn handover_command(&mut self, command: EngineCommand, why: Reason) {
        let request = self.out.engine(command, why);
        self.engine.under_way.insert(request, Purpose::Handover);
    }

    /// Ends the engine: it does not answer, or must not live.
    pub(super) fn kill_engine(&mut self, why: Reason) {
        self.out.engine(EngineCommand::Kill, why);
    }

    /// The hang budget (failover.md 2.12): telling busy from dead.
    pub(super) fn on_silent(&mut self, run: u64, since: Tick, process: ProcessState, now: Tick) {
        if run == self.engine.run && self.engine.phase == Phase::Up {
            self.engine.silent = Some((since, process));
        }
        self.judge_silence(now);
    }

    fn judge_silence(&mut self, now: Tick) {
        let Some((since, process)) = self.engine.silent else { return };
        if self.engine.hang_killed {
            return;
        }
        let budget = match process {
            ProcessState::Stopped => Span::from_millis(2000),
            ProcessState::DiskWait | ProcessState::Idle => Span::from_millis(5000),
            ProcessState::Busy => Span::from_millis(15_000),
        };
        let silent = now.since(since);
        if silent < budget {
            return self.wake_by(since + budget);
        }
        self.engine.hang_killed = true;
        let text = format!("the engine has not answered for {silent} ({process:?}): ended");
        self.kill_engine(Reason::story("hang", text));
    }

    pub(super) fn on_exited(&mut self, run: u64, exit: Exit, now: Tick) {
        if run != self.engine.run && self.engine.phase != Phase::Starting {
            return;
        }
        self.engine.unsure = None;
        self.engine.demote_by = None;
        // What was promised or asked with this engine's data is void.
        self.vote = None;
        self.drop_unsent_candidacy();
        let led = self.leading.is_some();
        let lived = now.since(self.engine.started_at);
        // Somebody's hand is no reason to wait: only an engine that dies by itself is given time.
        let by_itself = exit.is_own_fault() || exit == Exit::BadData;
        let soon = lived < Self::QUICK_DEATH || self.engine.phase == Phase::Starting;
        let quick = soon && by_itself;
        self.engine.quick_deaths = if quick { self.engine.quick_deaths + 1 } else { 0 };
        let back_off = Span::from_millis(100).scaled(1 << self.engine.quick_deaths.min(6), 1);
        self.engine.start_at = if self.engine.quick_deaths > 1 { now + back_off } else { now };
        self.engine.phase = Phase::Absent;
        self.engine.view = None;
        self.engine.assumed = None;
        self.engine.observing = None;
        self.engine.under_way.clear();
        self.engine.want = Posture::DeadEnd;
        self.stamp_after_exit(exit);
        let own_fault = exit.is_own_fault();
        if led && own_fault {
            self.memory.note_death(now);
            self.dirty = true;
        }
        let text = format!("the engine {exit}, after {lived}");
        let why = if self.stopping.is_some() {
            Reason::detail("exited", text.clone())
        } else {
            Reason::story("exited", text.clone())
        };
        self.out.note(why);
        if led {
            self.lead_lost_engine(&text, own_fault, now);
        }
    }

    /// What an engine's end leaves of the data.
    fn stamp_after_exit(&mut self, exit: Exit) {
        // One that never had its data loaded has left its files as they were, whatever it said at
        // its end: what is known of them stands, good or bad.
        let loaded = std::mem::take(&mut self.engine.reconciled);
        if loaded || exit == Exit::BadData {
            let still = self.stopping.as_ref().is_some_and(super::stop::Stopping::is_still);
            let clean = exit == Exit::Clean && self.settings.persistent && still;
            self.memory.clean = clean;
            if !clean {
                self.memory.keep_reached(self.memory.stamp.epoch);
            }
            if !clean && self.settings.keeps(Cure::ExactOnlyWhenClean) {
                self.memory.exact = false;
            }
        }
        if !self.settings.persistent {
            self.memory.stamp.complete = false;
        }
        self.memory.damaged |= exit == Exit::BadData && self.settings.persistent;
        self.dirty = true;
    }

    /// A memory as a stamp with nothing in it.
    pub(super) fn stamp_lost(&mut self) {
        self.memory.stamp = Stamp::default();
        self.memory.exact = false;
        self.dirty = true;
    }
}

#[cfg(test)]
mod tests;

/// Whether a replica's data were replaced between these two looks: it is on a stream that is not
/// the old one's continuation.
fn is_replaced(before: &EngineView, now: &EngineView) -> bool {
    let continues = now.replid == before.replid || now.replid2 == before.replid;
    !before.loading && !now.loading && !now.is_primary && now.offset.is_some() && !continues
}
