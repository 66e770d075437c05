//! Why a test could not go on: what was to be done, and what came in the way.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use trial::rivals::RivalError;

/// A step that failed. What a row measures badly is no error: it is in the row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API server.
    #[error("cannot {what}")]
    Kube {
        /// The operation and its object.
        what: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// A command that could not be started or did not end.
    #[error("cannot run {command}")]
    Start {
        /// The command.
        command: String,
        /// The cause.
        source: io::Error,
    },
    /// A command that failed.
    #[error("{command} failed with {code}: {words}")]
    Command {
        /// The command.
        command: String,
        /// Its exit code; 4 of `fault` says that it is not to be had on this cluster.
        code: i32,
        /// The end of what it said.
        words: String,
    },
    /// Something that cannot be done on this cluster.
    #[error("not to be had here: {why}")]
    NotHere {
        /// Why.
        why: String,
    },
    /// A pod that cannot be asked.
    #[error("cannot ask {address} for {path}")]
    Call {
        /// Where.
        address: String,
        /// What.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// A pod that refused.
    #[error("{address} answered {status} to {path}: {body}")]
    Refused {
        /// Where.
        address: String,
        /// What.
        path: String,
        /// The status.
        status: String,
        /// The words.
        body: String,
    },
    /// An answer that is not what it should be.
    #[error("cannot read what {who} answered")]
    Answer {
        /// Who.
        who: String,
        /// The cause.
        source: serde_json::Error,
    },
    /// A condition that did not come true.
    #[error("{what}: not within {} s: {missing}", within.as_secs())]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        within: Duration,
        /// What was missing in the end.
        missing: String,
    },
    /// A system of others.
    #[error("cannot {what}")]
    Rival {
        /// What was to be done.
        what: &'static str,
        /// The cause.
        source: Box<RivalError>,
    },
    /// A file of the tree.
    #[error("cannot read {}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file.
    #[error("cannot write {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    /// A call of the API server that failed.
    pub(crate) fn kube(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Kube { what, source: Box::new(source) }
    }

    /// Something with another system that failed.
    pub(crate) fn rival(what: &'static str) -> impl FnOnce(RivalError) -> Self {
        move |source| Self::Rival { what, source: Box::new(source) }
    }

    /// Whether a fault cannot be made on this cluster.
    pub(crate) fn is_not_here(&self) -> bool {
        matches!(self, Self::Command { code: 4, .. } | Self::NotHere { .. })
    }

    /// The error with all its causes.
    pub(crate) fn chain(&self) -> String {
        let error: &dyn std::error::Error = self;
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}
