//! Replication connections of an engine process, as a replica and as an upstream (engine.md 1.3,
//! 1.5).

use ::engine::Replid;
use brain::MemberId;

use super::{Attached, Deed, Entry, Link, Out, Role, Server, Why, Wire};
use crate::MS;
use crate::history::Write;

impl Server {
    /// Something arrived on a replication connection.
    pub fn wire(&mut self, from: usize, conn: u64, wire: Wire, now: u64) -> Vec<Out> {
        let mut out = Vec::new();
        match wire {
            Wire::Psync { user, wanted } => {
                self.on_psync((from, conn), user, wanted, now, &mut out);
            }
            Wire::Ack(offset) if self.attached.contains_key(&conn) => {
                self.on_ack(conn, offset, now, &mut out);
            }
            Wire::Closed => self.on_closed(conn, now),
            _ if self.upstream_conn() != Some(conn) => {
                // An old connection: the other side must not count us.
                out.push(Out::Wire { to: from, conn, wire: Wire::Closed, slow: 0 });
            }
            Wire::Ack(_) => {}
            Wire::Refused(_) => self.link = Link::Down,
            Wire::Continue { replid } => self.on_continue(conn, replid, &mut out),
            Wire::FullBegin { .. } => self.on_full_begin(conn),
            Wire::FullData { replid, offset, data } => {
                self.on_full_data(conn, (replid, offset, data), now, &mut out);
            }
            Wire::Stream(entries) => self.on_stream(entries, &mut out),
        }
        if self.upstream_conn() == Some(conn) {
            self.heard = now;
        }
        out
    }

    /// The connection to the upstream, if any.
    pub fn upstream_conn(&self) -> Option<u64> {
        match &self.link {
            Link::Down => None,
            Link::Asked { conn }
            | Link::Transfer { conn }
            | Link::Loading { conn, .. }
            | Link::Up { conn } => Some(*conn),
        }
    }

    /// Connects and asks for the stream.
    pub(super) fn ask_upstream(&mut self, now: u64, out: &mut Vec<Out>) {
        let Role::Replica { upstream: Some(to) } = self.role else { return };
        self.conns += 1;
        let conn = self.process << 20 | self.conns;
        let wanted = (!self.position_lost).then(|| (self.replid.clone(), self.offset + 1));
        self.link = Link::Asked { conn };
        self.heard = now;
        let wire = Wire::Psync { user: self.user.clone(), wanted };
        out.push(Out::Wire { to, conn, wire, slow: 0 });
    }

    /// Closes the connection to the upstream; an unfinished sync leaves no position.
    pub(super) fn drop_upstream(&mut self, out: &mut Vec<Out>) {
        let Role::Replica { upstream: Some(to) } = self.role else { return };
        if let Some(conn) = self.upstream_conn() {
            out.push(Out::Wire { to, conn, wire: Wire::Closed, slow: 0 });
        }
        self.link = Link::Down;
    }

    /// Closes the connections of those replicas that `keep` does not want.
    pub(super) fn drop_replicas(&mut self, keep: impl Fn(&MemberId) -> bool, out: &mut Vec<Out>) {
        self.attached.retain(|conn, a| {
            let stays = keep(&a.user);
            if !stays {
                out.push(Out::Wire { to: a.member, conn: *conn, wire: Wire::Closed, slow: 0 });
            }
            stays
        });
    }

    fn on_psync(
        &mut self,
        (from, conn): (usize, u64),
        user: MemberId,
        wanted: Option<(Replid, u64)>,
        now: u64,
        out: &mut Vec<Out>,
    ) {
        if let Some(why) = self.keeps_its_stream(Some(&user)) {
            out.push(Out::Wire { to: from, conn, wire: Wire::Refused(why), slow: 0 });
            return;
        }
        if let Some(entries) = wanted.and_then(|(id, next)| self.partial(&id, next)) {
            let acked = 0;
            let a = Attached { member: from, user, online: true, acked, heard: now, quiet: false };
            self.attached.insert(conn, a);
            let wire = Wire::Continue { replid: self.replid.clone() };
            out.push(Out::Wire { to: from, conn, wire, slow: 0 });
            if !entries.is_empty() {
                // What was missed takes its time: the link is up before the data are there.
                out.push(Out::Wire { to: from, conn, wire: Wire::Stream(entries), slow: MS });
            }
            self.refresh_good(now);
            return;
        }
        if self.backlog.is_none() {
            // A stream that nobody has followed has no past worth a name (replication.c, SYNC).
            self.replid = self.draw_replid();
            self.replid2 = Replid::default();
            self.new_backlog();
        }
        let a = Attached { member: from, user, online: false, acked: 0, heard: now, quiet: false };
        self.attached.insert(conn, a);
        let wire = Wire::FullBegin { brings: self.data.clone() };
        out.push(Out::Wire { to: from, conn, wire, slow: 0 });
        let slow = self.tuning.transfer.0 + self.tuning.transfer.1 * self.data.len() as u64;
        let (replid, offset, data) = (self.replid.clone(), self.offset, self.data.clone());
        let wire = Wire::FullData { replid, offset, data };
        out.push(Out::Wire { to: from, conn, wire, slow });
    }

    /// Why this user does not get the stream; `None` for the user that is always on.
    pub fn keeps_its_stream(&self, user: Option<&MemberId>) -> Option<Why> {
        if user.is_some_and(|user| !self.admitted.contains(user)) {
            return Some(Why::WrongPass);
        }
        if self.is_loading() {
            return Some(Why::Loading);
        }
        let linked = self.role == Role::Primary || matches!(self.link, Link::Up { .. });
        (!linked).then_some(Why::NoMasterLink)
    }

