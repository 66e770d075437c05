//! The scripts, one file a theme, and what they have in common.

mod admission;
mod attach;
mod disk;
mod freeze;
mod guard;
mod pause;
mod promotion;
mod restart;
mod stop;
mod transfer;
mod wait;

use super::{Script, Setup, Step, Who};

/// All of them.
pub fn all() -> Vec<Script> {
    let themes = [
        attach::scripts(),
        promotion::scripts(),
        restart::scripts(),
        transfer::scripts(),
        pause::scripts(),
        wait::scripts(),
        guard::scripts(),
        disk::scripts(),
        freeze::scripts(),
        stop::scripts(),
        admission::scripts(),
    ];
    themes.into_iter().flatten().collect()
}

/// Everybody's users but the first's.
const OTHERS: [&[Who]; 4] = [&[], &[1], &[1, 2], &[1, 2, 3]];

/// A script whose engines have become a group: the first leads, the others follow it.
fn group(name: &'static str, setup: Setup, steps: Vec<Step>) -> Script {
    let mut all: Vec<Step> = (0..setup.engines).map(Step::Start).collect();
    all.push(Step::Promote(0));
    all.push(Step::Admit(0, OTHERS[setup.engines - 1]));
    all.extend((1..setup.engines).map(|who| Step::Follow(who, 0)));
    all.extend(steps);
    Script { name, setup, steps: all }
}
