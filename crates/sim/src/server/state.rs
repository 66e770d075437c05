//! Birth, files and death of an engine process.

use std::collections::{BTreeMap, VecDeque};

use ::engine::{Offset, Replid};
use brain::{EngineView, MemberId, MemberName, ReplicaView};

use super::{Deed, Entry, Link, Out, Role, Server};
use crate::history::Write;
use crate::prng::Prng;
use crate::{MS, SECOND};

/// What outlives a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing.
    None,
    /// Snapshots, with stream and offset, now and then.
    Rdb,
    /// Every write, without stream and offset (engine.md 1.3).
    Aof {
        /// `appendfsync always`.
        always: bool,
    },
}

/// How engines of this world behave.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// What outlives a process.
    pub persistence: Persistence,
    /// Whether an unclean end may lose up to a second of what was not synced.
    pub loses_tail: bool,
    /// Bytes of stream kept for partial syncs.
    pub backlog_bytes: u64,
    /// Time on the way of a full sync's file, ns, and a write of it.
    pub transfer: (u64, u64),
    /// Time to load, ns, and a write of it.
    pub load: (u64, u64),
    /// Time to write the append-only file anew after a full sync, ns, and a write of it.
    pub rewrite: (u64, u64),
    /// Whether a full sync empties the old data before the file has come.
    pub flush_first: bool,
    /// Whether a full sync of an empty replica leaves no file (`repl-diskless-load on-empty-db`).
    pub empty_loads_diskless: bool,
    /// Whether the offset, not the stream, is what it was after a start from the append-only file
    /// (Redis ≥ 8).
    pub offset_after_aof: bool,
    /// Whether the offset moves while there was never a replica (Redis ≥ 7.2).
    pub counts_alone: bool,
    /// `repl-timeout`, ns.
    pub repl_timeout: u64,
    /// `repl-ping-replica-period`, ns.
    pub ping: u64,
    /// `min-replicas-max-lag`, ns.
    pub max_lag: u64,
    /// Time between snapshots, ns.
    pub save_every: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            persistence: Persistence::Aof { always: false },
            loses_tail: false,
            backlog_bytes: 1 << 20,
            transfer: (100 * MS, 10_000),
            load: (50 * MS, 10_000),
            rewrite: (50 * MS, 10_000),
            flush_first: false,
            empty_loads_diskless: false,
            offset_after_aof: false,
            counts_alone: false,
            repl_timeout: 5 * SECOND,
            ping: SECOND,
            max_lag: 3 * SECOND,
            save_every: 10 * SECOND,
        }
    }
}

/// What the files hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// The writes.
    pub data: Vec<Write>,
    /// The stream and the offset, where the file says so.
    pub position: Option<(Replid, u64)>,
    /// The offset that an append-only file says.
    pub offset: u64,
    /// There are files to load.
    pub found: bool,
}

/// What becomes of a request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// It saves and ends.
    Ends,
    /// Since 7.0 it first waits for replicas that lag, its writers paused.
    Waits,
    /// It cannot save, and goes on as before.
    Refused,
}

impl Server {
    /// A process that starts as a replica of the dead end and loads its files.
    pub fn start(
        (me, process, user): (usize, u64, MemberId),
        tuning: Tuning,
        disk: Disk,
        now: u64,
        mut rng: Prng,
    ) -> (Self, Vec<Out>) {
        let load = tuning.load.0 + tuning.load.1 * disk.data.len() as u64;
        let until = if disk.found { now + load } else { now };
        let replid = new_replid(&mut rng);
        let server = Self {
            me,
            process,
            user,
            role: Role::Replica { upstream: None },
            replid,
            replid2: Replid::default(),
            second: 0,
            offset: 0,
            position_lost: true,
            synced: (disk.data.len(), 0),
            data: disk.data.clone(),
            complete: true,
            link: Link::Down,
            attached: BTreeMap::new(),
            min_replicas: 0,
            term: 0,
            loading_until: (until > now).then_some(until),
            tuning,
            backlog: None,
            backlog_start: 0,
            admitted: Vec::new(),
            paused_until: 0,
            postponed: Vec::new(),
            waiters: Vec::new(),
            last_write: BTreeMap::new(),
            good: 0,
            heard: now,
            pinged: now,
            conns: 0,
            disk,
            rewriting_until: None,
            getack_due: false,
            syncs_to_file: true,
            disk_fails: false,
            save_failed: false,
            rng,
        };
        let out = if until > now { vec![Out::Alarm(until)] } else { Vec::new() };
        (server, out)
    }

