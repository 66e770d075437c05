//! The command line of the hunt.

use clap::{Args as Group, Parser, Subcommand};
use sim::Plan;
use sim::shrink::Trim;
use sim::swarm::Family;

/// Hunts for broken promises in simulated worlds.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) deed: Deed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deed {
    /// Runs world after world, shrinks what fails, and ends with one line of figures; exit code 1
    /// when a promise was broken or a story never reached
    Hunt(Hunt),
    /// Runs one world and tells it, one line an event
    Sim(Which),
    /// Makes one failing world small
    Shrink(Which),
}

#[derive(Debug, Group)]
pub(crate) struct Hunt {
    /// For so long
    #[arg(long, default_value_t = 5, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) minutes: u64,
    /// From this seed on: another one for worlds that nobody has seen
    #[arg(long, default_value_t = 100_000, value_name = "SEED")]
    pub(crate) first: u64,
    /// So many worlds at once; as many as there are processors unless it says
    #[arg(long, value_name = "THREADS", value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) threads: Option<u64>,
    /// Every story is reached by so many worlds, or the hunt was blind
    #[arg(long, default_value_t = 10, value_name = "WORLDS")]
    pub(crate) least: u64,
    /// Worlds of this family only, whatever stories they reach
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    pub(crate) family: Option<Family>,
}

#[derive(Debug, Group)]
pub(crate) struct Which {
    /// The world's seed
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: u64,
    /// swarm; wild: with faults that came later and healings that leave much broken; rough: the
    /// same with disks that take no snapshot and stores that are restored; stray: wild with
    /// addresses that lead to another engine; twins: wild with pods that live on beside those made
    /// in their place
    #[arg(long, default_value = "swarm", value_name = "FAMILY", value_parser = family)]
    pub(crate) family: Family,
    /// Faults that are drawn and not made, by the numbers that the trace gives them
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub(crate) skip: Vec<u64>,
    /// Makes faults for so many seconds only
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
    /// So many clients
    #[arg(long, value_name = "CLIENTS", value_parser = clients)]
    pub(crate) clients: Option<usize>,
    /// Nothing is lost, doubled or out of order on the network
    #[arg(long)]
    pub(crate) calm_network: bool,
    /// The store answers in time
    #[arg(long)]
    pub(crate) calm_store: bool,
    /// All clocks run alike
    #[arg(long)]
    pub(crate) even_clocks: bool,
}

impl Which {
    /// The world that is meant.
    pub(crate) fn plan(&self) -> Plan {
        let trim = Trim {
            skips: self.skip.iter().copied().collect(),
            seconds: self.seconds,
            clients: self.clients,
            calm_network: self.calm_network,
            calm_store: self.calm_store,
            even_clocks: self.even_clocks,
        };
        trim.applied(&self.family.plan(self.seed))
    }
}

fn family(name: &str) -> Result<Family, String> {
    Family::named(name)
        .ok_or_else(|| format!("there is no family {name}: swarm, wild, rough, stray or twins"))
}

fn clients(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(clients @ 1..=64) => Ok(clients),
        _ => Err(format!("{text} clients cannot be had: 1 to 64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(words: &str) -> Which {
        let words = ["xtask", "sim", "--seed", "7"].into_iter().chain(words.split_whitespace());
        match Args::try_parse_from(words).expect("good words").deed {
            Deed::Sim(which) => which,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_shrink_prints_is_read_back() {
        let trim = Trim {
            skips: [3, 5].into(),
            seconds: Some(9),
            clients: Some(1),
            calm_network: true,
            calm_store: true,
            even_clocks: true,
        };
        let plan = which(&trim.to_string()).plan();
        assert_eq!(format!("{plan:?}"), format!("{:?}", trim.applied(&Plan::swarm(7))));
        assert_eq!(format!("{:?}", which("").plan()), format!("{:?}", Plan::swarm(7)));
    }

    #[test]
    fn a_wrong_value_is_refused_with_the_right_ones() {
        for (words, hint) in
            [("--family herd", "swarm, wild, rough, stray or twins"), ("--clients 0", "1 to 64")]
        {
            let all = ["xtask", "sim", "--seed", "7"].into_iter().chain(words.split_whitespace());
            let error = Args::try_parse_from(all).expect_err("refused").to_string();
            assert!(error.contains(hint), "{error}");
        }
    }
}
