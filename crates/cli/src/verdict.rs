//! How a group is, in one word, from what all its agents say: a pure function, and never HEALTHY
//! from one agent's word.

use std::collections::BTreeMap;
use std::fmt;

use brain::report::MemberReport;
use serde::Serialize;

#[cfg(test)]
mod tests;

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub(crate) enum Verdict {
    /// One primary, which a majority of the agents names; every member linked and complete.
    Healthy,
    /// Writable, but something is missing.
    Degraded,
    /// No primary, and one is being made.
    FailingOver,
    /// No primary, and none will come by itself.
    Down,
    /// No primary yet: members are starting or loading.
    Waiting,
    /// Too few agents answer to say anything.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Healthy => "HEALTHY",
            Self::Degraded => "DEGRADED",
            Self::FailingOver => "FAILING-OVER",
            Self::Down => "DOWN",
            Self::Waiting => "WAITING",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// What every agent said: its report, or why there is none.
pub(crate) type Answers = BTreeMap<String, Result<MemberReport, String>>;

/// The word with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The word.
    pub(crate) verdict: Verdict,
    /// What is wrong or awaited, most important first; empty when healthy.
    pub(crate) reasons: Vec<String>,
    /// Whether the group would survive the loss of its primary now.
    pub(crate) can_fail_over: bool,
    /// Why, or why not.
    pub(crate) fail_over_reason: String,
    /// The primary that most agents name.
    pub(crate) primary: Option<String>,
    /// The newest epoch that anybody knows.
    pub(crate) epoch: u64,
    /// How many agents name that primary.
    pub(crate) agree: usize,
}

/// Judges a group by its agents' answers; `answers` has a key for every member there should be.
pub(crate) fn judge(answers: &Answers) -> Judgement {
    let group = Group::of(answers);
    let (verdict, reasons) = group.verdict();
    let (can_fail_over, fail_over_reason) = group.failover();
    Judgement {
        verdict,
        reasons,
        can_fail_over,
        fail_over_reason,
        primary: group.primary.map(|(name, _)| name.to_owned()),
        epoch: group.epoch,
        agree: group.primary.map_or(0, |(_, agree)| agree),
    }
}

struct Group<'a> {
    answers: &'a Answers,
    reports: Vec<&'a MemberReport>,
    epoch: u64,
    /// Whom most agents of the newest epoch name, and how many.
    primary: Option<(&'a str, usize)>,
}

impl<'a> Group<'a> {
    fn of(answers: &'a Answers) -> Self {
        let reports: Vec<&MemberReport> =
            answers.values().filter_map(|a| a.as_ref().ok()).collect();
        let epoch = reports.iter().map(|r| r.epoch).max().unwrap_or(0);
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for report in reports.iter().filter(|r| r.epoch == epoch && epoch > 0) {
            if let Some(primary) = &report.primary {
                *named.entry(primary).or_default() += 1;
            }
        }
        let primary = named.into_iter().max_by_key(|(_, count)| *count);
        Self { answers, reports, epoch, primary }
    }

    fn majority(&self) -> usize {
        self.answers.len() / 2 + 1
    }

