//! Why a command could not do its work, in the three parts that a person sees: what, why, way out.

use std::error::Error;
use std::io;

use crate::exit::Exit;

/// What every command returns when it fails.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What could not be done.
    pub(crate) what: String,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// How the process ends.
    pub(crate) exit: Exit,
    /// Whoever read our output has left: nothing is to be said.
    pub(crate) is_silent: bool,
}

/// The result of a command: how the process ends.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    /// An error of which only the sentence is known.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            causes: Vec::new(),
            hint: None,
            exit: Exit::Error,
            is_silent: false,
        }
    }

    /// An error with all its causes.
    pub(crate) fn of(error: &dyn Error) -> Self {
        Self::new(error.to_string()).because_of_all(error.source())
    }

    /// An error that was asked for wrongly: exit code 2.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(what).exit(Exit::Usage)
    }

    /// A refusal because going on could lose data or writability: exit code 4.
    pub(crate) fn not_safe(what: impl Into<String>) -> Self {
        Self::new(what).exit(Exit::Unsafe)
    }

    /// The same with its cause and the cause's causes.
    pub(crate) fn because(self, error: &dyn Error) -> Self {
        self.because_of_all(Some(error))
    }

    fn because_of_all(mut self, mut next: Option<&dyn Error>) -> Self {
        while let Some(error) = next {
            let text = error.to_string();
            // Some libraries repeat the cause in their own sentence.
            if self.causes.last() != Some(&text) && self.what != text {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// The same with causes that are known in words only.
    pub(crate) fn caused_by(mut self, causes: Vec<String>) -> Self {
        self.causes.extend(causes);
        self
    }

    /// The same with a way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a way out, if there is one; one that is there already stays.
    pub(crate) fn hint_if(mut self, hint: Option<String>) -> Self {
        self.hint = self.hint.or(hint);
        self
    }

    /// The same with another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

impl From<io::Error> for Failure {
    /// For writing to stdout: a closed pipe ends the command in silence.
    fn from(error: io::Error) -> Self {
        let mut failure = Self::new("cannot write to standard output").because(&error);
        failure.is_silent = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }
}
