//! From `INFO` to what the brain needs to know: addresses become members, bytes become what the
//! disk has for certain.

use std::collections::VecDeque;

use brain::{EngineView, MemberName, ReplicaView, Span, Tick};
use engine::config::Persistence;
use engine::{Info, Offset, Replid, Role};
use platform::Roster;

/// An fsync each second may be one second late, and then counts from the write before it.
const EVERYSEC_LAG: Span = Span::from_millis(2000);

/// Positions kept to answer "where were we two seconds ago", at one a tenth of a second.
const POSITIONS_MAX: usize = 64;

/// Whom a member's engine was last told to follow, and by which address.
pub(crate) type Followed = (MemberName, String, u16);

/// What the edge adds to an engine's own words.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Whom it was told to follow.
    pub(crate) followed: Option<Followed>,
    /// Where it stood as a primary, until it is told to follow somebody. A primary that never had
    /// a replica counts from 0, and what it says as a dead end looks like no position at all; but
    /// nothing has touched its data since.
    pub(crate) led: Option<(Replid, Offset)>,
    /// What `min-replicas-to-write` is for certain; `None` after an order without an answer, which
    /// the engine may still carry out.
    pub(crate) min_replicas: Option<u32>,
    /// It refuses writes while its last snapshot failed.
    pub(crate) stops_on_failed_save: bool,
    /// `min-replicas-max-lag`, in seconds.
    pub(crate) max_lag_s: u32,
}

impl Context {
    /// Whom it was told to follow by an address that is that member's no more, once the link to the
    /// old one is down.
    pub(super) fn moved(&self, info: &Info, roster: &impl Roster) -> Option<MemberName> {
        let (member, host, port) = self.followed.as_ref()?;
        let at = roster.peer(member)?;
        let replication = &info.replication;
        let there = replication.primary_host.as_ref() == Some(host)
            && replication.primary_port == Some(*port);
        let same = (at.engine_host.as_str(), at.engine_port) == (host.as_str(), *port);
        let down = replication.link_up == Some(false);
        let syncs = replication.sync_in_progress == Some(true);
        (there && down && !syncs && !same).then(|| member.clone())
    }
}

/// An engine's `INFO` as the brain's view of it.
pub(crate) fn view(
    info: &Info,
    context: &Context,
    durable: Offset,
    roster: &impl Roster,
) -> EngineView {
    let replication = &info.replication;
    let is_primary = replication.role == Some(Role::Primary);
    let offset = info.position().map(|position| position.offset).or_else(|| kept(info, context));
    EngineView {
        loading: info.is_loading(),
        is_primary,
        upstream: if is_primary { None } else { upstream(info, context, roster) },
        link_up: replication.link_up == Some(true),
        sync_in_progress: replication.sync_in_progress == Some(true),
        replid: replication.replid.clone().unwrap_or_default(),
        replid2: replication.replid2.clone().unwrap_or_default(),
        offset,
        durable,
        replicas: replicas(info, context, roster),
        keys: info.keys.unwrap_or(0),
        misconfigured: info.persistence.aof_write_ok == Some(false)
            || (context.stops_on_failed_save && info.persistence.rdb_ok == Some(false)),
        min_replicas: context.min_replicas.unwrap_or(0),
    }
}

/// The position of a primary that was demoted and has followed nobody since.
pub(super) fn kept(info: &Info, context: &Context) -> Option<Offset> {
    let (replid, offset) = context.led.as_ref()?;
    let whole = !info.is_loading() && info.replication.sync_in_progress != Some(true);
    (whole && info.replication.replid.as_ref() == Some(replid)).then_some(*offset)
}

fn upstream(info: &Info, context: &Context, roster: &impl Roster) -> Option<MemberName> {
    let host = info.replication.primary_host.as_deref()?;
    let port = info.replication.primary_port?;
    if (host, port) == engine::config::DEAD_END {
        return None;
    }
    // What it was told comes first: addresses may have moved since.
    let told = context.followed.as_ref().filter(|(_, h, p)| h == host && *p == port);
    if let Some((member, _, _)) = told {
        return Some(member.clone());
    }
    roster.members().into_iter().find(|member| {
        roster.peer(member).is_some_and(|at| at.engine_host == host && at.engine_port == port)
    })
}

fn replicas(info: &Info, context: &Context, roster: &impl Roster) -> Vec<ReplicaView> {
    // One that is silent is `online` until `repl-timeout`; the write guard refuses long before.
    let quiet_s = u64::from(context.max_lag_s.saturating_sub(1).max(1));
    let announced: Vec<(MemberName, (String, u16))> = roster
        .members()
        .into_iter()
        .filter_map(|member| roster.peer(&member).map(|at| (member, at.announced)))
        .collect();
    let mut seen: Vec<ReplicaView> = Vec::new();
    for line in &info.replication.replicas {
        let found = announced.iter().find(|(_, at)| at.0 == line.host && at.1 == line.port);
        let Some((member, _)) = found else { continue };
        let view = ReplicaView {
            member: member.clone(),
            online: line.state == "online",
            acks: line.lag_s.is_none_or(|lag| lag <= quiet_s),
            offset: line.offset,
        };
        // A half-open old link of the same member may stand beside its new one.
        match seen.iter_mut().find(|known| known.member == *member) {
            Some(known) if (view.online, view.offset) > (known.online, known.offset) => {
                *known = view;
            }
            Some(_) => {}
            None => seen.push(view),
        }
    }
    seen
}

