//! What the members say of themselves now, over their agents' HTTP, and whether all of it together
//! is a healthy group. Nothing here is cached: a process id is only as good as the second it was
//! told in.

use std::time::Duration;

use brain::report::MemberReport;
use client::{ClientError, Connection};
use engine::info::{Info, InfoError, Role};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::target::{Seat, Target};

/// How long one member may take to answer; a frozen agent must not hold up the others for long.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// Between two looks while something is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A status is a few kilobytes; more than this is not one.
const LONGEST_BODY: u64 = 1 << 20;

/// Why a member's status is not known.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Its agent does not answer there.
    #[error("the agent of {member} does not answer at {http}")]
    Reach {
        /// The member.
        member: String,
        /// Where it should listen.
        http: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It did not answer in time.
    #[error("the agent of {member} did not answer within {} ms", ANSWER_WITHIN.as_millis())]
    Late {
        /// The member.
        member: String,
    },
    /// It answered something else than a status.
    #[error("the agent of {member} answered {status:?} instead of its status")]
    Refused {
        /// The member.
        member: String,
        /// The first line of its answer.
        status: String,
    },
    /// Its status cannot be read.
    #[error("the status of {member} is not what an agent writes")]
    Unreadable {
        /// The member.
        member: String,
        /// The cause.
        source: serde_json::Error,
    },
}

/// Asks one member's agent.
pub async fn ask(seat: &Seat) -> Result<MemberReport, StatusError> {
    let member = || seat.name.clone();
    let answer = timeout(ANSWER_WITHIN, get(&seat.http, "/v1/status")).await;
    let answer = answer.map_err(|_| StatusError::Late { member: member() })?.map_err(|source| {
        StatusError::Reach { member: member(), http: seat.http.clone(), source }
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(StatusError::Refused { member: member(), status: status.to_owned() });
    }
    serde_json::from_str(body)
        .map_err(|source| StatusError::Unreadable { member: member(), source })
}

/// HTTP/1.0, so that the answer is whole when the other side closes and never comes in chunks.
async fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST_BODY).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// What all members said at about one moment; a member that did not answer is absent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Group {
    /// The answers.
    pub members: Vec<MemberReport>,
    /// Those that did not answer, and why.
    pub silent: Vec<(String, String)>,
}

impl Group {
    /// Asks all members at once.
    pub async fn ask(target: &Target) -> Self {
        let mut asked = tokio::task::JoinSet::new();
        for seat in target.seats.clone() {
            asked.spawn(async move {
                let answer = ask(&seat).await;
                (seat.name, answer)
            });
        }
        let mut group = Self::default();
        while let Some(answered) = asked.join_next().await {
            match answered {
                Ok((_, Ok(report))) => group.members.push(report),
                Ok((member, Err(error))) => group.silent.push((member, error.to_string())),
                Err(error) => group.silent.push(("?".to_owned(), error.to_string())),
            }
        }
        group.members.sort_by(|a, b| a.name.cmp(&b.name));
        group
    }

    /// What this member said.
    pub fn member(&self, name: &str) -> Option<&MemberReport> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The one member that says it is primary, of the newest epoch if there are several.
    pub fn primary(&self) -> Option<&MemberReport> {
        self.members.iter().filter(|member| member.role == "primary").max_by_key(|m| m.epoch)
    }

    /// The newest epoch that anybody knows.
    pub fn epoch(&self) -> u64 {
        self.members.iter().map(|member| member.epoch).max().unwrap_or(0)
    }

    /// What is still missing to a healthy group of `wanted` members; empty when it is healthy. By
    /// the agents' words only: see [`healthy`] for the engines' own.
    pub fn ailments(&self, wanted: usize) -> Vec<String> {
        let mut ailments: Vec<String> =
            self.silent.iter().map(|(member, why)| format!("{member} is silent: {why}")).collect();
        if self.members.len() < wanted && ailments.is_empty() {
            ailments.push(format!("{} of {wanted} members answer", self.members.len()));
        }
        let primaries: Vec<&MemberReport> =
            self.members.iter().filter(|member| member.role == "primary").collect();
        let [primary] = primaries[..] else {
            let names: Vec<&str> = primaries.iter().map(|member| member.name.as_str()).collect();
            ailments.push(format!("{} primaries: {}", names.len(), names.join(", ")));
            return ailments;
        };
        for member in self.members.iter().filter(|member| member.name != primary.name) {
            ailments.extend(replica_ailment(member, primary));
        }
        ailments.extend(primary.blocked.iter().map(|why| format!("{}: {why}", primary.name)));
        ailments
    }
}

fn replica_ailment(member: &MemberReport, primary: &MemberReport) -> Option<String> {
    let name = &member.name;
    if member.role != "replica" {
        return Some(format!("{name} is {}", member.role));
    }
    if member.epoch != primary.epoch || member.primary.as_ref() != Some(&primary.name) {
        let follows = member.primary.as_deref().unwrap_or("nobody");
        return Some(format!("{name} follows {follows} in epoch {}", member.epoch));
    }
    if !member.complete || !member.link_up {
        return Some(format!("{name} is not in sync yet"));
    }
    (!primary.electorate.contains(name)).then(|| format!("{name} may not succeed yet"))
}

