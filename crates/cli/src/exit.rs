//! The exit codes, the same for every command (0 healthy, 1 error, 2 usage, 3 degraded, 4 unsafe).

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; where a group was judged: it is healthy.
    Healthy,
    /// The command failed, or its target could not be reached.
    Error,
    /// The command line makes no sense.
    Usage,
    /// The command did its work and found the group not healthy.
    Degraded,
    /// Refused, because going on could lose data or writability; or a trial saw that happen.
    Unsafe,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Degraded => 3,
            Self::Unsafe => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
