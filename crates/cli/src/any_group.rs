//! A group wherever it runs, on this machine or on Kubernetes: what the commands that look, and
//! those that move the primary's role, need of it.

use std::time::Duration;

use crate::args::Cluster;
use crate::failure::Failure;
use crate::group::{Group, Seen};
use crate::handover::{self, HandoverError, Wish};
use crate::remote::Remote;

/// A group wherever it runs.
pub(crate) enum AnyGroup {
    /// On this machine.
    Local(Box<Group>),
    /// On Kubernetes.
    Remote(Box<Remote>),
}

impl From<Group> for AnyGroup {
    fn from(group: Group) -> Self {
        Self::Local(Box::new(group))
    }
}

impl AnyGroup {
    /// The group with this tag, or the only one.
    pub(crate) async fn find(tag: Option<&str>, cluster: &Cluster) -> Result<Self, Failure> {
        if cluster.is_meant() {
            return Ok(Self::Remote(Box::new(Remote::find(tag, cluster).await?)));
        }
        Group::find(tag).map(Self::from)
    }

    /// A group and a member from two words of which the first may be left out.
    pub(crate) async fn find_with_member(
        first: Option<&str>,
        second: Option<&str>,
        cluster: &Cluster,
    ) -> Result<(Self, Option<String>), Failure> {
        if !cluster.is_meant() {
            let (group, member) = Group::find_with_member(first, second)?;
            return Ok((Self::from(group), member));
        }
        let of_member = |word: &str| {
            let (group, ordinal) = word.rsplit_once('-')?;
            ordinal.parse::<u32>().ok().map(|_| group.to_owned())
        };
        // A word like a member's is one, unless a group has that very name.
        if let (Some(word), None) = (first, second)
            && let Some(group) = of_member(word)
            && let Ok(found) = Remote::find(Some(&group), cluster).await
        {
            return Ok((Self::Remote(Box::new(found)), Some(word.to_owned())));
        }
        let found = Remote::find(first, cluster).await?;
        Ok((Self::Remote(Box::new(found)), second.map(str::to_owned)))
    }

    /// Its tag, or its name on Kubernetes.
    pub(crate) fn tag(&self) -> &str {
        match self {
            Self::Local(group) => group.tag(),
            Self::Remote(remote) => remote.name(),
        }
    }

    /// A command line about this group: `interrex status cart`.
    pub(crate) fn command(&self, verb: &str) -> String {
        match self {
            Self::Local(group) => format!("interrex {verb} {}", group.tag()),
            Self::Remote(remote) => remote.command(verb),
        }
    }

    /// Where what was said by its agents is kept.
    pub(crate) fn logs(&self) -> String {
        match self {
            Self::Local(group) => format!("interrex logs {}", group.tag()),
            Self::Remote(remote) => remote.logs(),
        }
    }

    /// What a change of the primary met on its way, where that was no word of an agent.
    pub(crate) fn failed(&self, error: &HandoverError) -> Failure {
        match (self, error) {
            (Self::Remote(remote), HandoverError::Remote { source }) => remote.failed(source),
            _ => Failure::of(error),
        }
    }

    /// Asks every agent how it is.
    pub(crate) async fn look(&self) -> Seen {
        match self {
            Self::Local(group) => group.look().await,
            Self::Remote(remote) => remote.look().await,
        }
    }

    /// One look for a live view: whoever does not answer in this time has not answered.
    pub(crate) async fn look_within(&self, within: Duration) -> Seen {
        match self {
            Self::Local(group) => group.look_within(within).await,
            Self::Remote(remote) => remote.look().await,
        }
    }

    /// Looks until what is seen is as wanted, or the time is over.
    pub(crate) async fn look_until(
        &self,
        within: Duration,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Seen {
        match self {
            Self::Local(group) => group.look_until(within, wanted).await,
            Self::Remote(remote) => remote.look_until(within, wanted).await,
        }
    }

    /// The member that is meant by a name; whoever does not exist is told the names that do.
    pub(crate) fn member(&self, name: &str, seen: &Seen) -> Result<String, Failure> {
        match self {
            Self::Local(group) => group
                .home
                .member(name)
                .map(|member| member.name.clone())
                .map_err(|error| Failure::of(&error).hint_if(error.hint())),
            Self::Remote(_) if seen.answers.contains_key(name) => Ok(name.to_owned()),
            Self::Remote(remote) => {
                let known: Vec<&str> = seen.answers.keys().map(String::as_str).collect();
                let what = format!("{} has no member {name}", remote.name());
                Err(Failure::new(what).hint(format!("its members are {}", known.join(", "))))
            }
        }
    }

    /// Where a member's engine listens, host:port.
    pub(crate) fn address(&self, member: &str, seen: &Seen) -> String {
        match self {
            Self::Local(group) => {
                let found = group.home.member(member).ok();
                found.map(|member| group.engine(member)).unwrap_or_default()
            }
            Self::Remote(_) => crate::remote::address(member, seen).unwrap_or_default(),
        }
    }

    /// Asks the primary `from` for a handover, and waits for the outcome in words.
    pub(crate) async fn hand_over(
        &self,
        before: &Seen,
        from: &str,
        wish: &Wish,
        within: Duration,
    ) -> Result<String, HandoverError> {
        match self {
            Self::Local(group) => {
                let from = group.home.member(from)?.clone();
                handover::ask(group, &from, wish, within).await
            }
            Self::Remote(remote) => remote.hand_over(before, from, wish, within).await,
        }
    }

    /// Asks a member to lead with what it has, whatever that loses.
    pub(crate) async fn promote(
        &self,
        member: &str,
        within: Duration,
    ) -> Result<String, HandoverError> {
        match self {
            Self::Local(group) => {
                let member = group.home.member(member)?.clone();
                handover::promote(group, &member, within).await
            }
            Self::Remote(remote) => remote.promote(member, within).await,
        }
    }
}
