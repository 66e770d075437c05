//! What a rival looks like from outside: who leads, by the word of whoever decides that there, and
//! what is missing to a healthy one. Needs nothing but addresses, so that processes of this machine
//! and pods of a cluster are judged by the same questions.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Connection, Endpoint, Value};
use engine::info::{Info, Role};
use tokio::task::JoinSet;

use super::RivalError;

mod cluster;
mod sentinel;

pub use cluster::{SHARDS, of_cluster, slot};
pub(super) use cluster::{SLOTS, faults};
pub(super) use sentinel::of_engines;
pub use sentinel::of_sentinels;

/// How long an engine may take to answer once it was asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// An engine of a rival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The member's name.
    pub name: String,
    /// Where it is asked.
    pub at: Endpoint,
    /// Where the others reach it, as they name it.
    pub known_as: Endpoint,
}

impl Server {
    /// Whether somebody means this one by an address.
    fn is_meant(&self, address: &Endpoint) -> bool {
        self.known_as == *address || self.at == *address
    }

    /// Its own word; the error is for people.
    pub(super) async fn info(&self) -> Result<Info, String> {
        let silent = |error: RivalError| format!("{}: {}", self.name, chain(&error));
        let text = call(&self.at, &["INFO"]).await.map_err(silent)?;
        Info::parse(&text.into_text().unwrap_or_default())
            .map_err(|error| format!("{}: {error}", self.name))
    }
}

/// What a look at a rival shows.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Who leads; in a cluster: the shard of the load.
    pub primary: Option<String>,
    /// Who calls itself a primary.
    pub primaries: Vec<String>,
    /// What is missing to a healthy one.
    pub ailments: Vec<String>,
    /// By member: what its engine's process drew at its start, and no other start draws.
    pub lives: BTreeMap<String, String>,
    /// What the engines are: `valkey 8.1.1`.
    pub engine: Option<String>,
    /// The epoch, where there is such a thing.
    pub(super) epoch: Option<u64>,
    /// Whether a gate in the engine ends a primary's time.
    pub(super) is_fenced: bool,
}

impl Look {
    /// Whether somebody leads and nothing is missing.
    pub fn is_healthy(&self) -> bool {
        self.primary.is_some() && self.ailments.is_empty()
    }

    fn note(&mut self, server: &Server, info: &Info) {
        let name = &server.name;
        if info.replication.role == Some(Role::Primary) {
            self.primaries.push(name.clone());
        }
        if info.persistence.loading == Some(true) {
            self.ailments.push(format!("{name} loads its data"));
        }
        if let Some(life) = &info.server.run_id {
            self.lives.insert(name.clone(), life.clone());
        }
        self.engine = self.engine.take().or_else(|| version(info));
    }
}

/// A Valkey tells the version of Redis that it is like, too.
fn version(info: &Info) -> Option<String> {
    let (valkey, redis) = (&info.server.valkey_version, &info.server.redis_version);
    let valkey = valkey.as_ref().map(|version| format!("valkey {version}"));
    valkey.or_else(|| redis.as_ref().map(|version| format!("redis {version}")))
}

/// One engine that nobody takes over from.
pub async fn of_one(server: &Server) -> Look {
    let mut look = Look { primary: Some(server.name.clone()), ..Look::default() };
    infos(std::slice::from_ref(server), &mut look).await;
    look
}

/// What every engine says of itself; what is missing there goes into the look.
pub(super) async fn infos(servers: &[Server], look: &mut Look) -> Vec<(Server, Info)> {
    let asked = servers.iter().cloned().map(|server| async move {
        let info = server.info().await;
        (server, info)
    });
    let mut infos = Vec::new();
    for (server, info) in at_once(asked).await {
        match info {
            Ok(info) => {
                look.note(&server, &info);
                infos.push((server, info));
            }
            Err(error) => look.ailments.push(error),
        }
    }
    infos
}

/// Asks all at once, so that one who is silent holds up nobody; answers in the order of the asked.
async fn at_once<F>(asked: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (number, question) in asked.enumerate() {
        running.spawn(async move { (number, question.await) });
    }
    let mut answers = running.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// An error with all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// One command over a connection of its own.
pub(super) async fn call(endpoint: &Endpoint, words: &[&str]) -> Result<Value, RivalError> {
    let failed = |source| RivalError::Call {
        what: words.iter().take(2).copied().collect::<Vec<_>>().join(" "),
        source: Box::new(source),
    };
    let connection = Connection::open(endpoint, None, ANSWER_WITHIN).await.map_err(failed)?;
    connection.call(words, ANSWER_WITHIN).await.map_err(failed)
}

/// Whom most name, and whether all do.
fn agreed(mut named: Vec<Endpoint>) -> (Option<Endpoint>, bool) {
    named.sort_by_key(Endpoint::to_string);
    let most = named.chunk_by(|one, next| one == next).max_by_key(|same| same.len());
    let all_do = most.is_some_and(|same| same.len() == named.len());
    (most.and_then(|same| same.first().cloned()), all_do)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_name_one_and_all_may_not() {
        let at = |port| Endpoint::tcp("h", port);
        assert_eq!(agreed(vec![]), (None, false));
        assert_eq!(agreed(vec![at(1), at(1)]), (Some(at(1)), true));
        assert_eq!(agreed(vec![at(2), at(1), at(2)]), (Some(at(2)), false));
    }

    #[test]
    fn an_engine_is_noted_with_its_role_its_life_and_its_version() {
        let server = Server {
            name: "rival-0".to_owned(),
            at: Endpoint::tcp("10.0.0.1", 6379),
            known_as: Endpoint::tcp("rival-0.rival", 6379),
        };
        let text = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.1\r\nrun_id:abc\r\n\
                    # Persistence\r\nloading:1\r\n# Replication\r\nrole:master\r\n";
        let mut look = Look::default();
        look.note(&server, &Info::parse(text).expect("an INFO"));
        assert_eq!(look.primaries, ["rival-0"]);
        assert_eq!(look.ailments, ["rival-0 loads its data"]);
        assert_eq!(look.lives.get("rival-0").map(String::as_str), Some("abc"));
        assert_eq!(look.engine.as_deref(), Some("valkey 8.1.1"));
        assert!(server.is_meant(&Endpoint::tcp("rival-0.rival", 6379)));
        assert!(server.is_meant(&Endpoint::tcp("10.0.0.1", 6379)));
        assert!(!server.is_meant(&Endpoint::tcp("rival-1.rival", 6379)));
    }

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_questions() {
        let (slow, quick) = tokio::sync::oneshot::channel();
        let mut slow = Some(slow);
        let mut quick = Some(quick);
        // The first one ends only after the second.
        let asked = (0..2).map(|number| {
            let (slow, quick) = match number {
                0 => (None, quick.take()),
                _ => (slow.take(), None),
            };
            async move {
                if let Some(other) = quick {
                    assert_eq!(other.await, Ok(()), "the second has begun");
                }
                if let Some(first) = slow {
                    assert_eq!(first.send(()), Ok(()), "the first waits");
                }
                number
            }
        });
        assert_eq!(at_once(asked).await, [0, 1]);
    }
}
