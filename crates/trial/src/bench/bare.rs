//! The engine that a group's engine is held against: the same program and directives and as many
//! replicas, with no agent above it and no gate in it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use client::{Connection, Endpoint, Value};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{BenchError, Side, call_error};
use crate::status;
use crate::target::{Seat, Target};

/// How long bare engines may take to start and to attach.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(2);

/// Directives that say where an engine is and who may come, not how it works; they are the bare
/// engine's own.
const OWN: [&str; 22] = [
    "aclfile",
    "bind",
    "bind-source-addr",
    "daemonize",
    "dbfilename",
    "dir",
    "logfile",
    "loadmodule",
    "masterauth",
    "masteruser",
    "pidfile",
    "port",
    "primaryauth",
    "primaryuser",
    "proc-title-template",
    "protected-mode",
    "replica-announce-ip",
    "replica-announce-port",
    "replicaof",
    "requirepass",
    "unixsocket",
    "user",
];
/// The same by how their names begin; `slave…` are other names of `replica…`.
const OWN_BEGINNINGS: [&str; 5] = ["cluster-", "slave", "tls-", "syslog", "unixsocket"];

type Directives = BTreeMap<String, String>;

/// Bare engines, ended when dropped.
pub(super) struct Bare {
    target: Target,
    seat: Seat,
    pub(super) different: Vec<(String, String, String)>,
    _engines: Vec<Child>,
    _directory: TempDir,
}

impl Bare {
    /// Starts a bare engine like that of `seat`, and its replicas.
    pub(super) async fn start(
        target: &Target,
        seat: &Seat,
        program: &Path,
        replicas: usize,
    ) -> Result<Self, BenchError> {
        // Beside the group's own data: the same disk.
        let place = seat.directory.parent().unwrap_or(&seat.directory).to_owned();
        let directory = tempfile::Builder::new().prefix(".bench-").tempdir_in(&place);
        let directory =
            directory.map_err(|source| BenchError::Scratch { directory: place, source })?;
        let wanted = directives(&seat.engine, target).await?;
        let maker = Maker { program, directory: directory.path(), wanted: &wanted };
        let bare = Target { credentials: None, hands: Arc::clone(&target.hands), ..target.clone() };
        let (first, port, different) = maker.engine(&bare, 0, None).await?;
        let mut engines = vec![first];
        for number in 1..=replicas {
            engines.push(maker.engine(&bare, number, Some(port)).await?.0);
        }
        let seat = Seat { engine: Endpoint::tcp("127.0.0.1", port), ..seat.clone() };
        attached(&bare, &seat, replicas).await?;
        Ok(Self { target: bare, seat, different, _engines: engines, _directory: directory })
    }

    pub(super) fn side(&self) -> Side {
        Side {
            engine: self.seat.engine.clone(),
            credentials: None,
            target: self.target.clone(),
            seat: self.seat.clone(),
        }
    }
}

/// What all bare engines have in common.
struct Maker<'a> {
    program: &'a Path,
    directory: &'a Path,
    wanted: &'a Directives,
}

type Made = (Child, u16, Vec<(String, String, String)>);