/// How far the disk has the data for certain.
#[derive(Debug)]
pub(crate) struct Durable {
    persistence: Persistence,
    /// The stream that the rest is about.
    replid: Replid,
    positions: VecDeque<(Tick, Offset)>,
    /// Where it stood at the last look.
    last: Offset,
    certain: Offset,
    /// Started from the snapshot of a clean stop, and nothing has replaced that since.
    from_snapshot: bool,
    /// What the append-only file misses until its first rewrite has ended.
    aof_behind: bool,
    last_save: Option<u64>,
    before_save: Offset,
    /// When the last look was answered at which no fsync was under way, and whether one was since.
    idle: (Option<Tick>, bool),
}

impl Durable {
    /// Of an engine that has just started. `from_snapshot`: from an RDB, and its append-only file
    /// is switched on later.
    pub(crate) fn new(persistence: Persistence, from_snapshot: bool) -> Self {
        Self {
            persistence,
            replid: Replid::default(),
            positions: VecDeque::new(),
            last: Offset(0),
            certain: Offset(0),
            from_snapshot,
            aof_behind: from_snapshot,
            last_save: None,
            before_save: Offset(0),
            idle: (None, false),
        }
    }

    /// Takes note of one look, asked for and answered then; returns how far the disk is. An engine
    /// that was busy says late where it is then, and not where it was when it was asked.
    pub(crate) fn see(&mut self, info: &Info, (asked, answered): (Tick, Tick)) -> Offset {
        let Some(position) = info.position() else {
            // A full sync replaces the files: nothing on the disk is certain until it has ended.
            if info.replication.sync_in_progress == Some(true) {
                self.forget();
            }
            return self.certain;
        };
        self.follow_stream(&position.replid, info.replication.replid2.as_ref(), position.offset);
        self.positions.push_back((answered, position.offset));
        if self.positions.len() > POSITIONS_MAX {
            self.positions.pop_front();
        }
        match self.persistence {
            Persistence::None => {}
            Persistence::Rdb => self.by_snapshot(info, position.offset),
            Persistence::AofEverysec | Persistence::AofAlways => {
                self.by_aof(info, (asked, answered));
            }
        }
        self.certain
    }

    /// Another stream that is not the old one's continuation: its offsets say nothing of the old.
    fn follow_stream(&mut self, replid: &Replid, replid2: Option<&Replid>, offset: Offset) {
        let first = !self.replid.is_known();
        let continues = self.replid == *replid || replid2 == Some(&self.replid);
        let back = offset < self.last;
        self.last = offset;
        if first && self.from_snapshot {
            // Loaded from the snapshot of a clean stop: that much is on the disk. Of a file that is
            // written at every command nothing is, before it is first written anew.
            let always = self.persistence == Persistence::AofAlways;
            self.certain = if always { Offset(0) } else { offset };
        } else if first || !continues || back {
            // A full sync may have begun and ended between two looks.
            self.forget();
        }
        self.replid = replid.clone();
    }

    /// Other data are in the engine than the files hold: nothing is certain until those are written
    /// anew, and a snapshot that ends now was begun of the old ones.
    fn forget(&mut self) {
        self.positions.clear();
        self.certain = Offset(0);
        self.from_snapshot = false;
        self.aof_behind = self.persistence.has_aof();
        (self.last_save, self.before_save) = (None, Offset(0));
    }

    fn by_aof(&mut self, info: &Info, (asked, answered): (Tick, Tick)) {
        let persistence = &info.persistence;
        if persistence.aof_enabled != Some(true) || persistence.aof_write_ok == Some(false) {
            return;
        }
        if self.aof_behind {
            let written_anew = persistence.aof_rewriting != Some(true)
                && persistence.aof_rewrite_scheduled != Some(true)
                && persistence.aof_rewrite_ok != Some(false);
            if !written_anew {
                return;
            }
            self.aof_behind = false;
            self.positions.drain(..self.positions.len() - 1);
        }
        if self.persistence == Persistence::AofAlways {
            return self.certain_until(answered);
        }
        if persistence.aof_pending_fsync.is_some_and(|pending| pending > 0) {
            self.idle.1 = true;
            return;
        }
        if let (Some(idle), true) = self.idle {
            // What stood before the fsync began that has ended now; all else waits for the next.
            self.certain_until(idle);
            self.positions.iter_mut().for_each(|(at, _)| *at = answered);
        } else if asked.since(Tick(0)) >= EVERYSEC_LAG {
            self.certain_until(asked.before(EVERYSEC_LAG));
        }
        self.idle = (Some(answered), false);
    }

    /// The disk has what was there at every look until then.
    fn certain_until(&mut self, until: Tick) {
        while let Some((at, offset)) = self.positions.front().copied() {
            if at > until {
                break;
            }
            self.certain = self.certain.max(offset);
            self.positions.pop_front();
        }
    }

    /// A snapshot holds at least what was there at the last look before it began.
    fn by_snapshot(&mut self, info: &Info, offset: Offset) {
        let save = info.persistence.rdb_last_save_s;
        if self.last_save.is_some() && save != self.last_save {
            self.certain = self.certain.max(self.before_save);
        }
        self.last_save = save;
        if info.persistence.rdb_saving != Some(true) {
            self.before_save = offset;
        }
    }
}

#[cfg(test)]
mod tests;
