//! A spinner for a step that takes a while; nothing where nobody looks.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::printer::Printer;
use super::style::Style;

/// A step under way.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows `what` with a spinner until dropped.
    pub(crate) fn start(what: impl Into<String>, style: Style) -> Self {
        if !Printer::talks_to_terminal() || style.plain {
            return Self { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(look) = ProgressStyle::with_template(" {spinner} {msg}") {
            bar.set_style(look);
        }
        bar.set_message(what.into());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Shows something else.
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
