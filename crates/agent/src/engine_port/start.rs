//! Starting the engine: its file rendered, its gate open, itself at a dead end (failover.md 2.11).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use brain::{DataFiles, EngineNews};
use client::{Credentials, Endpoint};
use engine::config::{self, AGENT_RULES, AGENT_USER, Account, ConfigError, Rendered};
use gate::{Gate, GateError};
use platform::{Platform, Roster};
use tokio::task::JoinHandle;

use super::link::{EngineLink, in_words};
use super::observe::{Context, Durable};
use super::{EnginePort, lock, socket_path};
use crate::damage::Found;
use crate::inbox::{Inbound, tell};
use crate::keys::{password_sha256, random_hex};
use crate::supervise::{EngineLog, Launch, follow, oom_kills};
use crate::{AgentError, clean_stop, damage, memory, state};

/// Seconds that an engine's own SIGTERM handling waits for lagging replicas: the election has
/// already waited for those that matter.
const SHUTDOWN_TIMEOUT_S: u32 = 2;

/// A member that has had data for so long has put on disk what they are worth.
const WHOLE_FOR: Duration = Duration::from_secs(4);

/// What is known of one process from its start on.
#[derive(Debug)]
pub(super) struct RunFacts {
    pub(super) rendered: Rendered,
    pub(super) log: EngineLog,
    pub(super) reader: Option<JoinHandle<()>>,
    pub(super) oom_kills: u64,
    /// It was started without its append-only file, to keep its place in the stream.
    pub(super) aof_pending: bool,
    /// Why the append-only file could not be switched on.
    pub(super) aof_refused: Option<String>,
    /// Since when looks find it whole.
    pub(super) whole_since: Option<Instant>,
    /// What stood aside is no more than kept.
    pub(super) settled: bool,
    /// Until its append-only file is written anew, the snapshot is the newest copy on the disk.
    pub(super) snapshot_leads: bool,
}

/// Why the engine's files could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The spec's directives cannot be rendered.
    #[error("cannot render the engine's configuration")]
    Render {
        /// The cause.
        source: ConfigError,
    },
    /// The configuration cannot be written.
    #[error("cannot write the engine's configuration {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The password file cannot be read.
    #[error("cannot read the password file {path}")]
    Password {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The password file is empty.
    #[error("the password file {path} has no password in it; write one, or name no file")]
    NoPassword {
        /// The file.
        path: PathBuf,
    },
    /// The gate cannot be put in place.
    #[error("cannot prepare the gate")]
    Gate {
        /// The cause.
        source: GateError,
    },
}

impl<P: Platform> EnginePort<P> {
    /// Starts an engine; over one that runs already (the judgement was restarted) it is demoted.
    pub(super) async fn start(&mut self) -> Result<(), String> {
        match self.parts.state.check() {
            Ok(()) => {}
            // The judgement may still have a lease to give before it leaves.
            Err(state::StateError::Wiped { .. }) => {
                tell(&self.parts.inbox, brain::Input::Wiped).await;
                return Err("the data directory is another one now".to_owned());
            }
            Err(source) => {
                let fatal = Inbound::Fatal(Box::new(AgentError::State { source }));
                // Closed only when the agent is ending anyway.
                let _ = self.parts.inbox.send(fatal).await;
                return Err("the data directory cannot be looked at".to_owned());
            }
        }
        let data = self.parts.config.data.clone();
        if self.handle.supervisor.running().is_some() && !self.take_over_running().await {
            return Err("the running engine can neither be demoted nor ended".to_owned());
        }
        let there = data.clone();
        let found = match on_disk(move || damage::Found::look(&there)).await {
            Ok(found) => found,
            Err(source) => {
                // Not "nothing is there": a member that calls its data lost is filled from others.
                let fatal = AgentError::Data { path: data, source };
                let _ = self.parts.inbox.send(Inbound::Fatal(Box::new(fatal))).await;
                return Err("the data directory cannot be looked at".to_owned());
            }
        };
        let other = self.reads_another(found) && !clean_stop::snapshot_leads(&data)
            || damage::has_older_snapshot(&data);
        if self.handle.supervisor.running().is_none() {
            if let Err(error) = self.launch(found).await {
                let error = in_words(&error);
                tracing::error!(error, "the engine cannot be started");
                // It counts as a start that failed at once: the next one waits longer.
                let exit = brain::Exit::Code(127);
                self.news(EngineNews::Exited { run: self.run, exit }).await;
                return Err(error);
            }
        } else {
            self.run += 1;
        }
        let aof = found.aof && self.parts.config.persistence.has_aof();
        let files =
            DataFiles { found: found.rdb || aof, other, unread: damage::holds_unread(&data) };
        self.news(EngineNews::Started { run: self.run, files }).await;
        Ok(())
    }

