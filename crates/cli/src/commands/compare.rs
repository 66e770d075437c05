//! `interrex compare`: the same faults against what people use today and against a group of ours,
//! one after the other on this machine.

mod apart;
mod ours;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use local::engines::{self, Wanted as Engine};
use trial::rivals::{
    self, Comparison, Ours, Plan, Progress, UnknownWord, Wire, page, picture, text,
};

use self::ours::Groups;
use crate::args::{Compare, Format, Profile};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;
use crate::spec::Wanted;
use crate::ui::Printer;
use crate::ui::style::{self, Style};

pub(super) fn run(args: &Compare, printer: &mut Printer) -> Outcome {
    // Before anything is started: what makes no sense is told at once.
    let chosen = (harms(args)?, contenders(args)?);
    if let Some(directory) = args.write.as_ref().filter(|directory| !directory.is_dir()) {
        return Err(Failure::usage(format!("--write: {} is no directory", directory.display()))
            .hint("name one that is there: --write docs"));
    }
    let is_private = args.apart || apart::enter()?;
    super::on_one_thread(compare(args, chosen, is_private, printer))
}

fn harms(args: &Compare) -> Result<Vec<rivals::Harm>, Failure> {
    Plan::harms(&args.only).map_err(|error| unknown(&error, "--only"))
}

fn contenders(args: &Compare) -> Result<Vec<rivals::Contender>, Failure> {
    Plan::contenders(&args.rival).map_err(|error| unknown(&error, "--rival"))
}

fn unknown(error: &UnknownWord, option: &str) -> Failure {
    Failure::usage(error.to_string())
        .hint(format!("{option} takes one of these names, and may be repeated"))
}

async fn compare(
    args: &Compare,
    (harms, contenders): (Vec<rivals::Harm>, Vec<rivals::Contender>),
    is_private: bool,
    printer: &mut Printer,
) -> Outcome {
    let wanted = args.engine.as_deref().map_or(Engine::Any, Engine::from_words);
    let found = engines::find(&wanted, std::env::var_os("PATH").as_deref()).await;
    let found = found
        .map_err(|error| Failure::new("cannot compare").because(&error).hint_if(error.hint()))?;
    let plan = Plan {
        runs: args.runs,
        harms,
        contenders,
        program: found.program,
        profile: profile(args.profile).to_owned(),
        wire: Wire::new(is_private),
    };
    announce(&plan, printer);
    let wanted = Wanted { profile: Some(args.profile), ..Wanted::default() };
    let groups = Groups::new(wanted, &plan.program, printer.style.plain);
    let style = printer.style;
    let shared = Mutex::new(printer);
    let listener = |progress: Progress<'_>| {
        tell(&progress, &mut shared.lock().unwrap_or_else(PoisonError::into_inner));
    };
    let comparison = tokio::select! {
        comparison = rivals::run(&plan, &groups, &listener) => comparison,
        () = async { signals::end().await; groups.rest().await } => {
            // Plain processes end with the run; a group of ours has a keeper.
            groups.end().await.map_err(|error| Failure::of(&error))?;
            return Err(Failure::new("interrupted; what was started is ended"));
        }
    };
    let printer = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    if args.output.output == Format::Table {
        for line in text::render(&comparison, style.plain).lines() {
            printer.line(line)?;
        }
    } else {
        printer.document(args.output.output, &comparison)?;
    }
    if let Some(directory) = &args.write {
        write(&comparison, directory, printer)?;
    }
    Ok(match (comparison.is_safe(), comparison.misses().is_empty()) {
        (false, _) => Exit::Unsafe,
        (true, false) => Exit::Degraded,
        (true, true) => Exit::Healthy,
    })
}

fn profile(profile: Profile) -> &'static str {
    match profile {
        Profile::Fast => "fast",
        Profile::Default => "default",
        Profile::Patient => "patient",
    }
}

/// What is going to be done, and how long it takes.
fn announce(plan: &Plan, printer: &mut Printer) {
    let of =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    printer.say(&format!(
        "{}, {}, {} each: about {}",
        of(plan.contenders.len(), "rival"),
        of(plan.harms.len(), "event"),
        of(plan.runs as usize, "run"),
        style::span(plan.expected()),
    ));
    if !plan.wire.can_cut() {
        printer.warn("no network of our own here: the partition is skipped");
    }
}

fn tell(progress: &Progress<'_>, printer: &mut Printer) {
    match progress {
        Progress::Begun(row) => {
            let title = format!("{}: {}", row.harm.title(), row.rival.title());
            printer.say(&Style::heading(&title));
        }
        Progress::Event(_, event) => printer.say(&format!("   {}", text::event(event))),
        Progress::Over(row) => {
            if let Some(error) = &row.error {
                printer.warn(error);
            }
        }
    }
}

fn write(comparison: &Comparison, directory: &Path, printer: &mut Printer) -> Result<(), Failure> {
    let rendered = page::render(comparison, env!("CARGO_PKG_VERSION"));
    // What another run has written into the page stays.
    let old = read_page(&directory.join(page::PAGE))?;
    let rendered = page::with_pods(&rendered, page::pods(&old));
    for (name, content) in [(page::PAGE, rendered), (page::PICTURE, picture::render(comparison))] {
        let path = directory.join(name);
        std::fs::write(&path, content).map_err(|error| {
            Failure::new(format!("cannot write {}", path.display()))
                .because(&error)
                .hint("name another directory with --write")
        })?;
        printer.say(&format!("written: {}", path.display()));
    }
    Ok(())
}

/// The page as it is; nothing where there is none.
fn read_page(path: &Path) -> Result<String, Failure> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| {
            Failure::new(format!("cannot read {}, a part of which is to stay", path.display()))
                .because(&error)
                .hint("make it readable, or name another directory with --write")
        }),
    }
}
