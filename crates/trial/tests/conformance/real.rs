//! Plays a script on real engines, and compares each state with the model's.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use client::raw::RawConnection;
use client::{Command, Connection, Credentials, Value};
use engine::config::{AGENT_USER, DEAD_END, REPLICATION_RULES};
use engine::{Info, Refusal, Role};
use nix::sys::signal::Signal;
use sim::conformance::{
    Client, Copy, Look, Names, Process, Script, Seen, State, Step, Talk, Who, differences,
};

use crate::process::{PASSWORD, Place, Program, user};

/// By when an engine shows what the model shows.
const DEADLINE: Duration = Duration::from_secs(10);
/// For how long nothing may change: longer than the engines' own second.
const HOLD: Duration = Duration::from_millis(1300);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A gap between two looks counts for no more than this: a machine that stood still meanwhile did
/// not give the engines that time either.
const LONGEST_GAP: Duration = Duration::from_millis(100);
/// An order that is not answered by then is not answered.
const ORDER: Duration = Duration::from_secs(10);
/// How long an answer is waited for in passing.
const GLANCE: Duration = Duration::from_millis(1);
/// What each write writes, in bytes: enough that a key is more than an engine reads at once.
const VALUE_BYTES: usize = 2000;
/// What one key of a transfer that is not to end takes, in microseconds.
const SLOW_KEY_US: &str = "60000000";
/// How long a nap is, in seconds.
const NAP_S: &str = "1";

/// What became of a play.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Steps that were compared.
    pub(crate) steps: usize,
    /// Every difference, in words.
    pub(crate) wrong: Vec<String>,
}

/// Plays a script, until the first step that differs.
pub(crate) fn play(script: &Script, program: &Program, states: &[State]) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(steps(script, program, states))
    }));
    played.unwrap_or_else(|_| {
        let wrong = vec![format!("{}: {}: the play broke off", program.engine, script.name)];
        Verdict { steps: 0, wrong }
    })
}

async fn steps(script: &Script, program: &Program, states: &[State]) -> Verdict {
    let home = tempfile::tempdir().unwrap();
    let mut world = World::new(script, program, home.path());
    for (number, (step, wanted)) in script.steps.iter().zip(states).enumerate() {
        world.take(step).await;
        let hold = if *step == Step::Hold { HOLD } else { Duration::ZERO };
        if let Err(found) = world.comes_to(wanted, hold).await {
            let at = format!("{}: {}, step {number}, {step:?}", program.engine, script.name);
            let wrong = differences(wanted, &found);
            let mut wrong: Vec<_> = wrong.iter().map(|wrong| format!("{at}: {wrong}")).collect();
            if wrong.is_empty() {
                wrong.push(format!("{at}: the engines never came to rest"));
            }
            return Verdict { steps: number, wrong };
        }
    }
    Verdict { steps: script.steps.len(), wrong: Vec::new() }
}

struct World {
    places: Vec<Place>,
    agents: Vec<Option<Connection>>,
    clients: BTreeMap<(Client, Who), Conversation>,
    /// Whose append-only file is never done: nobody waits for it.
    rewrites_slowly: Vec<bool>,
    writes: u64,
    order: String,
    pings: bool,
    names: Names,
}

#[derive(Default)]
struct Conversation {
    connection: Option<RawConnection>,
    talk: Talk,
}

