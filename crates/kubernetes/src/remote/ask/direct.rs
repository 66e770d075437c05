//! Asking the agents at their own addresses: from where pods can be reached, and without anybody's
//! leave, since a status holds no secret.

use std::time::Duration;

use brain::report::MemberReport;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Answers, STATUS, innermost, own, read};
use crate::names::HTTP_PORT;
use crate::remote::find::Found;
use crate::remote::http;

/// Asks the members where they were found.
pub(in crate::remote) async fn members(group: &str, found: &Found, limit: Duration) -> Answers {
    let mut asked = JoinSet::new();
    let mut answers = Answers::new();
    for pod in &found.pods {
        let why = pod.why_silent.clone().unwrap_or_else(|| "no answer".to_owned());
        answers.insert(pod.name.clone(), Err(why));
        let Some(ip) = pod.address else { continue };
        let (pod, group) = (pod.clone(), group.to_owned());
        asked.spawn(async move {
            let answer = one(&std::net::SocketAddr::from((ip, HTTP_PORT)).to_string(), limit).await;
            let uid = pod.uid.as_deref();
            (pod.name.clone(), answer.and_then(|report| own(&group, &pod.name, uid, report)))
        });
    }
    while let Some(ended) = asked.join_next().await {
        if let Ok((name, answer)) = ended {
            answers.insert(name, answer);
        }
    }
    answers
}

/// Asks agents that a person named, host:port. The members that they know of and that were not
/// named have not been asked; whose address is silent is not known. Gives the addresses without
/// an answer with the reason; where nobody answers they stand for the members.
pub(in crate::remote) async fn given(
    group: &str,
    agents: &[String],
    limit: Duration,
) -> (Answers, Vec<(String, String)>) {
    let mut asked = JoinSet::new();
    for agent in agents {
        let agent = agent.clone();
        asked.spawn(async move {
            let answer = one(&agent, limit).await;
            (agent, answer)
        });
    }
    let (mut answers, mut silent) = (Answers::new(), Vec::new());
    while let Some(ended) = asked.join_next().await {
        let Ok((agent, answer)) = ended else { continue };
        match answer {
            Ok(report) if group.is_empty() || report.group == group => {
                drop(answers.insert(report.name.clone(), Ok(report)));
            }
            Ok(report) => {
                let why = format!("it is {} of the group {}", report.name, report.group);
                silent.push((agent, why));
            }
            Err(why) => silent.push((agent, why)),
        }
    }
    if answers.is_empty() {
        answers.extend(silent.iter().cloned().map(|(agent, why)| (agent, Err(why))));
    }
    let why = if silent.is_empty() { "it was not asked" } else { "not asked, or silent" };
    for name in mentioned(&answers) {
        answers.entry(name).or_insert_with(|| Err(why.to_owned()));
    }
    silent.sort();
    (answers, silent)
}

/// Whom the reports speak of.
fn mentioned(answers: &Answers) -> Vec<String> {
    let reports = answers.values().filter_map(|answer| answer.as_ref().ok());
    reports
        .flat_map(|report| {
            let others = report.electorate.iter().chain(&report.peers_up);
            others.chain(&report.primary).cloned().collect::<Vec<String>>()
        })
        .collect()
}

async fn one(address: &str, limit: Duration) -> Result<MemberReport, String> {
    let exchange = async {
        let stream = TcpStream::connect(address).await.map_err(|error| innermost(&error))?;
        let request = http::get(STATUS).map_err(|error| error.to_string())?;
        http::exchange(stream, address, request).await.map_err(|error| innermost(&error))
    };
    let answered = tokio::time::timeout(limit, exchange).await;
    let answered =
        answered.map_err(|_| format!("no answer within {:.1} s", limit.as_secs_f32()))?;
    let (status, body) = answered?;
    if !status.is_success() {
        return Err(format!("it answers {status}"));
    }
    read(&body)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// An agent of `cart` that answers one question.
    async fn agent(name: &str) -> SocketAddr {
        let report = MemberReport {
            group: "cart".into(),
            name: name.into(),
            primary: Some("cart-0".into()),
            electorate: vec!["cart-1".into(), "cart-2".into()],
            ..MemberReport::default()
        };
        let body = serde_json::to_string(&report).expect("a report");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.expect("a request");
            assert!(request[..read].starts_with(b"GET /v1/status HTTP/1.1\r\n"));
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.expect("it is heard");
        });
        address
    }

    #[tokio::test]
    async fn those_who_were_not_named_were_not_asked() {
        let named = vec![agent("cart-1").await.to_string()];
        let gone = "127.0.0.1:1".to_owned();
        let named = [named, vec![gone.clone()]].concat();
        let (answers, silent) = given("cart", &named, Duration::from_secs(5)).await;
        assert_eq!(silent, [(gone, "connection refused".to_owned())]);
        assert_eq!(answers.len(), 3);
        assert_eq!(answers["cart-1"].as_ref().map(|report| report.name.as_str()), Ok("cart-1"));
        for other in ["cart-0", "cart-2"] {
            assert_eq!(answers[other], Err("not asked, or silent".to_owned()));
        }
    }

    #[tokio::test]
    async fn an_agent_of_another_group_and_a_closed_port_are_told() {
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let refusing = closed.local_addr().expect("an address").to_string();
        drop(closed);
        let other = agent("cart-0").await.to_string();
        let (answers, _) =
            given("shop", &[refusing.clone(), other.clone()], Duration::from_secs(5)).await;
        assert_eq!(answers[&refusing], Err("connection refused".to_owned()));
        assert_eq!(answers[&other], Err("it is cart-0 of the group cart".to_owned()));
    }
}