    /// What a replica at `next` missed, if the backlog still has it.
    fn partial(&self, id: &Replid, next: u64) -> Option<Vec<Entry>> {
        let backlog = self.backlog.as_ref()?;
        let on_line = *id == self.replid || (*id == self.replid2 && next <= self.second);
        if !on_line || next <= self.backlog_start || next > self.offset + 1 {
            return None;
        }
        Some(backlog.iter().filter(|e| e.end >= next).copied().collect())
    }

    fn on_ack(&mut self, conn: u64, offset: u64, now: u64, out: &mut Vec<Out>) {
        if let Some(a) = self.attached.get_mut(&conn) {
            a.acked = a.acked.max(offset);
            a.heard = now;
            if !a.online {
                a.online = true;
                self.refresh_good(now);
            }
            self.answer_waits(out);
        }
    }

    fn on_closed(&mut self, conn: u64, now: u64) {
        if self.upstream_conn() == Some(conn) {
            self.lose_link();
        }
        if self.attached.remove(&conn).is_some() {
            self.refresh_good(now);
        }
    }

    /// The upstream is gone.
    fn lose_link(&mut self) {
        match &mut self.link {
            Link::Loading { broken, .. } => *broken = true,
            Link::Transfer { .. } => {
                self.link = Link::Down;
                if !self.complete {
                    // A flushed dataset that never came back; its files go the same way.
                    self.disk = super::Disk::default();
                }
            }
            _ => self.link = Link::Down,
        }
    }

    fn on_continue(&mut self, conn: u64, id: Replid, out: &mut Vec<Out>) {
        self.link = Link::Up { conn };
        if id != self.replid {
            self.replid2 = std::mem::replace(&mut self.replid, id);
            self.second = self.offset + 1;
            self.drop_replicas(|_| false, out);
        }
        if self.backlog.is_none() {
            self.new_backlog();
        }
        self.send_ack(out);
    }

    fn on_full_begin(&mut self, conn: u64) {
        self.link = Link::Transfer { conn };
        self.syncs_to_file = !(self.tuning.empty_loads_diskless && self.data.is_empty());
        if self.tuning.flush_first {
            self.keep_old_files();
            self.position_lost = true;
            self.data.clear();
            self.complete = false;
        }
    }

    fn on_full_data(
        &mut self,
        conn: u64,
        file: (Replid, u64, Vec<Write>),
        now: u64,
        out: &mut Vec<Out>,
    ) {
        self.keep_old_files();
        self.position_lost = true;
        self.data.clear();
        self.complete = false;
        let until = now + self.tuning.load.0 + self.tuning.load.1 * file.2.len() as u64;
        self.link = Link::Loading { conn, until, file, pending: Vec::new(), broken: false };
        out.push(Out::Alarm(until));
    }

    /// The file of a full sync has been read.
    pub(super) fn finish_load(&mut self, now: u64, out: &mut Vec<Out>) {
        if !matches!(&self.link, Link::Loading { until, .. } if now >= *until) {
            return;
        }
        let Link::Loading { conn, file, pending, broken, .. } =
            std::mem::replace(&mut self.link, Link::Down)
        else {
            return;
        };
        (self.replid, self.offset, self.data) = file;
        self.replid2 = Replid::default();
        self.position_lost = false;
        self.complete = true;
        self.drop_replicas(|_| false, out);
        self.new_backlog();
        self.keep_synced_file(now, out);
        if broken {
            return;
        }
        self.link = Link::Up { conn };
        self.heard = now;
        self.apply(&pending, out);
        self.send_ack(out);
    }

    fn on_stream(&mut self, entries: Vec<Entry>, out: &mut Vec<Out>) {
        match &mut self.link {
            Link::Loading { pending, .. } => pending.extend(entries),
            Link::Up { .. } => self.apply(&entries, out),
            _ => {}
        }
    }

    /// Applies the upstream's stream and passes it on.
    fn apply(&mut self, entries: &[Entry], out: &mut Vec<Out>) {
        let mut asked = false;
        for entry in entries {
            self.offset = entry.end;
            match entry.deed {
                Deed::Write(write) => self.data.push(write),
                Deed::GetAck => asked = true,
                Deed::Ping => {}
            }
        }
        if !entries.is_empty() {
            self.pass_on(entries, out);
        }
        if asked {
            self.send_ack(out);
        }
    }

    fn send_ack(&self, out: &mut Vec<Out>) {
        if let (Role::Replica { upstream: Some(to) }, Link::Up { conn }) = (self.role, &self.link) {
            out.push(Out::Wire { to, conn: *conn, wire: Wire::Ack(self.offset), slow: 0 });
        }
    }

    /// The once-a-second part of replication.
    pub(super) fn cron_link(&mut self, now: u64, out: &mut Vec<Out>) {
        let silent = now.saturating_sub(self.heard) > self.tuning.repl_timeout;
        if silent && self.upstream_conn().is_some() && !matches!(self.link, Link::Loading { .. }) {
            self.lose_link();
        }
        if self.link == Link::Down {
            self.ask_upstream(now, out);
        }
        self.send_ack(out);
        let timeout = self.tuning.repl_timeout;
        self.attached.retain(|_, a| !a.online || now.saturating_sub(a.heard) <= timeout);
        let due = now.saturating_sub(self.pinged) >= self.tuning.ping;
        if self.role == Role::Primary && due && !self.attached.is_empty() {
            self.pinged = now;
            self.feed(Deed::Ping, out);
        }
    }
}
