//! What the scripts share.

use brain::Without;
use sim::Plan;
use sim::script::{Ending, Stage};

/// A punctual world of `n` members, without one cure.
pub(crate) fn plan(n: usize, without: Option<Without>) -> Plan {
    let mut plan = Plan::calm(n);
    plan.without = without;
    plan
}

/// Member 0 leads, the others follow.
pub(crate) fn begun(n: usize, without: Option<Without>) -> Stage {
    Stage::begun(plan(n, without))
}

/// A script must end well.
#[track_caller]
pub(crate) fn well(ending: &Ending) {
    assert!(ending.is_well(), "{}\nNOT WELL: {:#?}", ending.trace, ending.faults);
}
