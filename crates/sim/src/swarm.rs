//! Many worlds, each from its seed, and what all of them together have shown.

use std::collections::BTreeMap;
use std::fmt;

use brain::{Act, EngineCommand};

use crate::check::{self, Violation};
use crate::history::Happening;
use crate::trace::Keep;
use crate::world::Summary;
use crate::{Plan, World};

/// Which worlds: a family and a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// [`Plan::swarm`].
    Swarm,
    /// [`Plan::wild`].
    Wild,
    /// [`Plan::rough`].
    Rough,
    /// [`Plan::stray`].
    Stray,
    /// [`Plan::twins`].
    Twins,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Swarm, Self::Wild, Self::Rough, Self::Stray, Self::Twins];

    /// As it is written on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swarm => "swarm",
            Self::Wild => "wild",
            Self::Rough => "rough",
            Self::Stray => "stray",
            Self::Twins => "twins",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Its world of this seed.
    pub fn plan(self, seed: u64) -> Plan {
        match self {
            Self::Swarm => Plan::swarm(seed),
            Self::Wild => Plan::wild(seed),
            Self::Rough => Plan::rough(seed),
            Self::Stray => Plan::stray(seed),
            Self::Twins => Plan::twins(seed),
        }
    }
}

/// One world that has run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of which family.
    pub family: Family,
    /// Its seed.
    pub seed: u64,
    /// Its figures.
    pub summary: Summary,
    /// What it broke.
    pub violations: Vec<Violation>,
}

/// Runs one plan to its end and judges it.
pub fn run(plan: Plan, keep: Keep) -> (World, Vec<Violation>) {
    let mut world = World::new(plan, keep);
    world.run();
    let violations = check::all(&world.history);
    (world, violations)
}

/// Runs one seed.
pub fn outcome(family: Family, seed: u64) -> Outcome {
    let (world, violations) = run(family.plan(seed), Keep::Hash);
    Outcome { family, seed, summary: world.summary(), violations }
}

/// What all worlds together have shown.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Worlds.
    pub runs: u64,
    /// Simulated seconds.
    pub seconds: u64,
    /// Events handled.
    pub events: u64,
    /// Writes acknowledged.
    pub acked: u64,
    /// Of these, called replicated by `WAIT`.
    pub waited: u64,
    /// Promotions.
    pub promotions: u64,
    /// Acknowledged writes lost that nobody had waited for.
    pub lost_unwaited: u64,
    /// Worlds that broke a promise, by the first that they broke.
    pub broken: BTreeMap<&'static str, u64>,
    /// How many worlds reached each story: a rule of the brain, a kind of effect, a fault.
    pub stories: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts one more world.
    pub fn add(&mut self, outcome: &Outcome) {
        let summary = &outcome.summary;
        self.runs += 1;
        self.seconds += summary.seconds;
        self.events += summary.events;
        self.acked += summary.acked;
        self.waited += summary.waited;
        self.promotions += summary.promotions;
        self.lost_unwaited += summary.lost_unwaited;
        if let Some(first) = outcome.violations.first() {
            *self.broken.entry(first.promise).or_insert(0) += 1;
        }
        for story in &summary.stories {
            *self.stories.entry(story.clone()).or_insert(0) += 1;
        }
    }

    /// How many worlds broke a promise.
    pub fn red(&self) -> u64 {
        self.broken.values().sum()
    }

    /// The stories that fewer worlds than `least` have reached: to what is wrong with those, these
    /// runs are blind.
    pub fn unseen(&self, least: u64) -> Vec<(&'static str, u64)> {
        let reached = |story: &str| self.stories.get(story).copied().unwrap_or(0);
        let all = STORIES.iter().map(|story| (*story, reached(story)));
        all.filter(|(_, worlds)| *worlds < least).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.seconds as f64 / 3600.0;
        let time = if hours < 8766.0 {
            format!("{hours:.1} simulated hours")
        } else {
            format!("{:.2} simulated years", hours / 8766.0)
        };
        write!(
            f,
            "{} worlds, {time}, {} events, {} writes acknowledged ({} waited for), {} promotions, \
             {} unwaited writes lost, {} of {} stories reached, {} worlds broke a promise",
            self.runs,
            self.events,
            self.acked,
            self.waited,
            self.promotions,
            self.lost_unwaited,
            STORIES.len() - self.unseen(1).len(),
            STORIES.len(),
            self.red(),
        )?;
        if self.broken.is_empty() { Ok(()) } else { write!(f, " {:?}", self.broken) }
    }
}

/// The kind of an effect, as a story.
pub fn effect_story(act: &Act) -> &'static str {
    match act {
        Act::Read { .. } => "effect read",
        Act::Replace { .. } => "effect replace",
        Act::Send { .. } => "effect send",
        Act::Engine { command, .. } => engine_story(command),
        Act::Gate(_) => "effect gate",
        Act::Route(_) => "effect route",
        Act::Members(_) => "effect members",
        Act::Persist { .. } => "effect persist",
        Act::Note => "effect note",
        Act::Answer { .. } => "effect answer",
        Act::Leave => "effect leave",
        Act::StartAnew => "effect start anew",
    }
}