    /// What the files hold after this process has ended: `clean` by a shutdown that saved.
    pub fn die(mut self, clean: bool) -> Disk {
        if self.loading_until.is_some() {
            return self.disk;
        }
        let whole = self.data.len();
        match self.tuning.persistence {
            Persistence::Rdb if clean && self.complete => {
                Disk { position: self.saved_position(), data: self.data, offset: 0, found: true }
            }
            // Without persistence: what the last full sync left, as nobody else writes a file.
            Persistence::Rdb | Persistence::None => self.disk,
            Persistence::Aof { .. } if !self.complete => self.disk,
            // A clean stop is refused until it has been written, and asked for again.
            Persistence::Aof { .. } if !clean && self.rewriting_until.is_some() => self.disk,
            Persistence::Aof { always } => {
                let kept = if clean || always || !self.tuning.loses_tail {
                    whole
                } else {
                    self.rng.range(self.synced.0.min(whole) as u64, whole as u64) as usize
                };
                self.data.truncate(kept);
                Disk { found: true, position: None, offset: self.offset, data: self.data }
            }
        }
    }

    /// The end of a full sync, or a save: the files hold what the memory does.
    pub(super) fn save(&mut self) {
        self.synced = (self.data.len(), self.offset);
        if self.tuning.persistence == Persistence::Rdb {
            self.write_snapshot();
        }
    }

    fn write_snapshot(&mut self) {
        let position = self.saved_position();
        self.disk = Disk { data: self.data.clone(), position, offset: 0, found: true };
    }

    /// The file of a full sync, which has just been loaded, stays in the directory as a snapshot,
    /// also where nothing is to be persistent. An append-only file is written anew from memory.
    pub(super) fn keep_synced_file(&mut self, now: u64, out: &mut Vec<Out>) {
        if let Persistence::Aof { .. } = self.tuning.persistence {
            let until =
                now + self.tuning.rewrite.0 + self.tuning.rewrite.1 * self.data.len() as u64;
            self.rewriting_until = Some(until);
            out.push(Out::Alarm(until));
        }
        self.synced = (self.data.len(), self.offset);
        let snapshot = matches!(self.tuning.persistence, Persistence::None | Persistence::Rdb);
        if snapshot && self.syncs_to_file {
            self.write_snapshot();
        }
    }

    /// What a snapshot says of the place in the stream: a primary's own if anybody ever followed
    /// it, a replica's if it has one (rdb.c, rdbPopulateSaveInfo).
    fn saved_position(&self) -> Option<(Replid, u64)> {
        let known = match self.role {
            Role::Primary => self.backlog.is_some(),
            Role::Replica { .. } => !self.position_lost,
        };
        known.then(|| (self.replid.clone(), self.offset))
    }

    /// Before a full sync empties the memory: what a death from now on would leave.
    pub(super) fn keep_old_files(&mut self) {
        if let Persistence::Aof { .. } = self.tuning.persistence
            && self.complete
            && self.rewriting_until.take().is_none()
        {
            self.disk =
                Disk { data: self.data.clone(), position: None, offset: self.offset, found: true };
        }
    }

    /// `SAVE`, or one of the engine's own. One that fails makes the engine refuse writes
    /// (engine.md 4.4).
    pub fn save_now(&mut self) {
        self.save_failed = self.disk_fails && self.tuning.persistence == Persistence::Rdb;
        if !self.disk_fails {
            self.save();
        }
    }

    /// From now on no snapshot can be written, or again.
    pub fn break_disk(&mut self, fails: bool) {
        self.disk_fails = fails;
    }

    /// How long a full sync's file is on its way from now on, ns: for scripts.
    pub fn set_transfer(&mut self, time: u64) {
        self.tuning.transfer = (time, 0);
    }

    /// Whether the last snapshot could not be written.
    pub fn save_failed(&self) -> bool {
        self.save_failed
    }

    /// How long writing the append-only file anew takes from now on, ns: for scripts.
    pub fn set_rewrite(&mut self, time: u64) {
        self.tuning.rewrite = (time, 0);
    }

    /// How many replicas keep `min-replicas-to-write` content, as it was last counted.
    pub fn good_replicas(&self) -> u32 {
        self.good
    }

    /// What becomes of a request to stop (engine.md 0, 10; 1.5).
    pub fn stopping(&self) -> Stopping {
        let behind = |a: &super::Attached| a.online && a.acked < self.offset;
        if self.loading_until.is_none() && self.attached.values().any(behind) {
            return Stopping::Waits;
        }
        if self.disk_fails && self.tuning.persistence == Persistence::Rdb {
            return Stopping::Refused;
        }
        Stopping::Ends
    }

    /// Once a second.
    pub fn cron(&mut self, now: u64) -> Vec<Out> {
        let mut out = Vec::new();
        if self.loading_until.is_some() {
            return out;
        }
        self.synced = (self.data.len(), self.offset);
        if now % self.tuning.save_every < SECOND && self.complete {
            self.save_now();
        }
        self.cron_link(now, &mut out);
        self.refresh_good(now);
        out
    }

