//! Partitions from a seed: which planes of which member are cut, which way, from whom, for how
//! long. The same seed and number are the same partition.

use std::time::Duration;

use sim::Prng;

use crate::target::{Plane, Severed, Way};

/// The shortest partition.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// One partition, by members' roles: who they are is known when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who is cut: 0 is the primary, 1 the first of the others, and so on.
    pub whom: usize,
    /// What, one entry a plane.
    pub planes: Vec<Cut>,
    /// How long.
    pub length: Duration,
}

/// One plane of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which.
    pub plane: Plane,
    /// Which way.
    pub way: Way,
    /// Only from this one of the other members (counted as in [`Plan::whom`], without the member
    /// itself); from all when absent.
    pub only: Option<usize>,
}

/// What a partition may cost clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// Nothing: the primary is cut from the store or from its peers, and not from both.
    Nothing,
    /// A takeover at most.
    Takeover,
    /// As much as it lasts: clients do not reach the primary, and nobody in the group can see that.
    Unbounded,
}

/// The seed's own stream for one deed of one scenario.
pub fn stream(seed: u64, scenario: &str, number: u32) -> Prng {
    // FNV-1a: any spread of names over numbers does.
    let name = scenario.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    Prng::new(seed ^ name ^ u64::from(number).rotate_left(40))
}

/// The partition of this number. Planes and members go round, so that as many partitions as there
/// are pairs of a set of planes and a member meet each pair once; the seed says where that begins,
/// and everything else.
pub fn plan(seed: u64, number: u32, members: usize, longest: Duration) -> Plan {
    let sets = (1 << Plane::ALL.len()) - 1;
    let pairs = (sets * members.max(1)) as u64;
    // 7 is no divisor of 15, 30 or 45: neighbours differ in planes and in member.
    let pair = (stream(seed, "partition", u32::MAX).below(pairs) + u64::from(number) * 7) % pairs;
    let (set, whom) = (pair as usize % sets + 1, pair as usize / sets);
    let mut draw = stream(seed, "partition", number);
    let others = members.saturating_sub(1) as u64;
    let planes = (0..).zip(Plane::ALL).filter(|(bit, _)| set >> bit & 1 == 1);
    let planes = planes.map(|(_, plane)| {
        let way = draw.pick(&[Way::Both, Way::Both, Way::In, Way::Out]);
        let between = matches!(plane, Plane::Agents | Plane::Engines);
        let one = between && others > 1 && draw.per_mille(250);
        Cut { plane, way, only: one.then(|| draw.below(others) as usize) }
    });
    let planes = planes.collect();
    Plan { whom, planes, length: length(&mut draw, longest) }
}

/// A length from [`SHORTEST`] to `longest`: short ones are as likely as long ones on a scale of
/// ratios, because most of what can go wrong goes wrong around a second and around W.
pub fn length(draw: &mut Prng, longest: Duration) -> Duration {
    let shortest = SHORTEST.as_secs_f64();
    let ratio = (longest.as_secs_f64() / shortest).max(1.0);
    let part = draw.below(1 << 20) as f64 / f64::from(1 << 20);
    Duration::from_millis((shortest * ratio.powf(part) * 1000.0) as u64)
}

impl Plan {
    /// What it may cost.
    pub fn price(&self) -> Price {
        let cut = |plane: Plane| self.planes.iter().any(|cut| cut.plane == plane);
        if self.whom == 0 && cut(Plane::Clients) {
            return Price::Unbounded;
        }
        let one = [[Plane::Store], [Plane::Agents]]
            .iter()
            .any(|only| self.planes.iter().all(|cut| only.contains(&cut.plane)));
        if one { Price::Nothing } else { Price::Takeover }
    }

