//! Scripted worlds: the case table of failover.md 2.12 and every trace of the protocol's hunt, each
//! of which must end well.

#[path = "scripts/cases.rs"]
mod cases;
#[path = "scripts/common.rs"]
mod common;

use common::well;

macro_rules! ends_well {
    ($($module:ident :: $name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            well($module::$name(None));
        })*
    };
}

ends_well! {
    cases::engine_crash,
    cases::fast_empty_restart,
    cases::container_death,
    cases::hang,
    cases::engine_stopped,
    cases::agent_stopped,
    cases::node_lost,
    cases::two_nodes_lost_at_once,
    cases::two_nodes_lost_in_turn,
    cases::isolated_primary,
    cases::store_down,
    cases::store_down_and_primary_dead,
    cases::record_deleted,
    cases::no_replica,
    cases::no_replica_strict,
    cases::one_way,
    cases::replica_isolated,
    cases::two_members,
    cases::two_members_without_store,
    cases::replica_in_full_sync,
    cases::sigterm,
    cases::handover,
    cases::no_room,
    cases::all_stop,
    cases::wiped_never_leads,
    cases::routed,
}

#[test]
fn a_thawed_engine_acknowledges_nothing_with_the_gate() {
    let (ending, late) = cases::freeze_and_thaw(None, true);
    well(ending);
    assert_eq!(late, 0);
}

/// What the gate is for: without it the queue of a thawed engine is acknowledged (E3b).
#[test]
fn a_thawed_engine_without_the_gate_leaks_as_documented() {
    let (ending, late) = cases::freeze_and_thaw(None, false);
    well(ending);
    assert_eq!(late, 40);
}
