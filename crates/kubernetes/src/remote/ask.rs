//! Asking all agents at once how they are: through the API server, or each at its own address.

use std::time::Duration;

use brain::report::MemberReport;
use tokio::task::JoinSet;

use super::access::Cluster;
use super::error::plain;
use super::find::{Found, Pod};
use super::{Answers, http};
use crate::names::HTTP_PORT;

pub(super) mod direct;

/// What an agent serves of itself.
const STATUS: &str = "/v1/status";

/// What came of asking through the API server.
pub(super) enum Proxied {
    /// It carried the questions.
    Answers(Answers),
    /// It is there and does not let us.
    Barred(String),
    /// It is away.
    Away(String),
}

/// One question's fate. Few exist at a time: boxing the report would only obscure it.
#[allow(clippy::large_enum_variant)]
enum Fate {
    Answer(Box<Result<MemberReport, String>>),
    Barred(String),
    Away(String),
}

impl Fate {
    fn silent(why: String) -> Self {
        Self::Answer(Box::new(Err(why)))
    }
}

/// Asks every member that has a pod through the API server's proxy.
pub(super) async fn proxied(
    cluster: &Cluster,
    group: &str,
    found: &Found,
    limit: Duration,
) -> Proxied {
    let mut asked = JoinSet::new();
    let mut answers = Answers::new();
    for pod in &found.pods {
        // What is known of it already is the answer, unless it says something after all.
        let why = pod.why_silent.clone().unwrap_or_else(|| "no answer".to_owned());
        answers.insert(pod.name.clone(), Err(why));
        if pod.address.is_some() {
            let (cluster, pod, group) = (cluster.clone(), pod.clone(), group.to_owned());
            asked.spawn(async move {
                let fate = one(&cluster, &group, &pod, limit).await;
                (pod, fate)
            });
        }
    }
    while let Some(ended) = asked.join_next().await {
        let Ok((pod, fate)) = ended else { continue };
        match fate {
            Fate::Answer(answer) if answer.is_err() && pod.why_silent.is_some() => {}
            Fate::Answer(answer) => drop(answers.insert(pod.name, *answer)),
            Fate::Barred(why) => return Proxied::Barred(why),
            Fate::Away(why) => return Proxied::Away(why),
        }
    }
    Proxied::Answers(answers)
}

async fn one(cluster: &Cluster, group: &str, pod: &Pod, limit: Duration) -> Fate {
    let (namespace, name) = (&cluster.namespace, &pod.name);
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{HTTP_PORT}/proxy{STATUS}");
    let request = match http::get(&path) {
        Ok(request) => request,
        Err(error) => return Fate::silent(error.to_string()),
    };
    let text = match tokio::time::timeout(limit, cluster.client.request_text(request)).await {
        Ok(Ok(text)) => text,
        Ok(Err(kube::Error::Api(status))) => return refused(status.code, &status.message),
        Ok(Err(error)) => return Fate::Away(innermost(&error)),
        // A frozen host looks like this, too: the others' answers tell.
        Err(_) => {
            return Fate::silent(format!("no answer within {:.1} s", limit.as_secs_f32()));
        }
    };
    let answer = read(text.as_bytes()).and_then(|report| own(group, name, None, report));
    Fate::Answer(Box::new(answer))
}

/// What a status of the proxy means. The API server's own troubles and those of the way from it to
/// the pod both are a 5xx; the latter say so.
fn refused(code: u16, message: &str) -> Fate {
    match code {
        401 | 403 => Fate::Barred("not allowed to get pods/proxy".to_owned()),
        404 => Fate::silent("it has no pod".to_owned()),
        _ => Fate::silent(short(message)),
    }
}

/// The end of Go's chains of causes: `connection refused`.
fn short(message: &str) -> String {
    let message = message.trim();
    match message.strip_prefix("error trying to reach service: ") {
        Some(rest) => rest.rsplit(": ").next().unwrap_or(rest).to_owned(),
        None if message.is_empty() => "it does not answer".to_owned(),
        None => message.to_owned(),
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    plain(last)
}

fn read(body: &[u8]) -> Result<MemberReport, String> {
    serde_json::from_slice(body).map_err(|error| format!("its answer is garbled: {error}"))
}

/// An address that another pod has taken meanwhile does not speak for this one.
fn own(
    group: &str,
    member: &str,
    uid: Option<&str>,
    report: MemberReport,
) -> Result<MemberReport, String> {
    let is_named = report.group == group && report.name == member;
    let is_own = is_named && uid.is_none_or(|uid| uid == report.pod);
    is_own.then_some(report).ok_or_else(|| "another agent answers there".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_not_use_the_proxy_asks_the_agents() {
        for code in [401, 403] {
            assert!(matches!(refused(code, "forbidden"), Fate::Barred(_)), "{code}");
        }
        let said = "error trying to reach service: dial tcp 10.0.0.1:8379: connect: \
                    connection refused";
        let Fate::Answer(answer) = refused(503, said) else { panic!("an answer") };
        assert_eq!(answer.expect_err("it is silent"), "connection refused");
    }

    #[test]
    fn a_stranger_at_an_address_does_not_speak_for_a_member() {
        let report = MemberReport {
            group: "cart".into(),
            name: "cart-0".into(),
            pod: "u0".into(),
            ..MemberReport::default()
        };
        let own = |group, member, uid| own(group, member, uid, report.clone()).is_ok();
        assert!(own("cart", "cart-0", Some("u0")));
        assert!(own("cart", "cart-0", None));
        assert!(!own("cart", "cart-0", Some("u1")), "a pod of another namespace, or a newer one");
        assert!(!own("cart", "cart-1", None));
        assert!(!own("other", "cart-0", None));
    }
}
