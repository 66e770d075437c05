//! The hands of a trial on a group of this machine: what is no signal to a process.

use std::path::Path;
use std::time::Duration;

use local::home::{Home, Part};
use local::links::{Cut, CutFrom as From, Direction, Plane as LinkPlane};
use local::netns::freezer::{self, Freezer};
use local::netns::rules::{self, Rule};
use local::netns::{NetnsError, disk};
use local::process::Process;
use local::store::Object;
use local::store::fault::Faults;
use local::{keeper, netns, observe};
use tokio::task::JoinSet;
use trial::target::{CutFrom, Doing, Hands, HandsError, Need, Plane, Severed, StoreState, Way};

use crate::failure::Failure;
use crate::group::Group;
use crate::handover::{self, Wish};
use crate::hands;
use crate::parts::parts;

/// How long a handover may take before it counts as failed.
const HANDOVER_WITHIN: Duration = Duration::from_secs(10);

/// How long an agent may take to stop its engine: longer than an engine's own shutdown timeout of
/// 10 s (engine.md 1.5).
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// The hands of a group on this machine.
pub(super) struct LocalHands {
    pub(super) group: Group,
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

impl LocalHands {
    async fn do_cut(&self, member: &str, from: CutFrom) -> Result<(), Problem> {
        let from = match from {
            CutFrom::Store => From::Store,
            CutFrom::Peers => From::Peers,
            CutFrom::Everyone => From::Everyone,
            CutFrom::Clients => From::Clients,
        };
        let cut = Cut { member: member.to_owned(), from, direction: Direction::Both, plane: None };
        if self.group.home.group().networks.is_some() {
            return self.impose(vec![cut]).await;
        }
        hands::control(&self.group).map_err(words)?.cut(&cut).await?;
        Ok(())
    }

    async fn do_heal(&self) -> Result<(), Problem> {
        if self.group.home.group().networks.is_some() {
            return self.impose(Vec::new()).await;
        }
        hands::control(&self.group).map_err(words)?.heal_all().await?;
        Ok(())
    }

    async fn do_handover(&self, to: Option<&str>) -> Result<(), Problem> {
        let seen = self.group.look().await;
        let primary = self.group.resolve("primary", &seen).map_err(words)?;
        let wish = Wish { to: to.map(str::to_owned), dry_run: false };
        handover::ask(&self.group, &primary, &wish, HANDOVER_WITHIN).await?;
        Ok(())
    }

    async fn do_store(&self, state: StoreState) -> Result<(), Problem> {
        let control = observe::faults(&self.group.home)?;
        let well = Faults::default();
        let faults = match state {
            StoreState::Up => well,
            StoreState::Down => Faults { down: true, ..well },
            StoreState::Slow(delay) => Faults { delay_ms: delay.as_millis() as u64, ..well },
            StoreState::Hung => Faults { hang: true, ..well },
            StoreState::Forbidden => Faults { forbidden: true, ..well },
            StoreState::ReadOnly => Faults { read_only: true, ..well },
            StoreState::RecordDeleted => return Ok(control.delete(Object::Record).await?),
            StoreState::RolledBack(age) => {
                return Ok(control.roll_back(Object::Record, age).await?);
            }
        };
        Ok(control.set(faults).await?)
    }

    /// Puts these cuts in force in the members' namespaces, in place of those before.
    async fn impose(&self, cuts: Vec<Cut>) -> Result<(), Problem> {
        let home = self.now()?;
        let group = home.group();
        let all: Vec<(String, Vec<Rule>)> = group
            .members
            .iter()
            .filter_map(|member| {
                let own = cuts.iter().filter(|cut| cut.member == member.name);
                let rules = own.flat_map(|cut| rules::of(group, cut)).collect();
                Some((group.spot(&member.name)?.namespace.clone(), rules))
            })
            .collect();
        aside(move || all.iter().try_for_each(|(name, rules)| rules::apply(name, rules))).await
    }

    async fn do_freeze(&self, member: &str, frozen: bool) -> Result<(), Problem> {
        let group = self.group.home.group();
        let networks = group.networks.as_ref().ok_or("the group has no namespaces")?;
        let number = group.members.iter().position(|one| one.name == member);
        let number = number.ok_or_else(|| format!("there is no member {member}"))?;
        let freezer = Freezer::of(networks.number, number)?;
        let namespace = networks.members[number].namespace.clone();
        aside(move || if frozen { freezer.freeze(&namespace) } else { freezer.thaw() }).await
    }

    async fn do_fill(&self, member: &str, full: bool) -> Result<(), Problem> {
        let directory = self.group.home.engine_directory(member);
        aside(move || if full { disk::fill(&directory) } else { disk::free(&directory) }).await
    }

    async fn do_move(&self) -> Result<(), Problem> {
        let mut home = self.now()?;
        let mut networks = home.group().networks.clone().ok_or("the group has no namespaces")?;
        aside(move || {
            networks.move_members()?;
            home.group_mut().networks = Some(networks);
            Ok(home.save())
        })
        .await??;
        Ok(())
    }

    /// The group as its directory describes it now: its members may have moved.
    fn now(&self) -> Result<Home, Problem> {
        Ok(Home::open(self.group.home.root())?)
    }

    /// The keeper first: it would start again what ends.
    async fn do_stop_all(&self) -> Result<(), Problem> {
        let home = &self.group.home;
        end(home, &Part::Keeper).await?;
        let agents: Vec<Part> =
            home.parts().into_iter().filter(|part| matches!(part, Part::Agent(_))).collect();
        let mut ending = JoinSet::new();
        for agent in agents {
            let home = home.clone();
            ending.spawn(async move { end(&home, &agent).await });
        }
        while let Some(ended) = ending.join_next().await {
            ended??;
        }
        Ok(())
    }

