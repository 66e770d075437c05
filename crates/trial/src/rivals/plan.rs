//! Who is compared, what is done to them, how often, and how long all of it takes.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::measure::{CUT_AFTER, CUT_LEAST, CUT_MOST, FREEZE};
use super::wire::Wire;

/// What is done to the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Its engine is killed.
    Crash,
    /// Every process of its member is stopped for a while.
    Freeze,
    /// Its member is cut off from everybody but the clients on its own side.
    Partition,
    /// It is asked to go, in each rival's own way.
    Planned,
    /// Its engine is killed and its data are gone before it starts again.
    Emptied,
}

/// All harms, in the order of the report.
pub(super) const HARMS: [Harm; 5] =
    [Harm::Crash, Harm::Freeze, Harm::Partition, Harm::Planned, Harm::Emptied];

impl Harm {
    /// What it is asked for by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Freeze => "freeze",
            Self::Partition => "partition",
            Self::Planned => "planned",
            Self::Emptied => "emptied",
        }
    }

    /// What it is called in a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Crash => "Primary killed",
            Self::Freeze => "Primary frozen for 30 s",
            Self::Partition => "Primary cut off",
            Self::Planned => "Planned change",
            Self::Emptied => "Primary killed, its data gone",
        }
    }

    /// What exactly is done, in one sentence.
    pub fn sentence(self) -> String {
        match self {
            Self::Crash => "SIGKILL to the primary's engine. A rival's supervisor starts it again \
                            after 1 s; with Interrex its agent does."
                .to_owned(),
            Self::Freeze => "SIGSTOP to every process of the primary's member, with 320 writes \
                             queued on 64 open connections; SIGCONT after 30 s."
                .to_owned(),
            Self::Partition => format!(
                "The primary's member, and one client beside it, lose everybody else for at least \
                 {} s and until {} s after the others' clients write again, {} s at the most.",
                CUT_LEAST.as_secs(),
                CUT_AFTER.as_secs(),
                CUT_MOST.as_secs()
            ),
            Self::Planned => {
                "SENTINEL FAILOVER, CLUSTER FAILOVER, SIGTERM and a start at once for \
                              the bare engine, interrex failover."
                    .to_owned()
            }
            Self::Emptied => "SIGKILL to the primary's engine, its data directory emptied before \
                              it starts again."
                .to_owned(),
        }
    }
}

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// A group of ours.
    Interrex,
    /// Sentinel tuned: down-after 5 s, failover-timeout 60 s.
    Sentinel5,
    /// Sentinel as it comes: 30 s, 180 s.
    Sentinel30,
    /// A cluster with a node timeout of 5 s.
    Cluster5,
    /// A cluster as it comes: 15 s.
    Cluster15,
    /// One engine under a supervisor.
    Bare,
}

/// All of them, in the order of the report.
pub(super) const CONTENDERS: [Contender; 6] = [
    Contender::Interrex,
    Contender::Sentinel5,
    Contender::Sentinel30,
    Contender::Cluster5,
    Contender::Cluster15,
    Contender::Bare,
];

impl Contender {
    /// What it is asked for by; `sentinel` and `cluster` alone name both of each.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrex => "interrex",
            Self::Sentinel5 => "sentinel-5",
            Self::Sentinel30 => "sentinel-30",
            Self::Cluster5 => "cluster-5",
            Self::Cluster15 => "cluster-15",
            Self::Bare => "bare",
        }
    }

    /// What it is called in a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Interrex => "Interrex",
            Self::Sentinel5 => "Sentinel, 5 s",
            Self::Sentinel30 => "Sentinel, 30 s (default)",
            Self::Cluster5 => "Cluster, 5 s",
            Self::Cluster15 => "Cluster, 15 s (default)",
            Self::Bare => "no failover, restarted",
        }
    }

    /// What it is, for whoever wants to do it again.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Interrex => {
                "three members, each an engine under its agent, as `interrex up` starts them"
            }
            Self::Sentinel5 => {
                "a primary, two replicas and three Sentinels, quorum 2; down-after-milliseconds \
                 5000, failover-timeout 60000"
            }
            Self::Sentinel30 => "the same with Sentinel's defaults of 30000 and 180000",
            Self::Cluster5 => {
                "three primaries with a replica each, cluster-node-timeout 5000; the load is on \
                 one shard, whose primary is broken"
            }
            Self::Cluster15 => "the same with the default of 15000",
            Self::Bare => "one engine, started again 1 s after its end",
        }
    }

    /// Whether Sentinels watch it.
    pub fn is_sentinel(self) -> bool {
        matches!(self, Self::Sentinel5 | Self::Sentinel30)
    }

    fn is_meant(self, word: &str) -> bool {
        let family = self.name().split('-').next().unwrap_or_default();
        word == self.name() || word == family
    }
}

