//! A load as real clients make it: writers and readers through the group's own addresses, which
//! connect again at once when they are thrown out, and note what became of every write.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use client::{ClientError, Connection, Credentials, Endpoint, Refused};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::journal::{Clock, Journal};
use crate::target::Target;

mod dataset;
mod worker;

pub(crate) use worker::judge;

pub use dataset::{Dataset, clear, dataset, differences, held, read_back, seed};

/// How a load is made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct LoadPlan {
    /// Connections that write. Few, because the engines share the machine with them.
    pub writers: usize,
    /// Connections that read.
    pub readers: usize,
    /// Writes per second of each writer: small enough that the processors rest most of the time, so
    /// that a gap is the group's and not the machine's.
    pub rate: u32,
    /// Every so many writes of every second writer one waits for its replicas. The other writers
    /// never wait: a gap is the time without an acknowledgement, not without a replica.
    pub wait_every: u32,
    /// How long a client waits for an answer before it gives the connection up, in milliseconds.
    pub patience_ms: u64,
}

impl Default for LoadPlan {
    fn default() -> Self {
        Self { writers: 4, readers: 1, rate: 300, wait_every: 2, patience_ms: 500 }
    }
}

/// A client that must ask where to write before each connect: a group that has no address of its
/// own.
pub trait Find: fmt::Debug + Send + Sync {
    /// Whom to write to now; `None` when nobody can tell.
    fn primary(&self) -> Finding<'_>;
    /// Whom clients were told to write to without asking, if they ever were; a connection to
    /// another one is given up.
    fn told(&self) -> Option<Endpoint> {
        None
    }
    /// An engine refused a write in these words.
    fn refused(&self, _refused: &Refused) {}
}

/// An answer of [`Find`] under way.
pub type Finding<'a> = Pin<Box<dyn Future<Output = Option<Endpoint>> + Send + 'a>>;

/// The way to a group that a load takes.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where clients write when there is nobody to ask.
    pub write: Endpoint,
    /// Whom they ask instead before each connect; `None` when `write` leads to the primary always.
    pub find: Option<Arc<dyn Find>>,
    /// Where clients read; `None` where they write.
    pub read: Option<Endpoint>,
    /// As whom clients come; `None` when the group asks for no password.
    pub credentials: Option<Credentials>,
    /// k: how many replicas must have a write before it counts as replicated (failover.md 2.3).
    pub copies: u32,
}

impl Way {
    /// Whom to write to now.
    pub async fn primary(&self) -> Result<Endpoint, LoadError> {
        match &self.find {
            Some(find) => find.primary().await.ok_or(LoadError::NoPrimary),
            None => Ok(self.write.clone()),
        }
    }
}

/// A load that runs. Dropped, it ends.
#[derive(Debug)]
pub struct Load {
    plan: LoadPlan,
    journal: Journal,
    run: String,
    pace: watch::Sender<u32>,
    workers: JoinSet<()>,
}

/// What every worker of a load needs.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) run: String,
    pub(crate) way: Way,
    pub(crate) plan: LoadPlan,
    pub(crate) clock: Clock,
}

/// Whether the writer of this number waits for its replicas now and then.
pub(crate) fn waits(writer: usize) -> bool {
    writer.is_multiple_of(2)
}

impl Load {
    /// Starts a load on the group; `run` is part of its keys and must be new.
    pub fn start(target: &Target, run: &str, plan: LoadPlan, clock: Clock) -> Self {
        let way = Way {
            write: target.write.clone(),
            find: None,
            read: Some(target.read.clone()),
            credentials: target.credentials.clone(),
            copies: target.copies,
        };
        Self::through(way, run, plan, clock)
    }

    /// The same for who knows no more of a group than the way to it.
    pub fn through(way: Way, run: &str, plan: LoadPlan, clock: Clock) -> Self {
        let journal = Journal::new(clock, plan.writers, plan.readers);
        let shared = Shared { run: run.to_owned(), way, plan, clock };
        let pace = watch::Sender::new(plan.rate);
        let mut workers = JoinSet::new();
        for (n, track) in journal.writers.iter().cloned().enumerate() {
            let waits = waits(n);
            workers.spawn(worker::write(shared.clone(), track, waits, pace.subscribe()));
        }
        for track in journal.readers.iter().cloned() {
            workers.spawn(worker::read(shared.clone(), track, pace.subscribe()));
        }
        Self { plan, journal, run: run.to_owned(), pace, workers }
    }

    /// What it has done so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The part of its keys that no other load has.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The rate that it was started with.
    pub fn plan_rate(&self) -> u32 {
        self.plan.rate
    }

    /// Changes how many writes per second each writer makes.
    pub fn set_rate(&self, rate: u32) {
        self.pace.send_replace(rate.max(1));
    }

    /// Ends it and gives what it has done. Writes under way get their answer first.
    pub async fn stop(mut self) -> Journal {
        let Self { journal, pace, .. } = &mut self;
        let journal = journal.clone();
        // The workers end when the sender is gone, between two writes.
        let (gone, _) = watch::channel(0);
        drop(std::mem::replace(pace, gone));
        while self.workers.join_next().await.is_some() {}
        journal
    }
}

/// Why the dataset of a trial could not be written, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Those who should know were asked in vain.
    #[error("nobody tells who takes writes")]
    NoPrimary,
    /// The group does not answer there.
    #[error("cannot {what} at {endpoint}")]
    Call {
        /// What was to be done.
        what: &'static str,
        /// Where.
        endpoint: Endpoint,
        /// The cause.
        source: Box<ClientError>,
    },
    /// An engine refused.
    #[error("{endpoint} refused to {what}")]
    Refused {
        /// What was to be done.
        what: &'static str,
        /// Where.
        endpoint: Endpoint,
        /// What it said.
        source: Box<Refused>,
    },
}

/// How long one batch of the dataset may take.
const BATCH_WITHIN: Duration = Duration::from_secs(10);

async fn open(
    endpoint: &Endpoint,
    credentials: Option<&Credentials>,
    what: &'static str,
) -> Result<Connection, LoadError> {
    Connection::open(endpoint, credentials, BATCH_WITHIN).await.map_err(|source| LoadError::Call {
        what,
        endpoint: endpoint.clone(),
        source: Box::new(source),
    })
}
