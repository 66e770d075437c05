//! Whether a group serves, judged by what its members say of themselves.

use brain::report::MemberReport;

use crate::observe::ObserveError;

/// What the members of a group say.
#[derive(Debug, Default)]
pub struct Standing {
    reports: Vec<MemberReport>,
    silent: Vec<String>,
}

impl Standing {
    /// Sorts the answers of all members.
    pub fn of(answers: Vec<(String, Result<MemberReport, ObserveError>)>) -> Self {
        let mut standing = Self::default();
        for (name, answer) in answers {
            match answer {
                Ok(report) => standing.reports.push(report),
                Err(_) => standing.silent.push(name),
            }
        }
        standing
    }

    /// The one that leads by its own word, if it is one.
    pub fn primary(&self) -> Option<&MemberReport> {
        let mut leading = self.reports.iter().filter(|report| report.role == "primary");
        let first = leading.next()?;
        leading.next().is_none().then_some(first)
    }

    /// How many replicas follow that primary with a whole dataset.
    pub fn in_sync(&self) -> usize {
        let Some(primary) = self.primary() else { return 0 };
        self.reports.iter().filter(|report| follows(report, &primary.name)).count()
    }

    /// What is missing until the group serves with everything it has; `None` when nothing is.
    pub fn waits_for(&self) -> Option<String> {
        if !self.silent.is_empty() {
            return Some(format!("no answer from {}", self.silent.join(", ")));
        }
        let blocked = self.reports.iter().find_map(|report| report.blocked.clone());
        let Some(primary) = self.primary() else {
            return Some(blocked.unwrap_or_else(|| "nobody leads".to_owned()));
        };
        let late: Vec<String> = self
            .reports
            .iter()
            .filter(|report| report.name != primary.name && !follows(report, &primary.name))
            .map(|report| format!("{} is {}", report.name, report.role))
            .collect();
        if late.is_empty() { None } else { Some(late.join(", ")) }
    }

    /// The reports themselves.
    pub fn into_reports(self) -> Vec<MemberReport> {
        self.reports
    }
}

fn follows(report: &MemberReport, primary: &str) -> bool {
    report.role == "replica"
        && report.link_up
        && report.complete
        && report.primary.as_deref() == Some(primary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, role: &str) -> MemberReport {
        MemberReport {
            name: name.to_owned(),
            role: role.to_owned(),
            primary: Some("a".to_owned()),
            link_up: role == "replica",
            complete: true,
            ..MemberReport::default()
        }
    }

    fn waits(reports: Vec<MemberReport>) -> Option<String> {
        Standing { reports, silent: Vec::new() }.waits_for()
    }

    #[test]
    fn a_group_serves_when_one_leads_and_all_others_follow_it() {
        assert_eq!(waits(vec![member("a", "primary"), member("b", "replica")]), None);
        assert_eq!(waits(vec![member("a", "primary")]), None);
        let nobody = waits(vec![member("a", "replica"), member("b", "replica")]);
        assert_eq!(nobody.unwrap(), "nobody leads");
        let two = waits(vec![member("a", "primary"), member("b", "primary")]);
        assert_eq!(two.unwrap(), "nobody leads");
        let syncing = waits(vec![member("a", "primary"), member("b", "syncing")]);
        assert_eq!(syncing.unwrap(), "b is syncing");
        let elsewhere = MemberReport { primary: Some("c".to_owned()), ..member("b", "replica") };
        assert!(waits(vec![member("a", "primary"), elsewhere]).is_some());
        let blocked =
            MemberReport { blocked: Some("RecoveryBlocked".to_owned()), ..member("b", "dead-end") };
        assert_eq!(waits(vec![blocked]).unwrap(), "RecoveryBlocked");
    }

    #[test]
    fn a_silent_member_is_waited_for_by_name() {
        let standing = Standing {
            reports: vec![member("a", "primary")],
            silent: vec!["b".to_owned(), "c".to_owned()],
        };
        assert_eq!(standing.waits_for().unwrap(), "no answer from b, c");
        assert_eq!(standing.in_sync(), 0);
    }
}
