//! How a failure looks: `error:`, `caused by:`, `hint:`.

use owo_colors::OwoColorize;

use super::printer::Printer;
use super::style::{COLUMNS, wrap};
use crate::failure::Failure;

/// Says what went wrong on stderr.
pub(crate) fn show(failure: &Failure, printer: &mut Printer) {
    if failure.is_silent {
        return;
    }
    part(printer, &"error:".red().bold().to_string(), "error:", &failure.what);
    for cause in &failure.causes {
        part(printer, &"caused by:".yellow().to_string(), "caused by:", cause);
    }
    if let Some(hint) = &failure.hint {
        part(printer, &"hint:".cyan().to_string(), "hint:", hint);
    }
}

fn part(printer: &mut Printer, label: &str, bare: &str, text: &str) {
    let text = printer.style.text(text);
    let indent = bare.len() + 1;
    let mut first = true;
    for paragraph in text.lines() {
        // A line that came with its own indentation (an excerpt of a file) stays as it is.
        let lines = if paragraph.starts_with(' ') {
            vec![paragraph.to_owned()]
        } else {
            wrap(paragraph, COLUMNS - indent)
        };
        for line in lines {
            if first {
                printer.always(&format!("{label} {line}"));
            } else {
                printer.always(&format!("{:indent$}{line}", ""));
            }
            first = false;
        }
    }
}
