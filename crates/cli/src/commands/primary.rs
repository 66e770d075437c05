//! `interrex primary`: one name, for scripts.

use serde::Serialize;

use crate::any_group::AnyGroup;
use crate::args::{Format, Primary};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::ui::Printer;

#[derive(Serialize)]
struct PrimaryView<'a> {
    group: &'a str,
    primary: &'a str,
    epoch: u64,
    address: String,
}

pub(super) async fn run(args: Primary, printer: &mut Printer) -> Outcome {
    let group = AnyGroup::find(args.target.tag.as_deref(), &args.cluster).await?;
    let seen = group.look().await;
    let Some(name) = &seen.judgement.primary else {
        let why = seen.judgement.reasons.first().cloned().unwrap_or_default();
        return Err(Failure::new(format!("{} has no primary now: {why}", group.tag()))
            .hint(format!("see {}", group.command("status"))));
    };
    let view = PrimaryView {
        group: group.tag(),
        primary: name,
        epoch: seen.judgement.epoch,
        address: group.address(name, &seen),
    };
    match args.output.output {
        Format::Table => printer.line(name)?,
        format => printer.document(format, &view)?,
    }
    Ok(Exit::Healthy)
}
