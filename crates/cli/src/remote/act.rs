//! What moves the primary's role of a group on Kubernetes: a wish in its record, and requests to
//! its agents.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use agent::PeerKeys;
use brain::report::Decision;
use kubernetes::remote::Pod;
use tokio::time::Instant;

use super::Remote;
use crate::failure::Failure;
use crate::group::Seen;
use crate::handover::{HandoverError, Wish, answered};

/// How long the API server may take to write a wish.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// How long a fault may take to be done.
const FAULT_WITHIN: Duration = Duration::from_secs(10);

/// What tells one decision from another.
type Mark = (u64, String, String);

impl Remote {
    /// Writes the wish into the record, and watches what the agents make of it. A dry run asks the
    /// primary's agent, which needs the group's Secret.
    pub(crate) async fn hand_over(
        &self,
        before: &Seen,
        from: &str,
        wish: &Wish,
        within: Duration,
    ) -> Result<String, HandoverError> {
        if wish.dry_run {
            let body = serde_json::to_vec(wish).expect("a wish has string keys");
            return self.post(from, "/v1/handover", body, within).await;
        }
        let deadline = Instant::now() + within;
        let known: BTreeSet<Mark> = decisions(before).map(mark).collect();
        let id = self.group.wish_handover(from, wish.to.as_deref(), WRITE_WITHIN).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        let seen = self.look_until(left, |seen| fate(before, seen, from, &known).is_some()).await;
        if let Some(fate) = fate(before, &seen, from, &known) {
            return fate.map_err(|reason| HandoverError::Refused { reason });
        }
        // It must not be heeded in an hour.
        let withdrawn = self.group.withdraw_handover(&id, WRITE_WITHIN).await;
        let withdrawn = match withdrawn {
            Ok(true) => "the wish is withdrawn".to_owned(),
            Ok(false) => "another wish has taken its place".to_owned(),
            Err(error) => format!("the wish still stands in the Lease ({error})"),
        };
        let newest = decisions(&seen).filter(|d| d.story && !known.contains(&mark(d))).last();
        let heard = match newest {
            Some(decision) => format!("{}: {}", decision.member, decision.text),
            None => format!("{from} has not heeded it"),
        };
        Err(HandoverError::Unended { reason: format!("{heard}; {withdrawn}") })
    }

    /// Asks a member's agent to lead with what it has.
    pub(crate) async fn promote(
        &self,
        member: &str,
        within: Duration,
    ) -> Result<String, HandoverError> {
        self.post(member, "/v1/promote", Vec::new(), within).await
    }

    /// A request that acts, with the token that the group's Secret allows to make.
    async fn post(
        &self,
        member: &str,
        path: &str,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<String, HandoverError> {
        let keys = PeerKeys::of_text(&self.group.peer_keys().await?, Path::new("of the Secret"))?;
        let identity = format!("{}/{}", self.namespace(), self.name());
        let token = keys.first().bearer_token(&identity);
        let (status, body) = self.group.post(member, path, &token, body, within).await?;
        answered(status, &body)
    }

    /// Kills a member's engine, in its pod.
    pub(crate) async fn kill_engine(&self, member: &str, seen: &Seen) -> Result<(), Failure> {
        let pid = seen.report(member).map_or(0, |report| report.engine_pid);
        if pid == 0 {
            return Err(Failure::new(format!("{member} has no engine that is known to run")));
        }
        let killed = self.group.kill(member, pid, FAULT_WITHIN).await;
        killed.map_err(|error| self.failed(&error))
    }

    /// Deletes a member's pod.
    pub(crate) async fn delete_pod(&self, member: &str, seen: &Seen) -> Result<(), Failure> {
        let mut pods = seen.place.iter().flat_map(|place| &place.pods);
        let uid = |pod: &Pod| (pod.name == member).then(|| pod.uid.clone()).flatten();
        let Some(uid) = pods.find_map(uid) else {
            return Err(Failure::new(format!("{member} has no pod that is known")));
        };
        let deleted = self.group.delete_pod(member, &uid).await;
        deleted.map_err(|error| self.failed(&error))
    }
}

fn decisions(seen: &Seen) -> impl Iterator<Item = &Decision> {
    seen.reports().flat_map(|report| &report.decisions)
}

fn mark(decision: &Decision) -> Mark {
    (decision.at_ms, decision.member.clone(), decision.text.clone())
}

/// What became of the wish: somebody else leads a newer epoch, or the primary has said no.
fn fate(
    before: &Seen,
    now: &Seen,
    from: &str,
    known: &BTreeSet<Mark>,
) -> Option<Result<String, String>> {
    let judged = &now.judgement;
    let leader = judged.primary.as_deref().filter(|name| *name != from);
    if let Some(leader) = leader
        && judged.epoch > before.judgement.epoch
        && now.report(leader).is_some_and(|report| report.role == "primary")
    {
        return Some(Ok(format!("{leader} leads epoch {}", judged.epoch)));
    }
    let own = now.report(from).into_iter().flat_map(|report| &report.decisions);
    let mut new = own.filter(|d| d.rule == "handover" && !known.contains(&mark(d)));
    new.find_map(|decision| {
        let no = decision.text.strip_prefix("no handover: ");
        let off = decision.text.strip_prefix("handover called off: ");
        no.or(off).map(|why| Err(why.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use brain::report::MemberReport;

    use super::*;
    use crate::verdict::judge;

    fn seen(primary: &str, epoch: u64, said: &[&str]) -> Seen {
        let report = |name: &str| MemberReport {
            name: name.into(),
            role: if name == primary { "primary" } else { "replica" }.into(),
            engine_pid: 7,
            epoch,
            primary: Some(primary.into()),
            decisions: said
                .iter()
                .filter(|_| name == "cart-0")
                .map(|text| Decision {
                    member: name.into(),
                    rule: "handover".into(),
                    text: (*text).into(),
                    story: true,
                    ..Decision::default()
                })
                .collect(),
            ..MemberReport::default()
        };
        let answers = ["cart-0", "cart-1"].map(|name| (name.to_owned(), Ok(report(name)))).into();
        Seen { judgement: judge(&answers), answers, place: None }
    }

    #[test]
    fn a_wish_is_fulfilled_refused_or_open() {
        let before = seen("cart-0", 3, &["no handover: an old one"]);
        let known: BTreeSet<Mark> = decisions(&before).map(mark).collect();
        let fate = |now: &Seen| fate(&before, now, "cart-0", &known);
        assert_eq!(fate(&before), None, "what was said before is no answer");
        assert_eq!(fate(&seen("cart-1", 4, &[])), Some(Ok("cart-1 leads epoch 4".into())));
        assert_eq!(fate(&seen("cart-0", 4, &[])), None, "a new epoch of the same one");
        let refused = seen("cart-0", 3, &["no handover: cart-1 is 40 MB behind"]);
        assert_eq!(fate(&refused), Some(Err("cart-1 is 40 MB behind".into())));
        let off = seen("cart-0", 3, &["cart-0 hands over", "handover called off: too late"]);
        assert_eq!(fate(&off), Some(Err("too late".into())));
    }
}