    /// Something timed may be due: loads, the end of a pause, of a WAIT.
    pub fn alarm(&mut self, now: u64) -> Vec<Out> {
        let mut out = Vec::new();
        if self.loading_until.is_some_and(|until| now >= until) {
            self.loading_until = None;
            // Until here it says a name that it has drawn (engine.md 1.5).
            if let Some((replid, offset)) = self.disk.position.clone() {
                (self.replid, self.offset, self.position_lost) = (replid, offset, false);
                self.synced.1 = offset;
            } else if self.tuning.offset_after_aof {
                self.offset = self.disk.offset;
            }
            if let Role::Replica { upstream: Some(_) } = self.role {
                self.ask_upstream(now, &mut out);
            }
        }
        self.rewriting_until.take_if(|until| now >= *until);
        self.finish_load(now, &mut out);
        self.end_pause(now, &mut out);
        self.end_waits(now, &mut out);
        out
    }

    /// Appends to the stream as a primary does.
    pub(super) fn feed(&mut self, deed: Deed, out: &mut Vec<Out>) {
        if let Deed::Write(write) = deed {
            self.data.push(write);
        }
        if self.backlog.is_none() && self.attached.is_empty() {
            self.offset += u64::from(self.tuning.counts_alone);
            return;
        }
        self.offset += deed.len();
        self.pass_on(&[Entry { end: self.offset, deed }], out);
    }

    /// Keeps pieces for partial syncs and sends them to the replicas.
    pub(super) fn pass_on(&mut self, entries: &[Entry], out: &mut Vec<Out>) {
        if let Some(backlog) = &mut self.backlog {
            backlog.extend(entries.iter().copied());
            while backlog.len() > 1
                && self.offset.saturating_sub(self.backlog_start) > self.tuning.backlog_bytes
            {
                let first = backlog.pop_front().map_or(self.backlog_start, |e| e.end);
                self.backlog_start = first;
            }
        }
        for (conn, replica) in &self.attached {
            let wire = super::Wire::Stream(entries.to_vec());
            out.push(Out::Wire { to: replica.member, conn: *conn, wire, slow: 0 });
        }
    }

    /// A stream of its own, from here on.
    pub(super) fn new_backlog(&mut self) {
        self.backlog = Some(VecDeque::new());
        self.backlog_start = self.offset;
    }

    /// Draws a new stream's id.
    pub(super) fn draw_replid(&mut self) -> Replid {
        new_replid(&mut self.rng)
    }

    /// What it says of itself.
    pub fn view(&self, names: &[MemberName]) -> EngineView {
        let loading = self.loading_until.is_some() || matches!(self.link, Link::Loading { .. });
        let syncing = matches!(self.link, Link::Transfer { .. } | Link::Loading { .. });
        let is_primary = self.role == Role::Primary;
        let gone = self.position_lost || self.offset <= 1;
        let known = !loading && !syncing && (is_primary || !gone);
        let upstream = match self.role {
            Role::Replica { upstream: Some(u) } => Some(names[u].clone()),
            _ => None,
        };
        let durable = match self.tuning.persistence {
            // Who does not know its place in a stream cannot say how much of that is on the disk.
            _ if !known => 0,
            Persistence::Aof { .. } if self.rewriting_until.is_some() => 0,
            Persistence::Aof { always: true } => self.offset,
            Persistence::None => 0,
            // An older snapshot is all that is certain: its stream may have another name.
            Persistence::Rdb => self.disk.position.as_ref().map_or(0, |(_, offset)| *offset),
            Persistence::Aof { .. } => self.synced.1.min(self.offset),
        };
        EngineView {
            loading,
            is_primary,
            upstream,
            link_up: matches!(self.link, Link::Up { .. }),
            sync_in_progress: syncing,
            replid: self.replid.clone(),
            replid2: self.replid2.clone(),
            offset: known.then_some(Offset(self.offset)),
            durable: Offset(durable),
            replicas: self
                .attached
                .values()
                .map(|a| ReplicaView {
                    member: names[a.member].clone(),
                    online: a.online,
                    acks: !a.quiet,
                    offset: Offset(a.acked),
                })
                .collect(),
            keys: self.data.len() as u64,
            misconfigured: self.save_failed,
            min_replicas: self.min_replicas,
        }
    }

    /// Counts the replicas that keep `min-replicas-to-write` content.
    pub(super) fn refresh_good(&mut self, now: u64) {
        let lag = self.tuning.max_lag;
        for attached in self.attached.values_mut() {
            attached.quiet = now - attached.heard.min(now) + SECOND > lag;
        }
        let good = self.attached.values().filter(|a| a.online && now - a.heard.min(now) <= lag);
        self.good = good.count() as u32;
    }
}

/// Forty hexadecimal digits.
fn new_replid(rng: &mut Prng) -> Replid {
    Replid(format!("{:016x}{:016x}{:08x}", rng.draw(), rng.draw(), rng.draw() as u32))
}
