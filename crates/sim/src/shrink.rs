//! Makes a failing world smaller: fewer faults, fewer clients, calmer parts, as long as the same
//! promise is broken.

use std::collections::BTreeSet;
use std::fmt;

use crate::SECOND;
use crate::network::Weather;
use crate::plan::Plan;
use crate::store::Temper;

/// What is taken from a seed's plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trim {
    /// Faults that are not made, by their number.
    pub skips: BTreeSet<u64>,
    /// Faults are made for so many seconds only.
    pub seconds: Option<u64>,
    /// So many clients only.
    pub clients: Option<usize>,
    /// Nothing is lost, doubled or out of order on the network.
    pub calm_network: bool,
    /// The store answers in time.
    pub calm_store: bool,
    /// All clocks run alike.
    pub even_clocks: bool,
}

impl Trim {
    /// The plan with this taken from it.
    pub fn applied(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        plan.skips.clone_from(&self.skips);
        plan.chaos = self.seconds.map_or(plan.chaos, |seconds| plan.chaos.min(seconds * SECOND));
        plan.clients = self.clients.unwrap_or(plan.clients);
        if self.calm_network {
            let delay = plan.weather.delay;
            plan.weather = Weather { delay, loss: 0, twice: 0, reorder: false, holds: false };
        }
        if self.calm_store {
            plan.temper = Temper::default();
        }
        if self.even_clocks {
            plan.drift_ppb = 0;
        }
        plan
    }
}

/// As the options of `cargo xtask sim`.
impl fmt::Display for Trim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if !self.skips.is_empty() {
            let skips: Vec<String> = self.skips.iter().map(ToString::to_string).collect();
            words.push(format!("--skip {}", skips.join(",")));
        }
        words.extend(self.seconds.map(|seconds| format!("--seconds {seconds}")));
        words.extend(self.clients.map(|clients| format!("--clients {clients}")));
        let flags = [
            (self.calm_network, "--calm-network"),
            (self.calm_store, "--calm-store"),
            (self.even_clocks, "--even-clocks"),
        ];
        words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()));
        f.write_str(&words.join(" "))
    }
}

/// The smallest that was found with which a plan still fails, and how many worlds that took.
/// `fails` runs a plan and says whether it breaks the promise that is looked for; `faults` is how
/// many the whole world draws.
pub fn shrink(plan: &Plan, faults: u64, mut fails: impl FnMut(&Plan) -> bool) -> (Trim, u64) {
    let mut best = Trim::default();
    let mut worlds = 0;
    let mut keep_if = |best: &mut Trim, trim: Trim| {
        worlds += 1;
        let failed = fails(&trim.applied(plan));
        if failed {
            *best = trim;
        }
        failed
    };
    shorten(plan, &mut best, &mut keep_if);
    let mut chunk = faults.div_ceil(2).max(1);
    loop {
        let mut from = 1;
        while from <= faults {
            let mut trim = best.clone();
            trim.skips.extend(from..(from + chunk).min(faults + 1));
            if trim.skips != best.skips {
                keep_if(&mut best, trim);
            }
            from += chunk;
        }
        if chunk == 1 {
            break;
        }
        chunk = chunk.div_ceil(2);
    }
    for clients in [1, 2, 4] {
        let trim = Trim { clients: Some(clients), ..best.clone() };
        if clients < plan.clients && keep_if(&mut best, trim) {
            break;
        }
    }
    for change in [
        |trim: &mut Trim| trim.calm_network = true,
        |trim: &mut Trim| trim.calm_store = true,
        |trim: &mut Trim| trim.even_clocks = true,
    ] {
        let mut trim = best.clone();
        change(&mut trim);
        keep_if(&mut best, trim);
    }
    shorten(plan, &mut best, &mut keep_if);
    (best, worlds)
}

/// Halves the time in which faults are made, as long as it still fails.
fn shorten(plan: &Plan, best: &mut Trim, keep_if: &mut impl FnMut(&mut Trim, Trim) -> bool) {
    let mut seconds = best.seconds.unwrap_or(plan.chaos / SECOND) / 2;
    while seconds > 0 {
        let trim = Trim { seconds: Some(seconds), ..best.clone() };
        if !keep_if(best, trim) {
            break;
        }
        seconds /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_failure_needs_is_left() {
        let mut plan = Plan::swarm(7);
        (plan.clients, plan.chaos) = (8, 80 * SECOND);
        let needs = |plan: &Plan| {
            !plan.skips.contains(&3) && !plan.skips.contains(&11) && plan.chaos >= 20 * SECOND
        };
        let (trim, worlds) = shrink(&plan, 20, needs);
        let left: Vec<u64> = (1..=20).filter(|fault| !trim.skips.contains(fault)).collect();
        assert_eq!(left, [3, 11]);
        assert_eq!((trim.seconds, trim.clients), (Some(20), Some(1)));
        assert!(trim.calm_network && trim.calm_store && trim.even_clocks);
        assert!(worlds < 60, "{worlds}");
        let words = trim.to_string();
        assert!(words.contains("--seconds 20 --clients 1 --calm-network"), "{words}");
    }
}
