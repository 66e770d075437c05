//! `interrex down`: ends exactly what `up` has started.

use local::down::{self, Down as Ended};
use local::home::Base;

use crate::args::Down;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::ui::Printer;
use crate::ui::progress::Progress;

pub(super) async fn run(args: Down, printer: &mut Printer) -> Outcome {
    if !args.all {
        let group = Group::find(args.target.tag.as_deref())?;
        return one(&group, args.wipe, printer).await;
    }
    let refused = |error: local::home::HomeError| Failure::of(&error).hint_if(error.hint());
    let listed = Base::from_env().and_then(|base| base.list()).map_err(refused)?;
    if listed.is_empty() {
        printer.say("There is no group");
    }
    let mut failed = None;
    for listed in listed {
        let ended = match listed.home {
            Ok(home) => one(&Group { home }, args.wipe, printer).await,
            Err(error) => Err(refused(error)),
        };
        if let Err(failure) = ended {
            printer.warn(&format!("{}: {}", listed.tag, failure.what));
            failed.get_or_insert(failure);
        }
    }
    failed.map_or(Ok(Exit::Healthy), Err)
}

async fn one(group: &Group, wipe: bool, printer: &mut Printer) -> Outcome {
    // Whatever is frozen cannot end by itself.
    crate::hands::thaw_noted(group, None)?;
    let progress = Progress::start(format!("Ending {}", group.tag()), printer.style);
    let ended = down::down(&group.home, wipe).await;
    drop(progress);
    let ended = ended.map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    say(group, &ended, printer);
    Ok(Exit::Healthy)
}

/// What was ended, and what became of the data.
pub(super) fn say(group: &Group, ended: &Ended, printer: &mut Printer) {
    let count = ended.ended.len();
    let what = if count == 0 {
        "it did not run".to_owned()
    } else {
        format!("{count} processes ended, each with what it had started")
    };
    printer.step(&format!("{} is down", group.tag()), &what);
    let directory = group.home.root().display();
    if ended.removed {
        printer.step("Removed", &directory.to_string());
    } else {
        printer.say(&format!(
            "   its data stays in {directory}\n   resume: interrex up --tag {tag}   remove: \
             interrex down {tag} --wipe",
            tag = group.tag()
        ));
    }
}
