//! Commands that change what the engine does in the group, each with a deadline.

use std::time::Duration;

use brain::{EngineCommand, MemberName, Span};
use engine::Info;
use platform::{Platform, Roster};

use super::EnginePort;
use crate::keys::replication_user;

/// An engine in health answers these within a millisecond; one that does not within this time is
/// judged by its silence. Longer than any fence time: the election does not wait for us.
const DEADLINE: Duration = Duration::from_secs(2);

impl<P: Platform> EnginePort<P> {
    /// Carries out one of the commands that need a running engine.
    pub(super) async fn change_role(&mut self, command: EngineCommand) -> Result<(), String> {
        match command {
            EngineCommand::DeadEnd => self.dead_end().await,
            EngineCommand::Follow(member) => self.follow(&member).await,
            EngineCommand::Promote => self.promote().await,
            EngineCommand::PauseWrites(span) => self.pause_writes(span).await,
            EngineCommand::Unpause => self.link.command(&["CLIENT", "UNPAUSE"], DEADLINE).await,
            EngineCommand::KillClients => self.kill_clients().await,
            EngineCommand::Admit(members) => {
                let keys = self.parts.keys.borrow().clone();
                self.admission.admit(&mut self.link, &members, &keys).await
            }
            EngineCommand::MinReplicas(count) => self.min_replicas(count).await,
            // The caller has taken these out.
            EngineCommand::Start
            | EngineCommand::Observe
            | EngineCommand::SetAside
            | EngineCommand::Kill
            | EngineCommand::Shutdown => Ok(()),
        }
    }

    pub(super) async fn dead_end(&mut self) -> Result<(), String> {
        let (host, port) = engine::config::DEAD_END;
        self.link.command(&["REPLICAOF", host, &port.to_string()], DEADLINE).await?;
        self.context.followed = None;
        Ok(())
    }

    async fn follow(&mut self, member: &MemberName) -> Result<(), String> {
        let Some(at) = self.parts.platform.roster().peer(member) else {
            return Err(format!("the address of {member} is not known yet"));
        };
        self.replicate_as_itself(member).await?;
        let port = at.engine_port.to_string();
        self.context.led = None;
        self.link.command(&["REPLICAOF", &at.engine_host, &port], DEADLINE).await?;
        self.context.followed = Some((member.clone(), at.engine_host, at.engine_port));
        Ok(())
    }

    /// What this member replicates as: it follows from the peer key, its own identity, and whose
    /// stream it wants.
    async fn replicate_as_itself(&mut self, from: &MemberName) -> Result<(), String> {
        let password = self.parts.keys.borrow().first().replication_password(&self.parts.me, from);
        let user = replication_user(&self.parts.me.name);
        for (name, value) in [("masteruser", user.as_str()), ("masterauth", password.as_str())] {
            self.link.command(&["CONFIG", "SET", name, value], DEADLINE).await?;
        }
        Ok(())
    }

    /// The peer keys have changed: replicas come back by passwords of the new ones, and those whom
    /// this engine lets in are known by all that hold now. No link ends by it.
    pub(super) async fn take_new_keys(&mut self) {
        if self.handle.supervisor.running().is_none() {
            return;
        }
        let keys = self.parts.keys.borrow().clone();
        let mut taken = self.admission.renew(&mut self.link, &keys).await;
        if let Some((from, ..)) = self.context.followed.clone() {
            taken = taken.and(self.replicate_as_itself(&from).await);
        }
        self.owes_keys = taken.is_err();
        if let Err(error) = taken {
            tracing::warn!(error, "the engine has not taken the new peer keys yet");
        }
    }

    /// The order to follow a member stands until there is another: a pod that was made again has
    /// another address, and the engine would try the old one for ever.
    pub(super) async fn follow_where_it_moved(&mut self, info: &Info) {
        let Some(member) = self.context.moved(info, self.parts.platform.roster()) else { return };
        tracing::info!(%member, "the followed member has another address: the engine goes there");
        if let Err(error) = self.follow(&member).await {
            tracing::warn!(%member, error, "cannot follow it to its new address yet");
        }
    }

    async fn promote(&mut self) -> Result<(), String> {
        self.context.followed = None;
        self.link.command(&["REPLICAOF", "NO", "ONE"], DEADLINE).await
    }

    async fn pause_writes(&mut self, span: Span) -> Result<(), String> {
        let ms = span.as_millis().max(1).to_string();
        self.link.command(&["CLIENT", "PAUSE", &ms, "WRITE"], DEADLINE).await
    }

    async fn kill_clients(&mut self) -> Result<(), String> {
        let normal = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
        self.link.command(&normal, DEADLINE).await?;
        self.link.command(&["CLIENT", "KILL", "TYPE", "pubsub"], DEADLINE).await
    }

    async fn min_replicas(&mut self, count: u32) -> Result<(), String> {
        if self.context.min_replicas == Some(count) {
            return Ok(());
        }
        let words = ["CONFIG", "SET", "min-replicas-to-write", &count.to_string()];
        self.context.min_replicas = None;
        self.link.command(&words, DEADLINE).await?;
        self.context.min_replicas = Some(count);
        Ok(())
    }
}
