//! A group of members that run in this process, in a place that is in memory.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of it")]
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use agent::{AgentError, Config, LogFormat};
use brain::report::MemberReport;
use brain::{Durability, Failsafe, MemberName, Record, Settings, Span, Timing};
use engine::config::Persistence;
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[path = "memory.rs"]
mod memory;
pub use memory::{Ports, Store, TestPlace};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again until `probe` answers; names what it waited for.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The first member.
pub fn first() -> MemberName {
    "cart-0".into()
}

/// A group whose members run as tasks of this process.
pub struct Group {
    home: PathBuf,
    /// Removed with the group; `None` when somebody else owns it.
    directory: Option<tempfile::TempDir>,
    pub store: Arc<Store>,
    pub ports: BTreeMap<MemberName, Ports>,
    pub persistence: Persistence,
    pub program: PathBuf,
    pub grace: Duration,
    pub agents: BTreeMap<MemberName, JoinHandle<Result<ExitCode, AgentError>>>,
}

impl Group {
    pub fn new(members: usize, persistence: Persistence) -> Self {
        let directory = tempfile::tempdir().expect("the place of a test");
        let mut group = Self::in_directory(directory.path(), members, persistence);
        group.directory = Some(directory);
        group
    }

    pub fn in_directory(home: &Path, members: usize, persistence: Persistence) -> Self {
        let write = |name, text| std::fs::write(home.join(name), text).expect("a file of a test");
        write("peer-key", "0123456789abcdef0123456789abcdef\n");
        write("password", "clients-password\n");
        let names: Vec<MemberName> =
            (0..members).map(|n| MemberName(format!("cart-{n}"))).collect();
        let listeners: Vec<TcpListener> = (0..3 * members).map(|_| listener()).collect();
        let mut free =
            listeners.iter().map(|l| l.local_addr().expect("the place of a test").port());
        let mut port = || free.next().expect("the place of a test");
        let ports = names
            .iter()
            .map(|n| (n.clone(), Ports { peer: port(), http: port(), engine: port() }))
            .collect();
        let record = Record::first(names, Timing::FAST.lease.as_millis());
        let store = Store::new(Some(record));
        Self {
            home: home.to_owned(),
            directory: None,
            store,
            ports,
            persistence,
            program: program(),
            grace: Duration::from_secs(20),
            agents: BTreeMap::new(),
        }
    }

    pub fn data(&self, member: &MemberName) -> PathBuf {
        self.home.join(&member.0).join("data")
    }

    pub fn config(&self, member: &MemberName) -> Config {
        let home = &self.home;
        Config {
            group: "group-id-1".into(),
            tag: "cart".into(),
            settings: Settings {
                me: member.clone(),
                pod: format!("pod-of-{member}"),
                boot: String::new(),
                members: self.ports.keys().cloned().collect(),
                timing: Timing::FAST,
                durability: Durability::Balanced,
                failsafe: Failsafe::Majority,
                recovery_timeout: Span::from_millis(5000),
                budget_per_hour: 1000,
                gate: true,
                persistent: self.persistence.is_persistent(),
                fsync_always: self.persistence == Persistence::AofAlways,
                without: None,
            },
            gate_demanded: false,
            program: self.program.clone(),
            data: self.data(member),
            run: home.join(&member.0).join("run"),
            password_file: Some(home.join("password")),
            peer_key_file: home.join("peer-key"),
            volume: None,
            directives: watch::channel(BTreeMap::new()).1,
            persistence: self.persistence,
            memory_limit_bytes: Some(256 << 20),
            members_on_this_machine: 1,
            bind: vec!["127.0.0.1".into()],
            log: LogFormat::Pretty,
            grace: self.grace,
        }
    }

    pub fn place(&self, member: &MemberName) -> TestPlace {
        TestPlace::new(&self.store, member, &self.ports)
    }

    pub fn start(&mut self, member: &MemberName) {
        let place = Arc::new(self.place(member));
        let running = tokio::spawn(agent::run(self.config(member), place));
        self.agents.insert(member.clone(), running);
    }

    pub fn start_all(&mut self) {
        for member in self.ports.keys().cloned().collect::<Vec<_>>() {
            self.start(&member);
        }
    }

    pub fn record(&self) -> Record {
        self.store.record().expect("the place of a test")
    }

    pub async fn status(&self, member: &MemberName) -> Option<MemberReport> {
        let port = self.ports[member].http;
        let (code, body) = http(port, "GET", "/v1/status", "", "").await?;
        (code == 200).then(|| serde_json::from_str(&body).expect("a report"))
    }

    /// Waits until one leads and all the others follow it; returns the primary.
    pub async fn healthy(&self) -> MemberName {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut reports = Vec::new();
            for member in self.ports.keys() {
                reports.extend(self.status(member).await);
            }
            let leads: Vec<_> = reports.iter().filter(|r| r.role == "primary").collect();
            let follow =
                reports.iter().filter(|r| r.role == "replica" && r.link_up && r.complete).count();
            if leads.len() == 1 && follow + 1 == self.ports.len() {
                return MemberName(leads[0].name.clone());
            }
            assert!(Instant::now() < until, "not healthy in time: {reports:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One inline command to a member's engine as a client; the first line of the reply.
    pub async fn client(&self, member: &MemberName, command: &str) -> std::io::Result<String> {
        let port = self.ports[member].engine;
        let command = command.to_owned();
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(format!("AUTH clients-password\r\n{command}\r\n").as_bytes())?;
            let mut reader = BufReader::new(stream);
            let (mut auth, mut reply) = (String::new(), String::new());
            reader.read_line(&mut auth)?;
            reader.read_line(&mut reply)?;
            if reply.starts_with('$') && reply.trim_end() != "$-1" {
                reply.clear();
                reader.read_line(&mut reply)?;
            }
            Ok(reply.trim_end().to_owned())
        })
        .await
        .expect("the place of a test")
    }
}

pub fn program() -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').map(|dir| Path::new(dir).join("redis-server"));
    found.into_iter().find(|file| file.is_file()).expect("these tests need redis-server")
}

/// One HTTP/1.1 request; status and body.
pub async fn http(
    port: u16,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<(u16, String)> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let code = head.split(' ').nth(1)?.parse().ok()?;
        Some((code, body.to_owned()))
    })
    .await
    .ok()
    .flatten()
}

/// A port that is free, and stays so until an agent takes it: none of those that the kernel gives
/// to outgoing connections of other tests.
fn listener() -> TcpListener {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(37);
    let mut tries = (0..10_000).map(|_| first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)));
    let port = |number: u32| 20_000 + (number % 12_000) as u16;
    let bound = tries.find_map(|number| TcpListener::bind(("127.0.0.1", port(number))).ok());
    bound.expect("the place of a test")
}
