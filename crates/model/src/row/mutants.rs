//! Worlds that go without one rule, and what is broken by that. Names: the letters of the table in
//! docs/failover.md 5, or what is done wrong.

use brain::Cure;

use crate::config::{Budget, Config, Mutant, NOTHING, Slip};
use crate::property::Property::{self, I1, I2, I3, Lazy};
use crate::row::Row;

const A: Config = Config::AUTHORITY;
const D: Config = Config::DATA;

/// Those that are found in no time.
pub fn mutants() -> Vec<Row> {
    let mut all = authority();
    all.extend(holding());
    all.extend(data());
    all.extend(standing());
    all.extend(faults());
    all
}

/// Those whose shortest counterexample is long.
pub fn deep_mutants() -> Vec<Row> {
    let changes = |n| Config { budget: Budget { changes: n, ..NOTHING }, ..D };
    let many = Config { writes: 3, epochs: 4, ..changes(1) };
    let crash = Budget { crashes: 1, ..NOTHING };
    let three = Config { replicas: 3, copies: 2, budget: crash, ..D };
    vec![
        without("offsets across lines", Cure::StampByEpoch, I2, many),
        with("D5 a cut stamp keeps its epoch", Slip::CutKeepsEpoch, I2, three),
        without("D9 a seat from nothing", Cure::SeatFrom, I2, changes(2)),
        with("D14 earned late", Slip::EarnedLate, I2, Config { writes: 2, ..changes(1) }),
    ]
}

fn without(name: &'static str, cure: Cure, breaks: Property, config: Config) -> Row {
    let mutants = [Some(Mutant::Without(cure)), config.mutants[0]];
    Row { name, config: Config { mutants, ..config }, breaks: Some(breaks) }
}

fn with(name: &'static str, slip: Slip, breaks: Property, config: Config) -> Row {
    let mutants = [Some(Mutant::With(slip)), config.mutants[0]];
    Row { name, config: Config { mutants, ..config }, breaks: Some(breaks) }
}

/// Single-writer holes of the record and of who may write it.
fn authority() -> Vec<Row> {
    let changes = Budget { changes: 1, ..NOTHING };
    let silent = Budget { silences: 1, ..changes };
    let gives = Budget { gives: 1, ..NOTHING };
    let silent_give = Budget { silences: 1, ..gives };
    let deletion = Budget { deletions: 1, ..NOTHING };
    let pods = Budget { pods: 1, ..NOTHING };
    let crashes = Budget { crashes: 1, ..NOTHING };
    vec![
        without("H1 E read back", Cure::JointUntilOwnSuccess, I1, Config { budget: silent, ..A }),
        without(
            "H2 a give read back",
            Cure::HigherEpochAfterGiving,
            I1,
            Config { budget: silent_give, ..A },
        ),
        without(
            "H3 lease from seeing",
            Cure::AppointedNeedsAcks,
            I1,
            Config { budget: gives, ..A },
        ),
        without(
            "H4 new E from the answer",
            Cure::JointFromSending,
            I1,
            Config { budget: changes, ..A },
        ),
        without(
            "H5 rewritten without authority",
            Cure::RecreateWithAuthority,
            I1,
            Config { budget: deletion, ..A },
        ),
        with("H6 a death as a promise", Slip::DeathIsPromise, I1, Config { budget: crashes, ..A }),
        without("H7 twin", Cure::WholeIdentity, I1, Config { budget: pods, ..A }),
    ]
}

/// Single-writer holes of times and of counting.
fn holding() -> Vec<Row> {
    let crashes = Config { budget: Budget { crashes: 1, ..NOTHING }, ..A };
    let calm = Config { calm: true, budget: Budget { cuts: 2, ..NOTHING }, ..A };
    // Alone it harms nobody: a fenced holder takes no ack that a forgotten promise would allow.
    let unsaid = Config { mutants: [Some(Mutant::Without(Cure::FencedIsNotSeen)), None], ..A };
    vec![
        without("H8 no wait after a restart", Cure::WaitAfterRestart, I1, crashes),
        without("promise in memory", Cure::PromiseOnDisk, I1, crashes),
        without("lease before promises", Cure::PromisesBeforeLease, I1, A),
        without("ack from its receipt", Cure::AckFromSending, I1, Config { late_acks: true, ..A }),
        without("no margin", Cure::Margin, I1, A),
        without("lazy lease stays lazy", Cure::LazyReturns, Lazy, calm),
        with("a promise times out, fence unsaid", Slip::PromiseTimesOut, I1, unsaid),
        with("a = n - p", Slip::OneAckTooFew, I1, A),
        with("half suffices", Slip::HalfSuffices, I1, A),
        with("one missed heartbeat", Slip::ImpatientVoter, I1, A),
        with("no wait for W", Slip::ImpatientTake, I1, A),
    ]
}

