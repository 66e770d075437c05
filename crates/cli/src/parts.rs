//! How this program becomes a part of a group: its hidden subcommands.

use std::ffi::OsString;

use local::home::{Home, Part};
use local::keeper::Parts;

use crate::failure::Failure;

/// The parts of a group as runs of this very program.
pub(crate) fn parts() -> Result<Parts, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new("cannot find the program that is running").because(&error))?;
    Ok(Parts { program, arguments: Box::new(arguments) })
}

fn arguments(home: &Home, part: &Part) -> Vec<OsString> {
    let (verb, member) = match part {
        Part::Keeper => ("keep", None),
        Part::Store => ("store", None),
        Part::Links => ("links", None),
        Part::Agent(name) => ("agent", Some(name)),
    };
    let mut all: Vec<OsString> = vec![verb.into(), "--home".into(), home.root().into()];
    if let Some(name) = member {
        all.extend(["--member".into(), name.into()]);
    }
    all
}
