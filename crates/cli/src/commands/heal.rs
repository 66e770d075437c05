//! `interrex heal`: every cut is healed, everything frozen thawed.

use local::links::control::{Control, ControlError};
use local::links::{Cut, CutFrom, Direction, Flow};

use crate::args::Heal;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::hands;
use crate::ui::Printer;

pub(super) async fn run(args: Heal, printer: &mut Printer) -> Outcome {
    let (group, member) = Group::find_with_member(args.tag.as_deref(), args.member.as_deref())?;
    if let Some(name) = &member {
        group.home.member(name).map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    }
    // First: what is frozen may be the links.
    let thawed = hands::thaw_noted(&group, member.as_deref())?;
    let control = hands::control(&group)?;
    let (before, after) = links(&control, member.as_deref()).await.map_err(|error| {
        Failure::new(format!("cannot heal the links of {}", group.tag()))
            .because(&error)
            .hint(format!("is the group running? see interrex status {}", group.tag()))
    })?;
    let healed = before.saturating_sub(after.len());
    printer.step("Healed", &format!("{healed} cut flows, {thawed} frozen processes"));
    Ok(Exit::Healthy)
}

async fn links(
    control: &Control,
    member: Option<&str>,
) -> Result<(usize, Vec<Flow>), ControlError> {
    let before = control.cuts().await?.len();
    let Some(member) = member else {
        return Ok((before, control.heal_all().await?));
    };
    let mut left = Vec::new();
    for from in [CutFrom::Everyone, CutFrom::Clients] {
        let cut = Cut { member: member.to_owned(), from, direction: Direction::Both, plane: None };
        left = control.heal(&cut).await?;
    }
    Ok((before, left))
}