impl Serialize for Harm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for Contender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What is compared.
#[derive(Debug)]
pub struct Plan {
    /// How often each harm is done to each rival.
    pub runs: u32,
    /// Which harms.
    pub harms: Vec<Harm>,
    /// Which rivals.
    pub contenders: Vec<Contender>,
    /// The engine's program, of all of them alike.
    pub program: PathBuf,
    /// The profile of our group.
    pub profile: String,
    /// The network in which rivals run.
    pub wire: Wire,
}

/// A word that names nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} {given:?}; there are {}", known.join(", "))]
pub struct UnknownWord {
    /// `event` or `rival`.
    pub what: &'static str,
    /// What was asked for.
    pub given: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

impl Plan {
    /// The harms that these words name; when there are none, all but the one that is done only
    /// when it is asked for, because it takes what remains of a cluster long.
    pub fn harms(words: &[String]) -> Result<Vec<Harm>, UnknownWord> {
        let mut harms =
            choose("event", words, &HARMS, Harm::name, |harm, word| harm.name() == word)?;
        harms.retain(|harm| *harm != Harm::Emptied || !words.is_empty());
        Ok(harms)
    }

    /// The rivals that these words name; all when there are none.
    pub fn contenders(words: &[String]) -> Result<Vec<Contender>, UnknownWord> {
        choose("rival", words, &CONTENDERS, Contender::name, Contender::is_meant)
    }

    /// How often this harm is done to this rival.
    pub fn runs_of(&self, harm: Harm, who: Contender) -> u32 {
        let is_silent = matches!(harm, Harm::Freeze | Harm::Partition);
        match who {
            // Nobody takes over: the gap is as long as the harm, each time.
            Contender::Bare if is_silent => 1,
            // What waits longest is done half as often, or it would take most of the time.
            Contender::Sentinel30 | Contender::Cluster15 => self.runs.div_ceil(2),
            _ => self.runs,
        }
    }

    /// How long all of it takes, as measured on two cores; a busy machine takes longer.
    pub fn expected(&self) -> Duration {
        let mut sum = Duration::ZERO;
        for harm in self.harms.iter().filter(|harm| self.is_possible(**harm)) {
            for who in &self.contenders {
                let each = start(*who) + length(*harm, *who) + mend(*harm, *who);
                sum += each * self.runs_of(*harm, *who);
            }
        }
        sum
    }