    /// The report of the member that leads with authority and is the one that most agents name.
    fn leader(&self) -> Option<&'a MemberReport> {
        let (name, _) = self.primary?;
        self.reports.iter().copied().find(|r| r.name == name && leads(r))
    }

    fn replicas(&self) -> impl Iterator<Item = &'a MemberReport> {
        let leader = self.leader().map(|l| l.name.as_str());
        self.reports.iter().copied().filter(move |r| Some(r.name.as_str()) != leader)
    }

    fn verdict(&self) -> (Verdict, Vec<String>) {
        if self.reports.is_empty() {
            let why = self.answers.iter().next().and_then(|(_, a)| a.as_ref().err());
            let why = why.map(|w| format!(" ({w})")).unwrap_or_default();
            let of = match self.answers.len() {
                1 => "the group's agent does not answer".to_owned(),
                n => format!("none of the {n} agents answers"),
            };
            return (Verdict::Unknown, vec![format!("{of}{why}")]);
        }
        match self.leader() {
            Some(leader) => self.led(leader),
            None => self.leaderless(),
        }
    }

    fn led(&self, leader: &MemberReport) -> (Verdict, Vec<String>) {
        let mut reasons = self.silent();
        let others: Vec<&str> = self
            .reports
            .iter()
            .filter(|r| leads(r) && r.name != leader.name)
            .map(|r| r.name.as_str())
            .collect();
        for other in others {
            reasons.push(format!("{other} calls itself primary beside {}", leader.name));
        }
        let agree = self.primary.map_or(0, |(_, agree)| agree);
        if agree < self.majority() {
            reasons.push(format!(
                "only {agree} of {} agents name {} as primary",
                self.answers.len(),
                leader.name
            ));
        }
        for replica in self.replicas() {
            reasons.extend(Self::fault(replica, leader));
        }
        if !leader.complete {
            reasons.push(format!("the dataset of {} is not whole", leader.name));
        }
        let deaf: Vec<&str> =
            self.reports.iter().filter(|r| !r.store_reachable).map(|r| r.name.as_str()).collect();
        if !deaf.is_empty() {
            reasons.push(format!("the store does not answer {}", deaf.join(", ")));
        }
        reasons.extend(self.reports.iter().filter_map(|r| r.blocked.clone()));
        reasons.dedup();
        if reasons.is_empty() { (Verdict::Healthy, reasons) } else { (Verdict::Degraded, reasons) }
    }

    /// What keeps a replica from being a good one.
    fn fault(replica: &MemberReport, leader: &MemberReport) -> Option<String> {
        let name = &replica.name;
        if replica.engine_pid == 0 {
            return Some(format!("the engine of {name} does not run"));
        }
        match replica.role.as_str() {
            "syncing" => return Some(format!("{name} is loading the dataset")),
            "replica" => {}
            "primary" => return None,
            role => return Some(format!("{name} does not follow yet (it is {role})")),
        }
        if !replica.link_up {
            return Some(format!("{name} has no replication link"));
        }
        if !replica.complete {
            return Some(format!("the dataset of {name} is not whole"));
        }
        let seated = leader.electorate.contains(name) || replica.electorate.contains(name);
        (!seated).then(|| format!("{name} is not in the electorate yet"))
    }

    fn leaderless(&self) -> (Verdict, Vec<String>) {
        let mut reasons: Vec<String> =
            self.reports.iter().filter_map(|r| r.blocked.clone()).collect();
        reasons.dedup();
        if !reasons.is_empty() {
            reasons.extend(self.silent());
            return (Verdict::Down, reasons);
        }
        if self.reports.len() < self.majority() {
            return (Verdict::Unknown, self.silent());
        }
        let with_role = |role: &str| self.reports.iter().find(|r| r.role == role).map(|r| &r.name);
        let rest = self.silent();
        let (verdict, reason) = if self.epoch == 0 {
            (Verdict::Waiting, "no primary has been elected yet".to_owned())
        } else if let Some(name) = with_role("promoting") {
            (Verdict::FailingOver, format!("{name} is being promoted"))
        } else if let Some(name) = with_role("candidate") {
            (Verdict::FailingOver, format!("{name} asks the others for their promises"))
        } else if self.reports.iter().any(|r| r.electable) {
            (Verdict::FailingOver, "there is no primary, and a member may take over".to_owned())
        } else if self.reports.iter().any(|r| r.engine_pid == 0 || r.role == "syncing") {
            (Verdict::Waiting, "there is no primary, and engines are starting".to_owned())
        } else {
            let why = self
                .reports
                .iter()
                .find_map(|r| r.why_not.as_ref().map(|why| format!(" ({}: {why})", r.name)));
            let why = why.unwrap_or_default();
            (Verdict::Down, format!("there is no primary, and no member may take over{why}"))
        };
        (verdict, std::iter::once(reason).chain(rest).collect())
    }

    fn silent(&self) -> Vec<String> {
        let silent =
            self.answers.iter().filter_map(|(name, a)| a.as_ref().err().map(|e| (name, e)));
        silent.map(|(name, why)| format!("the agent of {name} does not answer ({why})")).collect()
    }

    fn failover(&self) -> (bool, String) {
        let Some(leader) = self.leader() else {
            return (false, "there is no primary to fail over from".to_owned());
        };
        if leader.electorate.is_empty() {
            return (false, "no member is in the electorate".to_owned());
        }
        let seated: Vec<&MemberReport> =
            self.replicas().filter(|r| leader.electorate.contains(&r.name)).collect();
        let needed = promises_needed(leader.electorate.len(), leader.copies as usize);
        if seated.len() < needed {
            return (
                false,
                format!(
                    "a takeover needs {needed} of {} members of the electorate, {} answer",
                    leader.electorate.len(),
                    seated.len()
                ),
            );
        }
        let able: Vec<&&MemberReport> =
            seated.iter().filter(|r| r.electable && r.complete && r.engine_pid != 0).collect();
        if able.is_empty() {
            let why: Vec<String> = seated
                .iter()
                .map(|r| format!("{}: {}", r.name, r.why_not.as_deref().unwrap_or("not electable")))
                .collect();
            return (false, why.join("; "));
        }
        if !able.iter().any(|r| r.store_reachable) {
            return (false, "no candidate reaches the store".to_owned());
        }
        let word = match able.len() {
            1 => "1 candidate, complete".to_owned(),
            2 => "2 candidates, both complete".to_owned(),
            n => format!("{n} candidates, all complete"),
        };
        (true, word)
    }
}

/// p of failover.md 2.4: promises needed to take over.
fn promises_needed(seats: usize, copies: usize) -> usize {
    let majority = seats / 2 + 1;
    if copies == 0 { majority } else { majority.max((seats + 1).saturating_sub(copies)) }
}

/// Whether a member leads in its own eyes, with authority.
fn leads(report: &MemberReport) -> bool {
    let holds = report.authority.as_ref().is_none_or(|a| a.mode != "none");
    report.role == "primary" && report.engine_pid != 0 && holds
}