fn engine_story(command: &EngineCommand) -> &'static str {
    match command {
        EngineCommand::Start => "effect engine start",
        EngineCommand::Observe => "effect engine observe",
        EngineCommand::DeadEnd => "effect engine dead end",
        EngineCommand::Follow(_) => "effect engine follow",
        EngineCommand::Promote => "effect engine promote",
        EngineCommand::PauseWrites(_) => "effect engine pause writes",
        EngineCommand::Unpause => "effect engine unpause",
        EngineCommand::KillClients => "effect engine kill clients",
        EngineCommand::Admit(_) => "effect engine admit",
        EngineCommand::MinReplicas(_) => "effect engine min replicas",
        EngineCommand::SetAside => "effect engine set aside",
        EngineCommand::Kill => "effect engine kill",
        EngineCommand::Shutdown => "effect engine shutdown",
    }
}

/// The stories of a world that its history tells.
pub fn told_stories(world: &World) -> Vec<String> {
    let mut stories: Vec<String> = world.rules.keys().map(|rule| format!("rule {rule}")).collect();
    stories.extend(world.effects.keys().map(ToString::to_string));
    stories.extend(world.faults_made.keys().map(|fault| format!("fault {fault}")));
    let told = |name: &str, is: fn(&Happening) -> bool| {
        world.history.events.iter().any(|(_, h)| is(h)).then(|| format!("seen {name}"))
    };
    stories.extend(told(
        "data kept aside",
        |h| matches!(h, Happening::Replaced { parted, gone: 0, .. } if *parted > 0),
    ));
    stories.extend(told("loss accepted", |h| matches!(h, Happening::AcceptedLoss { .. })));
    stories.extend(told("copies lost", |h| matches!(h, Happening::CopiesLost { .. })));
    stories.extend(told("release", |h| matches!(h, Happening::Recorded { holder: None, .. })));
    let left = world.members.iter().any(|m| m.broken && m.heir.is_none());
    stories.extend(left.then(|| "seen somebody left broken".to_owned()));
    stories
}

/// The stories that many worlds together must reach: every case of failover.md 2.12 by the rules
/// and faults that make it, and every kind of effect. Not among them are `rule copies` (no world
/// changes k; the script `d7` does) and `effect members` (no world grows; the tests of agents do).
pub const STORIES: &[&str] = &[
    "effect answer",
    "effect engine admit",
    "effect engine dead end",
    "effect engine follow",
    "effect engine kill",
    "effect engine kill clients",
    "effect engine min replicas",
    "effect engine observe",
    "effect engine pause writes",
    "effect engine promote",
    "effect engine set aside",
    "effect engine shutdown",
    "effect engine start",
    "effect engine unpause",
    "effect gate",
    "effect leave",
    "effect note",
    "effect persist",
    "effect read",
    "effect replace",
    "effect route",
    "effect send",
    "effect start anew",
    "fault Cut",
    "fault DeleteRecord",
    "fault Empty",
    "fault FailSaves",
    "fault Freeze",
    "fault Handover",
    "fault Hang",
    "fault KillAgent",
    "fault KillEngine",
    "fault LoseRoom",
    "fault LoseState",
    "fault Maintenance",
    "fault Recreate",
    "fault ReuseAddress",
    "fault RollBack",
    "fault StopAll",
    "fault StopMember",
    "fault StoreDown",
    "fault Twin",
    "fault Wipe",
    "rule accepted",
    "rule appointed",
    "rule attach",
    "rule barrier",
    "rule beginning",
    "rule begins-empty",
    "rule bump",
    "rule certified",
    "rule conflict",
    "rule creation",
    "rule denied",
    "rule deposed",
    "rule diverged",
    "rule emptied",
    "rule exited",
    "rule farewell",
    "rule fence-kill",
    "rule fence-soft",
    "rule fenced",
    "rule followed",
    "rule forced",
    "rule give",
    "rule goodbye",
    "rule grow",
    "rule guard",
    "rule handover",
    "rule hang",
    "rule nack",
    "rule no-room",
    "rule promised",
    "rule promoted",
    "rule reclaimed",
    "rule regained",
    "rule release",
    "rule shrink",
    "rule stop",
    "rule succession",
    "rule takeover",
    "rule unanswered",
    "rule unfence",
    "seen copies lost",
    "seen data kept aside",
    "seen loss accepted",
    "seen release",
    "seen somebody left broken",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_names_what_it_has_not_seen() {
        let mut tally = Tally::default();
        assert_eq!(tally.unseen(1).len(), STORIES.len());
        let summary = Summary { stories: vec!["rule bump".to_owned()], ..Summary::default() };
        let outcome = Outcome { family: Family::Swarm, seed: 1, summary, violations: Vec::new() };
        tally.add(&outcome);
        assert_eq!(tally.unseen(1).len(), STORIES.len() - 1);
        assert!(tally.unseen(2).contains(&("rule bump", 1)));
        assert_eq!(tally.red(), 0);
    }

    #[test]
    fn families_are_found_by_their_names() {
        for family in Family::ALL {
            assert_eq!(Family::named(family.name()), Some(family));
        }
        assert_eq!(Family::named("herd"), None);
    }
}
