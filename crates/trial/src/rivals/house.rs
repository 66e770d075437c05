//! A group of ours, through the same questions and the same deeds.

use std::future::Future;
use std::pin::Pin;

use super::RivalError;
use super::look::Look;
use crate::nemesis::clear_directory;
use crate::process::{Frozen, Process};
use crate::status::{self, Group};
use crate::target::{CutFrom, HandsError, Seat, Target};

/// Something that takes a while.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, HandsError>> + 'a>>;

/// Whoever can start a group of ours: one at a time.
pub trait Ours {
    /// Starts a fresh one.
    fn start(&self) -> Doing<'_, Target>;
    /// Ends it, and removes everything of it.
    fn end(&self) -> Doing<'_, ()>;
}

/// The running group.
#[derive(Debug)]
pub(super) struct House {
    pub(super) target: Target,
}

impl House {
    pub(super) fn seat(&self, member: &str) -> Result<&Seat, RivalError> {
        let found = self.target.seat(member);
        found.ok_or_else(|| RivalError::NoMember { name: member.to_owned() })
    }

    async fn processes(&self, member: &str) -> Result<(Process, Process), RivalError> {
        let missing = |_| RivalError::NoMember { name: member.to_owned() };
        let report = status::ask(self.seat(member)?).await.map_err(missing)?;
        Ok((Process::of(report.agent_pid)?, Process::of(report.engine_pid)?))
    }

    pub(super) async fn crash(&self, member: &str) -> Result<(), RivalError> {
        let (_, engine) = self.processes(member).await?;
        Ok(engine.kill()?)
    }

    pub(super) async fn freeze(&self, member: &str) -> Result<Vec<Frozen>, RivalError> {
        let (agent, engine) = self.processes(member).await?;
        Ok(vec![agent.freeze()?, engine.freeze()?])
    }

    pub(super) async fn empty(&self, member: &str) -> Result<(), RivalError> {
        let (agent, engine) = self.processes(member).await?;
        // Its agent must not start the engine again between the kill and the emptying.
        let held = agent.freeze()?;
        engine.kill()?;
        let emptied = clear_directory(&self.seat(member)?.data);
        held.thaw();
        Ok(emptied?)
    }

    /// The member from store, peers and the clients of the majority, as a packet filter would.
    pub(super) async fn cut(&self, member: &str) -> Result<(), RivalError> {
        for from in [CutFrom::Clients, CutFrom::Everyone] {
            self.target.hands.cut(member, from).await?;
        }
        Ok(())
    }

    pub(super) async fn look(&self) -> Look {
        let (group, ailments) = status::ailments(&self.target).await;
        let primary = group.primary();
        Look {
            primary: primary.map(|primary| primary.name.clone()),
            ailments,
            epoch: Some(group.epoch()),
            is_fenced: primary.is_some_and(|primary| primary.fence == "gate"),
            ..Look::default()
        }
    }

    /// The word of whoever answers, for a version to be named.
    pub(super) async fn engine(&self) -> Option<String> {
        let group = Group::ask(&self.target).await;
        group.members.first().map(|member| member.engine.clone())
    }
}
