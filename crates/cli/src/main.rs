//! The binary: reads the command line, does it, and says what went wrong.

use std::process::ExitCode;

use crate::exit::Exit;
use crate::ui::Printer;

mod any_group;
mod args;
mod commands;
mod exit;
mod failure;
mod group;
mod handover;
mod hands;
mod parts;
mod remote;
mod signals;
mod spec;
mod story;
mod throwaway;
mod trials;
mod ui;
mod verdict;
mod view;

fn main() -> ExitCode {
    let cli = match args::Cli::read() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let mut printer = Printer::new(cli.plain, cli.quiet);
    match commands::run(cli.verb, &mut printer) {
        Ok(code) => code,
        Err(failure) => {
            ui::error::show(&failure, &mut printer);
            failure.exit.into()
        }
    }
}

/// Help and version are answers; anything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Healthy };
    // A reader that has left needs no help.
    let _ = error.print();
    exit.into()
}
