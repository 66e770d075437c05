//! PID 1 beside every engine: starts it, watches it, and carries out what `brain::Election`
//! decides.

mod clean_stop;
mod clock;
mod damage;
mod decisions;
mod driver;
mod effects;
mod engine_port;
mod headroom;
mod http;
mod inbox;
mod keys;
pub mod logs;
mod memory;
mod peers;
mod persist;
mod state;
mod supervise;
mod watchers;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use brain::{MemberId, Memory, Settings};
use engine::Engine;
use engine::config::Persistence;
use engine::flavor::FlavorError;
use platform::{Notices, Platform, Roster};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

pub use damage::AsideError;
pub use engine_port::PrepareError;
pub use keys::{Key, KeyError, PeerKeys};
pub use logs::LogFormat;
pub use state::{StateError, StateFile, directory as state_directory};
pub use supervise::SuperviseError;

use driver::{Driver, Leaving, World};
use engine_port::{EnginePort, Parts};
use peers::{Identity, Peers};
use watchers::Signals;

/// The exit code of an agent whose disk is another one than it began with: its keeper starts it
/// again, and it rejoins as a newcomer.
pub const EXIT_START_ANEW: u8 = 75;

/// How long an engine may take to print its version.
const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// Everything that one agent is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The group's id: a peer of another one is refused.
    pub group: String,
    /// The group's name for people.
    pub tag: String,
    /// What the election works with. `boot` is drawn here.
    pub settings: Settings,
    /// Without a gate the engine is not run. Else one that cannot load it runs without, and the
    /// fence is the process (failover.md 2.7).
    pub gate_demanded: bool,
    /// The engine's program, such as `/usr/bin/redis-server`.
    pub program: PathBuf,
    /// The engine's data; an absolute path. The agent's own state is in `interrex/` below it.
    pub data: PathBuf,
    /// What the place calls the volume of the data; `None` where it cannot tell.
    pub volume: Option<String>,
    /// The socket, the engine's configuration, the gate: made with mode 0700. A short absolute path
    /// that may be in memory; not mounted `noexec`.
    pub run: PathBuf,
    /// The clients' password, one a line, each of them right; `None` lets everybody in.
    pub password_file: Option<PathBuf>,
    /// The peer key; two lines while it rotates, the first of them signs.
    pub peer_key_file: PathBuf,
    /// `spec.config`; what of a change can be set live is set live, the rest is shown as drift.
    pub directives: watch::Receiver<BTreeMap<String, String>>,
    /// How the data reach the disk.
    pub persistence: Persistence,
    /// Bytes that the engine and its children may use; `None`: the cgroup's limit, or this member's
    /// share of the machine.
    pub memory_limit_bytes: Option<u64>,
    /// How many members share this machine's memory.
    pub members_on_this_machine: u32,
    /// Addresses on which the engine listens.
    pub bind: Vec<String>,
    /// How events are written.
    pub log: LogFormat,
    /// From SIGTERM to the end at the latest.
    pub grace: Duration,
}

