//! How an engine ended, told apart by exit code, signal, the kernel's memory events and its log.

use brain::Exit;
use nix::sys::wait::WaitStatus;

use crate::memory;

/// What is known about the end of one run.
#[derive(Debug)]
pub(crate) struct Ending {
    /// What the kernel says.
    pub(crate) status: WaitStatus,
    /// We asked it to stop.
    pub(crate) asked: bool,
    /// The kernel killed somebody of this container for want of memory meanwhile.
    pub(crate) oom: bool,
    /// It has called its files damaged.
    pub(crate) damaged: bool,
}

impl Ending {
    /// How it ended.
    pub(crate) fn exit(&self) -> Exit {
        match self.status {
            WaitStatus::Exited(_, code) if code == gate::EXIT_CODE => Exit::Gate,
            WaitStatus::Exited(_, 0) if self.asked => Exit::Clean,
            // It obeys SIGTERM and SHUTDOWN with 0: somebody's hand, but not ours.
            WaitStatus::Exited(_, 0) => Exit::Signal(nix::libc::SIGTERM),
            WaitStatus::Exited(..) if self.damaged => Exit::BadData,
            WaitStatus::Exited(_, code) => Exit::Code(code),
            WaitStatus::Signaled(_, signal, _) if signal as i32 == 9 && self.oom => {
                Exit::OutOfMemory
            }
            WaitStatus::Signaled(_, signal, _) => Exit::Signal(signal as i32),
            _ => Exit::Code(-1),
        }
    }
}

/// How often the kernel has killed a process of this container for want of memory.
pub(crate) fn oom_kills() -> u64 {
    memory::oom_kills().unwrap_or(0)
}
