//! One real engine process in a directory of its own, configured as the agents do it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use client::{Connection, Credentials, Endpoint};
use engine::Engine;
use engine::config::{self, AGENT_RULES, AGENT_USER, Account, Persistence, Settings};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use sim::conformance::{Setup, Who};
use sim::server;

/// SHA-256 of [`PASSWORD`].
const PASSWORD_SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// Of the agent's user and of every replication user.
pub(crate) const PASSWORD: &str = "test";
/// An engine that does not start or end within this time is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a condition that has a deadline.
const LOOK_AGAIN: Duration = Duration::from_millis(3);
/// Between two requests to stop.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// What reading one key takes when an engine starts slowly, in microseconds. Between two keys it
/// answers.
const SLOW_KEY_US: u32 = 250_000;
/// Longer than any script, in seconds.
const NEVER_S: u64 = 3600;

/// A program that is an engine.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) engine: Engine,
}

/// One engine: its files, its address, and its process while it has one.
pub(crate) struct Place {
    program: Program,
    setup: Setup,
    me: Who,
    directory: PathBuf,
    pub(crate) port: u16,
    child: Option<Child>,
    pub(crate) frozen: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Place {
    pub(crate) fn new(program: &Program, setup: Setup, me: Who, home: &Path) -> Self {
        let directory = home.join(me.to_string());
        fs::create_dir_all(directory.join("data")).unwrap();
        let program = program.clone();
        Self { program, setup, me, directory, port: free_port(), child: None, frozen: false }
    }

    /// Starts a process and waits until it answers; the connection is its agent's.
    pub(crate) async fn start(&mut self, slowly: bool) -> Connection {
        let end = Instant::now() + PATIENCE;
        loop {
            self.spawn(slowly);
            while !self.has_ended() {
                if let Some(connection) = self.answers().await
                    && (slowly || self.is_past_its_first_ping())
                {
                    return connection;
                }
                assert!(Instant::now() < end, "the engine is silent:\n{}", self.log());
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            // Its port may have been taken meanwhile.
            assert!(Instant::now() < end, "the engine does not start:\n{}", self.log());
        }
    }

    /// An engine pings its replicas once within a second of its start, whatever the period is, and
    /// whoever is attached by then has moved. In the same cron it tries its upstream, the dead end.
    fn is_past_its_first_ping(&self) -> bool {
        self.log().contains("Connecting to ")
    }

    async fn answers(&self) -> Option<Connection> {
        let connection = self.connect(AGENT_USER).await?;
        connection.call(&["INFO", "server"], PATIENCE).await.ok()?;
        Some(connection)
    }

    pub(crate) async fn connect(&self, user: &str) -> Option<Connection> {
        let credentials = Credentials::new(user, PASSWORD);
        Connection::open(&self.socket(), Some(&credentials), PATIENCE).await.ok()
    }

    pub(crate) fn socket(&self) -> Endpoint {
        Endpoint::unix(self.directory.join("s"))
    }

    fn spawn(&mut self, slowly: bool) {
        // A socket that a dead engine left would be taken for one that starts.
        let _ = fs::remove_file(self.directory.join("s"));
        let file = self.directory.join("engine.conf");
        fs::write(&file, self.configuration(slowly)).unwrap();
        let log = File::create(self.directory.join("log")).unwrap();
        let mut command = Command::new(&self.program.path);
        // A group of its own: the children that write snapshots end with it.
        command.arg(&file).process_group(0).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        self.frozen = false;
    }

    /// What an agent would write, and what a script wants otherwise.
    fn configuration(&self, slowly: bool) -> String {
        let Setup { small_backlog, max_lag_s, pings_s, .. } = self.setup;
        let diskless = self.setup.empty_loads_diskless;
        let engine = self.program.engine;
        let can = engine.capabilities();
        let account = |name: &str, password: Option<&str>, rules: String| Account {
            name: name.to_owned(),
            password_sha256: password.map(|hash| vec![hash.to_owned()]),
            rules,
        };
        let settings = Settings {
            engine,
            user: [].into(),
            persistence: persistence(self.setup.persistence),
            cache: false,
            maxmemory_bytes: Some(100 << 20),
            port: self.port,
            bind: vec!["127.0.0.1".to_owned()],
            dir: self.data().to_string_lossy().into_owned(),
            unix_socket: Some(self.directory.join("s").to_string_lossy().into_owned()),
            announce: Some(("127.0.0.1".to_owned(), self.port)),
            max_lag_s: max_lag_s as u32,
            shutdown_timeout_s: NEVER_S as u32,
            gate: None,
            accounts: vec![
                account("default", None, config::application_rules(engine)),
                account(AGENT_USER, Some(PASSWORD_SHA256), AGENT_RULES.to_owned()),
            ],
        };
        let mut text = config::render(&settings).unwrap().text();
        let mut also = |name: &str, value: String| {
            let _ = writeln!(text, "{name} {value}");
        };
        also("masteruser", user(self.me));
        also("masterauth", PASSWORD.to_owned());
        // A machine that stands still for a while must not look like a silent peer.
        also("repl-timeout", NEVER_S.to_string());
        also("repl-ping-replica-period", pings_s.unwrap_or(NEVER_S).to_string());
        also("rdbcompression", "no".to_owned());
        if small_backlog {
            also("repl-backlog-size", "16kb".to_owned());
        }
        if diskless {
            also("repl-diskless-load", "on-empty-db".to_owned());
        }
        if can.protected_commands {
            also("enable-debug-command", "local".to_owned());
        }
        if slowly {
            also("key-load-delay", SLOW_KEY_US.to_string());
            also("loading-process-events-interval-bytes", "1024".to_owned());
        }
        text
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Whether no process of it runs (any more).
    pub(crate) fn has_ended(&mut self) -> bool {
        if let Some(child) = &mut self.child
            && child.try_wait().unwrap().is_some()
        {
            self.child = None;
            self.frozen = false;
        }
        self.child.is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        }
    }

    /// SIGKILL to it and to its own children.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            let _ = child.wait();
        }
        self.frozen = false;
    }

