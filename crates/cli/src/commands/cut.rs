//! `interrex cut`: cuts a member off from the store, its peers or its clients, without a word to
//! anybody.

use local::links::{Cut as Cutting, CutFrom, Direction as Way};

use crate::args::{Cut, Direction};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::hands;
use crate::signals;
use crate::ui::{Printer, style};

pub(super) async fn run(args: Cut, printer: &mut Printer) -> Outcome {
    let group = Group::find(args.victim.tag.as_deref())?;
    let seen = group.look().await;
    let member = group.resolve(&args.victim.member, &seen)?;
    let cutting = Cutting {
        member: member.name.clone(),
        from: from(&group, &member.name, &args.from)?,
        direction: match args.direction {
            Direction::Both => Way::Both,
            Direction::In => Way::In,
            Direction::Out => Way::Out,
        },
        plane: None,
    };
    let control = hands::control(&group)?;
    let refused = |error: local::links::control::ControlError| {
        Failure::new(format!("cannot cut {}", member.name))
            .because(&error)
            .hint(format!("is the group running? see interrex status {}", group.tag()))
    };
    let flows = control.cut(&cutting).await.map_err(refused)?;
    let detail = format!("from {}, {} flows are cut now", words(&cutting.from), flows.len());
    printer.step(&format!("Cut {}", member.name), &detail);
    if group.home.group().direct {
        printer.warn("this group replicates without links (--direct): replication goes on");
    }
    let Some(span) = args.span else {
        printer.say(&format!("   heal it: interrex heal {}", group.tag()));
        return Ok(Exit::Healthy);
    };
    tokio::select! {
        () = tokio::time::sleep(span) => {}
        () = signals::end() => {}
    }
    control.heal(&cutting).await.map_err(refused)?;
    printer.step("Healed", &format!("{} after {}", member.name, style::span(span)));
    Ok(Exit::Healthy)
}

fn from(group: &Group, member: &str, word: &str) -> Result<CutFrom, Failure> {
    Ok(match word {
        "store" => CutFrom::Store,
        "peers" => CutFrom::Peers,
        "clients" => CutFrom::Clients,
        "all" => CutFrom::Everyone,
        name if name == member => {
            return Err(Failure::usage(format!("{member} cannot be cut from itself"))
                .hint("--from takes store, peers, clients, all or another member"));
        }
        name => {
            let other = group.home.member(name).map_err(|error| {
                Failure::usage(error.to_string())
                    .hint("--from takes store, peers, clients, all or another member")
            })?;
            CutFrom::Member(other.name.clone())
        }
    })
}

fn words(from: &CutFrom) -> String {
    match from {
        CutFrom::Store => "the store".to_owned(),
        CutFrom::Peers => "its peers".to_owned(),
        CutFrom::Clients => "its clients".to_owned(),
        CutFrom::Everyone => "the store and its peers".to_owned(),
        CutFrom::Member(name) => name.clone(),
    }
}
