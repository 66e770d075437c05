//! The only place where the judgement and the world meet: inputs go in one by one, effects come
//! out.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use brain::report::MemberReport;
use brain::{
    AskId, Effect, Election, EngineNews, Input, Memory, PersistId, RequestId, Settings, Span, Tick,
    Wish,
};
use platform::Platform;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::decisions::Decisions;
use crate::engine_port::EngineHandle;
use crate::inbox::{Inbound, Inbox};
use crate::keys::random_hex;
use crate::peers::Peers;
use crate::persist::Persister;
use crate::{AgentError, clock, effects};

/// Panics of the judgement within this time count together.
const PANIC_WINDOW: Span = Span::from_millis(60_000);

/// After so many the engine is ended: it is nobody's primary any more.
const PANICS_MAX: usize = 3;

/// How long an agent that leaves waits for the disk: a write takes milliseconds, and a disk that
/// fails is tried again for ever.
const LAST_MEMORY: std::time::Duration = std::time::Duration::from_secs(1);

/// Ids of one judgement's questions are below this; the rest of the number says which judgement
/// asked, so that an answer to a judgement that has panicked reaches no other.
const GENERATION: u64 = 1 << 48;

/// How an agent's work ended.
#[derive(Debug)]
pub(crate) enum Leaving {
    /// Its engine has ended, and it was told to go.
    Done,
    /// The disk is another one: start anew as a newcomer.
    StartAnew,
    /// It cannot go on.
    Failed(Box<AgentError>),
}

/// Everything that effects reach.
pub(crate) struct World<P> {
    pub(crate) platform: Arc<P>,
    pub(crate) engine: Arc<EngineHandle>,
    pub(crate) peers: Peers,
    pub(crate) persister: Persister,
    pub(crate) route: watch::Sender<Option<brain::Route>>,
    /// Woken by every decision: what is told of this member may have changed.
    pub(crate) stirred: Arc<Notify>,
    pub(crate) inbox: Inbox,
    pub(crate) tasks: JoinSet<()>,
    pub(crate) asks: BTreeMap<AskId, oneshot::Sender<Result<String, String>>>,
    pub(crate) decisions: Decisions,
    pub(crate) store_timeout: Span,
    /// Of the judgement's present generation.
    pub(crate) base: u64,
    pub(crate) leaving: Option<Leaving>,
}

/// The loop.
pub(crate) struct Driver<P> {
    settings: Settings,
    election: Election,
    world: World<P>,
    inputs: mpsc::Receiver<Inbound>,
    generation: u64,
    panics: Vec<Tick>,
    next_ask: u64,
}

impl<P: Platform> Driver<P> {
    /// A driver that has not begun.
    pub(crate) fn new(
        settings: Settings,
        memory: Memory,
        world: World<P>,
        inputs: mpsc::Receiver<Inbound>,
    ) -> Self {
        let election = Election::new(settings.clone(), memory, clock::now());
        Self { settings, election, world, inputs, generation: 0, panics: Vec::new(), next_ask: 1 }
    }