    /// SIGTERM until it has gone.
    pub(crate) async fn stop(&mut self) {
        let end = Instant::now() + PATIENCE;
        while !self.has_ended() {
            self.signal(Signal::SIGTERM);
            let again = Instant::now() + ASK_AGAIN;
            while Instant::now() < again && !self.has_ended() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            assert!(Instant::now() < end, "the engine does not stop:\n{}", self.log());
        }
    }

    pub(crate) fn wipe(&self) {
        fs::remove_dir_all(self.data()).unwrap();
        fs::create_dir(self.data()).unwrap();
    }

    /// A snapshot is written aside and renamed, and nothing can be renamed over a directory that
    /// has something in it: the one way to fail that also stops root.
    pub(crate) fn break_disk(&self) {
        let snapshot = self.data().join("dump.rdb");
        match fs::remove_file(&snapshot) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
            _ => fs::create_dir_all(snapshot.join("in-the-way")).unwrap(),
        }
    }

    pub(crate) fn mend_disk(&self) {
        fs::remove_dir_all(self.data().join("dump.rdb")).unwrap();
    }
}

/// The replication user of an engine.
pub(crate) fn user(who: Who) -> String {
    format!("replica-{who}")
}

fn persistence(persistence: server::Persistence) -> Persistence {
    match persistence {
        server::Persistence::None => Persistence::None,
        server::Persistence::Rdb => Persistence::Rdb,
        server::Persistence::Aof { always: true } => Persistence::AofAlways,
        server::Persistence::Aof { always: false } => Persistence::AofEverysec,
    }
}

/// A port below those that outgoing connections take, so that none of them takes it.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(41);
    let mut tries = (0..10_000).map(|_| first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)));
    let port = |number: u32| 20_000 + (number % 12_000) as u16;
    let bound = tries.find_map(|number| TcpListener::bind(("127.0.0.1", port(number))).ok());
    bound.expect("a free port").local_addr().unwrap().port()
}
