//! The engine as the judgement's hand reaches it: one task, one queue, commands in order.

mod admission;
mod drift;
mod ending;
mod gating;
mod link;
mod observe;
mod roles;
mod start;
mod stop;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use brain::{EngineCommand, EngineNews, GateDeadline, Input, MemberId, RequestId, Tick};
use client::{Credentials, Endpoint};
use engine::config::Drift;
use engine::{Engine, Info};
use gate::Gate;
use nix::sys::signal::Signal;
use platform::Platform;
use tokio::sync::mpsc;

use crate::inbox::{Inbox, tell};
use crate::keys::PeerKeys;
use crate::state::StateWatch;
use crate::supervise::{Gone, ProcessWatch, Supervisor};
use crate::{Config, clock};
use admission::Admission;
use link::EngineLink;
pub(crate) use link::in_words;
use observe::{Context, Durable};
pub use start::PrepareError;
use start::RunFacts;
pub(crate) use start::record_path;
use stop::SaveAsked;

/// Orders that wait for the engine. More than an election gives in seconds: a full queue is an
/// engine that hangs, and then the oldest orders are refused.
const QUEUE: usize = 256;

/// How long one question to a silent engine waits, and the pause before the next.
const OBSERVE_DEADLINE: Duration = Duration::from_millis(500);

/// How soon a process that does not listen yet is asked again: engines listen within 30 ms.
const NOT_LISTENING: Duration = Duration::from_millis(10);

/// One order to the engine task.
#[derive(Debug)]
pub(crate) enum Order {
    /// From the election.
    Command(RequestId, EngineCommand),
    /// From housekeeping: compare the configuration.
    CheckDrift,
}

/// What everybody may see of the engine, and the ways to end it at once.
#[derive(Debug)]
pub(crate) struct EngineHandle {
    pub(crate) supervisor: Supervisor,
    queue: mpsc::Sender<Order>,
    /// Of the present run; written at each start.
    gate: Mutex<Option<Gate>>,
    /// Why engines are started without a gate, once that is so: until this agent ends.
    gate_refused: OnceLock<String>,
    facts: Mutex<Facts>,
    /// We have asked it to stop: an exit with 0 is our doing.
    asked_to_stop: AtomicBool,
    /// By when a requested stop of the agent must be over.
    stop_by: Mutex<Option<Tick>>,
}

/// The newest facts for people.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The last answer to `INFO`.
    pub(crate) info: Option<Arc<Info>>,
    /// Directives that differ.
    pub(crate) drift: Vec<Drift>,
}

impl EngineHandle {
    /// Queues an order; `Err` gives it back when the queue is full.
    pub(crate) fn order(&self, order: Order) -> Result<(), Order> {
        self.queue.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(order) | mpsc::error::TrySendError::Closed(order) => {
                order
            }
        })
    }

    /// SIGKILL, past the queue. `false` when no engine runs.
    pub(crate) fn kill(&self) -> bool {
        self.supervisor.signal(Signal::SIGKILL)
    }

    /// Moves the gate. Without a gate there is nothing to move.
    pub(crate) fn set_gate(&self, deadline: GateDeadline) -> Result<(), gate::GateError> {
        match &*lock(&self.gate) {
            None => Ok(()),
            Some(gate) => match deadline {
                GateDeadline::Open => gate.open(),
                GateDeadline::Until(tick) => gate.set(tick.0),
            },
        }
    }

    /// Why there is no gate, where one was wanted.
    pub(crate) fn gate_refused(&self) -> Option<&str> {
        self.gate_refused.get().map(String::as_str)
    }

    /// The newest facts.
    pub(crate) fn facts(&self) -> Facts {
        lock(&self.facts).clone()
    }

    /// The process id of the engine, 0 when none runs.
    pub(crate) fn pid(&self) -> u32 {
        self.supervisor.running().map_or(0, |running| running.pid.as_raw() as u32)
    }

    /// The agent was told to stop, and has until then.
    pub(crate) fn stop_by(&self, deadline: Tick) {
        lock(&self.stop_by).get_or_insert(deadline);
    }

    fn is_asked_to_stop(&self) -> bool {
        self.asked_to_stop.load(Ordering::Acquire)
    }
}

