//! The signals that end a command which would go on by itself.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGINT, SIGTERM and SIGHUP (the terminal is gone) from its making on: a signal that
/// comes between two waits is not lost.
#[derive(Debug)]
pub(crate) struct Ends {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hangup: Option<Signal>,
}

impl Ends {
    /// Begins to listen. A signal that cannot be listened for ends the process by itself.
    pub(crate) fn listen() -> Self {
        let listen = |kind| signal(kind).ok();
        Self {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
            hangup: listen(SignalKind::hangup()),
        }
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) -> End {
        tokio::select! {
            () = one(&mut self.interrupt) => End::Interrupt,
            () = one(&mut self.terminate) => End::Demand,
            () = one(&mut self.hangup) => End::Demand,
        }
    }
}

/// How the end was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A person's Ctrl-C.
    Interrupt,
    /// The terminal is gone, or a supervisor wants it.
    Demand,
}

async fn one(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Waits for a signal from now on.
pub(crate) async fn end() {
    Ends::listen().next().await;
}
