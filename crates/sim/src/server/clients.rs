//! Clients of an engine process: writes, WAIT, pauses.

use super::{Deed, Out, Role, Server, Waiter};
use crate::MS;
use crate::history::Write;

/// A command of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCommand {
    /// Whose connection.
    pub client: usize,
    /// Which of its commands.
    pub op: u64,
    /// A write, or else WAIT for the connection's last one.
    pub what: Ask,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Write this.
    Write(Write),
    /// `WAIT copies timeout`.
    Wait {
        /// How many replicas.
        copies: u32,
        /// How long, ns.
        timeout: u64,
    },
}

/// Why a command is refused before it is executed, by the first word of the answer (engine.md 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `-LOADING`.
    Loading,
    /// `-READONLY`.
    ReadOnly,
    /// `-NOREPLICAS`.
    NoReplicas,
    /// `-MISCONF`.
    MisConf,
    /// `-NOMASTERLINK`: it has no stream to give.
    NoMasterLink,
    /// The user is off.
    WrongPass,
    /// `-ERR`: no command for what this engine is.
    NotHere,
}

/// What an engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `OK`.
    Written {
        /// The term of the promotion under which it was written.
        term: u64,
    },
    /// WAIT's number.
    Copies(u32),
    /// Certainly not written.
    Refused(Why),
    /// The connection was closed without an answer.
    Closed,
}

impl Server {
    /// A client's command is executed.
    pub fn command(&mut self, command: ClientCommand, now: u64) -> Vec<Out> {
        let mut out = Vec::new();
        self.execute(command, now, &mut out);
        out
    }

    fn execute(&mut self, c: ClientCommand, now: u64, out: &mut Vec<Out>) {
        let reply = |reply| Out::Reply { client: c.client, op: c.op, reply };
        if let Some(why) = self.refusal(c.what) {
            out.push(reply(Reply::Refused(why)));
            return;
        }
        match c.what {
            Ask::Write(_) if now < self.paused_until => self.postponed.push(c),
            Ask::Write(write) => {
                self.feed(Deed::Write(write), out);
                self.last_write.insert(c.client, self.offset);
                out.push(reply(Reply::Written { term: self.term }));
            }
            Ask::Wait { copies, timeout } => {
                let offset = self.last_write.get(&c.client).copied().unwrap_or(0);
                let until = now + timeout.max(MS);
                self.waiters.push(Waiter { client: c.client, op: c.op, offset, copies, until });
                self.answer_waits(out);
                if self.waiters.iter().any(|w| w.op == c.op && w.client == c.client) {
                    out.push(Out::Alarm(until));
                    // Not while the stream is to stand still for a handover.
                    self.getack_due = now < self.paused_until;
                    if !self.getack_due {
                        // Also when nobody is attached: who left comes back to an offset behind.
                        self.feed(Deed::GetAck, out);
                    }
                }
            }
        }
    }

    /// Why it does not run a command, in the order in which the engines look.
    fn refusal(&self, ask: Ask) -> Option<Why> {
        let is_primary = self.role == Role::Primary;
        match ask {
            Ask::Write(_) if self.save_failed => Some(Why::MisConf),
            Ask::Write(_) if !is_primary => Some(Why::ReadOnly),
            Ask::Write(_) if self.good < self.min_replicas => Some(Why::NoReplicas),
            _ if self.is_loading() => Some(Why::Loading),
            Ask::Wait { .. } if !is_primary => Some(Why::NotHere),
            _ => None,
        }
    }

    fn copies_at(&self, offset: u64) -> u32 {
        self.attached.values().filter(|a| a.online && a.acked >= offset).count() as u32
    }

    /// Answers those WAITs that have their number.
    pub(super) fn answer_waits(&mut self, out: &mut Vec<Out>) {
        let waiters = std::mem::take(&mut self.waiters);
        for w in waiters {
            let have = self.copies_at(w.offset);
            if have >= w.copies {
                let reply = Reply::Copies(have);
                out.push(Out::Reply { client: w.client, op: w.op, reply });
            } else {
                self.waiters.push(w);
            }
        }
    }

    /// Answers those WAITs whose time is over.
    pub(super) fn end_waits(&mut self, now: u64, out: &mut Vec<Out>) {
        let waiters = std::mem::take(&mut self.waiters);
        for w in waiters {
            if now >= w.until {
                let reply = Reply::Copies(self.copies_at(w.offset));
                out.push(Out::Reply { client: w.client, op: w.op, reply });
            } else {
                self.waiters.push(w);
            }
        }
    }

    /// A demotion ends every WAIT and its connection (engine.md 1.6).
    pub(super) fn unblock_waits(&mut self, out: &mut Vec<Out>) {
        for w in std::mem::take(&mut self.waiters) {
            out.push(Out::Reply { client: w.client, op: w.op, reply: Reply::Closed });
        }
    }

    /// The pause may be over: postponed commands run again, as what the engine is now (E7).
    pub(super) fn end_pause(&mut self, now: u64, out: &mut Vec<Out>) {
        if now < self.paused_until {
            return;
        }
        if std::mem::take(&mut self.getack_due) && self.role == Role::Primary {
            self.feed(Deed::GetAck, out);
        }
        for command in std::mem::take(&mut self.postponed) {
            self.execute(command, now, out);
        }
    }

    /// Closes client connections; what was postponed for them is never run.
    pub fn kill_clients(&mut self) -> Vec<Out> {
        let mut out = Vec::new();
        for c in std::mem::take(&mut self.postponed) {
            out.push(Out::Reply { client: c.client, op: c.op, reply: Reply::Closed });
        }
        self.unblock_waits(&mut out);
        self.last_write.clear();
        out
    }
}