impl Drop for EngineHandle {
    /// No engine without an agent, however the agent ends.
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the engine task is made of.
pub(crate) struct Parts<P> {
    pub(crate) config: Arc<Config>,
    pub(crate) platform: Arc<P>,
    pub(crate) engine: Engine,
    pub(crate) me: MemberId,
    pub(crate) keys: tokio::sync::watch::Receiver<PeerKeys>,
    pub(crate) state: StateWatch,
    pub(crate) inbox: Inbox,
}

/// The engine task.
pub(crate) struct EnginePort<P> {
    parts: Parts<P>,
    handle: Arc<EngineHandle>,
    orders: mpsc::Receiver<Order>,
    gone: mpsc::Receiver<Gone>,
    /// The deadline file of the next run.
    spare_gate: Mutex<Option<Gate>>,
    link: EngineLink,
    admission: Admission,
    durable: Durable,
    /// Of the stop that is under way.
    save_asked: Option<SaveAsked>,
    context: Context,
    watch: ProcessWatch,
    /// Counts what the election calls runs: processes, and restarts of the judgement over one.
    run: u64,
    /// Since when the engine owes an answer.
    silent_since: Option<Tick>,
    /// When it is asked again.
    ask_again: tokio::time::Instant,
    /// When its silence was told last.
    silence_told: Tick,
    /// Of the process that runs or ran last.
    facts: Option<RunFacts>,
    /// What decides how the data reach the disk, as it was asked for when this agent began.
    persistence_directives: BTreeMap<String, String>,
    /// The engine has not taken the newest peer keys yet.
    owes_keys: bool,
}

impl<P: Platform> EnginePort<P> {
    /// The task and the handle to it.
    pub(crate) fn new(parts: Parts<P>) -> std::io::Result<(Self, Arc<EngineHandle>)> {
        let (tell_gone, gone) = mpsc::channel(4);
        let (queue, orders) = mpsc::channel(QUEUE);
        let handle = Arc::new(EngineHandle {
            supervisor: Supervisor::new(tell_gone)?,
            queue,
            gate: Mutex::new(None),
            gate_refused: OnceLock::new(),
            facts: Mutex::new(Facts::default()),
            asked_to_stop: AtomicBool::new(false),
            stop_by: Mutex::new(None),
        });
        let endpoint = Endpoint::unix(socket_path(&parts.config));
        let nobody = Credentials::new(engine::config::AGENT_USER, String::new());
        let mut persistence_directives = parts.config.directives.borrow().clone();
        persistence_directives.retain(|name, _| engine::config::decides_persistence(name));
        let admission = Admission::of(parts.me.name.clone());
        let port = Self {
            link: EngineLink::new(endpoint, nobody),
            durable: Durable::new(parts.config.persistence, false),
            save_asked: None,
            parts,
            handle: Arc::clone(&handle),
            orders,
            gone,
            spare_gate: Mutex::new(None),
            admission,
            context: Context::default(),
            watch: ProcessWatch::default(),
            run: 0,
            silent_since: None,
            ask_again: tokio::time::Instant::now(),
            silence_told: Tick(0),
            facts: None,
            persistence_directives,
            owes_keys: false,
        };
        Ok((port, handle))
    }

    /// Carries out orders until the agent ends.
    pub(crate) async fn run(mut self) {
        loop {
            tokio::select! {
                // An exit is told before an order to the dead is tried.
                biased;
                gone = self.gone.recv() => match gone {
                    Some(gone) => self.ended(gone).await,
                    None => return,
                },
                order = self.orders.recv() => match order {
                    Some(Order::Command(id, command)) => self.carry_out(id, command).await,
                    Some(Order::CheckDrift) => self.check_drift().await,
                    None => return,
                },
                Ok(()) = self.parts.keys.changed() => self.take_new_keys().await,
                () = tokio::time::sleep_until(self.ask_again), if self.silent_since.is_some() => {
                    self.observe().await;
                }
            }
        }
    }

    async fn carry_out(&mut self, request: RequestId, command: EngineCommand) {
        let result = match command {
            EngineCommand::Start => self.start().await,
            EngineCommand::Observe => {
                // A silent engine is asked again by itself; questions must not pile up before it.
                if self.silent_since.is_none() && self.handle.supervisor.running().is_some() {
                    self.observe().await;
                }
                return;
            }
            EngineCommand::Kill => {
                self.handle.kill();
                Ok(())
            }
            EngineCommand::Shutdown => self.shut_down().await,
            EngineCommand::SetAside => self.set_aside().await,
            other if self.handle.supervisor.running().is_none() => {
                Err(format!("no engine runs: {other:?} was not tried"))
            }
            other => self.change_role(other).await,
        };
        self.news(EngineNews::Did { request, result }).await;
    }

    async fn news(&self, news: EngineNews) {
        tell(&self.parts.inbox, Input::Engine(news)).await;
    }

    /// Asks the engine how it stands; tells the answer, or that there is none.
    async fn observe(&mut self) {
        let (asked, answer) = self.link.ask(&["INFO"], OBSERVE_DEADLINE).await;
        let refused = matches!(answer, Some(Err(client::ClientError::Connect { .. })));
        let pause = if refused { NOT_LISTENING } else { OBSERVE_DEADLINE };
        self.ask_again = tokio::time::Instant::now() + pause;
        let text = answer.and_then(Result::ok).and_then(client::Value::into_text);
        let Some(info) = text.and_then(|text| Info::parse(&text).ok()) else {
            self.silent(asked).await;
            return;
        };
        self.silent_since = None;
        let durable = self.durable.see(&info, (asked, clock::now()));
        let view = observe::view(&info, &self.context, durable, self.parts.platform.roster());
        let loaded = !view.loading;
        let whole = loaded && view.keys > 0 && (view.is_primary || view.link_up);
        if view.is_primary {
            self.context.led = view.offset.map(|offset| (view.replid.clone(), offset));
        }
        let info = Arc::new(info);
        lock(&self.handle.facts).info = Some(info.clone());
        self.news(EngineNews::Seen { run: self.run, asked, view }).await;
        if loaded {
            self.follow_where_it_moved(&info).await;
            self.switch_aof_on().await;
        }
        if whole {
            self.is_whole();
        }
    }

    async fn silent(&mut self, asked: Tick) {
        let Some(running) = self.handle.supervisor.running() else {
            // Its end is on the way to us.
            self.silent_since = None;
            return;
        };
        let since = *self.silent_since.get_or_insert(asked);
        let now = clock::now();
        let told = self.silence_told.max(since);
        if now.since(told) < clock::span(OBSERVE_DEADLINE) {
            return;
        }
        self.silence_told = now;
        let process = self.watch.look(running.pid);
        self.news(EngineNews::Silent { run: self.run, since, process }).await;
    }
}

/// Where the engine listens for its agent only.
pub(crate) fn socket_path(config: &Config) -> PathBuf {
    config.run.join("engine.sock")
}

#[cfg(test)]
mod tests;
