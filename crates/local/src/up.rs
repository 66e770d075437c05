//! Starting a group, or starting it again: find an engine, choose ports, make the directory, write
//! the first record, start the keeper, and wait until the group serves.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brain::report::MemberReport;
use brain::{MemberName, Record};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::down;
use crate::engines::{self, Found, Wanted};
use crate::file::{self, FileError, Lock};
use crate::home::{Base, Group, Home, HomeError, Member, Part, Ports, group};
use crate::keeper::{self, Parts};
use crate::netns::Networks;
use crate::observe;
use crate::ports;
use crate::process::Process;
use crate::relay::loopback;
use crate::store::{FileStore, Object, StoreError};

pub mod error;
pub mod ready;
#[cfg(test)]
mod tests;

pub use error::UpError;
use ready::Standing;

/// How often the members are asked how far they are.
const ASK_EVERY: Duration = Duration::from_millis(25);

/// How long one answer may take.
const ASK: Duration = Duration::from_secs(1);

/// Lines of each log that are told when a group does not start.
const TAIL_LINES: usize = 8;

/// What is to be started.
#[derive(Debug)]
pub struct Options {
    /// Where groups lie.
    pub base: Base,
    /// The group's name; without one it gets a drawn one, and its data goes with `down`.
    pub tag: Option<String>,
    /// The spec as given, for a new group; a group that is there keeps its own when it is absent.
    pub spec: Option<String>,
    /// How many members a new group gets; checked against a group that is there when given.
    pub members: Option<u32>,
    /// W of the first record in milliseconds (failover.md 2.5).
    pub lease_ms: u64,
    /// Which engine.
    pub engine: Wanted,
    /// Where engines are looked for: the `PATH`.
    pub path: Option<OsString>,
    /// The write address, if it matters which.
    pub port: Option<u16>,
    /// Engines dial each other without links, which then cannot be cut: for measurements.
    pub direct: bool,
    /// A network namespace for each part of a new group; they are there.
    pub networks: Option<Networks>,
    /// How the parts are executed.
    pub parts: Parts,
    /// How long the group may take to serve.
    pub deadline: Duration,
}

/// Members of a group of which nobody said how many.
pub const DEFAULT_MEMBERS: u32 = 3;

/// What has been done, for people who watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An engine was found.
    Engine(Found),
    /// The group's directory is there; `true` when it was there before.
    Home(PathBuf, bool),
    /// The processes are started, or ran already (`true`); members with their engines' addresses.
    Members(Vec<(String, SocketAddr)>, bool),
    /// Somebody leads.
    Primary(String, u64),
    /// So many replicas of so many are in sync.
    Replicas(usize, usize),
}

/// A group that serves.
#[derive(Debug)]
pub struct Started {
    /// Its directory.
    pub home: Home,
    /// What its members said last.
    pub reports: Vec<MemberReport>,
    /// How long it took.
    pub took: Duration,
    /// True when it ran already.
    pub ran: bool,
    /// Keeps a second `up` out of the directory while this one attends to the group.
    pub lock: Lock,
}

/// Starts a group and waits until it serves. A group that is there is started again; one that runs
/// is only waited for.
pub async fn up(
    options: Options,
    progress: &mut (dyn FnMut(Step) + Send),
) -> Result<Started, UpError> {
    let began = Instant::now();
    let (tag, root) = place(&options)?;
    let exists = root.join("group.json").exists();
    if !exists {
        Home::check_vacant(&root)?;
    }
    let mut prepared = if exists {
        again(&options, &root, progress).await?
    } else {
        anew(&options, &tag, &root, progress).await?
    };
    let home = prepared.home.clone();
    let group = home.group();
    let engine = |one: &Member| (one.name.clone(), group.engine_address(one));
    let engines = group.members.iter().map(engine).collect();
    if !prepared.ran
        && let Err(source) = keeper::start(&home, &options.parts, &Part::Keeper)
    {
        if !exists && !home.group().kept {
            down::remove(&home)?;
        }
        return Err(UpError::Keeper { tag, source });
    }
    progress(Step::Members(engines, prepared.ran));
    let waited = wait(&home, began + options.deadline, progress).await;
    let reports = match waited {
        Ok(reports) => reports,
        Err(waits) => return Err(give_up(&prepared, &options, waits, exists).await?),
    };
    prepared.reservation.take();
    Ok(Started { home, reports, took: began.elapsed(), ran: prepared.ran, lock: prepared.lock })
}

/// A group that is ready for its keeper.
struct Prepared {
    home: Home,
    /// True when its keeper runs already.
    ran: bool,
    lock: Lock,
    /// Held until the group serves, so that no other one takes its ports or ends it halfway.
    reservation: Option<(Lock, Option<Lock>)>,
}

