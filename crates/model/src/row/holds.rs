//! Worlds in which every property holds, searched to the end.

use crate::config::{Budget, Config, NOTHING};
use crate::row::Row;

const A: Config = Config::AUTHORITY;
const D: Config = Config::DATA;
const B: Config = Config::BOTH;

const CRASH: Budget = Budget { crashes: 1, ..NOTHING };
const CHANGE: Budget = Budget { changes: 1, ..NOTHING };
const SILENT: Budget = Budget { changes: 1, silences: 1, ..NOTHING };
const GIVE: Budget = Budget { gives: 1, silences: 1, ..NOTHING };
const LOST: Budget = Budget { deletions: 1, ..NOTHING };
const PODS: Budget = Budget { pods: 1, ..NOTHING };
const BUMP: Budget = Budget { bumps: 1, ..NOTHING };
const DIES: Budget = Budget { deaths: 1, crashes: 1, ..NOTHING };

fn row(name: &'static str, config: Config) -> Row {
    Row { name, config, breaks: None }
}

/// Searched in every `cargo test`, within seconds.
pub fn short() -> Vec<Row> {
    let one = Config { replicas: 1, ..A };
    let begin = Config { bootstrap: true, ..A };
    let calm = Config { calm: true, budget: Budget { cuts: 3, ..NOTHING }, ..A };
    vec![
        row("authority n=2", A),
        row("authority n=2, E·1 silence", Config { budget: SILENT, epochs: 2, ..A }),
        row("authority n=1, give silence", Config { budget: GIVE, ..one }),
        row("authority n=2, deletion", Config { budget: LOST, ..A }),
        row("authority n=2, late acks", Config { late_acks: true, ..A }),
        row("authority n=2, calm, lazy", calm),
        row("authority n=2, bootstrap", Config { epochs: 2, ..begin }),
        row("data n=2 k=1", D),
        row("data n=2 k=1, E·1", Config { budget: CHANGE, ..D }),
        row("data n=2 k=1, bump", Config { budget: BUMP, ..D }),
        row("data n=1 k=1, E·1 silence", Config { budget: SILENT, replicas: 1, ..D }),
        row("both n=1 k=1, crash", Config { replicas: 1, budget: CRASH, epochs: 2, ..B }),
        row("both n=1 k=1, E·1 silence", Config { replicas: 1, budget: SILENT, epochs: 2, ..B }),
        row("both n=1 k=1, bootstrap", Config { replicas: 1, bootstrap: true, epochs: 2, ..B }),
        row(
            "both n=1 k=1, recovery",
            Config { replicas: 1, recovery: true, budget: CRASH, epochs: 2, ..B },
        ),
    ]
}

/// Searched with `make model`, in minutes.
pub fn full() -> Vec<Row> {
    let mut all = authority();
    all.extend(data());
    all.extend(both());
    all
}

fn authority() -> Vec<Row> {
    let silent_crash = Budget { crashes: 1, ..SILENT };
    let twice = Budget { changes: 2, silences: 1, ..NOTHING };
    let give_crash = Budget { crashes: 1, ..GIVE };
    let lost_crash = Budget { crashes: 1, ..LOST };
    let recovery = Config { recovery: true, ..A };
    vec![
        row("authority n=1, E·2 silence", Config { replicas: 1, budget: twice, ..A }),
        row("authority n=1, give crash silence", Config { replicas: 1, budget: give_crash, ..A }),
        row("authority n=2, E·1 crash silence", Config { budget: silent_crash, ..A }),
        row("authority n=2, E·2 silence", Config { budget: twice, ..A }),
        row("authority n=2, give crash silence", Config { budget: give_crash, ..A }),
        row("authority n=2, deletion crash", Config { budget: lost_crash, ..A }),
        row("authority n=2, deletion E·1", Config { budget: Budget { changes: 1, ..LOST }, ..A }),
        row("authority n=2 all, E·1 silence", Config { all: true, copies: 0, budget: SILENT, ..A }),
        row("authority n=2, pods", Config { budget: PODS, ..A }),
        row("authority n=2, recovery pods", Config { budget: PODS, ..recovery }),
        row("authority n=2, recovery crash", Config { budget: CRASH, ..recovery }),
        row(
            "authority n=2 k=2, recovery pods, strict",
            Config { copies: 2, budget: PODS, epochs: 2, ..recovery },
        ),
        row("authority n=3 k=1", Config { replicas: 3, epochs: 2, ..A }),
        row(
            "authority n=3 k=2, E·1",
            Config { replicas: 3, copies: 2, budget: CHANGE, epochs: 2, ..A },
        ),
        row(
            "authority n=2, bootstrap crash silence",
            Config { bootstrap: true, budget: Budget { silences: 1, ..CRASH }, ..A },
        ),
    ]
}

fn data() -> Vec<Row> {
    let change_crash = Budget { changes: 1, ..CRASH };
    let raise = Budget { raises: 1, ..NOTHING };
    vec![
        row("data n=2 k=1, crash", Config { budget: CRASH, ..D }),
        row("data n=2 k=1, death crash", Config { budget: DIES, ..D }),
        row("data n=2 k=1, give silence", Config { budget: GIVE, ..D }),
        row("data n=2 k=1, E·1 silence", Config { budget: SILENT, ..D }),
        row("data n=2 k=1, E·1 crash", Config { budget: change_crash, ..D }),
        row("data n=2 k=2, E·1 crash", Config { copies: 2, budget: change_crash, ..D }),
        row(
            "data n=1 k=1, E·2 crash silence",
            Config {
                replicas: 1,
                budget: Budget { changes: 2, crashes: 1, silences: 1, ..NOTHING },
                ..D
            },
        ),
        row("data n=2 k=1, bump crash", Config { budget: Budget { bumps: 1, ..CRASH }, ..D }),
        row("data n=2 k=0, crash", Config { copies: 0, budget: CRASH, ..D }),
        row("data n=3 k=1, raise", Config { replicas: 3, budget: raise, epochs: 2, ..D }),
        row("data n=3 k=2, E·1", Config { replicas: 3, copies: 2, budget: CHANGE, epochs: 2, ..D }),
        row(
            "data n=2 k=1, recovery crash·2",
            Config { recovery: true, budget: Budget { crashes: 2, ..NOTHING }, epochs: 2, ..D },
        ),
        row("data n=2 k=1, bootstrap", Config { bootstrap: true, ..D }),
    ]
}

fn both() -> Vec<Row> {
    let two = Config { epochs: 2, ..B };
    vec![
        row(
            "both n=1 k=1, recovery, crash·2",
            Config {
                replicas: 1,
                recovery: true,
                budget: Budget { crashes: 2, ..NOTHING },
                epochs: 2,
                ..B
            },
        ),
        row(
            "both n=1 k=1, E·1 crash silence",
            Config { replicas: 1, budget: Budget { crashes: 1, ..SILENT }, ..B },
        ),
        row("both n=2 k=1", B),
        row("both n=2 k=1, E·1 silence", Config { budget: SILENT, ..two }),
        row("both n=2 k=1, crash", Config { budget: CRASH, ..two }),
        row("both n=2 k=1, deletion", Config { budget: LOST, ..two }),
        row("both n=2 k=1, recovery", Config { recovery: true, ..two }),
        row("both n=2 k=1, give silence", Config { budget: GIVE, ..two }),
    ]
}
