//! `interrex version`: what this program is.

use serde::Serialize;

use crate::args::{Format, Version};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Printer;

#[derive(Serialize)]
struct VersionView {
    version: &'static str,
    target: String,
}

pub(super) fn run(args: Version, printer: &mut Printer) -> Outcome {
    let view = VersionView {
        version: env!("CARGO_PKG_VERSION"),
        target: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
    };
    match args.output.output {
        Format::Table => printer.line(&format!("interrex {} ({})", view.version, view.target))?,
        format => printer.document(format, &view)?,
    }
    Ok(Exit::Healthy)
}