fn place(options: &Options) -> Result<(String, PathBuf), UpError> {
    if let Some(tag) = &options.tag {
        return Ok((tag.clone(), options.base.root_of(tag)?));
    }
    loop {
        // Four digits are enough for people; one that is taken is drawn again.
        let drawn = u64::from_str_radix(&file::random_hex(6)?, 16).unwrap_or_default() % 9000;
        let tag = format!("playground-{}", 1000 + drawn);
        let root = options.base.root_of(&tag)?;
        if !root.exists() {
            return Ok((tag, root));
        }
    }
}

async fn anew(
    options: &Options,
    tag: &str,
    root: &Path,
    progress: &mut (dyn FnMut(Step) + Send),
) -> Result<Prepared, UpError> {
    let found = engines::find(&options.engine, options.path.as_deref()).await?;
    progress(Step::Engine(found.clone()));
    let wanted = ports::Wanted {
        tag,
        members: options.members.unwrap_or(DEFAULT_MEMBERS),
        write: options.port,
        direct: options.direct,
    };
    let chosen = ports::choose(wanted, &others(&options.base, tag)?)?;
    let group = Group {
        format: group::FORMAT,
        id: crate::home::new_id()?,
        tag: tag.to_owned(),
        kept: options.tag.is_some(),
        created: jiff::Timestamp::now().to_string(),
        spec: options.spec.clone().unwrap_or_default(),
        engine: found.program,
        direct: options.direct,
        ports: chosen.ports,
        members: chosen.members,
        // In namespaces the kernel makes the cuts, and everybody dials everybody.
        links: if options.networks.is_some() { Vec::new() } else { chosen.links },
        networks: options.networks.clone().map(Box::new),
    };
    let was_there = root.exists();
    let made = make(root, group, options.lease_ms);
    if made.is_err() && !was_there {
        // Half a directory helps nobody; what cannot be removed is completed by the next attempt.
        let _ = std::fs::remove_dir_all(root);
    }
    let (home, lock, change) = made?;
    progress(Step::Home(root.to_owned(), false));
    Ok(Prepared { home, ran: false, lock, reservation: Some((change, Some(chosen.reservation))) })
}

fn make(root: &Path, group: Group, lease_ms: u64) -> Result<(Home, Lock, Lock), UpError> {
    let lock = Home::lock_up(root)?;
    let home = Home::create(root, group)?;
    first_record(&home, lease_ms)?;
    let change = home.lock_change()?;
    Ok((home, lock, change))
}

/// The record of failover.md 2.11: led by nobody, with the names to wait for. One that is there, or
/// was there, is never replaced.
fn first_record(home: &Home, lease_ms: u64) -> Result<(), StoreError> {
    let store = FileStore::open(&home.store_directory(), &home.group().id)?;
    let stored = store.get(Object::Record)?;
    if stored.document.is_none() && stored.version.0 == 0 {
        let members = &home.group().members;
        let names = members.iter().map(|member| MemberName(member.name.clone())).collect();
        let record = Record::first(names, lease_ms);
        let document = serde_json::to_value(record).expect("a record has string keys");
        store.put(Object::Record, None, document)?;
    }
    Ok(())
}

async fn again(
    options: &Options,
    root: &Path,
    progress: &mut (dyn FnMut(Step) + Send),
) -> Result<Prepared, UpError> {
    let mut home = Home::open(root)?;
    let lock = Home::lock_up(root)?;
    let change = home.lock_change()?;
    compare(options, home.group())?;
    let runs = |part: &Part| {
        Process::read(&home.pid_file(part)).ok().flatten().is_some_and(|one| one.is_running())
    };
    let ran = runs(&Part::Keeper);
    let some_run = ran || home.parts().iter().any(runs);
    let found = match &options.engine {
        Wanted::Any => engines::ask(&home.group().engine).await?,
        wanted => engines::find(wanted, options.path.as_deref()).await?,
    };
    progress(Step::Engine(found.clone()));
    if let Some(spec) = options.spec.as_ref().filter(|spec| **spec != home.group().spec) {
        if some_run {
            return Err(differs(home.group(), "spec", "as it was started with", "a new one"));
        }
        home.group_mut().spec.clone_from(spec);
    }
    if !some_run {
        home.group_mut().engine = found.program;
        let others = others(&options.base, &home.group().tag)?;
        ports::renew(home.group_mut(), &others)?;
        home.save()?;
        heal(&home)?;
    }
    first_record(&home, options.lease_ms)?;
    progress(Step::Home(root.to_owned(), true));
    Ok(Prepared { home, ran, lock, reservation: Some((change, None)) })
}

