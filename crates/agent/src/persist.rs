//! Memories on their way to the disk: one writer, always the newest, confirmed when it is there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brain::{Input, Memory, PersistId};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::AgentError;
use crate::inbox::{Inbound, Inbox, tell};
use crate::state::{StateError, StateFile};

/// Between two tries on a disk that fails.
const AGAIN: Duration = Duration::from_millis(500);

/// The writer's other end.
#[derive(Debug)]
pub(crate) struct Persister {
    shared: Arc<Shared>,
    idle: watch::Receiver<bool>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    /// The newest memory; what it replaces need not be written, as it holds all that did.
    waiting: Mutex<Option<(PersistId, Memory)>>,
    newest: Mutex<Memory>,
    filled: Notify,
    idle: watch::Sender<bool>,
}

impl Persister {
    /// Starts the writer.
    pub(crate) fn start(state: StateFile, memory: Memory, inbox: Inbox) -> Self {
        let (tell_idle, idle) = watch::channel(true);
        let shared = Arc::new(Shared {
            waiting: Mutex::new(None),
            newest: Mutex::new(memory),
            filled: Notify::new(),
            idle: tell_idle,
        });
        let task = tokio::spawn(run(state, Arc::clone(&shared), inbox)).abort_handle();
        Self { shared, idle, task }
    }

    /// Puts a memory on its way.
    pub(crate) fn write(&self, id: PersistId, memory: Memory) {
        *lock(&self.shared.newest) = memory.clone();
        self.shared.idle.send_replace(false);
        *lock(&self.shared.waiting) = Some((id, memory));
        self.shared.filled.notify_one();
    }

    /// Waits until nothing is on its way, and returns what was given last.
    pub(crate) async fn settle(&self) -> Memory {
        let mut idle = self.idle.clone();
        // The sender lives as long as `shared`.
        let _ = idle.wait_for(|idle| *idle).await;
        lock(&self.shared.newest).clone()
    }
}

impl Drop for Persister {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(mut state: StateFile, shared: Arc<Shared>, inbox: Inbox) {
    loop {
        let next = lock(&shared.waiting).take();
        let Some((id, memory)) = next else {
            shared.idle.send_replace(true);
            shared.filled.notified().await;
            continue;
        };
        let kept = memory.clone();
        let write = tokio::task::spawn_blocking(move || {
            let result = state.write(&memory);
            (state, result)
        });
        let Ok((back, result)) = write.await else {
            // The writer panicked and took the file with it.
            let _ = inbox.send(Inbound::Fatal(Box::new(AgentError::Judgement))).await;
            return;
        };
        state = back;
        match result {
            Ok(()) => tell(&inbox, Input::Persisted(id)).await,
            // Nothing is kept any more; what waited for it never happens.
            Err(StateError::Wiped { .. }) => tell(&inbox, Input::Wiped).await,
            Err(error) => {
                tracing::error!(
                    error = crate::engine_port::in_words(&error),
                    "cannot keep the state: nothing that depends on it happens until it can"
                );
                lock(&shared.waiting).get_or_insert((id, kept));
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
