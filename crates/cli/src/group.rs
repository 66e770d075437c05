//! A group as the commands see it: where its parts listen, what its agents say now, and who is
//! meant by a word on the command line.

use std::path::PathBuf;
use std::time::Duration;

use brain::report::MemberReport;
use client::{Credentials, Endpoint};
use hyper::Method;
use local::home::{Base, Home, Member, Part};
use local::http::Caller;
use local::relay::loopback;
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::remote::Place;
use crate::verdict::{Answers, Judgement, judge};

/// How long an agent may take to say how it is: `status` must end within 3 s.
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);

/// A group that is there, running or not.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Its directory.
    pub(crate) home: Home,
}

/// A group and what its agents said at about one moment.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Every member's answer, or why there is none.
    pub(crate) answers: Answers,
    /// What that makes of the group.
    pub(crate) judgement: Judgement,
    /// Where that comes from, on Kubernetes.
    pub(crate) place: Option<Box<Place>>,
}

impl Seen {
    /// What this member said, if it said anything.
    pub(crate) fn report(&self, member: &str) -> Option<&MemberReport> {
        self.answers.get(member)?.as_ref().ok()
    }

    /// What all that answered said.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &MemberReport> {
        self.answers.values().filter_map(|answer| answer.as_ref().ok())
    }
}

impl Group {
    /// The group with this tag, or the only one.
    pub(crate) fn find(tag: Option<&str>) -> Result<Self, Failure> {
        let refused = |error: local::home::HomeError| Failure::of(&error).hint_if(error.hint());
        let base = Base::from_env().map_err(refused)?;
        base.resolve(tag).map(|home| Self { home }).map_err(refused)
    }

    /// A group and a member from two words of which the first may be left out: a single word is a
    /// group's tag if there is such a group, else a member.
    pub(crate) fn find_with_member(
        first: Option<&str>,
        second: Option<&str>,
    ) -> Result<(Self, Option<String>), Failure> {
        let (Some(word), None) = (first, second) else {
            return Ok((Self::find(first)?, second.map(str::to_owned)));
        };
        if let Ok(group) = Self::find(Some(word)) {
            return Ok((group, None));
        }
        let of_member = word.rsplit_once('-').filter(|(_, n)| n.parse::<u32>().is_ok());
        if let Some(group) = of_member.and_then(|(tag, _)| Self::find(Some(tag)).ok()) {
            return Ok((group, Some(word.to_owned())));
        }
        match Self::find(None) {
            Ok(group) => Ok((group, Some(word.to_owned()))),
            // Of both readings the tag is the likelier one.
            Err(_) => Err(Self::find(Some(word))
                .err()
                .unwrap_or_else(|| Failure::new(format!("there is no group {word:?}")))),
        }
    }

    /// The group's tag.
    pub(crate) fn tag(&self) -> &str {
        &self.home.group().tag
    }

    /// The members, in order.
    pub(crate) fn members(&self) -> &[Member] {
        &self.home.group().members
    }

    /// Where clients write, host:port.
    pub(crate) fn write(&self) -> String {
        loopback(self.home.group().ports.write).to_string()
    }

    /// Where clients read, host:port.
    pub(crate) fn read(&self) -> String {
        loopback(self.home.group().ports.read).to_string()
    }

    /// Where a member's engine listens, host:port.
    pub(crate) fn engine(&self, member: &Member) -> String {
        self.home.group().engine_address(member).to_string()
    }

    /// As whom clients come.
    pub(crate) fn credentials(&self) -> Result<Credentials, Failure> {
        let path = self.home.password_file();
        let failed = |error: &dyn std::error::Error| {
            Failure::new(format!("cannot read the password in {}", path.display())).because(error)
        };
        let password = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let password = password.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err(Failure::new(format!("{} is empty", path.display()))
                .hint("put the group's password there again"));
        }
        Ok(Credentials::new("default", password))
    }

    /// An address as the client takes it.
    pub(crate) fn endpoint(address: &str) -> Result<Endpoint, Failure> {
        address.parse().map_err(|error| Failure::of(&error))
    }

    /// Asks every agent how it is.
    pub(crate) async fn look(&self) -> Seen {
        self.look_within(ANSWER_WITHIN).await
    }

    /// Looks until what is seen is as wanted, or the time is over.
    pub(crate) async fn look_until(
        &self,
        within: Duration,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Seen {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let seen = self.look().await;
            if wanted(&seen) || tokio::time::Instant::now() >= deadline {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    }

    /// One look with another deadline.
    pub(crate) async fn look_within(&self, within: Duration) -> Seen {
        let mut asked = JoinSet::new();
        for member in self.members() {
            let (name, address) = (member.name.clone(), self.home.group().http_address(member));
            asked.spawn(async move {
                let answer = ask(&Caller::new(address, None), within).await;
                (name, answer)
            });
        }
        let mut answers: Answers = self
            .members()
            .iter()
            .map(|member| (member.name.clone(), Err("no answer".to_owned())))
            .collect();
        while let Some(answered) = asked.join_next().await {
            if let Ok((name, answer)) = answered {
                let answer = answer.and_then(|report| self.own(&name, report));
                answers.insert(name, answer);
            }
        }
        let judgement = judge(&answers);
        Seen { answers, judgement, place: None }
    }

    /// A port that another group took meanwhile does not speak for this one.
    fn own(&self, member: &str, report: MemberReport) -> Result<MemberReport, String> {
        let is_named = report.name == member && report.group == self.tag();
        // Another home may have a group of the same tag.
        let is_own = is_named && self.home.member_id(member).is_ok_and(|id| id == report.pod);
        is_own.then_some(report).ok_or_else(|| "another group's agent answers there".to_owned())
    }

    /// The member that is meant: a name, `primary`, or `replica` for the first that follows.
    pub(crate) fn resolve(&self, word: &str, seen: &Seen) -> Result<Member, Failure> {
        let name = match word {
            "primary" => seen.judgement.primary.clone().ok_or_else(|| {
                Failure::new(format!("{} has no primary now", self.tag()))
                    .hint(format!("see interrex status {}", self.tag()))
            })?,
            "replica" => {
                let follows = |report: &&MemberReport| {
                    report.role == "replica"
                        && Some(&report.name) != seen.judgement.primary.as_ref()
                };
                let found = seen.reports().find(follows).map(|report| report.name.clone());
                found.ok_or_else(|| {
                    Failure::new(format!("{} has no replica that follows now", self.tag()))
                        .hint(format!("see interrex status {}", self.tag()))
                })?
            }
            name => name.to_owned(),
        };
        let found = self.home.member(&name);
        found.cloned().map_err(|error| Failure::of(&error).hint_if(error.hint()))
    }

    /// The directory of a member.
    pub(crate) fn directory(&self, member: &str) -> PathBuf {
        self.home.member_directory(member)
    }

    /// The file that takes what a part says.
    pub(crate) fn log(&self, part: &Part) -> PathBuf {
        self.home.log_file(part)
    }
}

/// Asks one agent how it is.
async fn ask(caller: &Caller, within: Duration) -> Result<MemberReport, String> {
    let answer = caller.call(Method::GET, "/v1/status", None, within).await;
    let answer = answer.map_err(|error| plain(&error))?;
    if !answer.status.is_success() {
        return Err(format!("it answers {}", answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|error| format!("its answer is garbled: {error}"))
}

/// The innermost cause in a few words: `connection refused`.
fn plain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        _ => innermost.to_string(),
    }
}