/// A group that starts again has no cuts: nobody would look for one from before.
fn heal(home: &Home) -> Result<(), HomeError> {
    let path = home.cuts_file();
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(HomeError::File {
            path: home.root().to_owned(),
            source: FileError::Write { path, source },
        }),
        _ => Ok(()),
    }
}

fn compare(options: &Options, group: &Group) -> Result<(), UpError> {
    let there = group.members.len() as u32;
    if let Some(asked) = options.members.filter(|asked| *asked != there) {
        return Err(differs(group, "members", &there.to_string(), &asked.to_string()));
    }
    let there = group.ports.write;
    if let Some(asked) = options.port.filter(|asked| *asked != there) {
        return Err(differs(group, "write port", &there.to_string(), &asked.to_string()));
    }
    if options.direct && !group.direct {
        return Err(differs(group, "links between engines", "on", "off"));
    }
    Ok(())
}

fn differs(group: &Group, field: &'static str, there: &str, asked: &str) -> UpError {
    let tag = group.tag.clone();
    UpError::Differs { tag, field, there: there.to_owned(), asked: asked.to_owned() }
}

/// The other groups' descriptions; one that cannot be read claims no ports.
fn others(base: &Base, tag: &str) -> Result<Vec<Group>, HomeError> {
    let listed = base.list()?;
    Ok(listed
        .into_iter()
        .filter(|listed| listed.tag != tag)
        .filter_map(|listed| Some(listed.home.ok()?.group().clone()))
        .collect())
}

enum Waits {
    /// The keeper has ended, or never began.
    KeeperEnded,
    /// The deadline came first.
    For(String),
}

async fn wait(
    home: &Home,
    end: Instant,
    progress: &mut (dyn FnMut(Step) + Send),
) -> Result<Vec<MemberReport>, Waits> {
    let keeper = home.pid_file(&Part::Keeper);
    let mut told = (None, None);
    loop {
        let runs = Process::read(&keeper).ok().flatten().is_some_and(|one| one.is_running());
        if !runs {
            return Err(Waits::KeeperEnded);
        }
        let standing = Standing::of(observe::reports(home, ASK).await);
        if let Some(primary) = standing.primary().filter(|_| told.0.is_none()) {
            progress(Step::Primary(primary.name.clone(), primary.epoch));
            told.0 = Some(());
        }
        let in_sync = standing.in_sync();
        if told.0.is_some() && told.1 != Some(in_sync) {
            progress(Step::Replicas(in_sync, home.group().members.len() - 1));
            told.1 = Some(in_sync);
        }
        let waits = match standing.waits_for() {
            None => unserved(home.group().ports).await,
            waits => waits,
        };
        match waits {
            None => return Ok(standing.into_reports()),
            Some(waits) if Instant::now() >= end => return Err(Waits::For(waits)),
            Some(_) => tokio::time::sleep(ASK_EVERY).await,
        }
    }
}

/// Which of the two addresses nobody listens on yet: they are another process than the members, and
/// whoever is told that the group serves connects to them at once.
async fn unserved(ports: Ports) -> Option<String> {
    for (what, port) in [("write", ports.write), ("read", ports.read)] {
        let dialled = TcpStream::connect(loopback(port));
        if !matches!(tokio::time::timeout(ASK, dialled).await, Ok(Ok(_))) {
            return Some(format!("nobody listens on the {what} address yet (port {port})"));
        }
    }
    None
}

/// What this call started is ended again, unless it was a group with data: it may need longer.
async fn give_up(
    prepared: &Prepared,
    options: &Options,
    waits: Waits,
    existed: bool,
) -> Result<UpError, UpError> {
    let home = &prepared.home;
    let (tag, tails) = (home.group().tag.clone(), tails(home));
    let runs_on = match &waits {
        Waits::KeeperEnded => false,
        Waits::For(_) => prepared.ran || existed,
    };
    if !runs_on {
        down::stop(home).await?;
        if !existed && !home.group().kept {
            down::remove(home)?;
        }
    }
    Ok(match waits {
        Waits::KeeperEnded => UpError::KeeperEnded { tag, tails },
        Waits::For(waits) => {
            UpError::NotReady { tag, within: options.deadline, waits, tails, runs_on }
        }
    })
}

fn tails(home: &Home) -> String {
    let mut text = String::new();
    for part in [Part::Keeper].into_iter().chain(home.parts()) {
        let path = home.log_file(&part);
        let log = std::fs::read(&path).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        if !last.is_empty() {
            text.extend(["--- ", &path.to_string_lossy(), "\n", &last.join("\n"), "\n"]);
        }
    }
    text.trim_end().to_owned()
}
