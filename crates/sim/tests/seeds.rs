//! Seeds that broke a promise once, each with what it was. They run for ever.

use sim::swarm::{Family, run};
use sim::trace::Keep;

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
    (454, "a restarted holder asked for its old place beside a recovery that had just won it"),
    (
        489,
        "what a primary had written was not kept aside, for its death had cut its own stamp back",
    ),
    (817, "a line of data that the next one did not come from was not called parted from it"),
    (8835, "copies whose link had ended with their sync were called half, and an empty one led"),
    (13862, "without a gate, an agent that has thawed: its fence is on its way (as 1347)"),
    (
        14749,
        "without storage, an empty member began anew beside a lone primary that it could not hear",
    ),
    (
        100_422,
        "what a primary had written was not kept aside: lines that its follower had only heard of \
         were taken for ancestors of the one that replaced it",
    ),
    (201_228, "the same, of a primary that nobody followed: its engine counted nothing"),
    (201_768, "a full sync that was on no disk yet gave older files the stamp of the new line"),
    (202_069, "a group in memory began anew beside a member that speaks seldom"),
    (
        3_001_896,
        "a holder saw its own unanswered epoch stand while it asked for another, forgot it, and the \
         record's epoch fell",
    ),
    (
        3_000_204,
        "a person's record was seen before its answer, and a succession that was open led again: \
         the epoch fell",
    ),
    (
        2_000_531,
        "a full sync whose upstream was killed as it began was said to part what all others held \
         (a fault of the simulator)",
    ),
    (
        3_000_176,
        "as 201228, of a primary that had come back from a snapshot, which says its place: it \
         counted nothing from there",
    ),
    (6_001_295, "files could not be kept aside while no engine ran (a fault of the simulator)"),
    (7_000_406, "what was to be kept aside was forgotten when the engine ended before the answer"),
    (
        5_000_049,
        "a strict group without storage began anew beside a member that was cut off for long",
    ),
    (8_003_493, "the same, without `strict`, of one that was back and had not spoken yet"),
    (8_005_110, "a primary that a sync had emptied was called half for ever (of the simulator)"),
    (
        14_006_274,
        "a full sync, a promotion, a crash: the append-only file that is written at every command \
         was the one from before the sync, and carried the new line's stamp",
    ),
    (
        14_012_726,
        "a member that waited for its first full sync to begin was expelled and admitted for ever",
    ),
    (12_009_169, "an empty copy led while a fuller one that had just come back was loading"),
];

/// The same, in wild worlds.
const WILD: &[(u64, &str)] = &[
    (20_002_206, "a group in memory began anew with an engine that hung, over one who came back"),
    (
        223,
        "an overtaken heartbeat took the name of the new stream back, and copies of it with waited \
         writes counted as the old line's: a lesser copy led",
    ),
    (100_245, "an electorate that a power cut had emptied led over data beside a new state file"),
    (201_029, "an orphan's late promotion had no epoch (a fault of the simulator)"),
    (201_372, "a copy in memory was called whole after its pod's restart"),
    (
        1_000_153,
        "a primary came back with less and led anew: its replica's engine connected again by \
         itself before what it held was kept aside",
    ),
    (6_001_616, "who was about to stop was counted on when others were broken (of the simulator)"),
    (
        7_000_738,
        "a new line's primary restarted empty and led over a copy that its dead link had filled",
    ),
    (3_000_680, "as 7000406 in a swarm"),
    (11_003_434, "an empty copy led while one with data beside a new state file was loading"),
    (13_002_972, "a primary that was about to stop was counted on (of the simulator)"),
    (19_004_127, "who stood still, and was ended for that, was counted on (of the simulator)"),
    (3_003_239, "a late write landed after the record's deletion (a fault of the checker)"),
    (
        3_000_024,
        "as 2000531 in a swarm, of an upstream that was emptied (a fault of the simulator)",
    ),
];

/// The same, in rough worlds.
const ROUGH: &[(u64, &str)] = &[
    (100_037, "a route of an epoch that a restored store did not know was never written again"),
    (100_215, "the same, and every disk was new"),
    (200_234, "a group in memory began anew beside a member that was cut off for a second"),
    (201_566, "a strict electorate was lost for good, and nobody could come in"),
    (201_705, "a person made a lost member lead again and again (a fault of the simulator)"),
    (201_768, "as in a swarm: a full sync that was on no disk yet"),
    (2_001_116, "a restored store brought maintenance back, and nobody said so"),
    (2_002_997, "a holder wrote a deleted record again with its maintenance, and nobody said so"),
    (10_000_999, "nobody helped where the last primary stood still for good (of the simulator)"),
    (19_004_827, "the same (of the simulator)"),
    (
        15_000_149,
        "what was written in an epoch that a restored store gave twice was not kept aside",
    ),
    (21_003_122, "the same, where both lines of that epoch had begun at the same place"),
    (13_003_367, "who led again after a restored store did not send clients back to itself"),
    (13_002_063, "an empty copy led while one with data, back after long, was loading"),
    (2_000_496, "as in a swarm (3000204): a person's record, seen before its answer"),
    (31_003_448, "`strict` let who answered go, in place of who was away, and did so for ever"),
    (34_006_390, "an empty primary led again beside those whose syncs were about to end"),
];

/// The same, in stray worlds.
const STRAY: &[(u64, &str)] = &[
    (3941, "a late first answer without a gate was called a later primary's (of the checker)"),
    (
        21_006_799,
        "who was sent to a new primary was let in by a deposed one's engine at its address",
    ),
    (31_001_622, "who was to leave stayed shut out, although the store had refused to write that"),
];

/// The same, in worlds of twins.
const TWINS: &[(u64, &str)] = &[
    (1529, "a new pod on an old disk led beside the primary, whom its seat's old pod acknowledged"),
    (3175, "the same, where the one seat had just been wiped"),
    (21_006_450, "the same, where the holder's old pod was heard by a member without a seat"),
    (4052, "the same beside a lone primary, whose record stood still for half a minute"),
    (29_000_119, "a new pod took its own name's for the last holder and began anew, empty"),
    (
        35_000_610,
        "a late write of a pod that was made again was called its twin's (of the simulator)",
    ),
];

#[test]
fn what_was_broken_once_stays_whole() {
    let swarm = SEEDS.iter().map(|(seed, story)| (Family::Swarm, *seed, *story));
    let wild = WILD.iter().map(|(seed, story)| (Family::Wild, *seed, *story));
    let rough = ROUGH.iter().map(|(seed, story)| (Family::Rough, *seed, *story));
    let stray = STRAY.iter().map(|(seed, story)| (Family::Stray, *seed, *story));
    let twins = TWINS.iter().map(|(seed, story)| (Family::Twins, *seed, *story));
    for (family, seed, story) in swarm.chain(wild).chain(rough).chain(stray).chain(twins) {
        let (world, violations) = run(family.plan(seed), Keep::Last(60));
        let broken: Vec<String> = violations.iter().map(ToString::to_string).collect();
        let (text, name) = (world.trace.text(), family.name());
        assert!(broken.is_empty(), "{text}\n{name} {seed} ({story}): {broken:#?}");
    }
}
