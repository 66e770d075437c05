//! Where commands write to: data to stdout, talk to stderr, with colours only where they belong.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use super::style::Style;
use crate::args::Format;
use crate::failure::Failure;

/// The two streams of one command.
pub(crate) struct Printer {
    /// How things look.
    pub(crate) style: Style,
    out: AutoStream<io::Stdout>,
    talk: AutoStream<io::Stderr>,
    quiet: bool,
}

impl Printer {
    /// The streams of this process. `plain`: only ASCII and no colour; `quiet`: no talk.
    pub(crate) fn new(plain: bool, quiet: bool) -> Self {
        let wanted = |choice: ColorChoice| if plain { ColorChoice::Never } else { choice };
        let (out, talk) = (io::stdout(), io::stderr());
        let out_choice = wanted(AutoStream::choice(&out));
        let talk_choice = wanted(AutoStream::choice(&talk));
        Self {
            style: Style { plain },
            out: AutoStream::new(out, out_choice),
            talk: AutoStream::new(talk, talk_choice),
            quiet,
        }
    }

    /// Whether a person looks at stdout, and keys can be read.
    pub(crate) fn is_terminal() -> bool {
        io::stdout().is_terminal() && io::stdin().is_terminal()
    }

    /// Whether a person looks at stderr.
    pub(crate) fn talks_to_terminal() -> bool {
        io::stderr().is_terminal()
    }

    /// One line of data.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}")?;
        Ok(())
    }

    /// Bytes of data as they are: no colour is looked for in them.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.flush()?;
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        Ok(())
    }

    /// A document of data in the form that was asked for; a table is not for this function.
    pub(crate) fn document(
        &mut self,
        format: Format,
        value: &impl Serialize,
    ) -> Result<(), Failure> {
        let text = match format {
            Format::Yaml => serde_saphyr::to_string(value)
                .map_err(|error| Failure::new("cannot write this as YAML").because(&error))?,
            Format::Json | Format::Table => serde_json::to_string_pretty(value)
                .map_err(|error| Failure::new("cannot write this as JSON").because(&error))?,
        };
        self.line(text.trim_end())
    }

    /// One line of talk. Whoever does not listen misses nothing.
    pub(crate) fn say(&mut self, line: &str) {
        if !self.quiet {
            let _ = writeln!(self.talk, "{line}");
        }
    }

    /// One line of talk that is said even when no talk is wanted: errors.
    pub(crate) fn always(&mut self, line: &str) {
        let _ = writeln!(self.talk, "{line}");
    }

    /// A step that is done: ` ✓ Starting 3 members       127.0.0.1:7101 7102 7103`.
    pub(crate) fn step(&mut self, what: &str, detail: &str) {
        let line = format!(" {} {what:<24} {}", self.style.done(), self.style.text(detail));
        self.say(line.trim_end());
    }

    /// A warning: ` ‼ …`.
    pub(crate) fn warn(&mut self, what: &str) {
        let line = format!(" {} {}", self.style.warn(), self.style.text(what));
        self.say(&line);
    }
}