    /// Whether the engine reads the snapshot where an append-only file is, or was: the snapshot is
    /// not as new, unless a clean stop has left it so.
    fn reads_another(&self, found: Found) -> bool {
        if self.parts.config.persistence.has_aof() {
            return found.orphaned_aof || (found.rdb && !found.aof);
        }
        found.rdb && (found.aof || found.orphaned_aof)
    }

    /// An engine from before the judgement was restarted: to the dead end with it, or away.
    async fn take_over_running(&mut self) -> bool {
        if self.dead_end().await.is_ok() {
            return true;
        }
        self.handle.kill();
        let gone = self.handle.supervisor.wait_gone(Duration::from_secs(10)).await;
        if let Ok(gone) = self.gone.try_recv() {
            self.ended(gone).await;
        }
        gone
    }

    /// Whether an engine could be started: so that a wrong directive or password file ends the
    /// agent with its reason, and does not become a loop of starts.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        let (_, gate) = self.render(&random_hex::<32>())?;
        *lock(&self.spare_gate) = gate;
        Ok(())
    }

    async fn launch(&mut self, found: Found) -> Result<(), AgentError> {
        let config = &self.parts.config;
        let from_snapshot = self.choose_snapshot(found)?;
        let password = random_hex::<32>();
        let (rendered, gate) = self.render(&password)?;
        let file = config.run.join("engine.conf");
        write_private(&file, &rendered.text()).map_err(|source| AgentError::Prepare {
            source: PrepareError::Write { path: file.clone(), source },
        })?;
        let socket = socket_path(config);
        // A socket left by a dead engine would be taken for one that is starting.
        let _ = fs::remove_file(&socket);
        let data = config.data.clone();
        // A file as big as the dataset takes its time to go, and nobody else is to wait for it.
        on_disk(move || damage::remove_temporary(&data)).await;
        let config = &self.parts.config;
        let mut arguments = vec![file.display().to_string()];
        if from_snapshot {
            arguments.extend(["--appendonly".to_owned(), "no".to_owned()]);
        }
        let launch = Launch {
            program: config.program.clone(),
            arguments,
            run: self.run + 1,
            record: record_path(&config.data),
        };
        self.handle.asked_to_stop.store(false, Ordering::Release);
        *lock(&self.handle.gate) = gate;
        let launched = self.handle.supervisor.launch(launch).await;
        let launched = launched.map_err(|source| AgentError::Supervise { source })?;
        let log = EngineLog::default();
        let reader = follow(launched.output, log.clone())
            .map_err(|source| AgentError::Runtime { what: "read the engine's output", source })?;
        self.run += 1;
        self.prepare_next_gate();
        self.silent_since = None;
        self.link.reset();
        self.link = EngineLink::new(Endpoint::unix(socket), Credentials::new(AGENT_USER, password));
        self.admission.reset();
        let has = |name, value| rendered.value(name) == Some(value);
        self.context = Context {
            stops_on_failed_save: !has("save", "") && !has("stop-writes-on-bgsave-error", "no"),
            max_lag_s: rendered
                .value("min-replicas-max-lag")
                .and_then(|lag| lag.parse().ok())
                .unwrap_or(0),
            ..Context::default()
        };
        self.durable = Durable::new(self.parts.config.persistence, from_snapshot);
        self.facts = Some(RunFacts {
            rendered,
            log,
            reader: Some(reader),
            oom_kills: oom_kills(),
            aof_pending: from_snapshot,
            aof_refused: None,
            whole_since: None,
            settled: false,
            snapshot_leads: from_snapshot,
        });
        Ok(())
    }

    /// Whether this start reads the snapshot instead of the append-only file: where it is known to
    /// be as new, as only it has the place in the stream (engine.md 0, 5), and where there is no
    /// append-only file, as the engine would start empty beside the snapshot (engine.md 0, 9).
    fn choose_snapshot(&self, found: Found) -> Result<bool, AgentError> {
        let config = &self.parts.config;
        if !config.persistence.has_aof() {
            if config.persistence.is_persistent() && found.parts() {
                self.leave_aof()?;
            }
            return Ok(false);
        }
        if found.orphaned_aof {
            let why = "the append-only file has lost its manifest: its files are kept aside";
            moved(damage::move_unread_aof(&config.data), why)?;
        }
        // The mark stays while it holds: should this engine die before it has written its
        // append-only file anew, the snapshot still has more.
        Ok(clean_stop::snapshot_leads(&config.data) || (found.rdb && !found.aof))
    }

    /// The engine is to write snapshots only, and an append-only file is there: it would not be
    /// read now, and be read in place of newer snapshots should it be switched on again.
    fn leave_aof(&self) -> Result<(), AgentError> {
        let data = &self.parts.config.data;
        if clean_stop::snapshot_leads(data) {
            let why = "the append-only file is no newer than the snapshot: it is kept aside";
            return moved(damage::move_old_aof(data), why);
        }
        damage::note_older_snapshot(data)
            .map_err(|source| AgentError::Data { path: data.clone(), source })?;
        let why = "an append-only file is there that `persistence` has no use for, and no clean \
                   stop has left a snapshot that is as new: it is kept aside for a person";
        moved(damage::move_unread_aof(data), why)
    }

    fn render(&self, password: &str) -> Result<(Rendered, Option<Gate>), AgentError> {
        let fail = |source| AgentError::Prepare { source };
        let gate = self.gate().map_err(|source| fail(PrepareError::Gate { source }))?;
        let module = gate.as_ref().map(|(module, gate)| config::Gate {
            module: module.display().to_string(),
            arguments: vec![gate.path().display().to_string()],
        });
        let settings = self.settings(module, self.accounts(password)?);
        let rendered =
            config::render(&settings).map_err(|source| fail(PrepareError::Render { source }))?;
        Ok((rendered, gate.map(|(_, gate)| gate)))
    }

    /// What the running engine's directives should be by now. Its gate and its accounts are not
    /// among them: those stay as they are until it ends.
    pub(super) fn render_anew(&self) -> Result<Rendered, ConfigError> {
        config::render(&self.settings(None, Vec::new()))
    }

    fn settings(&self, gate: Option<config::Gate>, accounts: Vec<Account>) -> config::Settings {
        let config = &self.parts.config;
        let me = self.parts.platform.roster().me();
        let persistence = config.persistence;
        let limit = config
            .memory_limit_bytes
            .or_else(|| memory::limit_bytes(config.members_on_this_machine));
        let mut user = config.directives.borrow().clone();
        // What decides how data reach the disk stays as it is until another pod is made: the
        // election counts on it (failover.md 2.9).
        user.retain(|name, _| !config::decides_persistence(name));
        user.extend(self.persistence_directives.clone());
        config::Settings {
            engine: self.parts.engine,
            user,
            persistence,
            cache: config.settings.durability == brain::Durability::Cache,
            maxmemory_bytes: limit
                .map(|bytes| config::maxmemory_bytes(bytes, persistence.is_persistent())),
            port: me.engine_port,
            bind: config.bind.clone(),
            dir: config.data.display().to_string(),
            unix_socket: Some(socket_path(config).display().to_string()),
            announce: Some((me.engine_host, me.engine_port)),
            max_lag_s: if config.settings.timing.peer <= brain::Timing::FAST.peer { 1 } else { 3 },
            shutdown_timeout_s: SHUTDOWN_TIMEOUT_S,
            gate,
            accounts,
        }
    }

    fn accounts(&self, password: &str) -> Result<Vec<Account>, AgentError> {
        let config = &self.parts.config;
        let clients = match &config.password_file {
            None => None,
            Some(path) => Some(client_passwords(path)?),
        };
        Ok(vec![
            Account {
                name: AGENT_USER.to_owned(),
                password_sha256: Some(vec![password_sha256(password)]),
                rules: AGENT_RULES.to_owned(),
            },
            Account {
                name: "default".to_owned(),
                password_sha256: clients,
                rules: config::application_rules(self.parts.engine),
            },
        ])
    }

    /// Whatever nobody could read, this member has data again, and has had time to put on disk what
    /// they are worth: not all of it is kept.
    pub(super) fn is_whole(&mut self) {
        let Some(facts) = self.facts.as_mut() else { return };
        let since = *facts.whole_since.get_or_insert_with(Instant::now);
        if !facts.settled && since.elapsed() >= WHOLE_FOR {
            facts.settled = true;
            let data = self.parts.config.data.clone();
            // What is moved aside from now on is another matter.
            damage::forget_older_snapshot(&data);
            let unread = damage::unread(&data);
            tokio::task::spawn_blocking(move || damage::settle_unread(&data, unread));
        }
    }

    /// Once the snapshot is loaded the append-only file goes on; and once that is written anew, the
    /// snapshot grows old.
    pub(super) async fn switch_aof_on(&mut self) {
        let data = &self.parts.config.data;
        let Some(facts) = self.facts.as_mut() else { return };
        if !facts.aof_pending {
            if facts.snapshot_leads && !clean_stop::snapshot_leads(data) {
                facts.snapshot_leads = false;
                clean_stop::forget(data);
            }
            return;
        }
        let words = ["CONFIG", "SET", "appendonly", "yes"];
        match self.link.command(&words, Duration::from_secs(2)).await {
            Ok(()) => facts.aof_pending = false,
            // Until it is, what is written is on no disk. Tried at every look, told once.
            Err(error) if facts.aof_refused.as_ref() != Some(&error) => {
                tracing::warn!(error, "the append-only file is not on yet");
                facts.aof_refused = Some(error);
            }
            Err(_) => {}
        }
    }
}

