//! A process under a supervisor that starts it again a while after it ended, as systemd and
//! Kubernetes do.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::RivalError;
use crate::process::{Process, ProcessError};

/// How long after its end a process is started again.
pub(super) const BACK_AFTER: Duration = Duration::from_secs(1);
/// How long a process may take to end after its signal: an engine saves first.
const END_WITHIN: Duration = Duration::from_secs(10);

/// What is run.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The program.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<OsString>,
    /// Where it runs.
    pub(super) directory: PathBuf,
}

impl Start {
    fn spawn(&self) -> Result<Child, RivalError> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
            .spawn()
            .map_err(|source| RivalError::Spawn { program: self.program.clone(), source })
    }
}

/// A process that is kept running. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Supervised {
    pid: watch::Receiver<Option<u32>>,
    pause: watch::Sender<Duration>,
    end: watch::Sender<bool>,
    task: JoinSet<()>,
}

impl Supervised {
    /// Starts it.
    pub(super) fn start(start: Start) -> Result<Self, RivalError> {
        let child = start.spawn()?;
        let (told, pid) = watch::channel(child.id());
        let (pause, pauses) = watch::channel(BACK_AFTER);
        let (end, ended) = watch::channel(false);
        let mut task = JoinSet::new();
        task.spawn(keep(start, child, told, pauses, ended));
        Ok(Self { pid, pause, end, task })
    }

    /// The process as it runs now.
    pub(super) fn process(&self) -> Result<Process, ProcessError> {
        Process::of(self.pid.borrow().unwrap_or(0))
    }

    /// Ends it at once; it comes back after [`BACK_AFTER`].
    pub(super) async fn kill(&self) -> Result<(), RivalError> {
        let process = self.process()?;
        process.kill()?;
        self.ended(process).await
    }

    /// Asks it to end, and has it started again without a pause: the best that a supervisor can do.
    pub(super) async fn restart(&self) -> Result<(), RivalError> {
        let process = self.process()?;
        self.pause.send_replace(Duration::ZERO);
        process.signal(Signal::SIGTERM)?;
        let ended = self.ended(process).await;
        self.pause.send_replace(BACK_AFTER);
        ended
    }

    /// Waits until its supervisor has seen it end.
    async fn ended(&self, process: Process) -> Result<(), RivalError> {
        let mut pid = self.pid.clone();
        let old = u32::try_from(process.pid()).ok();
        let is_over = |now: &Option<u32>| *now != old;
        let waited = tokio::time::timeout(END_WITHIN, pid.wait_for(is_over)).await;
        waited.map(drop).map_err(|_| RivalError::NotReady {
            within: END_WITHIN,
            missing: vec![format!("process {} has not ended", process.pid())],
        })
    }

    /// Ends it for good.
    pub(super) async fn end(mut self) {
        self.end.send_replace(true);
        while self.task.join_next().await.is_some() {}
    }
}

async fn keep(
    start: Start,
    mut child: Child,
    pid: watch::Sender<Option<u32>>,
    pause: watch::Receiver<Duration>,
    mut end: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            _ = child.wait() => {}
            _ = end.changed() => {
                // One that has ended already needs no signal.
                let _ = child.start_kill();
                let _ = child.wait().await;
                return;
            }
        }
        // Before the end is told: whoever waits for it may set another pause then.
        let pause = *pause.borrow();
        pid.send_replace(None);
        tokio::select! {
            () = sleep(pause) => {}
            _ = end.changed() => return,
        }
        match start.spawn() {
            Ok(next) => child = next,
            Err(error) => {
                tracing::warn!(%error, "not started again");
                return;
            }
        }
        pid.send_replace(child.id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_killed_comes_back_as_another_process_and_what_was_ended_does_not() {
        let start = Start {
            program: "sleep".into(),
            arguments: vec!["60".into()],
            directory: std::env::temp_dir(),
        };
        let supervised = Supervised::start(start).expect("it starts");
        let first = supervised.process().expect("it runs");
        supervised.restart().await.expect("it ends");
        let mut pids = supervised.pid.clone();
        pids.wait_for(Option::is_some).await.expect("it comes back");
        let second = supervised.process().expect("it runs again");
        assert_ne!(first.pid(), second.pid());
        supervised.end().await;
        assert!(!second.is_there());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let program = PathBuf::from("no-such-engine");
        let start = Start { program, arguments: Vec::new(), directory: std::env::temp_dir() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let _inside = runtime.as_ref().expect("a runtime").enter();
        let refused = Supervised::start(start).expect_err("there is none");
        assert!(refused.to_string().contains("no-such-engine"), "{refused}");
    }
}
