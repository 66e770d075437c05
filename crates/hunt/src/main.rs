//! The hunt: many simulated worlds for as long as one likes, one of them told event by event, or a
//! failing one made small.

mod args;
mod long;
mod one;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let is_well = match args::Args::parse().deed {
        args::Deed::Hunt(hunt) => long::hunt(&hunt),
        args::Deed::Sim(which) => one::tell(&which),
        args::Deed::Shrink(which) => one::make_small(&which),
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
