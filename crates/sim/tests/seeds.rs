//! Seeds that broke a promise once, each with what it was. They run for ever.

use sim::trace::Keep;
use sim::{Plan, World, check};

/// Seed, and what it had found.
const SEEDS: &[(u64, &str)] = &[
    (14, "a newcomer was grown and shrunk without end while its first full sync ran"),
    (18, "a pod created anew on its old volume was not matched by its state"),
    (27, "a lone member in a new pod never led again"),
    (7, "a released record was taken back by nobody in a new pod"),
    (54, "an interrupted full sync was called a loss, and the group began anew, empty"),
    (23, "a member that followed a dead primary kept a group without data from its new beginning"),
    (1294, "an empty copy led again at once, past one outside of the electorate that held all"),
    (
        1875,
        "a copy whose sync had ended before its stream was named was passed over for an empty one",
    ),
    (1764, "a copy whose engine ended just after its sync was called half, and an empty one led"),
    (2398, "an empty copy that had asked before a fuller one was ready led all the same"),
    (5918, "two empty copies waited for each other"),
    (4629, "an appointed member's engine counted anew: its line began where nobody ever came"),
    (5178, "an engine that a sync had emptied was called half (a fault of the simulator)"),
    (281, "a promotion whose answer was late was never taken note of, and nobody was let in again"),
    (1347, "without a gate, an engine whose agent is frozen: a class of its own, no violation"),
    (
        6203,
        "a cut path brought a full sync's file after what came later (a fault of the simulator)",
    ),
    (
        10879,
        "replicas acknowledged writes while they saved for a clean stop: in none of their stamps",
    ),
    (5300, "an empty copy led while the only one with data was still loading them"),
    (6472, "a cut path brought a full sync's file before its beginning (a fault of the simulator)"),
    (8835, "copies whose link had ended with their sync were called half, and an empty one led"),
    (13862, "without a gate, an agent that has thawed: its fence is on its way (as 1347)"),
    (
        14749,
        "without storage, an empty member began anew beside a lone primary that it could not hear",
    ),
];

#[test]
fn what_was_broken_once_stays_whole() {
    for (seed, story) in SEEDS {
        let mut world = World::new(Plan::swarm(*seed), Keep::Last(60));
        world.run();
        let broken: Vec<String> =
            check::all(&world.history).iter().map(ToString::to_string).collect();
        let text = world.trace.text();
        assert!(broken.is_empty(), "{text}\nseed {seed} ({story}): {broken:#?}");
    }
}