    /// The cuts, once it is known who leads. `members` are all, the primary first.
    pub fn cuts(&self, members: &[&str]) -> Vec<Severed> {
        let Some(member) = members.get(self.whom) else { return Vec::new() };
        let others: Vec<&str> = members.iter().copied().filter(|name| name != member).collect();
        let severed = |cut: &Cut| Severed {
            member: (*member).to_owned(),
            plane: cut.plane,
            way: cut.way,
            only: cut.only.and_then(|n| others.get(n)).map(|name| (*name).to_owned()),
        };
        self.planes.iter().map(severed).collect()
    }

    /// In words.
    pub fn words(&self, members: &[&str]) -> String {
        let cuts = self.cuts(members);
        let member = cuts.first().map_or("nobody", |cut| cut.member.as_str());
        let words = cuts.iter().map(|cut| {
            let way = match cut.way {
                Way::Both => "",
                Way::In => " in",
                Way::Out => " out",
            };
            let plane = format!("{:?}", cut.plane).to_lowercase();
            let only = cut.only.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            format!("{plane}{only}{way}")
        });
        let words: Vec<String> = words.collect();
        format!("{member} without {} for {} ms", words.join(", "), self.length.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::target::Plane::{Agents, Clients, Engines, Store};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_seed_is_the_same_partitions_and_another_is_not() {
        let all = |seed| (0..50).map(|n| plan(seed, n, 3, LONG)).collect::<Vec<_>>();
        assert_eq!(all(7), all(7));
        assert_ne!(all(7), all(8));
    }

    #[test]
    fn every_set_of_planes_meets_every_member_and_every_way() {
        for members in [2_usize, 3] {
            let plans: Vec<Plan> =
                (0..15 * members as u32).map(|n| plan(3, n, members, LONG)).collect();
            let pairs: BTreeSet<(usize, Vec<Plane>)> = plans
                .iter()
                .map(|plan| (plan.whom, plan.planes.iter().map(|cut| cut.plane).collect()))
                .collect();
            assert_eq!(pairs.len(), 15 * members);
            let ways: BTreeSet<Way> =
                plans.iter().flat_map(|plan| &plan.planes).map(|cut| cut.way).collect();
            assert_eq!(ways.len(), 3);
            assert!(plans.iter().all(|plan| (SHORTEST..=LONG).contains(&plan.length)));
            let only = plans.iter().flat_map(|plan| &plan.planes).any(|cut| cut.only.is_some());
            assert_eq!(only, members > 2, "with one peer, one is all");
        }
    }

    #[test]
    fn the_price_is_nothing_only_for_one_side_of_the_authority() {
        let price = |whom, planes: &[Plane]| {
            let cut = |plane: &Plane| Cut { plane: *plane, way: Way::In, only: None };
            let planes = planes.iter().map(cut).collect();
            Plan { whom, planes, length: SHORTEST }.price()
        };
        assert_eq!(price(0, &[Store]), Price::Nothing);
        assert_eq!(price(0, &[Agents]), Price::Nothing);
        assert_eq!(price(1, &[Store]), Price::Nothing);
        assert_eq!(price(0, &[Store, Agents]), Price::Takeover);
        assert_eq!(price(0, &[Agents, Engines]), Price::Takeover);
        assert_eq!(price(0, &[Store, Clients]), Price::Unbounded);
        assert_eq!(price(2, &[Clients]), Price::Takeover);
    }

    #[test]
    fn roles_become_members() {
        let planes = vec![
            Cut { plane: Plane::Store, way: Way::Out, only: None },
            Cut { plane: Plane::Engines, way: Way::Both, only: Some(1) },
        ];
        let plan = Plan { whom: 1, planes, length: Duration::from_millis(1500) };
        let cuts = plan.cuts(&["c-2", "c-0", "c-1"]);
        assert!(cuts.iter().all(|cut| cut.member == "c-0"));
        assert_eq!(cuts[1].only.as_deref(), Some("c-1"));
        let words = plan.words(&["c-2", "c-0", "c-1"]);
        assert_eq!(words, "c-0 without store out, engines c-1 for 1500 ms");
        assert!(plan.cuts(&["c-0"]).is_empty());
    }
}