/// Why an engine's own word is not known.
#[derive(Debug, thiserror::Error)]
pub enum InfoOfError {
    /// It cannot be asked.
    #[error("cannot ask the engine of {member}")]
    Ask {
        /// The member.
        member: String,
        /// The cause.
        source: Box<ClientError>,
    },
    /// Its answer is not `INFO`.
    #[error("cannot read what the engine of {member} says of itself")]
    Read {
        /// The member.
        member: String,
        /// The cause.
        source: InfoError,
    },
}

/// An engine's own `INFO`, over a fresh connection to its own port.
pub async fn info(target: &Target, seat: &Seat) -> Result<Info, InfoOfError> {
    let ask_error =
        |source| InfoOfError::Ask { member: seat.name.clone(), source: Box::new(source) };
    let connection =
        Connection::open(&seat.engine, target.credentials.as_ref(), ANSWER_WITHIN).await;
    let connection = connection.map_err(ask_error)?;
    let reply = connection.call(&["INFO"], ANSWER_WITHIN).await.map_err(ask_error)?;
    Info::parse(&reply.into_text().unwrap_or_default())
        .map_err(|source| InfoOfError::Read { member: seat.name.clone(), source })
}

/// What is missing to a healthy group by the words of the agents and of the engines.
pub(crate) async fn ailments(target: &Target) -> (Group, Vec<String>) {
    let group = Group::ask(target).await;
    let mut ailments = group.ailments(target.seats.len());
    if !ailments.is_empty() {
        return (group, ailments);
    }
    for seat in &target.seats {
        let wanted = match group.primary() {
            Some(primary) if primary.name == seat.name => Role::Primary,
            _ => Role::Replica,
        };
        match info(target, seat).await {
            Err(error) => ailments.push(error.to_string()),
            Ok(info) if info.replication.role != Some(wanted) => {
                ailments.push(format!("the engine of {} has another role", seat.name));
            }
            Ok(info) if wanted == Role::Replica && info.replication.link_up != Some(true) => {
                ailments.push(format!("the engine of {} has no link", seat.name));
            }
            Ok(_) => {}
        }
    }
    (group, ailments)
}

/// The group is not healthy, although it had its time.
#[derive(Debug, thiserror::Error)]
#[error("not healthy within {} s: {}", within.as_secs(), ailments.join("; "))]
pub struct NotHealthy {
    /// The time that it had.
    pub within: Duration,
    /// What was missing in the end.
    pub ailments: Vec<String>,
}

/// Waits until the group is healthy: one primary, every other member in sync behind it in the same
/// epoch and allowed to succeed, by the agents' words and by the engines' own.
pub async fn healthy(target: &Target, within: Duration) -> Result<Group, NotHealthy> {
    until(within, || ailments(target)).await
}

/// Waits until a primary of an epoch above `epoch` is told by anybody.
pub async fn epoch_above(
    target: &Target,
    epoch: u64,
    within: Duration,
) -> Result<Group, NotHealthy> {
    until(within, || async {
        let group = Group::ask(target).await;
        let newer = group.primary().is_some_and(|primary| primary.epoch > epoch);
        let ailment = (!newer).then(|| format!("nobody leads in an epoch above {epoch}"));
        (group, ailment.into_iter().collect())
    })
    .await
}

/// Looks again and again until nothing ails, or `within` is over.
pub async fn until<F>(within: Duration, mut look: impl FnMut() -> F) -> Result<Group, NotHealthy>
where
    F: Future<Output = (Group, Vec<String>)>,
{
    let deadline = Instant::now() + within;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (group, ailments) = look().await;
        if ailments.is_empty() {
            return Ok(group);
        }
        if Instant::now() >= deadline {
            return Err(NotHealthy { within, ailments });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, role: &str) -> MemberReport {
        MemberReport {
            name: name.to_owned(),
            role: role.to_owned(),
            epoch: 3,
            primary: Some("c-0".to_owned()),
            complete: true,
            link_up: true,
            electorate: vec!["c-1".to_owned()],
            ..MemberReport::default()
        }
    }

    fn ailments(change: impl FnOnce(&mut Group)) -> String {
        let members = vec![member("c-0", "primary"), member("c-1", "replica")];
        let mut group = Group { members, silent: Vec::new() };
        change(&mut group);
        group.ailments(2).join("; ")
    }

    #[test]
    fn a_group_is_healthy_only_when_everybody_is() {
        assert_eq!(ailments(|_| ()), "");
        assert_eq!(ailments(|g| g.members[1].complete = false), "c-1 is not in sync yet");
        assert_eq!(ailments(|g| g.members[1].link_up = false), "c-1 is not in sync yet");
        assert_eq!(ailments(|g| g.members[1].epoch = 2), "c-1 follows c-0 in epoch 2");
        assert_eq!(ailments(|g| g.members[1].role = "dead-end".into()), "c-1 is dead-end");
        assert_eq!(ailments(|g| g.members[1].role = "primary".into()), "2 primaries: c-0, c-1");
        assert_eq!(ailments(|g| g.members[0].electorate.clear()), "c-1 may not succeed yet");
        assert_eq!(ailments(|g| drop(g.members.pop())), "1 of 2 members answer");
        assert_eq!(ailments(|g| g.members[0].blocked = Some("stuck".into())), "c-0: stuck");
    }
}