    /// Decides until there is nothing more to decide.
    pub(crate) async fn run(mut self) -> Leaving {
        self.decide(Input::Tick).await;
        loop {
            if let Some(leaving) = self.world.leaving.take() {
                if matches!(leaving, Leaving::Done) {
                    self.keep_last_memory().await;
                }
                return leaving;
            }
            let wake = self.election.wake_at();
            tokio::select! {
                inbound = self.inputs.recv() => match inbound {
                    Some(inbound) => self.take(inbound).await,
                    // We hold a sender ourselves; and without inputs there is nothing to decide.
                    None => return Leaving::Done,
                },
                () = clock::sleep_until(wake) => self.decide(Input::Tick).await,
                Some(ended) = self.world.tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a task has panicked");
                    }
                }
            }
        }
    }

    /// Without its last memory a clean stop is not remembered as one.
    async fn keep_last_memory(&self) {
        let last = self.world.persister.settle();
        if tokio::time::timeout(LAST_MEMORY, last).await.is_err() {
            tracing::warn!("leaving without the last memory on the disk");
        }
    }

    async fn take(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Input(input) => {
                if let Some(input) = self.of_this_generation(input) {
                    self.decide(input).await;
                }
            }
            Inbound::Ask { wish, reply } => {
                let ask = AskId(self.next_ask);
                self.next_ask += 1;
                self.world.asks.retain(|_, reply| !reply.is_closed());
                self.world.asks.insert(ask, reply);
                self.decide(Input::Asked { ask, wish }).await;
            }
            Inbound::Told(why) => {
                let epoch = self.election.report(clock::now()).epoch;
                self.world.decisions.note(&self.settings.me.0, epoch, "note", &why);
            }
            // Whoever asked may have given up.
            Inbound::Report(reply) => drop(reply.send(self.report())),
            Inbound::Fatal(error) => {
                self.world.engine.kill();
                let wiped = matches!(*error, AgentError::State { .. });
                tracing::error!(error = crate::engine_port::in_words(&*error), "cannot go on");
                self.world.leaving =
                    Some(if wiped { Leaving::StartAnew } else { Leaving::Failed(error) });
            }
        }
    }

    fn report(&self) -> MemberReport {
        let mut report = self.election.report(clock::now());
        report.decisions = self.world.decisions.all();
        if let Some(why) = self.world.engine.gate_refused() {
            "process".clone_into(&mut report.fence);
            report.fence_why = Some(why.to_owned());
        }
        report
    }

    /// Gives one input to the judgement and begins what it wants, in order.
    async fn decide(&mut self, input: Input) {
        let now = clock::now();
        let election = &mut self.election;
        // A panicked judgement is never asked again: it is replaced.
        let effects = catch_unwind(AssertUnwindSafe(|| election.on(input, now)));
        match effects {
            Ok(effects) => self.begin(effects),
            Err(_) => self.replace_judgement(now).await,
        }
    }

    fn begin(&mut self, effects: Vec<Effect>) {
        if !effects.is_empty() {
            self.world.stirred.notify_one();
        }
        for effect in effects {
            let noteworthy = effect.why.story || !effect.why.text.is_empty();
            let epoch = if noteworthy { self.election.report(clock::now()).epoch } else { 0 };
            effects::begin(&mut self.world, &self.settings, epoch, effect);
        }
    }

    /// Begins again from the memory on the disk, as after a restart of the agent.
    async fn replace_judgement(&mut self, now: Tick) {
        self.panics.retain(|at| now.since(*at) < PANIC_WINDOW);
        self.panics.push(now);
        tracing::error!(panics = self.panics.len(), "the judgement has panicked: it begins again");
        if self.panics.len() >= PANICS_MAX {
            self.world.engine.kill();
        }
        let memory = self.world.persister.settle().await;
        self.generation += 1;
        self.world.base = self.generation * GENERATION;
        self.settings.boot = random_hex::<8>();
        self.election = Election::new(self.settings.clone(), memory, clock::now());
        // The first effects come from the first tick; a panic there is counted as any other, and
        // the pause keeps a judgement that always panics from filling the log.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let first = catch_unwind(AssertUnwindSafe(|| self.election.on(Input::Tick, clock::now())));
        match first {
            Ok(effects) => self.begin(effects),
            Err(_) => self.world.leaving = Some(Leaving::Failed(Box::new(AgentError::Judgement))),
        }
    }

    /// Turns ids back into the judgement's own; `None` for an answer to an earlier judgement.
    fn of_this_generation(&self, input: Input) -> Option<Input> {
        let own = |id: u64| (id / GENERATION == self.generation).then_some(id % GENERATION);
        Some(match input {
            Input::Store { request, outcome } => {
                Input::Store { request: RequestId(own(request.0)?), outcome }
            }
            Input::Persisted(id) => Input::Persisted(PersistId(own(id.0)?)),
            Input::Engine(EngineNews::Did { request, result }) => {
                Input::Engine(EngineNews::Did { request: RequestId(own(request.0)?), result })
            }
            other => other,
        })
    }
}

/// Asks for the end of this member; the answer is its leaving.
pub(crate) async fn ask_to_stop(inbox: &Inbox, within: Span) {
    let (reply, _nobody) = oneshot::channel();
    // Closed only when the agent is ending already.
    let _ = inbox.send(Inbound::Ask { wish: Wish::Stop { within }, reply }).await;
}
