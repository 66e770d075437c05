//! The tiny model of an engine process: role, stream, offset, data, link, admission. What is left
//! out against [`crate::server`]: delays inside replication, the backlog's end, pings, snapshots.

use ::engine::{Offset, Replid};
use brain::{EngineView, MemberId, MemberName, ReplicaView};

use crate::history::Write;

/// What a write adds to the offset.
pub(crate) const BYTES: u64 = 60;

/// Whom it replicates from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Primary,
    DeadEnd,
    Follows(usize),
}

/// Its link to whom it follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Link {
    Down,
    /// To this process.
    Up(u64),
    /// A full sync from this process, done at this true time.
    Syncing(u64, u64),
}

/// What outlives the process: a file that keeps every write and neither stream nor offset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Files {
    pub(crate) data: Vec<Write>,
    pub(crate) found: bool,
}

/// One process.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Engine {
    /// Unlike any other process of the world.
    pub(crate) process: u64,
    /// Its login upstream.
    pub(crate) user: MemberId,
    pub(crate) part: Part,
    replid: u64,
    replid2: u64,
    /// The first offset of `replid` that `replid2` does not have.
    second: u64,
    pub(crate) offset: u64,
    /// Whether `offset` means anything.
    placed: bool,
    pub(crate) data: Vec<Write>,
    /// How many of `data`, and which offset, the disk has for certain.
    pub(crate) synced: (usize, u64),
    pub(crate) complete: bool,
    pub(crate) link: Link,
    pub(crate) admitted: Vec<MemberId>,
    pub(crate) paused_until: u64,
    pub(crate) min_replicas: u32,
    /// By the world's count of promotions.
    pub(crate) term: u64,
    /// Reads its files until then.
    pub(crate) loading_until: Option<u64>,
    /// Acknowledged writes whose clients wait for copies.
    pub(crate) waiting: Vec<Write>,
}

impl Engine {
    /// A process at the dead end, which reads these files until then.
    pub(crate) fn start(
        process: u64,
        user: MemberId,
        files: &Files,
        loading_until: Option<u64>,
    ) -> Self {
        Self {
            process,
            user,
            part: Part::DeadEnd,
            replid: process,
            replid2: 0,
            second: 0,
            offset: 0,
            placed: false,
            data: files.data.clone(),
            synced: (files.data.len(), 0),
            complete: true,
            link: Link::Down,
            admitted: Vec::new(),
            paused_until: 0,
            min_replicas: 0,
            term: 0,
            loading_until: loading_until.filter(|_| files.found),
            waiting: Vec::new(),
        }
    }

    /// What its files hold after its end; `tail`: what was not certainly on disk is lost.
    pub(crate) fn end(self, files: Files, tail: bool) -> Files {
        if self.loading_until.is_some() || !self.complete {
            return files;
        }
        let mut data = self.data;
        if tail {
            data.truncate(self.synced.0);
        }
        Files { data, found: true }
    }

    pub(crate) fn replicate(&mut self, part: Part) {
        if self.part == part {
            return;
        }
        if self.part == Part::Primary {
            // A former primary offers its own stream to its new upstream.
            self.placed = true;
            self.waiting.clear();
        }
        self.part = part;
        self.link = Link::Down;
    }

    /// `REPLICAOF NO ONE`, with a new stream that continues the old one.
    pub(crate) fn promote(&mut self, term: u64, replid: u64) {
        self.part = Part::Primary;
        self.link = Link::Down;
        self.term = term;
        self.replid2 = std::mem::replace(&mut self.replid, replid);
        self.second = self.offset + 1;
    }

    pub(crate) fn write(&mut self, write: Write) {
        self.data.push(write);
        self.offset += BYTES;
        self.waiting.push(write);
    }

    /// Whether it could serve a replica now.
    pub(crate) fn can_serve(&self, user: &MemberId) -> bool {
        let linked = match self.part {
            Part::Primary => true,
            _ => matches!(self.link, Link::Up(_)),
        };
        linked && self.loading_until.is_none() && self.admitted.contains(user)
    }

    /// Whether what this one has is a beginning of that one's stream.
    pub(crate) fn continues(&self, upstream: &Engine) -> bool {
        let same = self.replid == upstream.replid && self.offset <= upstream.offset;
        let parent = self.replid == upstream.replid2 && self.offset < upstream.second;
        self.placed && (same || parent)
    }

    /// A partial resync, or the next piece of the stream: everything at once.
    pub(crate) fn take(&mut self, upstream: &Engine) {
        if self.replid != upstream.replid {
            self.replid2 = std::mem::replace(&mut self.replid, upstream.replid);
            self.second = self.offset + 1;
        }
        self.offset = upstream.offset;
        self.data.clone_from(&upstream.data);
    }

    /// A full sync is done.
    pub(crate) fn load(&mut self, upstream: &Engine) {
        self.take(upstream);
        self.replid2 = 0;
        self.placed = true;
        self.complete = true;
        self.synced = (self.data.len(), self.offset);
    }

    pub(crate) fn stream(&self) -> u64 {
        self.replid
    }

    /// What it says of itself.
    pub(crate) fn view(&self, names: &[MemberName], replicas: &[(usize, u64)]) -> EngineView {
        let syncing = matches!(self.link, Link::Syncing(..));
        let loading = self.loading_until.is_some();
        let is_primary = self.part == Part::Primary;
        let known = !loading && !syncing && (is_primary || (self.placed && self.offset > 1));
        let id = |n: u64| if n == 0 { Replid::default() } else { Replid(format!("{n:040x}")) };
        EngineView {
            loading,
            is_primary,
            upstream: match self.part {
                Part::Follows(u) => Some(names[u].clone()),
                _ => None,
            },
            link_up: matches!(self.link, Link::Up(_)),
            sync_in_progress: syncing,
            replid: id(self.replid),
            replid2: id(self.replid2),
            offset: known.then_some(Offset(self.offset)),
            durable: Offset(self.synced.1.min(self.offset)),
            replicas: replicas
                .iter()
                .map(|(member, offset)| ReplicaView {
                    member: names[*member].clone(),
                    online: true,
                    acks: true,
                    offset: Offset(*offset),
                })
                .collect(),
            keys: self.data.len() as u64,
            misconfigured: false,
            min_replicas: self.min_replicas,
        }
    }
}