/// Data holes of promises, seats and changes.
fn data() -> Vec<Row> {
    let one = |budget| Config { budget, ..D };
    let changes = |n| Budget { changes: n, ..NOTHING };
    let crash = |n| Budget { crashes: 1, ..changes(n) };
    let raise = Config { replicas: 3, ..one(Budget { raises: 1, ..NOTHING }) };
    let again = Budget { deaths: 1, crashes: 1, ..NOTHING };
    let bump = one(Budget { bumps: 1, ..NOTHING });
    let silent = one(Budget { silences: 1, ..changes(1) });
    vec![
        without("D1 promise while attached", Cure::DetachBeforePromise, I2, D),
        without("D2 expelled, attached by itself", Cure::PrimaryAdmits, I2, one(changes(1))),
        without("D7 k raised at once", Cure::RaiseWaits, I2, raise),
        without("D8 attachment not on disk", Cure::AttachOnDisk, I2, one(crash(1))),
        without("D16 let in before its ack", Cure::AdmitAfterAck, I2, one(again)),
        without("D10 promise over a change", Cure::PromiseForElectorate, I2, one(changes(2))),
        without("D15 a bump begins a line", Cure::BumpIsNoLineage, I2, bump),
        without("attached before the record", Cure::GrowBeforeAttach, I2, one(changes(2))),
        without("a voter that has more", Cure::VotersProtect, I3, Config { copies: 0, ..D }),
        with("expelled, back before the answer", Slip::ExpelledReturns, I2, silent),
        with("no witnesses", Slip::NoWitnesses, I2, Config { replicas: 3, ..D }),
        with("a half dataset leads", Slip::IncompleteLeads, I3, one(crash(0))),
    ]
}

/// Data holes of standing and exactness.
fn standing() -> Vec<Row> {
    let one = |budget| Config { budget, ..D };
    let changes = |n| Budget { changes: n, ..NOTHING };
    let crash = |n| Budget { crashes: 1, ..changes(n) };
    let dies = Budget { deaths: 2, ..NOTHING };
    let two = Config { copies: 2, ..one(crash(1)) };
    let alone = Config { replicas: 1, ..one(crash(1)) };
    let unlifted = [Some(Mutant::Without(Cure::ShrinkLifts)), None];
    let barrier = Config { mutants: unlifted, ..one(changes(1)) };
    vec![
        without("D3 nobody stands", Cure::SomebodyStands, I2, D),
        without(
            "D4 epoch at link-up",
            Cure::EpochAtStart,
            I2,
            Config { replicas: 3, copies: 2, ..D },
        ),
        without("D5 unclean is a witness", Cure::ExactOnlyWhenClean, I2, one(crash(0))),
        with("D5 exact at link-up", Slip::ExactAtLinkUp, I2, one(crash(0))),
        without("D6 appointed, then less", Cure::AppointedHoldsStamp, I2, one(dies)),
        without("D11 seats not lifted", Cure::ShrinkLifts, I2, two),
        without("D12 holder not lifted", Cure::ShrinkLiftsHolder, I2, alone),
        without("D13 restarted, just leads", Cure::RestartedAsksWitnesses, I2, one(crash(0))),
        without("a shrink that neither waits nor lifts", Cure::ShrinkWaits, I2, barrier),
    ]
}

/// Faults that no small rule closes: what docs/failover.md 2.0 does not promise.
fn faults() -> Vec<Row> {
    let budget = Budget { rollbacks: 1, ..NOTHING };
    let pods = Budget { pods: 1, ..NOTHING };
    let by_disks = Config { recovery: true, budget: pods, ..A };
    vec![
        Row { name: "H9 record restored", config: Config { budget, ..A }, breaks: Some(I1) },
        without("H7 recovery by disks", Cure::RecoveryByPods, I1, by_disks),
    ]
}
