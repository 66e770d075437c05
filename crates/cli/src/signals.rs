//! The signals that end a command which would go on by itself.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGINT or SIGTERM (or for SIGHUP: the terminal is gone).
pub(crate) async fn end() {
    let listen = |kind| signal(kind).ok();
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [mut interrupt, mut terminate, mut hangup] = kinds.map(listen);
    tokio::select! {
        () = next(&mut interrupt) => {}
        () = next(&mut terminate) => {}
        () = next(&mut hangup) => {}
    }
}

/// A signal that cannot be listened for never comes: its own default ends the process.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