/// Why an agent could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The run directory cannot be made.
    #[error("cannot create the run directory {path}")]
    RunDirectory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The state file.
    #[error("cannot keep this member's state")]
    State {
        /// The cause.
        source: StateError,
    },
    /// The data directory does not answer.
    #[error(
        "cannot look for data files in {path}; nothing is started beside files that may be there"
    )]
    Data {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Files that no engine is to be started over stay where they are.
    #[error("cannot move files aside that no engine is to be started over")]
    Aside {
        /// The cause.
        source: AsideError,
    },
    /// The peer keys.
    #[error("cannot use the peer keys")]
    Keys {
        /// The cause.
        source: KeyError,
    },
    /// The engine's program does not run.
    #[error("cannot run {program} --version; is the engine installed?")]
    NoEngine {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The program is no engine that we can use.
    #[error("cannot use {program} as the engine")]
    WrongEngine {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: FlavorError,
    },
    /// The engine cannot be given a gate, and the spec demands one.
    #[error(
        "the engine cannot load the gate, and the spec demands one (fencing gate, or durability \
         strict): {reason}; run it where it can, or choose fencing auto and another durability"
    )]
    NoGate {
        /// Why not.
        reason: String,
    },
    /// The engine's files.
    #[error("cannot prepare the engine")]
    Prepare {
        /// The cause.
        source: PrepareError,
    },
    /// The engine's process.
    #[error("cannot run the engine")]
    Supervise {
        /// The cause.
        source: SuperviseError,
    },
    /// A port is taken, or an address is not ours.
    #[error("cannot listen on {address} for {what}")]
    Listen {
        /// Where.
        address: String,
        /// For whom.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The runtime refused something that always works.
    #[error("cannot {what}")]
    Runtime {
        /// What.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The judgement panics again and again.
    #[error("the judgement panics again and again; its last words are in the log")]
    Judgement,
}

/// Runs one member until it is told to stop. One agent a process.
///
/// The future must be driven by a runtime that lives on the calling thread: a current-thread
/// runtime is enough, and keeps an agent small.
pub async fn run<P: Platform>(
    mut config: Config,
    platform: Arc<P>,
) -> Result<ExitCode, AgentError> {
    logs::init(config.log);
    make_run_directory(&config.run)?;
    let state = |source| AgentError::State { source };
    let _lock = state::lock(&config.data).map_err(state)?;
    let keys = PeerKeys::read(&config.peer_key_file).map_err(|s| AgentError::Keys { source: s })?;
    let engine = identify(&config.program).await?;
    let record = engine_port::record_path(&config.data);
    let ended = supervise::end_predecessor(&record, &config.data).await;
    if let Some(pid) = ended.map_err(|source| AgentError::Supervise { source })? {
        tracing::warn!(pid, "ended the engine of an earlier agent");
    }
    state::bind(&config.data, config.volume.as_deref()).map_err(state)?;
    let (file, memory) = StateFile::open(&config.data).map_err(state)?;
    config.settings.boot = keys::random_hex::<8>();
    platform.roster().begins(&config.settings.boot);
    let signals =
        Signals::catch().map_err(|source| AgentError::Runtime { what: "catch signals", source })?;
    let place = Place::bind(platform.roster().me()).await?;
    tracing::info!(
        group = config.tag,
        member = %config.settings.me,
        %engine,
        state = memory.state_id,
        gate = config.settings.gate,
        "agent started"
    );
    let parts = Beginning { config: Arc::new(config), platform, keys, engine, file, memory, place };
    // On the heap: everything that an agent is would else be a part of whoever awaits this.
    Box::pin(parts.run(signals)).await
}

/// The ports of one agent.
struct Place {
    peers: TcpListener,
    http: TcpListener,
}

impl Place {
    async fn bind(me: platform::Listen) -> Result<Self, AgentError> {
        Ok(Self {
            peers: listen(me.peer, "its peers").await?,
            http: listen(me.http, "status and metrics").await?,
        })
    }
}

async fn listen(address: String, what: &'static str) -> Result<TcpListener, AgentError> {
    TcpListener::bind(&address).await.map_err(|source| AgentError::Listen { address, what, source })
}

/// All that is known before the first decision.
struct Beginning<P> {
    config: Arc<Config>,
    platform: Arc<P>,
    keys: PeerKeys,
    engine: Engine,
    file: StateFile,
    memory: Memory,
    place: Place,
}

impl<P: Platform> Beginning<P> {
    async fn run(self, signals: Signals) -> Result<ExitCode, AgentError> {
        let Self { config, platform, keys, engine, file, memory, place } = self;
        let (inbox, inputs) = mpsc::channel(inbox::LENGTH);
        let (tell_keys, keys) = watch::channel(keys);
        let settings = config.settings.clone();
        let me = MemberId {
            name: settings.me.clone(),
            pod: settings.pod.clone(),
            state: memory.state_id.clone(),
        };
        let (port, handle) = EnginePort::new(Parts {
            config: Arc::clone(&config),
            platform: Arc::clone(&platform),
            engine,
            me,
            keys: keys.clone(),
            state: file.watch(),
            inbox: inbox.clone(),
        })
        .map_err(|source| AgentError::Runtime { what: "start the engine's thread", source })?;
        port.judge_gate(&engine).await?;
        port.check()?;
        let identity = Identity {
            group: config.group.as_str().into(),
            me: settings.me.clone(),
            pod: settings.pod.as_str().into(),
            keys,
        };
        let peers = Peers::start(&identity, &platform, &settings.members, place.peers, &inbox);
        let (route, routes) = watch::channel(None);
        let store_timeout = settings.timing.store_timeout();
        let mut beside = JoinSet::new();
        beside.spawn(port.run());
        beside.spawn(watchers::record(Arc::clone(&platform), inbox.clone()));
        beside.spawn(watchers::ended(Arc::clone(&platform), inbox.clone()));
        let within = clock::duration(store_timeout);
        beside.spawn(watchers::route(Arc::clone(&platform), routes, within, inbox.clone()));
        let (c, h) = (Arc::clone(&config), Arc::clone(&handle));
        beside.spawn(headroom::watch(Arc::clone(&c), Arc::clone(&h), inbox.clone()));
        beside.spawn(watchers::housekeeping(c, h, tell_keys));
        let web = http::Web::new(&config, &handle, engine, &identity, &platform, &inbox);
        let stirred = Arc::new(Notify::new());
        if P::Notices::HEARD {
            let (p, s) = (Arc::clone(&platform), Arc::clone(&stirred));
            beside.spawn(watchers::notices(p, web.clone(), s, within));
        }
        beside.spawn(http::serve(place.http, web));
        let world = World {
            platform,
            engine: Arc::clone(&handle),
            peers,
            persister: persist::Persister::start(file, memory.clone(), inbox.clone()),
            route,
            stirred,
            inbox: inbox.clone(),
            tasks: JoinSet::new(),
            asks: BTreeMap::new(),
            decisions: decisions::Decisions::open(&state::directory(&config.data)),
            store_timeout,
            base: 0,
            leaving: None,
        };
        let driver = Driver::new(settings, memory, world, inputs);
        let leaving = tokio::select! {
            leaving = driver.run() => leaving,
            error = broken(&mut beside) => Leaving::Failed(Box::new(error)),
            () = signals.handle(config.grace, &handle, &inbox) => Leaving::Done,
        };
        end(&handle, leaving).await
    }
}

/// Waits until a task has broken: a judgement that believes the last it heard would hold its lead
/// with an engine that nobody looks at.
async fn broken(tasks: &mut JoinSet<()>) -> AgentError {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            let source = io::Error::other(error);
            return AgentError::Runtime { what: "go on without one of its tasks", source };
        }
    }
    std::future::pending().await
}