    fn is_possible(&self, harm: Harm) -> bool {
        harm != Harm::Partition || self.wire.can_cut()
    }
}

/// Those of `all` that the words mean, in their own order; all when there are no words. `what` is
/// what one of them is called: it is for the refusal of a word that means none.
pub fn choose<T: Copy>(
    what: &'static str,
    words: &[String],
    all: &[T],
    name: fn(T) -> &'static str,
    is_meant: fn(T, &str) -> bool,
) -> Result<Vec<T>, UnknownWord> {
    if let Some(given) = words.iter().find(|word| all.iter().all(|one| !is_meant(*one, word))) {
        let known = all.iter().map(|one| name(*one)).collect();
        return Err(UnknownWord { what, given: given.clone(), known });
    }
    let wanted = |one: &T| words.is_empty() || words.iter().any(|word| is_meant(*one, word));
    Ok(all.iter().copied().filter(wanted).collect())
}

/// From nothing to a healthy rival with a load on it, and away with it afterwards.
fn start(who: Contender) -> Duration {
    Duration::from_millis(match who {
        Contender::Bare => 2500,
        Contender::Interrex => 5500,
        Contender::Sentinel5 | Contender::Sentinel30 => 6000,
        Contender::Cluster5 | Contender::Cluster15 => 7500,
    })
}

/// How long a silent loss goes unnoticed.
fn silence(who: Contender) -> Duration {
    Duration::from_secs(match who {
        Contender::Interrex => 5,
        Contender::Sentinel5 | Contender::Cluster5 => 7,
        Contender::Sentinel30 => 32,
        Contender::Cluster15 => 19,
        Contender::Bare => 100,
    })
}

/// How long the harm itself lasts.
fn length(harm: Harm, who: Contender) -> Duration {
    match harm {
        Harm::Freeze => FREEZE,
        Harm::Partition => (silence(who) + CUT_AFTER).clamp(CUT_LEAST, CUT_MOST),
        Harm::Crash | Harm::Planned | Harm::Emptied => Duration::ZERO,
    }
}

/// How long a rival takes until it is healthy again after the harm, that it stays so included.
fn mend(harm: Harm, who: Contender) -> Duration {
    use Contender::{Bare, Cluster5, Cluster15, Interrex, Sentinel5, Sentinel30};
    Duration::from_millis(match (harm, who) {
        (_, Interrex | Bare) => 2500,
        (Harm::Crash | Harm::Emptied, Sentinel5 | Sentinel30) => 3000,
        // It looks at an old primary that is back only every 10 s.
        (_, Sentinel5 | Sentinel30) => 17_000,
        (Harm::Crash, Cluster5 | Cluster15) => 4500,
        (Harm::Planned, Cluster5 | Cluster15) => 1500,
        (Harm::Freeze | Harm::Partition, Cluster5 | Cluster15) => 8000,
        // It stays without the shard as long as it is watched.
        (Harm::Emptied, Cluster5 | Cluster15) => 41_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(runs: u32) -> Plan {
        Plan {
            runs,
            harms: HARMS.to_vec(),
            contenders: CONTENDERS.to_vec(),
            program: "redis-server".into(),
            profile: "default".to_owned(),
            wire: Wire::new(true),
        }
    }

    #[test]
    fn words_choose_and_a_family_names_all_of_its_kind() {
        let contenders = |words: &[&str]| {
            Plan::contenders(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(contenders(&[]), Ok(CONTENDERS.to_vec()));
        let sentinels = vec![Contender::Sentinel5, Contender::Sentinel30];
        assert_eq!(contenders(&["sentinel"]), Ok(sentinels));
        assert_eq!(contenders(&["cluster-5"]), Ok(vec![Contender::Cluster5]));
        let refused = contenders(&["sentinels"]).expect_err("nobody is called so");
        assert!(refused.to_string().contains("\"sentinels\"; there are interrex"), "{refused}");
        assert_eq!(Plan::harms(&["freeze".to_owned()]), Ok(vec![Harm::Freeze]));
        assert!(Plan::harms(&["sentinel".to_owned()]).is_err());
    }

    #[test]
    fn names_are_one_each() {
        let names: std::collections::BTreeSet<&str> = CONTENDERS.map(Contender::name).into();
        assert_eq!(names.len(), CONTENDERS.len());
        let names: std::collections::BTreeSet<&str> = HARMS.map(Harm::name).into();
        assert_eq!(names.len(), HARMS.len());
    }

    #[test]
    fn nothing_is_measured_three_times_that_is_known_after_one() {
        assert_eq!(plan(3).runs_of(Harm::Freeze, Contender::Bare), 1);
        assert_eq!(plan(3).runs_of(Harm::Crash, Contender::Bare), 3);
        assert_eq!(plan(3).runs_of(Harm::Freeze, Contender::Sentinel5), 3);
        assert_eq!(plan(3).runs_of(Harm::Freeze, Contender::Sentinel30), 2);
        assert_eq!(plan(1).runs_of(Harm::Crash, Contender::Cluster15), 1);
    }

    #[test]
    fn everything_three_times_takes_less_than_25_minutes() {
        let harms = Plan::harms(&[]).expect("all but one");
        assert!(!harms.contains(&Harm::Emptied));
        let expected = Plan { harms, ..plan(3) }.expected();
        assert!(expected < Duration::from_secs(25 * 60), "{expected:?}");
    }

    #[test]
    fn what_cannot_be_done_takes_no_time() {
        let without = Plan { wire: Wire::new(false), ..plan(1) };
        let partition = Plan { harms: vec![Harm::Partition], ..plan(1) };
        assert_eq!(plan(1).expected(), without.expected() + partition.expected());
    }
}