impl Maker<'_> {
    /// Starts an engine with every wanted directive: those that can be set while it runs are set;
    /// for the others it is started once more with them.
    async fn engine(
        &self,
        target: &Target,
        number: usize,
        primary: Option<u16>,
    ) -> Result<Made, BenchError> {
        let (mut child, mut port) = self.spawn(number, primary, &Directives::new())?;
        let refused = self.set(target, &mut child, port).await?;
        if !refused.is_empty() {
            child.start_kill().map_err(|source| self.spawn_error(source))?;
            child.wait().await.map_err(|source| self.spawn_error(source))?;
            (child, port) = self.spawn(number, primary, &refused)?;
            self.set(target, &mut child, port).await?;
        }
        let actual = directives(&Endpoint::tcp("127.0.0.1", port), target).await?;
        Ok((child, port, differences(self.wanted, &actual)))
    }

    fn spawn(
        &self,
        number: usize,
        primary: Option<u16>,
        fixed: &Directives,
    ) -> Result<(Child, u16), BenchError> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|source| self.spawn_error(source))?.port();
        let directory = self.directory.join(number.to_string());
        std::fs::create_dir_all(&directory).map_err(|source| self.spawn_error(source))?;
        let mut command = Command::new(self.program);
        // One program is server and file checker on some systems, by the name it is called: a
        // running server's program may be found under the checker's name.
        command.arg0("engine-server");
        command.arg("--port").arg(port.to_string()).arg("--bind").arg("127.0.0.1").arg("--dir");
        command.arg(&directory);
        if let Some(primary) = primary {
            command.args(["--replicaof", "127.0.0.1", &primary.to_string()]);
        }
        for (name, value) in fixed {
            command.arg(format!("--{name}")).arg(value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.kill_on_drop(true).spawn();
        Ok((child.map_err(|source| self.spawn_error(source))?, port))
    }

    /// Sets what differs; gives what cannot be set while the engine runs.
    async fn set(
        &self,
        target: &Target,
        child: &mut Child,
        port: u16,
    ) -> Result<Directives, BenchError> {
        let engine = Endpoint::tcp("127.0.0.1", port);
        let connection = self.answering(child, &engine).await?;
        let actual = directives(&engine, target).await?;
        let mut refused = Directives::new();
        for (name, value, _) in differences(self.wanted, &actual) {
            match connection.call(&["CONFIG", "SET", &name, &value], CALL_WITHIN).await {
                Ok(_) => {}
                Err(error) if !error.is_fatal() => drop(refused.insert(name, value)),
                Err(error) => return Err(call_error("set a directive of the bare engine")(error)),
            }
        }
        Ok(refused)
    }

    /// Waits until an engine answers.
    async fn answering(
        &self,
        child: &mut Child,
        engine: &Endpoint,
    ) -> Result<Connection, BenchError> {
        let deadline = Instant::now() + READY_WITHIN;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if let Some(status) = child.try_wait().map_err(|source| self.spawn_error(source))? {
                let why = std::io::Error::other(format!("it ended at once: {status}"));
                return Err(self.spawn_error(why));
            }
            let error = match Connection::open(engine, None, CALL_WITHIN).await {
                Ok(open) => match open.call(&["PING"], CALL_WITHIN).await {
                    Ok(_) => return Ok(open),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if Instant::now() >= deadline {
                return Err(call_error("reach the bare engine")(error));
            }
        }
    }

    fn spawn_error(&self, source: std::io::Error) -> BenchError {
        BenchError::Spawn { program: self.program.to_owned(), source }
    }
}

/// Every directive of an engine that says how it works.
async fn directives(engine: &Endpoint, target: &Target) -> Result<Directives, BenchError> {
    let asked = call_error("read the directives of an engine");
    let connection = Connection::open(engine, target.credentials.as_ref(), CALL_WITHIN).await;
    let connection = connection.map_err(&asked)?;
    let reply = connection.call(&["CONFIG", "GET", "*"], CALL_WITHIN).await.map_err(asked)?;
    let pairs = reply.as_pairs().unwrap_or_default().into_iter();
    Ok(pairs
        .filter(|(name, _)| !is_own(name))
        .map(|(name, value)| (name.to_owned(), text(value)))
        .collect())
}

fn text(value: &Value) -> String {
    value.as_text().unwrap_or_default().to_owned()
}

fn is_own(name: &str) -> bool {
    OWN.contains(&name) || OWN_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Name, wanted and actual value of what is not as wanted. A directive that the other does not know
/// is none.
fn differences(wanted: &Directives, actual: &Directives) -> Vec<(String, String, String)> {
    let differ = |(name, value): (&String, &String)| {
        let actual = actual.get(name)?;
        (actual != value).then(|| (name.clone(), value.clone(), actual.clone()))
    };
    wanted.iter().filter_map(differ).collect()
}

/// Waits until so many replicas receive the stream.
async fn attached(target: &Target, seat: &Seat, replicas: usize) -> Result<(), BenchError> {
    let deadline = Instant::now() + READY_WITHIN;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let info = status::info(target, seat).await?;
        let streaming = info.replication.replicas.iter().filter(|line| line.is_streaming()).count();
        if streaming >= replicas {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let missing = format!("{streaming} of {replicas} replicas are attached");
            return Err(BenchError::NotReady { missing, within: READY_WITHIN });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_how_an_engine_works_is_compared() {
        for own in
            ["port", "requirepass", "slave-read-only", "tls-port", "replicaof", "unixsocketperm"]
        {
            assert!(is_own(own), "{own}");
        }
        for shared in
            ["appendonly", "maxmemory", "min-replicas-to-write", "repl-backlog-size", "save"]
        {
            assert!(!is_own(shared), "{shared}");
        }
    }

    #[test]
    fn differences_name_both_values_and_skip_what_the_other_does_not_know() {
        let of = |pairs: &[(&str, &str)]| -> Directives {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let wanted = of(&[("save", "900 1"), ("hz", "10"), ("new-in-eight", "yes")]);
        let found = differences(&wanted, &of(&[("save", ""), ("hz", "10"), ("other", "1")]));
        assert_eq!(found, [("save".to_owned(), "900 1".to_owned(), String::new())]);
    }
}
