//! Why a group was not started, and what a person can do about it.

use std::time::Duration;

use crate::down::DownError;
use crate::engines::EngineError;
use crate::file::FileError;
use crate::home::HomeError;
use crate::ports::PortsError;
use crate::process::ProcessError;
use crate::store::StoreError;

/// Why a group was not started.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// No engine can be run.
    #[error("cannot start a group")]
    Engine {
        /// What is in the way.
        #[from]
        source: EngineError,
    },
    /// The directory cannot be used.
    #[error("cannot start a group")]
    Home {
        /// What is in the way.
        #[from]
        source: HomeError,
    },
    /// No ports.
    #[error("cannot start a group")]
    Ports {
        /// What is in the way.
        #[from]
        source: PortsError,
    },
    /// The first record cannot be written.
    #[error("cannot write the group's first record")]
    Record {
        /// What is in the way.
        #[from]
        source: StoreError,
    },
    /// The keeper cannot be started.
    #[error("cannot start the keeper of group {tag}")]
    Keeper {
        /// The group.
        tag: String,
        /// What is in the way.
        source: ProcessError,
    },
    /// A drawn name is not to be had.
    #[error("cannot draw a name for the group")]
    Draw {
        /// What is in the way.
        #[from]
        source: FileError,
    },
    /// The group is there with other properties.
    #[error("group {tag} is there with {field} {there}, not {asked}")]
    Differs {
        /// The group.
        tag: String,
        /// What differs.
        field: &'static str,
        /// Its value in the group.
        there: String,
        /// The value that was asked for.
        asked: String,
    },
    /// The keeper ended at once.
    #[error("the keeper of group {tag} has ended\n{tails}")]
    KeeperEnded {
        /// The group.
        tag: String,
        /// The ends of the logs.
        tails: String,
    },
    /// It did not serve in time.
    #[error("group {tag} does not serve after {} s: {waits}\n{tails}", within.as_secs())]
    NotReady {
        /// The group.
        tag: String,
        /// The deadline.
        within: Duration,
        /// What it waits for.
        waits: String,
        /// The ends of the logs.
        tails: String,
        /// True when its processes go on.
        runs_on: bool,
    },
    /// It did not start, and what was started cannot be ended.
    #[error("group did not start, and what was started cannot be ended")]
    Stop {
        /// What is in the way.
        #[from]
        source: DownError,
    },
}

impl UpError {
    /// What a person can do about it, if something is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine { source } => source.hint(),
            Self::Home { source } => source.hint(),
            Self::Ports { source } => source.hint(),
            Self::Record { source } => source.hint(),
            Self::Keeper { source, .. } => source.hint(),
            Self::Draw { source } => source.hint(),
            Self::Stop { source } => source.hint(),
            Self::Differs { tag, field: "spec", .. } => Some(format!(
                "end it first (`interrex down {tag}`), then start it with the new spec"
            )),
            Self::Differs { tag, .. } => Some(format!(
                "leave that option out, take another --tag, or end the group: interrex down {tag} \
                 --wipe"
            )),
            Self::NotReady { tag, runs_on: true, .. } => {
                Some(format!("it goes on trying: interrex status {tag}; interrex logs {tag}"))
            }
            Self::NotReady { .. } | Self::KeeperEnded { .. } => {
                Some("the last lines of its logs are above".to_owned())
            }
        }
    }
}