/// Ends the engine, whatever it does, and says how the agent leaves.
async fn end(engine: &engine_port::EngineHandle, leaving: Leaving) -> Result<ExitCode, AgentError> {
    while engine.kill() && !engine.supervisor.wait_gone(Duration::from_secs(1)).await {
        tracing::warn!("the engine does not end after SIGKILL: it waits for a disk");
    }
    match leaving {
        Leaving::Done => Ok(ExitCode::SUCCESS),
        Leaving::StartAnew => Ok(ExitCode::from(EXIT_START_ANEW)),
        Leaving::Failed(error) => Err(*error),
    }
}

fn make_run_directory(path: &Path) -> Result<(), AgentError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| AgentError::RunDirectory { path: path.to_owned(), source })
}

/// Asks the program which engine it is.
async fn identify(program: &Path) -> Result<Engine, AgentError> {
    let name = program.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        std::process::Command::new(name)
            .arg("--version")
            .stdin(std::process::Stdio::null())
            .output()
    });
    let fail = |source| AgentError::NoEngine { program: program.to_owned(), source };
    let output = match tokio::time::timeout(VERSION_DEADLINE, asked).await {
        Ok(Ok(output)) => output.map_err(fail)?,
        Ok(Err(error)) => return Err(fail(io::Error::other(error))),
        Err(_) => return Err(fail(io::ErrorKind::TimedOut.into())),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    Engine::from_version_output(&said)
        .map_err(|source| AgentError::WrongEngine { program: program.to_owned(), source })
}