impl World {
    fn new(script: &Script, program: &Program, home: &std::path::Path) -> Self {
        let engines = script.setup.engines;
        Self {
            places: (0..engines).map(|me| Place::new(program, script.setup, me, home)).collect(),
            agents: (0..engines).map(|_| None).collect(),
            clients: BTreeMap::new(),
            rewrites_slowly: vec![false; engines],
            writes: 0,
            order: String::new(),
            pings: script.setup.pings_s.is_some(),
            names: Names::default(),
        }
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Start(who) | Step::StartSlowly(who) => {
                self.hang_up(who).await;
                self.rewrites_slowly[who] = false;
                let slowly = matches!(step, Step::StartSlowly(_));
                self.agents[who] = Some(self.places[who].start(slowly).await);
            }
            Step::Kill(who) => self.places[who].kill(),
            Step::Stop(who) => self.places[who].stop().await,
            Step::AskToStop(who) => self.places[who].signal(Signal::SIGTERM),
            Step::Wipe(who) => self.places[who].wipe(),
            Step::BreakDisk(who) => self.places[who].break_disk(),
            Step::MendDisk(who) => self.places[who].mend_disk(),
            Step::Freeze(who) => {
                self.places[who].signal(Signal::SIGSTOP);
                self.places[who].frozen = true;
            }
            Step::Thaw(who) => {
                self.places[who].signal(Signal::SIGCONT);
                self.places[who].frozen = false;
            }
            Step::Write(client, at, count) => self.write(client, at, count).await,
            Step::Wait(client, at, copies, ms) => {
                let (copies, ms) = (copies.to_string(), ms.to_string());
                self.send(client, at, &[vec!["WAIT".to_owned(), copies, ms]]).await;
            }
            Step::Nap(who, client, count) => {
                let mut nap = self.raw(who, AGENT_USER).await.unwrap();
                nap.queue(&["DEBUG", "SLEEP", NAP_S]);
                nap.flush(ORDER).await.unwrap();
                self.write(client, who, count).await;
                nap.answer(ORDER).await.unwrap().unwrap();
            }
            Step::Hold | Step::Expect(..) => {}
            _ => self.take_order(step).await,
        }
    }

    /// Steps that are a command of an engine's agent.
    async fn take_order(&mut self, step: &Step) {
        let dead_end = (DEAD_END.0.to_owned(), DEAD_END.1.to_string());
        match *step {
            Step::Promote(who) => self.order(who, &["REPLICAOF", "NO", "ONE"]).await,
            Step::Follow(who, to) => {
                let port = self.places[to].port.to_string();
                self.order(who, &["REPLICAOF", "127.0.0.1", &port]).await;
            }
            Step::Leave(who) => self.order(who, &["REPLICAOF", &dead_end.0, &dead_end.1]).await,
            Step::Admit(who, users) => self.admit(who, users).await,
            Step::CutReplicas(who) => {
                self.order(who, &["CLIENT", "KILL", "TYPE", "replica"]).await;
            }
            Step::Pause(who, ms) => {
                self.order(who, &["CLIENT", "PAUSE", &ms.to_string(), "WRITE"]).await;
            }
            Step::Unpause(who) => self.order(who, &["CLIENT", "UNPAUSE"]).await,
            Step::MinReplicas(who, n) => {
                let n = n.to_string();
                self.order(who, &["CONFIG", "SET", "min-replicas-to-write", &n]).await;
            }
            Step::KillClients(who) => {
                self.order(who, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
                self.hang_up(who).await;
            }
            Step::AskForStream(who) => self.order(who, &["PSYNC", "?", "-1"]).await,
            Step::Save(who) => self.save(who).await,
            Step::SlowTransfer(who) | Step::SlowRewrite(who) => {
                self.rewrites_slowly[who] = matches!(step, Step::SlowRewrite(_));
                let before = self.order.clone();
                self.order(who, &["CONFIG", "SET", "rdb-key-save-delay", SLOW_KEY_US]).await;
                self.order = before;
            }
            _ => unreachable!("{step:?} is no order"),
        }
    }

    async fn order(&mut self, who: Who, words: &[&str]) {
        let Some(agent) = &self.agents[who] else { panic!("{who} has no agent: {words:?}") };
        self.order = match agent.call(words, ORDER).await {
            Ok(_) => "OK".to_owned(),
            Err(error) => match error.refused() {
                Some(refused) => refused.prefix().to_owned(),
                None => panic!("{words:?}: {error}"),
            },
        };
    }

    /// As the agent does it: off before it is cut (`admission.rs`).
    async fn admit(&mut self, who: Who, users: &[Who]) {
        for other in 0..self.places.len() {
            let name = user(other);
            if users.contains(&other) {
                let password = format!(">{PASSWORD}");
                let mut words = vec!["ACL", "SETUSER", &name, "reset", "on", &password];
                words.extend(REPLICATION_RULES.split_whitespace());
                self.order(who, &words).await;
            } else {
                self.order(who, &["ACL", "SETUSER", &name, "off"]).await;
                self.order(who, &["CLIENT", "KILL", "USER", &name]).await;
            }
        }
        "OK".clone_into(&mut self.order);
    }

    async fn save(&mut self, who: Who) {
        self.order(who, &["BGSAVE"]).await;
        assert_eq!(self.order, "OK", "BGSAVE");
        let end = Instant::now() + ORDER;
        let ok = loop {
            let info = self.info(who).await.map(|(_, info)| info.persistence);
            if let Some(info) = info.filter(|info| info.rdb_saving == Some(false)) {
                break info.rdb_ok;
            }
            assert!(Instant::now() < end, "BGSAVE does not end");
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        if ok == Some(true) { "OK" } else { "ERR" }.clone_into(&mut self.order);
    }

    async fn write(&mut self, client: Client, at: Who, count: usize) {
        let value = "x".repeat(VALUE_BYTES);
        let commands = (0..count as u64).map(|number| {
            let key = (self.writes + number + 1).to_string();
            vec!["SET".to_owned(), key, value.clone()]
        });
        let commands: Vec<_> = commands.collect();
        self.writes += count as u64;
        self.send(client, at, &commands).await;
    }

    async fn send(&mut self, client: Client, at: Who, commands: &[Vec<String>]) {
        let mut told = self.clients.remove(&(client, at)).unwrap_or_default();
        told.talk.pending += commands.len();
        if told.connection.as_ref().is_none_or(RawConnection::is_dead) {
            told.connection = self.raw(at, "default").await;
        }
        match &mut told.connection {
            Some(connection) => {
                for words in commands {
                    connection.queue(words);
                }
                // One that is closed meanwhile is noticed when its answers are read.
                let _ = connection.flush(ORDER).await;
            }
            None => told.end(),
        }
        self.clients.insert((client, at), told);
    }

    /// The engine has closed the connections of its clients: takes what was answered before.
    async fn hang_up(&mut self, at: Who) {
        for (_, told) in self.clients.iter_mut().filter(|((_, who), _)| *who == at) {
            while told.talk.pending > 0 {
                told.listen().await;
            }
            told.connection = None;
        }
    }

    async fn raw(&self, at: Who, user: &str) -> Option<RawConnection> {
        let credentials = Credentials::new(user, PASSWORD);
        // The default user has no password, and a frozen engine answers no AUTH.
        let credentials = (user != "default").then_some(&credentials);
        RawConnection::open(&self.places[at].socket(), credentials, ORDER).await.ok()
    }

    /// Looks until everything is as the model has it, and then for as long as `hold` says; else
    /// what was found last.
    async fn comes_to(&mut self, wanted: &State, hold: Duration) -> Result<(), State> {
        let mut left = if hold.is_zero() { DEADLINE } else { hold };
        let mut last = Instant::now();
        loop {
            let look = self.look().await;
            if let Some(look) = look {
                let mut names = self.names.clone();
                let state = names.state(&look);
                if state == *wanted && (hold.is_zero() || left.is_zero()) {
                    self.names = names;
                    return Ok(());
                }
                if state != *wanted && (left.is_zero() || !hold.is_zero()) {
                    return Err(state);
                }
            } else if left.is_zero() {
                return Err(wanted.clone());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            left = left.saturating_sub(last.elapsed().min(LONGEST_GAP));
            last = Instant::now();
        }
    }

    /// One look at everything; `None` while something is under way that no state shows.
    async fn look(&mut self) -> Option<Look> {
        let mut engines = Vec::new();
        for who in 0..self.places.len() {
            engines.push(if self.places[who].has_ended() {
                self.agents[who] = None;
                Process::Gone
            } else if self.places[who].frozen {
                Process::Frozen
            } else {
                Process::Runs(Box::new(self.seen(who).await?))
            });
        }
        for told in self.clients.values_mut() {
            told.listen().await;
        }
        let talks = self.clients.iter().map(|(who, told)| (*who, told.talk.clone()));
        let (talks, order) = (talks.collect(), self.order.clone());
        Some(Look { engines, talks, order, pings: self.pings })
    }

    async fn info(&mut self, who: Who) -> Option<(String, Info)> {
        let text = self.ask(who, &["INFO"]).await?.into_text()?;
        let info = Info::parse(&text).unwrap();
        Some((text, info))
    }

    async fn ask(&mut self, who: Who, words: &[&str]) -> Option<Value> {
        if self.agents[who].as_ref().is_none_or(Connection::is_dead) {
            self.agents[who] = self.places[who].connect(AGENT_USER).await;
        }
        let answers = self.agents[who].as_ref()?.pipeline(&[Command::new(words)], ORDER).await;
        match answers.ok()?.pop()? {
            Ok(value) => Some(value),
            Err(_) => Some(Value::Nil),
        }
    }

    async fn seen(&mut self, who: Who) -> Option<Seen> {
        let (text, info) = self.info(who).await?;
        if !self.rewrites_slowly[who] && is_writing_its_files(&text, &info) {
            return None;
        }
        let wanted = self.min_replicas(who).await?;
        let keys = self.ask(who, &["KEYS", "*"]).await?;
        let writes = keys
            .as_array()
            .map(|keys| keys.iter().map(|key| key.as_text().unwrap().parse().unwrap()).collect());
        let replication = &info.replication;
        let at = |port: u16| self.places.iter().position(|place| place.port == port);
        let copies = replication.replicas.iter().map(|line| Copy {
            who: at(line.port).unwrap_or(usize::MAX),
            online: line.state == "online",
            acked: line.offset.0,
        });
        let good = number(&text, "min_slaves_good_slaves");
        Some(Seen {
            loading: info.is_loading(),
            is_primary: replication.role == Some(Role::Primary),
            upstream: replication.primary_port.filter(|p| *p != DEAD_END.1).and_then(at),
            link_up: replication.link_up == Some(true),
            syncing: replication.sync_in_progress == Some(true),
            replid: replication.replid.clone()?,
            replid2: replication.replid2.clone().unwrap_or_default(),
            second: replication.second_offset.map_or(0, |offset| offset.0),
            position: info.position().map(|position| position.offset.0),
            offset: replication.primary_offset?.0,
            copies: copies.collect(),
            writes,
            full: info.stats.sync_full?,
            partial: info.stats.sync_partial_ok?,
            guard: (wanted > 0).then_some((wanted, good.unwrap_or(0))),
            misconfigured: info.persistence.aof_write_ok == Some(false)
                || info.persistence.rdb_ok == Some(false),
        })
    }

    async fn min_replicas(&mut self, who: Who) -> Option<u32> {
        let pair = self.ask(who, &["CONFIG", "GET", "min-replicas-to-write"]).await?;
        pair.as_array()?.get(1)?.as_text()?.parse().ok()
    }
}

impl Conversation {
    /// Takes what has arrived.
    async fn listen(&mut self) {
        while self.talk.pending > 0 {
            let Some(connection) = &mut self.connection else { return self.end() };
            match connection.answer(GLANCE).await {
                Ok(answer) => {
                    self.talk.pending -= 1;
                    self.talk.answers.push(match answer {
                        Ok(Value::Int(copies)) => copies.to_string(),
                        Ok(_) => "OK".to_owned(),
                        // Nobody knows more of it than of a connection that is closed, as it is.
                        Err(refused) if refused.refusal == Refusal::Unblocked => "ended".to_owned(),
                        Err(refused) => refused.prefix().to_owned(),
                    });
                }
                Err(_) if connection.is_dead() => return self.end(),
                Err(_) => return,
            }
        }
    }

    /// The connection has ended: what was not answered never will be.
    fn end(&mut self) {
        self.connection = None;
        let ended = std::iter::repeat_n("ended".to_owned(), self.talk.pending);
        self.talk.answers.extend(ended);
        self.talk.pending = 0;
    }
}

/// Whether a kill now would find the files behind the memory: the first append-only file after a
/// full sync is being written, or what was appended has not been handed to the kernel.
fn is_writing_its_files(text: &str, info: &Info) -> bool {
    info.persistence.aof_rewriting == Some(true)
        || info.persistence.aof_rewrite_scheduled == Some(true)
        || number(text, "aof_buffer_length").is_some_and(|bytes| bytes > 0)
}

/// A field of `INFO` that nobody else needs.
fn number(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
}
