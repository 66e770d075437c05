//! `interrex pause`: SIGSTOP to a member's engine, agent or both, and SIGCONT after a while.

use std::time::Duration;

use trial::process::Process;

use crate::args::Pause;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::hands;
use crate::signals;
use crate::ui::progress::Progress;
use crate::ui::{Printer, style};

pub(super) async fn run(args: Pause, printer: &mut Printer) -> Outcome {
    let group = Group::find(args.victim.tag.as_deref())?;
    let seen = group.look().await;
    let member = group.resolve(&args.victim.member, &seen)?;
    // The engine alone would be noticed by its agent at once; a frozen member is both.
    let half = args.half;
    let which =
        if half.engine || half.agent { super::kill::which(half) } else { hands::Which::Both };
    let processes = hands::processes(&group, &member, &seen, which)?;
    hands::note_paused(&group, &member, &processes)?;
    for (what, process) in &processes {
        hands::freeze(process).map_err(|error| {
            Failure::new(format!("cannot freeze the {what} of {}", member.name)).because(&error)
        })?;
        let pid = process.pid();
        let detail = format!("its {what}, pid {pid}, SIGSTOP");
        printer.step(&format!("Froze {}", member.name), &detail);
    }
    match args.span {
        Some(span) => thaw_after(span, &processes, printer).await,
        None => printer.say(&format!("   thaw it: interrex heal {}", group.tag())),
    }
    Ok(Exit::Healthy)
}

async fn thaw_after(span: Duration, processes: &[(&'static str, Process)], printer: &mut Printer) {
    let progress = Progress::start(format!("Thawing in {}", style::span(span)), printer.style);
    let is_over = tokio::select! {
        () = tokio::time::sleep(span) => true,
        () = signals::end() => false,
    };
    drop(progress);
    for (_, process) in processes {
        hands::thaw(process);
    }
    let word = if is_over { style::span(span) } else { "an interrupt".to_owned() };
    printer.step("Thawed", &format!("after {word}"));
}
