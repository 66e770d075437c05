//! What clients do in the world, and what the history says of it.

use super::{Queued, What, World};
use crate::history::Happening;
use crate::network::{OUTSIDE, Plane};
use crate::server::{Ask, ClientCommand, Reply};
use crate::workload::Pending;
use crate::{MS, SECOND};

impl World {
    pub(super) fn client_acts(&mut self, c: usize, token: u64) {
        let client = &self.clients[c];
        if client.token != token || client.retired || client.pending.is_some() {
            return;
        }
        let Some((m, process)) = self.clients[c].conn.or_else(|| self.connect(c)) else {
            self.client_rests(c, 50 * MS);
            return;
        };
        self.clients[c].conn = Some((m, process));
        self.writes += 1;
        let write = self.writes;
        self.note(Happening::Invoked { write });
        self.clients[c].pending = Some(Pending { op: write, write, waiting: false });
        self.client_sends(
            c,
            (m, process),
            ClientCommand { client: c, op: write, what: Ask::Write(write) },
        );
    }

    /// A script's client writes to this member; the write.
    pub(crate) fn script_write(&mut self, c: usize, m: usize) -> crate::history::Write {
        self.writes += 1;
        let write = self.writes;
        self.note(Happening::Invoked { write });
        let Some(process) = self.members[m].server.as_ref().map(|s| s.process) else {
            return write;
        };
        self.clients[c].conn = Some((m, process));
        self.clients[c].pending = Some(Pending { op: write, write, waiting: false });
        let command = ClientCommand { client: c, op: write, what: Ask::Write(write) };
        self.client_sends(c, (m, process), command);
        write
    }

    /// Whom a client turns to: where it is sent, or (some, sometimes) anybody.
    fn connect(&mut self, _c: usize) -> Option<(usize, u64)> {
        let anybody = self.rng.below(self.members.len() as u64) as usize;
        let routed = self.route.as_ref().map(|_| self.route_at);
        let m = if self.rng.per_mille(100) { anybody } else { routed? };
        let open = self.network.both(Plane::Client, m, OUTSIDE);
        self.members[m].server.as_ref().filter(|_| open).map(|s| (m, s.process))
    }

    fn client_sends(&mut self, c: usize, (m, process): (usize, u64), command: ClientCommand) {
        let timeout = self.clients[c].timeout;
        self.after(timeout, What::ClientTimeout { c, op: command.op });
        if self.network.open(Plane::Client, OUTSIDE, m) {
            let delay = self.rng.latency(self.network.weather.delay);
            self.after(delay, What::Command { m, process, command });
        }
    }

    pub(super) fn command_arrives(&mut self, m: usize, process: u64, command: ClientCommand) {
        if self.members[m].server.as_ref().is_none_or(|s| s.process != process) {
            let (c, op) = (command.client, command.op);
            self.after(MS / 5, What::ClientReply { c, op, reply: Reply::Closed });
        } else if self.members[m].stuck.is_some() {
            self.members[m].queued.push_back(Queued::Client(command));
        } else {
            self.run_command(m, command, false);
        }
    }

    /// The history's side of an engine's answer, at the moment it is given.
    pub(super) fn witness(&mut self, m: usize, op: u64, reply: Reply) {
        match reply {
            Reply::Written { term } => {
                // Nobody can fence an engine whose agent does not run, but the gate; nor before the
                // order that the agent gives when it runs again has arrived.
                let runs = |a: &super::Agent| !a.frozen && a.letting_go.is_none();
                let agentless = !self.members[m].agent.as_ref().is_some_and(runs);
                let frozen = self.late.contains(&op) || agentless;
                self.last_ack = self.now;
                self.note(Happening::Acked { write: op, by: m, term, frozen });
                // Without a gate, what was queued on a frozen primary is acknowledged late: that
                // says nothing of who was made primary after it (failover.md 2.3 I1).
                let is_late = frozen && !self.plan.gate;
                if !is_late
                    && self.term_acked.insert(term)
                    && let Some(server) = self.members[m].server.as_ref()
                {
                    let data = server.data.iter().copied().collect();
                    self.note(Happening::Holding { by: m, term, data });
                }
            }
            Reply::Copies(copies) => {
                let pending = self.clients.iter().filter_map(|c| c.pending);
                let write = pending.into_iter().find(|p| p.op == op).map(|p| p.write);
                if let Some(write) = write {
                    self.note(Happening::Waited { write, copies });
                }
            }
            Reply::Refused(_) | Reply::Closed => {}
        }
    }

    pub(super) fn client_hears(&mut self, c: usize, op: u64, reply: Reply) {
        let think = self.plan.think;
        let Some(pending) = self.clients[c].pending.filter(|p| p.op == op) else { return };
        self.clients[c].pending = None;
        match reply {
            Reply::Written { .. } => {
                let waits = self.clients[c].waits;
                let copies = self.plan.durability.copies();
                if copies > 0
                    && self.rng.per_mille(waits)
                    && let Some(to) = self.clients[c].conn
                {
                    // Numbers of WAITs never meet those of writes.
                    let op = pending.write | 1 << 62;
                    self.clients[c].pending = Some(Pending { op, waiting: true, ..pending });
                    let timeout = SECOND;
                    let what = Ask::Wait { copies, timeout };
                    self.client_sends(c, to, ClientCommand { client: c, op, what });
                    return;
                }
                self.client_rests(c, think);
            }
            Reply::Copies(_) => self.client_rests(c, think),
            Reply::Refused(_) => {
                self.note(Happening::Refused { write: pending.write });
                if !self.clients[c].sticky || self.rng.per_mille(200) {
                    self.clients[c].conn = None;
                }
                self.client_rests(c, 30 * MS);
            }
            Reply::Closed => {
                self.note(Happening::Unknown { write: pending.write });
                self.clients[c].conn = None;
                self.client_rests(c, 5 * MS);
            }
        }
    }

    pub(super) fn client_times_out(&mut self, c: usize, op: u64) {
        if self.clients[c].pending.take_if(|p| p.op == op).is_none() {
            return;
        }
        self.note(Happening::Unknown { write: op & !(1 << 62) });
        if !self.clients[c].sticky || self.rng.per_mille(300) {
            self.clients[c].conn = None;
        }
        self.client_rests(c, MS);
    }

    fn client_rests(&mut self, c: usize, typical: u64) {
        self.clients[c].token += 1;
        let token = self.clients[c].token;
        let pause = self.rng.range(typical / 2, typical * 2);
        self.after(pause, What::Client { c, token });
    }

    /// An engine's process has ended: its clients see their connections close.
    pub(super) fn close_clients(&mut self, m: usize, process: u64) {
        for c in 0..self.clients.len() {
            if self.clients[c].conn != Some((m, process)) {
                continue;
            }
            match self.clients[c].pending {
                Some(p) => {
                    let reply = Reply::Closed;
                    self.after(MS / 5, What::ClientReply { c, op: p.op, reply });
                }
                None => self.clients[c].conn = None,
            }
        }
    }

    /// No client begins a new command.
    pub fn retire_clients(&mut self) {
        for client in &mut self.clients {
            client.retired = true;
        }
    }
}