    fn do_start(&self, members: &[String]) -> Result<(), Problem> {
        let home = &self.now()?;
        let parts = parts().map_err(words)?;
        for name in members {
            // The child is not waited for: whoever started the trial may end before it does.
            drop(keeper::start(home, &parts, &Part::Agent(name.clone()))?);
        }
        let all_run = home.parts().iter().all(|part| runs(home, part));
        if all_run && !runs(home, &Part::Keeper) {
            drop(keeper::start(home, &parts, &Part::Keeper)?);
        }
        Ok(())
    }
}

/// What waits for a command runs beside the load, not in its way.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NetnsError> + Send + 'static,
) -> Result<T, Problem> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// One of a trial's cuts, as the links and the rules name it.
fn cut_of(severed: &Severed) -> Cut {
    let peers = || severed.only.clone().map_or(From::Peers, From::Member);
    let (from, plane) = match severed.plane {
        Plane::Store => (From::Store, LinkPlane::Store),
        Plane::Agents => (peers(), LinkPlane::Peer),
        Plane::Engines => (peers(), LinkPlane::Engine),
        Plane::Clients => (From::Clients, LinkPlane::Client),
    };
    let direction = match severed.way {
        Way::Both => Direction::Both,
        Way::In => Direction::In,
        Way::Out => Direction::Out,
    };
    Cut { member: severed.member.clone(), from, direction, plane: Some(plane) }
}

fn has_small_disks(home: &Home) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let is_mounted = |path: &Path| mounts.contains(&format!(" {} tmpfs ", path.display()));
    let members = &home.group().members;
    members.iter().all(|member| is_mounted(&home.engine_directory(&member.name)))
}

fn runs(home: &Home, part: &Part) -> bool {
    let noted = Process::read(&home.pid_file(part)).ok().flatten();
    noted.is_some_and(|process| process.is_running())
}

async fn end(home: &Home, part: &Part) -> Result<(), Problem> {
    if let Some(process) = Process::read(&home.pid_file(part))? {
        process.end(STOP_WITHIN).await?;
    }
    Ok(())
}

fn words(failure: Failure) -> Problem {
    failure.what.into()
}

impl Hands for LocalHands {
    fn cut<'a>(&'a self, member: &'a str, from: CutFrom) -> Doing<'a> {
        Box::pin(async move {
            let done = self.do_cut(member, from).await;
            done.map_err(|error| HandsError::new(format!("cut {member} from the {from}"), error))
        })
    }

    fn heal_all(&self) -> Doing<'_> {
        Box::pin(async move {
            self.do_heal().await.map_err(|error| HandsError::new("heal the links", error))
        })
    }

    fn handover<'a>(&'a self, to: Option<&'a str>) -> Doing<'a> {
        Box::pin(async move {
            let done = self.do_handover(to).await;
            let whom = to.unwrap_or("the best");
            done.map_err(|error| HandsError::new(format!("hand over to {whom}"), error))
        })
    }

    fn store(&self, state: StoreState) -> Doing<'_> {
        Box::pin(async move {
            let done = self.do_store(state).await;
            done.map_err(|error| HandsError::new(format!("make the store {state:?}"), error))
        })
    }

    fn stop_all(&self) -> Doing<'_> {
        Box::pin(async move {
            self.do_stop_all().await.map_err(|error| HandsError::new("stop all members", error))
        })
    }

    fn start<'a>(&'a self, members: &'a [String]) -> Doing<'a> {
        Box::pin(async move {
            self.do_start(members).map_err(|error| HandsError::new("start members", error))
        })
    }

    fn lacks(&self, need: Need) -> Option<String> {
        let home = &self.group.home;
        let no_networks = || {
            let why = netns::missing().unwrap_or_else(|| {
                "only a throw-away group of --suite full has network namespaces".to_owned()
            });
            home.group().networks.is_none().then_some(why)
        };
        match need {
            Need::Networks => no_networks(),
            Need::Freezer => no_networks().or_else(freezer::missing),
            Need::SmallDisk if has_small_disks(home) => None,
            Need::SmallDisk => {
                Some(no_networks().unwrap_or_else(|| "its disks are not small".to_owned()))
            }
            Need::WallClock => Some(
                "a namespace has no wall clock of its own, and turning the machine's would turn \
                 everybody's"
                    .to_owned(),
            ),
            Need::StoreFaults => None,
        }
    }

    fn sever<'a>(&'a self, cuts: &'a [Severed]) -> Doing<'a> {
        Box::pin(async move {
            let done = self.impose(cuts.iter().map(cut_of).collect()).await;
            done.map_err(|error| HandsError::new("cut planes", error))
        })
    }

    fn freeze<'a>(&'a self, member: &'a str, frozen: bool) -> Doing<'a> {
        Box::pin(async move {
            let done = self.do_freeze(member, frozen).await;
            let what = if frozen { "freeze" } else { "thaw" };
            done.map_err(|error| HandsError::new(format!("{what} {member}"), error))
        })
    }

    fn fill_disk<'a>(&'a self, member: &'a str, full: bool) -> Doing<'a> {
        Box::pin(async move {
            let done = self.do_fill(member, full).await;
            let what = if full { "fill" } else { "free" };
            done.map_err(|error| HandsError::new(format!("{what} the disk of {member}"), error))
        })
    }

    fn move_all(&self) -> Doing<'_> {
        Box::pin(async move {
            self.do_move().await.map_err(|error| HandsError::new("move the members", error))
        })
    }
}
