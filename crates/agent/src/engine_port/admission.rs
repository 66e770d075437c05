//! Who may replicate from this engine: one ACL user a member, on only while it is admitted
//! (failover.md 2.4, admission is the primary's).

use std::time::Duration;

use brain::{MemberId, MemberName};
use client::ClientError;
use engine::config::REPLICATION_RULES;

use super::link::{EngineLink, in_words};
use crate::keys::{PeerKeys, REPLICATION_PREFIX, replication_user};

/// Each step is one command that takes microseconds in a healthy engine.
const DEADLINE: Duration = Duration::from_secs(2);

/// What was last put in force in this run of the engine.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Whose engine it is.
    me: MemberName,
    current: Option<(Vec<MemberId>, PeerKeys)>,
}

impl Admission {
    /// Of an engine of this member; what is in force there is not known.
    pub(crate) fn of(me: MemberName) -> Self {
        Self { me, current: None }
    }

    /// A new engine process knows no replication user.
    pub(crate) fn reset(&mut self) {
        self.current = Some((Vec::new(), PeerKeys::none()));
    }

    /// Lets those in who are in already by what these keys say too.
    pub(crate) async fn renew(
        &mut self,
        link: &mut EngineLink,
        keys: &PeerKeys,
    ) -> Result<(), String> {
        let Some((members, by)) = self.current.clone() else { return Ok(()) };
        let taken = self.admit(link, &members, keys).await;
        if taken.is_err() {
            self.current = Some((members, by));
        }
        taken
    }

    /// Switches exactly these members on. Whoever is switched off loses its link at once, and
    /// cannot come back with it: its user is off before it is cut.
    pub(crate) async fn admit(
        &mut self,
        link: &mut EngineLink,
        members: &[MemberId],
        keys: &PeerKeys,
    ) -> Result<(), String> {
        let mut wanted = members.to_vec();
        wanted.sort();
        if self.current.as_ref().is_some_and(|(now, by)| *now == wanted && by == keys) {
            return Ok(());
        }
        let before = self.current.take().map_or_else(Vec::new, |(now, _)| now);
        let users = known_users(link).await.map_err(|error| in_words(&error))?;
        for user in users {
            let stays = wanted.iter().any(|member| replication_user(&member.name) == user);
            if !stays {
                shut(link, &user).await?;
            }
        }
        for member in &wanted {
            let user = replication_user(&member.name);
            let another = before.iter().any(|old| old.name == member.name && old != member);
            if another {
                // A re-created pod or another disk under the old name: the old one's link goes.
                shut(link, &user).await?;
            }
            link.command(&open_rule(member, &self.me, keys), DEADLINE).await?;
        }
        self.current = Some((wanted, keys.clone()));
        Ok(())
    }
}

fn open_rule(member: &MemberId, from: &MemberName, keys: &PeerKeys) -> Vec<String> {
    let user = replication_user(&member.name);
    let mut words: Vec<String> =
        ["ACL", "SETUSER", &user, "reset", "on"].into_iter().map(str::to_owned).collect();
    let passwords = keys.all().iter().map(|key| key.replication_password(member, from));
    words.extend(passwords.map(|password| format!(">{password}")));
    words.extend(REPLICATION_RULES.split_whitespace().map(str::to_owned));
    words
}

async fn shut(link: &mut EngineLink, user: &str) -> Result<(), String> {
    link.command(&["ACL", "SETUSER", user, "off"], DEADLINE).await?;
    link.command(&["CLIENT", "KILL", "USER", user], DEADLINE).await
}

async fn known_users(link: &mut EngineLink) -> Result<Vec<String>, ClientError> {
    let users = link.call(&["ACL", "USERS"], DEADLINE).await?;
    let users = users.as_array().unwrap_or_default();
    let names = users.iter().filter_map(|user| user.as_text());
    Ok(names.filter(|name| name.starts_with(REPLICATION_PREFIX)).map(str::to_owned).collect())
}
