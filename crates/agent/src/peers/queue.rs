//! Messages on their way to one peer: few, and only fresh ones.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brain::Message;
use tokio::sync::Notify;

/// Several rounds of everything that one agent says to another; what a peer does not take within
/// that is stale.
const LENGTH: usize = 64;

/// A message older than this is not sent any more: whoever asked has asked again.
const FRESH: Duration = Duration::from_secs(2);

/// A bounded queue that forgets the least important first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: Mutex<VecDeque<(Instant, Message)>>,
    filled: Notify,
}

impl Queue {
    /// Adds a message; when full, the oldest that is repeated anyway makes room.
    pub(super) fn push(&self, message: Message) {
        let mut messages = self.lock();
        if messages.len() == LENGTH {
            let repeated = messages.iter().position(|(_, old)| is_repeated(old)).unwrap_or(0);
            messages.remove(repeated);
        }
        messages.push_back((Instant::now(), message));
        drop(messages);
        self.filled.notify_one();
    }

    /// The next message that is still fresh. Nothing is lost when the wait is given up.
    pub(super) async fn pop(&self) -> Message {
        loop {
            let filled = self.filled.notified();
            while let Some((since, message)) = self.lock().pop_front() {
                if since.elapsed() < FRESH {
                    return message;
                }
            }
            filled.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, Message)>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_repeated(message: &Message) -> bool {
    matches!(message, Message::Heartbeat(_) | Message::Ack(_) | Message::Standing { ask: 0, .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use brain::Epoch;

    #[tokio::test]
    async fn a_full_queue_forgets_what_is_repeated_and_keeps_the_rest_in_order() {
        let queue = Queue::default();
        queue.push(Message::Goodbye);
        for epoch in 0..LENGTH as u64 + 10 {
            queue.push(Message::Fenced { epoch: Epoch(epoch), seq: 0 });
        }
        // Nothing repeated was in it, so the oldest went.
        assert_eq!(queue.pop().await, Message::Fenced { epoch: Epoch(10), seq: 0 });
        queue.push(Message::Goodbye);
        for epoch in 11..LENGTH as u64 + 10 {
            assert_eq!(queue.pop().await, Message::Fenced { epoch: Epoch(epoch), seq: 0 });
        }
        assert!(matches!(queue.pop().await, Message::Goodbye));
    }
}