/// What may take long on a disk that is slow, away from everything that must not.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Tells where files went. No engine is started over those that could not be moved: it might write
/// where they are.
fn moved(done: Result<Option<PathBuf>, damage::AsideError>, why: &str) -> Result<(), AgentError> {
    if let Some(to) = done.map_err(|source| AgentError::Aside { source })? {
        tracing::warn!(kept = %to.display(), "{why}");
    }
    Ok(())
}

/// One password a line; all are right, so that they can be rotated.
fn client_passwords(path: &Path) -> Result<Vec<String>, AgentError> {
    let fail = |source| AgentError::Prepare { source };
    let text = fs::read_to_string(path)
        .map_err(|source| fail(PrepareError::Password { path: path.to_owned(), source }))?;
    let hashes: Vec<String> =
        text.lines().map(str::trim).filter(|l| !l.is_empty()).map(password_sha256).collect();
    if hashes.is_empty() {
        return Err(fail(PrepareError::NoPassword { path: path.to_owned() }));
    }
    Ok(hashes)
}

/// A configuration is shorter; the file always has this size, so that the next one fits into it.
const CONFIG_BYTES: usize = 16 * 1024;

/// Writes a file that only this user may read, replacing what was there. On a full disk it is
/// written into the blocks of the old one.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(CONFIG_BYTES), b'\n');
    let aside = path.with_extension("new");
    let _ = fs::remove_file(&aside);
    let new = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(&bytes)?;
        fs::rename(&aside, path)
    };
    match new() {
        Err(error) if error.kind() == io::ErrorKind::StorageFull && path.exists() => {
            let _ = fs::remove_file(&aside);
            OpenOptions::new().write(true).open(path)?.write_all(&bytes)
        }
        done => done,
    }
}

/// Where the engine's process id is.
pub(crate) fn record_path(data: &Path) -> PathBuf {
    state::directory(data).join("engine.pid")
}
