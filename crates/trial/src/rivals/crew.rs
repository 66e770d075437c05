//! The members of a rival as plain processes, and what is done to one of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::Endpoint;
use tempfile::TempDir;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::RivalError;
use super::look::{Look, Server, call};
use super::supervised::{Start, Supervised};
use super::wire::{Place, Wire, at};
use crate::nemesis::clear_directory;
use crate::process::Frozen;

/// How long a rival may take to serve after its start.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What rivals are made of, and where.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    /// The engine's program; it is Sentinel's as well.
    pub(super) program: &'a Path,
    /// The network.
    pub(super) wire: &'a Wire,
    /// Where files lie.
    pub(super) directory: TempDir,
}

impl<'a> Ground<'a> {
    pub(super) fn new(program: &'a Path, wire: &'a Wire) -> Result<Self, RivalError> {
        let directory = tempfile::Builder::new().prefix("interrex-compare-").tempdir();
        let place = std::env::temp_dir();
        let directory = directory.map_err(|source| RivalError::Files { path: place, source })?;
        Ok(Self { program, wire, directory })
    }

    /// Starts the engine of one more member, with the directives that every rival has and `own`.
    pub(super) fn member(&self, number: usize, own: &[String]) -> Result<Member, RivalError> {
        let place = Wire::place(number);
        let port = self.wire.port(&place)?;
        self.member_at(number, port, own)
    }

    pub(super) fn member_at(
        &self,
        number: usize,
        port: u16,
        own: &[String],
    ) -> Result<Member, RivalError> {
        let place = Wire::place(number);
        let name = format!("rival-{number}");
        let data = self.directory.path().join(&name);
        make_directory(&data)?;
        let mut lines = base(&place, port, &data);
        lines.extend_from_slice(own);
        let server = self.process(&name, &lines, &data, None)?;
        Ok(Member { name, place, port, data, server, beside: Vec::new() })
    }

    /// Starts the program with a configuration of these lines.
    pub(super) fn process(
        &self,
        name: &str,
        lines: &[String],
        directory: &Path,
        mode: Option<&str>,
    ) -> Result<Supervised, RivalError> {
        // Beside the data, which may be taken away; and writable: engines note their roles there.
        let file = self.directory.path().join(format!("{name}.conf"));
        let written = std::fs::write(&file, lines.join("\n") + "\n");
        written.map_err(|source| RivalError::Files { path: file.clone(), source })?;
        let arguments: Vec<OsString> =
            std::iter::once(file.into_os_string()).chain(mode.map(OsString::from)).collect();
        let (program, directory) = (self.program.to_owned(), directory.to_owned());
        Supervised::start(Start { program, arguments, directory })
    }
}

fn make_directory(path: &Path) -> Result<(), RivalError> {
    std::fs::create_dir_all(path)
        .map_err(|source| RivalError::Files { path: path.to_owned(), source })
}

/// What every engine of every rival is told. Everything else is the engine's own default, but for
/// the append-only file, which whoever cares for data switches on.
fn base(place: &Place, port: u16, data: &Path) -> Vec<String> {
    let mut lines = network(place, port);
    lines.push(format!("dir {}", data.display()));
    lines.push("appendonly yes".to_owned());
    // Only until it serves, see `Crew::serving`: nobody is to wait for the start.
    lines.push("repl-diskless-sync-delay 0".to_owned());
    lines
}

/// Where an engine or a Sentinel listens, and from where it dials.
pub(super) fn network(place: &Place, port: u16) -> Vec<String> {
    let Place { address, side } = place;
    let bind = if address == side { address.clone() } else { format!("{address} {side}") };
    vec![
        format!("port {port}"),
        format!("bind {bind}"),
        format!("bind-source-addr {address}"),
        "protected-mode no".to_owned(),
        "daemonize no".to_owned(),
    ]
}

/// One member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) port: u16,
    pub(super) data: PathBuf,
    pub(super) server: Supervised,
    /// Other processes of this member: its Sentinel.
    pub(super) beside: Vec<Supervised>,
}

impl Member {
    /// Where others reach its engine.
    pub(super) fn endpoint(&self) -> Endpoint {
        at(&self.place.address, self.port)
    }

    /// Where it is reached whatever is cut.
    pub(super) fn side(&self) -> Endpoint {
        at(&self.place.side, self.port)
    }

    /// Its engine, for whoever looks at it.
    pub(super) fn server(&self) -> Server {
        Server { name: self.name.clone(), at: self.side(), known_as: self.endpoint() }
    }
}

/// All members of a rival.
#[derive(Debug)]
pub(super) struct Crew {
    pub(super) members: Vec<Member>,
    _directory: TempDir,
}

impl Crew {
    pub(super) fn new(ground: Ground<'_>, members: Vec<Member>) -> Self {
        Self { members, _directory: ground.directory }
    }

    pub(super) fn member(&self, name: &str) -> Result<&Member, RivalError> {
        let found = self.members.iter().find(|member| member.name == name);
        found.ok_or_else(|| RivalError::NoMember { name: name.to_owned() })
    }

    /// All engines, for whoever looks at them.
    pub(super) fn servers(&self) -> Vec<Server> {
        self.members.iter().map(Member::server).collect()
    }

    /// Stops every process of a member. The engine is thawed first when they are dropped in turn
    /// from the end.
    pub(super) fn freeze(&self, name: &str) -> Result<Vec<Frozen>, RivalError> {
        let member = self.member(name)?;
        let all = member.beside.iter().chain([&member.server]);
        all.map(|process| Ok(process.process()?.freeze()?)).collect()
    }

    /// Kills a member's engine, and takes its data away before it starts again.
    pub(super) async fn empty(&self, name: &str) -> Result<(), RivalError> {
        let member = self.member(name)?;
        member.server.kill().await?;
        Ok(clear_directory(&member.data)?)
    }

    /// Every engine goes on with the defaults that the start was spared.
    pub(super) async fn serving(&self) -> Result<(), RivalError> {
        for member in &self.members {
            let words = ["CONFIG", "SET", "repl-diskless-sync-delay", "5"];
            call(&member.side(), &words).await?;
        }
        Ok(())
    }

    /// Ends all of it.
    pub(super) async fn end(self) {
        for Member { server, beside, .. } in self.members {
            for process in beside.into_iter().chain([server]) {
                process.end().await;
            }
        }
    }
}

/// Looks again and again until nothing is missing.
pub(super) async fn ready<F>(look: impl Fn() -> F) -> Result<(), RivalError>
where
    F: Future<Output = Look>,
{
    let deadline = Instant::now() + READY_WITHIN;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let look = look().await;
        if look.is_healthy() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(RivalError::NotReady { missing: look.ailments, within: READY_WITHIN });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_keep_their_defaults_but_for_place_and_the_append_only_file() {
        let place = Place { address: "127.97.1.1".to_owned(), side: "127.97.2.1".to_owned() };
        let lines = base(&place, 7001, Path::new("/data"));
        let names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        let wanted = [
            "port",
            "bind",
            "bind-source-addr",
            "protected-mode",
            "daemonize",
            "dir",
            "appendonly",
            "repl-diskless-sync-delay",
        ];
        assert_eq!(names, wanted);
        assert!(lines.contains(&"bind 127.97.1.1 127.97.2.1".to_owned()), "{lines:?}");
        let same = Place { side: place.address.clone(), ..place };
        assert!(network(&same, 1).contains(&"bind 127.97.1.1".to_owned()));
    }
}
