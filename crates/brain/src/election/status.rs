//! What this member would say of itself to people.

use crate::report::{AuthorityReport, MemberReport};
use crate::time::Tick;

use super::Election;
use super::authority::Until;
use super::engine_side::{Phase, Posture};
use super::lead::State;

/// What a primary says while the record's `paused` stands; others say why they may not lead.
const MAINTENANCE: &str =
    "Maintenance: the record says `paused`: no replica is attached and nobody may succeed";

impl Election {
    /// What it would say of itself to people. The edge fills in addresses, process ids, engine,
    /// keys, memory, drift and decisions.
    pub fn report(&self, now: Tick) -> MemberReport {
        let stamp = &self.memory.stamp;
        let view = self.engine.view.as_ref();
        let record = self.store.record();
        let primary = match (&self.leading, self.primary_known()) {
            (Some(_), _) => Some(self.id.name.to_string()),
            (None, Some(holder)) if self.following_is_fresh(now) => {
                Some(holder.id.name.to_string())
            }
            _ => self.store.holder().map(|h| h.id.name.to_string()),
        };
        let why_not = self.why_not_electable(now);
        let electorate = match &self.leading {
            Some(leading) => Some(&leading.electorate),
            None => record.map(|r| &r.electorate),
        };
        let blocked = self
            .blocked
            .clone()
            .filter(|_| self.leading.as_ref().is_none_or(|l| l.state != State::Writable));
        let paused = record.is_some_and(|r| r.paused);
        let alarm = self.alarm.clone().or_else(|| paused.then(|| MAINTENANCE.to_owned()));
        MemberReport {
            name: self.id.name.to_string(),
            pod: self.id.pod.clone(),
            role: self.role_word().to_owned(),
            epoch: self
                .leading
                .as_ref()
                .map(|l| l.epoch)
                .or(record.map(|r| r.epoch))
                .map_or(0, |e| e.0),
            primary,
            lag: self.lag(),
            complete: stamp.complete,
            stamp_epoch: stamp.epoch.0,
            offset: stamp.offset.0,
            replid: stamp.replid.0.clone(),
            keys: view.map_or(0, |v| v.keys),
            // A link to anybody but whom it is to follow now is about to be given up.
            link_up: view.is_some_and(|v| v.link_up)
                && self.engine.posture().as_ref() == Some(&self.engine.want),
            authority: self.leading.as_ref().map(|_| self.authority_report(now)),
            fence: if self.settings.gate { "gate" } else { "process" }.to_owned(),
            electorate: electorate
                .map(|e| e.members().map(|m| m.name.to_string()).collect())
                .unwrap_or_default(),
            copies: electorate.map_or(0, |e| e.copies),
            electable: why_not.is_none(),
            why_not,
            store_reachable: self.store.reachable,
            peers_up: self
                .peers
                .iter()
                .filter(|(_, p)| p.link_up)
                .map(|(name, _)| name.to_string())
                .collect(),
            blocked: blocked.or_else(|| self.leading.as_ref().and(alarm)),
            ..MemberReport::default()
        }
    }

    fn role_word(&self) -> &'static str {
        if self.stopping.is_some() {
            return "stopping";
        }
        if let Some(leading) = &self.leading {
            return match leading.state {
                State::Preparing | State::Promoting => "promoting",
                State::Writable => "primary",
                State::Fenced | State::Yielded => "fenced",
            };
        }
        if self.engine.phase != Phase::Up {
            return "down";
        }
        if self.candidate.is_some() {
            return "candidate";
        }
        let view = self.engine.view.as_ref();
        match self.engine.posture() {
            Some(Posture::Follow(_)) if view.is_some_and(|v| v.sync_in_progress || v.loading) => {
                "syncing"
            }
            // Fed by another replica first: its link changes once more.
            Some(Posture::Follow(upstream))
                if self.primary_known().is_some_and(|holder| holder.id.name != upstream) =>
            {
                "syncing"
            }
            Some(Posture::Follow(_)) => "replica",
            _ => "dead-end",
        }
    }

    /// Bytes behind the primary, by its newest heartbeat.
    fn lag(&self) -> Option<u64> {
        if self.leading.is_some() {
            return Some(0);
        }
        let following = self.following.as_ref()?;
        let stamp = &self.memory.stamp;
        let on_line = stamp.epoch == following.beat.lineage.epoch;
        on_line.then(|| following.beat.offset.ahead_of(stamp.offset))
    }

    fn authority_report(&self, now: Tick) -> AuthorityReport {
        let Some(leading) = &self.leading else { return AuthorityReport::default() };
        let lease = leading.authority.lease().left(now);
        let peers = leading.authority.peers();
        let peers_left = peers.left(now);
        let alone = peers == Until::Forever;
        let mode = match (lease.0 > 0, peers_left.0 > 0) {
            _ if alone => "alone",
            (true, true) => "lease+peers",
            (true, false) => "lease",
            (false, true) => "peers",
            (false, false) => "none",
        };
        AuthorityReport {
            mode: mode.to_owned(),
            lease_left_ms: lease.as_millis(),
            peers_left_ms: (!alone).then(|| peers_left.as_millis()),
            peers_fresh: leading.authority.fresh_count(now) as u32,
            peers_total: leading.electorate.len() as u32,
            lazy: self.peers_suffice(now),
        }
    }

    fn why_not_electable(&self, now: Tick) -> Option<String> {
        if self.leading.is_some() {
            return Some("it is the primary".into());
        }
        let record = self.store.record()?;
        if self.stopping.is_some() {
            Some("it is stopping".into())
        } else if !self.engine.is_ready() {
            Some("its engine is not ready".into())
        } else if !self.memory.stamp.complete {
            Some("its data are not complete".into())
        } else if record.paused {
            Some("the group is in maintenance".into())
        } else if record.electorate.seat(&self.id).is_none() {
            Some("it is not in the electorate yet".into())
        } else if self.is_quarantined() {
            Some("its engine crashed too often".into())
        } else if self.memory.stamp.epoch < record.data_epoch() && self.silence(now).0 == 0 {
            Some("it has not reached this epoch's data yet".into())
        } else {
            None
        }
    }
}
