//! The least that looks like a group: one engine, started again whenever it ends, and its status.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use brain::report::MemberReport;
use client::{Connection, Endpoint};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use trial::target::{CutFrom, Doing, Hands, HandsError, Seat, StoreState, Target};

/// The engine that is tried: what `INTERREX_TEST_ENGINE` names, else `redis-server` from the PATH.
pub(crate) fn program() -> String {
    std::env::var("INTERREX_TEST_ENGINE").unwrap_or_else(|_| "redis-server".to_owned())
}

/// A group of one.
pub(crate) struct Keeper {
    pub(crate) target: Target,
    _directory: TempDir,
    _tasks: JoinSet<()>,
}

impl Keeper {
    /// Starts the engine with these arguments, and keeps it running until dropped.
    pub(crate) async fn start(arguments: &'static [&'static str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let socket = directory.path().join("engine.sock");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let http = listener.local_addr().expect("it is bound").to_string();
        let told = watch::Sender::new(MemberReport::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, told.subscribe()));
        tasks.spawn(keep(program(), arguments, directory.path().to_owned(), told));
        let engine = Endpoint::unix(socket);
        let seat = Seat {
            name: "cart-0".to_owned(),
            engine: engine.clone(),
            http,
            directory: directory.path().to_owned(),
            data: directory.path().to_owned(),
        };
        let target = Target {
            group: "cart".to_owned(),
            write: engine.clone(),
            read: engine,
            credentials: None,
            seats: vec![seat],
            copies: 0,
            wait: Duration::from_secs(5),
            hands: Arc::new(NoHands),
        };
        Self { target, _directory: directory, _tasks: tasks }
    }
}

async fn keep(
    program: String,
    arguments: &'static [&'static str],
    directory: PathBuf,
    told: watch::Sender<MemberReport>,
) {
    // Something that a deed may take for the agent: a signal to it hurts nobody.
    let mut agent = Command::new("cat");
    agent.stdin(Stdio::piped()).kill_on_drop(true);
    let agent = agent.spawn().expect("cat starts");
    let agent_pid = agent.id().expect("it was just started");
    for epoch in 1.. {
        let mut child = spawn(&program, arguments, &directory);
        let pid = child.id().expect("it was just started");
        answers(&Endpoint::unix(directory.join("engine.sock"))).await;
        told.send_replace(MemberReport {
            name: "cart-0".to_owned(),
            role: "primary".to_owned(),
            engine_pid: pid,
            agent_pid,
            epoch,
            complete: true,
            fence: "process".to_owned(),
            ..MemberReport::default()
        });
        child.wait().await.expect("it is ours");
    }
}

fn spawn(program: &str, arguments: &[&str], directory: &Path) -> Child {
    Command::new(program)
        .args(["--port", "0", "--unixsocket", "engine.sock", "--dir"])
        .arg(directory)
        .args(arguments)
        .current_dir(directory)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot start {program}: {error}; these tests need redis-server installed")
        })
}

/// Waits until the engine answers and has loaded.
async fn answers(engine: &Endpoint) {
    let within = Duration::from_secs(10);
    let asked = async {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        loop {
            looks.tick().await;
            let Ok(open) = Connection::open(engine, None, within).await else { continue };
            if open.call(&["DBSIZE"], within).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(within, asked).await.expect("the engine answers");
}

async fn serve(listener: TcpListener, told: watch::Receiver<MemberReport>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let body = serde_json::to_string(&*told.borrow()).expect("a report is JSON");
        let head = format!("HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + &body).as_bytes()).await;
    }
}

struct NoHands;

fn cannot(deed: &'static str) -> Doing<'static> {
    Box::pin(async move { Err(HandsError::new(deed, "one engine has nobody to do it with")) })
}

impl Hands for NoHands {
    fn cut<'a>(&'a self, _: &'a str, _: CutFrom) -> Doing<'a> {
        cannot("cut")
    }
    fn heal_all(&self) -> Doing<'_> {
        cannot("heal")
    }
    fn handover<'a>(&'a self, _: Option<&'a str>) -> Doing<'a> {
        cannot("hand over")
    }
    fn store(&self, _: StoreState) -> Doing<'_> {
        cannot("turn the store")
    }
    fn stop_all(&self) -> Doing<'_> {
        cannot("stop all")
    }
    fn start<'a>(&'a self, _: &'a [String]) -> Doing<'a> {
        cannot("start")
    }
}
