//! `interrex status -n NAMESPACE`: every group of a namespace, one line each.

use serde::Serialize;

use super::exit_of;
use crate::any_group::AnyGroup;
use crate::args::{self, Format, Status, own_pod, program};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::remote;
use crate::ui::Printer;
use crate::ui::table::Table;
use crate::view::StatusView;

/// The groups of a namespace.
#[derive(Serialize)]
struct ListView {
    namespace: String,
    context: Option<String>,
    groups: Vec<StatusView>,
}

/// Whether all groups are asked for: a pod's own group is the one that is meant in it.
pub(super) fn is_meant(cluster: &args::Cluster) -> bool {
    cluster.is_meant() && cluster.agents.is_empty() && own_pod().is_none()
}

pub(super) async fn run(args: &Status, printer: &mut Printer) -> Outcome {
    if args.wait {
        return Err(Failure::usage("it is not said which group is to be waited for")
            .hint(format!("name it: {} status GROUP --wait", program())));
    }
    let (groups, namespace) = remote::all(&args.cluster).await?;
    let seen = remote::look_at(&groups).await;
    let groups: Vec<StatusView> = groups
        .into_iter()
        .zip(&seen)
        .map(|(group, seen)| StatusView::of(&AnyGroup::Remote(Box::new(group)), seen))
        .collect();
    let exits = groups.iter().map(|group| exit_of(group.verdict));
    let exit = exits.max_by_key(|exit| severity(*exit)).unwrap_or(Exit::Healthy);
    let context = groups.first().and_then(|group| group.context.clone());
    let view = ListView { namespace, context, groups };
    match args.output.output {
        Format::Table => table(&view, printer)?,
        format => printer.document(format, &view)?,
    }
    Ok(exit)
}

/// What nobody can tell about is worse than what is known to be less than whole.
fn severity(exit: Exit) -> u8 {
    match exit {
        Exit::Healthy => 0,
        Exit::Degraded => 1,
        Exit::Error | Exit::Usage | Exit::Unsafe => 2,
    }
}

fn table(view: &ListView, printer: &mut Printer) -> Result<(), Failure> {
    if view.groups.is_empty() {
        return printer.line(&format!("there is no group in the namespace {}", view.namespace));
    }
    let head = ["GROUP", "VERDICT", "PRIMARY", ">EPOCH", ">MEMBERS", "CAN FAIL OVER", "ENGINE"];
    let mut table = Table::new(&head);
    for group in &view.groups {
        table.row(vec![
            group.group.clone(),
            group.verdict.to_string(),
            group.primary.clone().unwrap_or_else(|| "none".to_owned()),
            group.epoch.to_string(),
            format!("{}/{}", group.agents.answered, group.agents.total),
            if group.can_fail_over { "yes" } else { "NO" }.to_owned(),
            group.engine.clone().unwrap_or_else(|| "unknown".to_owned()),
        ]);
    }
    for line in table.lines(printer.style, 0) {
        printer.line(&line)?;
    }
    for line in
        view.groups.first().map(|group| super::way(group, printer.style)).into_iter().flatten()
    {
        printer.line(&line)?;
    }
    Ok(())
}
