//! `interrex kill`: SIGKILL to a member's engine, agent or both.

use crate::args::{Half, Kill};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::hands;
use crate::ui::Printer;

pub(super) async fn run(args: Kill, printer: &mut Printer) -> Outcome {
    let group = Group::find(args.victim.tag.as_deref())?;
    let seen = group.look().await;
    let member = group.resolve(&args.victim.member, &seen)?;
    let processes = hands::processes(&group, &member, &seen, which(args.half))?;
    for (what, process) in &processes {
        process.kill().map_err(|error| {
            Failure::new(format!("cannot kill the {what} of {}", member.name)).because(&error)
        })?;
        let pid = process.pid();
        printer
            .step(&format!("Killed {}", member.name), &format!("its {what}, pid {pid}, SIGKILL"));
    }
    printer.say(&format!("   what came of it: interrex why {}", group.tag()));
    Ok(Exit::Healthy)
}

/// The engine, unless something else was asked for.
pub(super) fn which(half: Half) -> hands::Which {
    match half {
        Half { both: true, .. } => hands::Which::Both,
        Half { agent: true, .. } => hands::Which::Agent,
        _ => hands::Which::Engine,
    }
}
