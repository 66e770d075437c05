//! What an agent orders of its engine.

use brain::MemberId;

use super::{Link, Out, Role, Server};

impl Server {
    pub(super) fn is_loading(&self) -> bool {
        self.loading_until.is_some() || matches!(self.link, Link::Loading { .. })
    }

    /// `REPLICAOF`: a member, or the dead end.
    pub fn replicate(&mut self, upstream: Option<usize>, now: u64) -> Result<Vec<Out>, String> {
        let role = Role::Replica { upstream };
        let mut out = Vec::new();
        if self.is_loading() {
            return Err("LOADING the engine is loading the dataset in memory".to_owned());
        }
        if self.role == role {
            return Ok(out);
        }
        self.drop_upstream(&mut out);
        if self.role == Role::Primary {
            self.unblock_waits(&mut out);
            // A former primary offers its own stream to its new upstream.
            self.position_lost = false;
        }
        self.role = role;
        self.ask_upstream(now, &mut out);
        Ok(out)
    }

    /// `REPLICAOF NO ONE`; `term` is the world's count of promotions.
    pub fn promote(&mut self, term: u64) -> Result<Vec<Out>, String> {
        let mut out = Vec::new();
        if self.is_loading() {
            return Err("LOADING the engine is loading the dataset in memory".to_owned());
        }
        if self.role == Role::Primary {
            return Ok(out);
        }
        self.drop_upstream(&mut out);
        self.role = Role::Primary;
        self.term = term;
        let new = self.draw_replid();
        self.replid2 = std::mem::replace(&mut self.replid, new);
        self.second = self.offset + 1;
        self.drop_replicas(|_| false, &mut out);
        Ok(out)
    }

    /// `CLIENT PAUSE … WRITE`: only extends.
    pub fn pause(&mut self, until: u64) -> Vec<Out> {
        self.paused_until = self.paused_until.max(until);
        vec![Out::Alarm(self.paused_until)]
    }

    /// `CLIENT UNPAUSE`.
    pub fn unpause(&mut self, now: u64) -> Vec<Out> {
        let mut out = Vec::new();
        self.paused_until = 0;
        self.end_pause(now, &mut out);
        out
    }

    /// Switches these users on, all others off, and kills the links of the latter.
    pub fn admit(&mut self, users: Vec<MemberId>, now: u64) -> Vec<Out> {
        let mut out = Vec::new();
        self.admitted = users;
        let admitted = std::mem::take(&mut self.admitted);
        self.drop_replicas(|user| admitted.contains(user), &mut out);
        self.admitted = admitted;
        self.refresh_good(now);
        out
    }

    /// `CLIENT KILL TYPE replica`: they may come again.
    pub fn cut_replicas(&mut self, now: u64) -> Vec<Out> {
        let mut out = Vec::new();
        self.drop_replicas(|_| false, &mut out);
        self.refresh_good(now);
        out
    }

    /// `min-replicas-to-write`: checked at once against the last count.
    pub fn set_min_replicas(&mut self, n: u32, now: u64) {
        self.min_replicas = n;
        self.refresh_good(now);
    }
}
