//! Every row, in the order in which they are done.

use std::time::Duration;

use super::{Bars, Lost, Row, Setting};
use crate::deeds::{Change, Deed};

/// What leaves with its data handed over first.
const PLANNED: Bars = Bars::gap(100.0, 300.0).nothing_lost();
/// A planned change that waits for pods of its own between two handovers.
const CHANGED: Bars = Bars::most(300.0).nothing_lost();
/// An engine dies beside its agent, which sees it at once.
const CRASH: Bars = Bars::gap(200.0, 1_000.0);
/// An agent dies with its engine, and the kubelet says so.
const CONTAINER: Bars = Bars::most(4_000.0);
/// Nobody says anything: W and T_p are waited out, and the old primary ends before.
const SILENT: Bars = Bars::most(6_500.0).old_stops(4_500.0);
/// The same with the fast profile.
const SILENT_FAST: Bars = Bars::most(4_000.0).old_stops(2_600.0);
/// All members start anew.
const RESTART: Bars = Bars::most(20_000.0);
/// Nothing happens: a load of four writers is never silent for so long by itself.
const STILL: Bars = Bars::most(150.0).nothing_lost();

const KILL_CONTAINER: Deed = Deed::KillContainer { held_back: false };
const DELETE_ALL: Deed = Deed::DeleteAll { keeps: true };
const FREEZE: Deed = Deed::Freeze { length: Duration::from_secs(30) };
const CUT: Deed = Deed::Cut { length: Duration::from_secs(15) };

/// All rows, in the order in which they are done: of each group those that break hosts or the API
/// server last.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = [of_resources(), of_changes(), of_pods(), of_lost_pods(), of_hosts()].concat();
    rows.extend([unwatched(), at_rest()].concat());
    // A group and its client are made once for all the rows that need them.
    rows.sort_by_key(|row| row.setting);
    rows
}

fn row(
    name: &'static str,
    title: &'static str,
    setting: Setting,
    deed: Deed,
    (short, full): (u32, u32),
    bars: Bars,
) -> Row {
    Row { name, title, setting, deed, short, full, bars }
}

/// What a newcomer does, right and wrong.
fn of_resources() -> Vec<Row> {
    use Setting::Fresh;
    let fresh = Bars { has_load: false, ..Bars::gap(8_000.0, 20_000.0) };
    let refused = Bars { has_load: false, ..Bars::NONE };
    vec![
        row("apply", "applied until ready", Fresh, Deed::Apply, (3, 20), fresh),
        row("wrong-specs", "wrong specs", Fresh, Deed::WrongSpecs, (1, 1), refused),
    ]
}

/// What the operator carries through under load.
fn of_changes() -> Vec<Row> {
    use Setting::Operated;
    let roll = |what| Deed::Roll { what };
    vec![
        row("scale", "scaled 3 → 5 → 2 members", Operated, Deed::Scale, (1, 5), CHANGED),
        row(
            "roll-image",
            "another version rolled out",
            Operated,
            roll(Change::Image),
            (1, 5),
            CHANGED,
        ),
        row(
            "roll-directive",
            "a directive rolled out",
            Operated,
            roll(Change::Directive),
            (1, 5),
            CHANGED,
        ),
        row(
            "api-return",
            "operator after the API's return",
            Operated,
            Deed::ApiReturns,
            (1, 3),
            STILL,
        ),
    ]
}

