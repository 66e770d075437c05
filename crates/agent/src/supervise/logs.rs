//! The engine's own log: passed through line by line, the last lines kept to explain an exit.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

/// A refusal to start explains itself in fewer lines; a crash report's end is in the log anyway.
const KEPT_LINES: usize = 80;

/// The last lines of one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct EngineLog(Arc<Mutex<VecDeque<String>>>);

impl EngineLog {
    /// The lines, oldest first, as one text.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }
}

/// Reads the engine's output until it ends. The task ends with the last process that holds it.
pub(crate) fn follow(output: OwnedFd, log: EngineLog) -> std::io::Result<JoinHandle<()>> {
    let receiver = pipe::Receiver::from_owned_fd(output)?;
    Ok(tokio::spawn(async move {
        let mut reader = BufReader::with_capacity(4096, receiver);
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line);
                    let text = text.trim_end();
                    log.push(text);
                    pass_on(text);
                }
            }
        }
    }))
}

/// `4711:M 20 Nov 2026 23:31:13.123 * Ready to accept connections`: the sign is the level.
fn pass_on(line: &str) {
    let mut words = line.splitn(7, ' ');
    let stamped = words.next().is_some_and(|first| first.contains(':'));
    let (sign, text) = match (words.nth(4), words.next()) {
        (Some(sign), Some(text)) if stamped && sign.len() == 1 => (sign, text),
        _ => ("*", line),
    };
    if text.trim().is_empty() {
        return;
    }
    match sign {
        _ if ROUTINE.iter().any(|known| text.contains(known)) => {
            tracing::debug!(target: "engine", "{text}");
        }
        "#" => tracing::warn!(target: "engine", "{text}"),
        "*" => tracing::info!(target: "engine", "{text}"),
        _ => tracing::debug!(target: "engine", "{text}"),
    }
}

/// What every engine says at its start, loudly, and what one at the dead end says each second.
const ROUTINE: [&str; 8] = [
    "oO0OoO0OoO0Oo",
    "just started",
    "Configuration loaded",
    "Server initialized",
    "Connecting to MASTER 127.0.0.1:1",
    "MASTER <-> REPLICA sync started",
    "Error condition on socket for SYNC",
    "WARNING Memory overcommit must be enabled",
];