/// One member dies, and comes back as it was.
fn of_pods() -> Vec<Row> {
    use Setting::{Default, SlowRoutes};
    vec![
        row("pod-delete", "primary's pod deleted", Default, Deed::DeletePod, (5, 50), PLANNED),
        row("engine-kill", "engine killed in its pod", Default, Deed::KillEngine, (5, 50), CRASH),
        row(
            "container-kill",
            "container killed with its agent",
            Default,
            KILL_CONTAINER,
            (3, 10),
            CONTAINER,
        ),
        row(
            "container-kill-held",
            "the same, restart held back",
            Default,
            Deed::KillContainer { held_back: true },
            (2, 10),
            Bars::most(6_500.0),
        ),
        row(
            "pod-delete-1s",
            "pod deleted, minSyncPeriod 1 s",
            SlowRoutes,
            Deed::DeletePod,
            (2, 20),
            Bars::NONE.nothing_lost(),
        ),
        row(
            "engine-kill-1s",
            "engine killed, minSyncPeriod 1 s",
            SlowRoutes,
            Deed::KillEngine,
            (2, 20),
            Bars::NONE,
        ),
    ]
}

/// More is lost than one member.
fn of_lost_pods() -> Vec<Row> {
    use Setting::{Default, Memory};
    let lossy = Bars { lost: Lost::Everything, ..Bars::NONE };
    vec![
        row("all-pods", "every pod deleted at once", Default, DELETE_ALL, (1, 5), RESTART),
        row(
            "pod-and-claim",
            "primary's pod and claim deleted",
            Default,
            Deed::DeleteWithClaim,
            (1, 5),
            Bars::NONE.nothing_lost(),
        ),
        row(
            "all-pods-memory",
            "every pod deleted, memory only",
            Memory,
            Deed::DeleteAll { keeps: false },
            (1, 3),
            lossy,
        ),
    ]
}

/// A host or the API server is away.
fn of_hosts() -> Vec<Row> {
    use Setting::{Default, Fast};
    vec![
        row("host-drain", "primary's host drained", Default, Deed::Drain, (2, 10), PLANNED),
        row("host-freeze", "host frozen for 30 s", Default, FREEZE, (1, 10), SILENT),
        row("host-cut", "host cut from the network", Default, CUT, (1, 10), SILENT),
        row("host-freeze-fast", "host frozen, profile fast", Fast, FREEZE, (1, 10), SILENT_FAST),
        row("host-cut-fast", "host cut, profile fast", Fast, CUT, (1, 10), SILENT_FAST),
        row(
            "api-stop",
            "API server stopped",
            Default,
            Deed::StopApi { short: Duration::from_secs(30), full: Duration::from_secs(600) },
            (1, 1),
            STILL,
        ),
    ]
}

/// The same harms with no operator there, and its return.
fn unwatched() -> Vec<Row> {
    use Setting::Unwatched;
    let row = |name, title, deed, counts, bars| row(name, title, Unwatched, deed, counts, bars);
    vec![
        row("pod-delete-alone", "pod deleted, no operator", Deed::DeletePod, (2, 10), PLANNED),
        row("engine-kill-alone", "engine killed, no operator", Deed::KillEngine, (2, 10), CRASH),
        row(
            "container-kill-alone",
            "container killed, no operator",
            KILL_CONTAINER,
            (0, 5),
            CONTAINER,
        ),
        row("all-pods-alone", "every pod deleted, no operator", DELETE_ALL, (0, 2), RESTART),
        row(
            "pod-and-claim-alone",
            "pod and claim deleted, no operator",
            Deed::DeleteWithClaim,
            (0, 2),
            Bars::NONE.nothing_lost(),
        ),
        row("host-drain-alone", "host drained, no operator", Deed::Drain, (0, 3), PLANNED),
        row("host-freeze-alone", "host frozen, no operator", FREEZE, (0, 3), SILENT),
        row("host-cut-alone", "host cut, no operator", CUT, (0, 3), SILENT),
        row("operator-back", "the operator comes back", Deed::OperatorBack, (1, 3), STILL),
    ]
}

/// Groups that nothing happens to.
fn at_rest() -> Vec<Row> {
    let rest = Bars { has_load: false, ..Bars::NONE };
    // A hundred and fifty pods are what two cores carry.
    let deed = Deed::Rest { short: 4, full: 50 };
    vec![row("rest", "groups at rest", Setting::Many, deed, (1, 1), rest)]
}
