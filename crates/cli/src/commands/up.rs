//! `interrex up`: starts a group or resumes one, says what it does, and shows how to connect.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use brain::spec::ValidatedSpec;
use local::down;
use local::engines::Wanted as Engine;
use local::home::{Base, Home, HomeError};
use local::netns::Networks;
use local::up::{self, Options, Started, Step};

use super::status::head;
use crate::args::Up;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::parts::parts;
use crate::signals::Ends;
use crate::spec::{self, Wanted};
use crate::ui::progress::Progress;
use crate::ui::style::Style;
use crate::ui::{Printer, style};
use crate::view::StatusView;

/// Stands for the name that is drawn later: a spec must have one.
const UNNAMED: &str = "playground";

pub(super) async fn run(args: Up, printer: &mut Printer) -> Outcome {
    let mut ends = Ends::listen();
    let plan = Plan::of(&args)?;
    let started = start(&plan, &mut ends, printer).await?;
    let group = Group { home: started.home.clone() };
    if started.ran {
        printer.say(&format!("{} runs already", group.tag()));
    } else {
        printer.say(&format!("Ready in {}", style::span(started.took)));
    }
    for line in connect_lines(&group, printer.style) {
        printer.line(&line)?;
    }
    if args.detach {
        printer.line(&format!(" End it     interrex down {}", group.tag()))?;
        return Ok(Exit::Healthy);
    }
    super::attend::until_end(&group, started, &mut ends, printer).await
}

/// Free bytes that one member needs to start: its state, its first data files, its log.
const SPACE_BYTES: u64 = 4 << 20;

/// What is to be started, checked.
pub(crate) struct Plan {
    pub(crate) tag: Option<String>,
    pub(crate) spec: Option<ValidatedSpec>,
    pub(crate) engine: Engine,
    pub(crate) port: Option<u16>,
    pub(crate) direct: bool,
    pub(crate) networks: Option<Networks>,
    pub(crate) timeout: std::time::Duration,
}

impl Plan {
    fn of(args: &Up) -> Result<Self, Failure> {
        let given = args.tag.clone().or_else(|| args.target.clone());
        let (tag, spec) = if let Some(file) = &args.file {
            let spec = spec::of_text(&read(file)?, &file.display().to_string())?;
            (Some(given.unwrap_or_else(|| spec.name().to_owned())), Some(spec))
        } else {
            let spec = Self::spec_of_options(args, given.as_deref())?;
            (given, spec)
        };
        let flavor = spec.as_ref().and_then(ValidatedSpec::flavor);
        let engine = match (&args.engine, flavor) {
            (Some(words), _) => Engine::from_words(words),
            (None, Some(flavor)) => Engine::Of(flavor),
            (None, None) => Engine::Any,
        };
        let (port, direct, timeout) = (args.port, args.direct, args.timeout);
        Ok(Self { tag, spec, engine, port, direct, networks: None, timeout })
    }

    /// A group that is there keeps its own spec unless another one is asked for.
    fn spec_of_options(args: &Up, tag: Option<&str>) -> Result<Option<ValidatedSpec>, Failure> {
        let wanted = Wanted {
            replicas: args.replicas,
            cache: args.cache,
            profile: args.profile,
            durability: args.durability,
        };
        let spec = spec::of_options(tag.unwrap_or(UNNAMED), &wanted)?;
        let is_there = tag.is_some_and(|tag| Group::find(Some(tag)).is_ok());
        Ok((wanted.is_something() || !is_there).then_some(spec))
    }
}

/// The text of a spec's file; `-` is standard input.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!("cannot read {}", file.display()))
            .because(&error)
            .hint("every file in examples/ is a spec to begin with")
    };
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(failed)
}

/// Starts what is planned, step by step. Interrupted, it ends what it has begun.
pub(crate) async fn start(
    plan: &Plan,
    ends: &mut Ends,
    printer: &mut Printer,
) -> Result<Started, Failure> {
    let path = std::env::var_os("PATH");
    if let Some(spec) = &plan.spec {
        // Before anything is made: whether this engine takes every directive of the spec.
        let found = local::engines::find(&plan.engine, path.as_deref()).await;
        let found = found.map_err(|error| {
            Failure::new("cannot start a group").because(&error).hint_if(error.hint())
        })?;
        spec.accepts(found.engine).map_err(|errors| {
            spec::refused(&errors, &format!("{} cannot serve this spec", found.engine))
        })?;
    }
    if let Some(group) = plan.tag.as_deref().and_then(|tag| Group::find(Some(tag)).ok()) {
        check_parts(&group)?;
    }
    let base = Base::from_env().map_err(|e: HomeError| Failure::of(&e).hint_if(e.hint()))?;
    check_space(base.path(), plan.spec.as_ref().map_or(1, ValidatedSpec::members))?;
    let lease = plan.spec.as_ref().map(|spec| spec.timing().lease.as_millis());
    let options = Options {
        base,
        tag: plan.tag.clone(),
        spec: plan.spec.as_ref().map(spec::to_text).transpose()?,
        members: plan.spec.as_ref().map(ValidatedSpec::members),
        lease_ms: lease.unwrap_or_else(|| brain::Timing::DEFAULT.lease.as_millis()),
        engine: plan.engine.clone(),
        path,
        port: plan.port,
        direct: plan.direct,
        networks: plan.networks.clone(),
        parts: parts()?,
        deadline: plan.timeout,
    };
    let mut steps = Steps { printer, progress: None, made: None };
    steps.begin("Looking for an engine");
    let started = {
        let mut told = |step| steps.take(&step);
        let starting = up::up(options, &mut told);
        tokio::select! {
            started = starting => Some(started),
            _ = ends.next() => None,
        }
    };
    let made = steps.made.take();
    drop(steps);
    match started {
        Some(started) => started.map_err(|error| Failure::of(&error).hint_if(error.hint())),
        None => Err(interrupted(made.as_deref()).await),
    }
}

/// A group that was begun in vain is ended; one that was there before goes on.
async fn interrupted(made: Option<&Path>) -> Failure {
    let failure = Failure::new("interrupted before the group was ready");
    let Some(home) = made.and_then(|root| Home::open(root).ok()) else { return failure };
    match down::down(&home, false).await {
        Ok(_) => failure.hint("what was started is ended again"),
        Err(error) => failure.because(&error).hint("end it: interrex down --all"),
    }
}

/// A group that starts on a full disk dies of it one part after the other: better not at all.
fn check_space(base: &Path, members: u32) -> Result<(), Failure> {
    // The base may not be there yet: what counts is the nearest directory that is.
    let Some(there) = base.ancestors().find(|path| path.is_dir()) else { return Ok(()) };
    // Where the system does not tell, the parts will.
    let Ok(about) = nix::sys::statvfs::statvfs(there) else { return Ok(()) };
    let free = wide(about.blocks_available()) * wide(about.fragment_size());
    let needed = SPACE_BYTES * u64::from(members);
    if free >= needed {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the disk of {} is full: {} free, a group of {members} needs {}",
        there.display(),
        style::bytes(free),
        style::bytes(needed)
    ))
    .hint("make room there, or name another place with INTERREX_HOME"))
}

/// These numbers have another width on each system.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// What a group's agents would stumble over is told before any of them is started.
fn check_parts(group: &Group) -> Result<(), Failure> {
    group.credentials()?;
    for member in group.members() {
        let identity = group.home.member_id(&member.name);
        identity.map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    }
    Ok(())
}

/// Steps as lines; the one under way as a spinner.
struct Steps<'a> {
    printer: &'a mut Printer,
    progress: Option<Progress>,
    /// The directory of a group that was not there before.
    made: Option<PathBuf>,
}

impl Steps<'_> {
    fn begin(&mut self, what: &str) {
        self.progress = Some(Progress::start(what, self.printer.style));
    }

    fn done(&mut self, what: &str, detail: &str) {
        self.progress = None;
        self.printer.step(what, detail);
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Engine(found) => {
                let what = format!("Found {}", found.engine);
                self.done(&what, &found.program.display().to_string());
                self.begin("Making the group's directory");
            }
            Step::Home(path, true) => {
                self.done("Resuming", &path.display().to_string());
                self.begin("Starting the members");
            }
            Step::Home(path, false) => {
                self.made = Some(path.clone());
                self.begin("Starting the members");
            }
            Step::Members(members, ran) => {
                let ports: Vec<String> =
                    members.iter().map(|(_, a)| a.port().to_string()).collect();
                let hosts: BTreeSet<String> =
                    members.iter().map(|(_, a)| a.ip().to_string()).collect();
                let hosts = Vec::from_iter(hosts).join(" ");
                let verb = if *ran { "Running" } else { "Starting" };
                let detail =
                    format!("{hosts}:{}   each an engine under its agent", ports.join(" "));
                self.done(&format!("{verb} {} members", members.len()), &detail);
                self.begin("Electing the primary");
            }
            Step::Primary(name, epoch) => {
                self.done("Electing the primary", &format!("{name}   epoch {epoch}"));
                self.begin("Waiting for replicas");
            }
            Step::Replicas(ready, all) if ready == all => {
                self.done("Waiting for replicas", &format!("{ready}/{all} in sync"));
            }
            Step::Replicas(ready, all) => {
                self.begin(&format!("Waiting for replicas: {ready}/{all} in sync"));
            }
        }
    }
}

/// How to connect, with real values, and never with the password itself.
pub(super) fn connect_lines(group: &Group, style: Style) -> Vec<String> {
    let described = group.home.group();
    let password = group.home.password_file();
    let engines: Vec<String> = group.members().iter().map(|m| m.engine.to_string()).collect();
    let cli = if described.engine.to_string_lossy().contains("valkey") {
        "valkey-cli"
    } else {
        "redis-cli"
    };
    let kept = if described.kept {
        format!("kept until interrex down {} --wipe", group.tag())
    } else {
        "removed at the end; keep it with --tag NAME".to_owned()
    };
    let widest = format!("{cli} -p {}", engines.join(" | ")).len().max(24);
    let way = |what: String, why: &str| format!("             {what:<widest$}   {why}");
    let mut out = vec![
        String::new(),
        format!(
            " {}    export REDISCLI_AUTH=\"$(cat {})\"",
            Style::heading("Connect"),
            password.display()
        ),
        way(format!("{cli} -p {}", described.ports.write), "always the primary (write address)"),
        way(format!("{cli} -p {}", described.ports.read), "any fresh replica (read address)"),
        way(format!("{cli} -p {}", engines.join(" | ")), "one member"),
    ];
    let data =
        format!(" {}       {}   {kept}", Style::heading("Data"), group.home.root().display());
    out.push(data);
    out.push(format!(
        " {}        interrex kill {tag} primary    interrex why {tag}    interrex watch {tag}",
        Style::heading("Try"),
        tag = group.tag()
    ));
    out.push(String::new());
    out.iter().map(|line| style.text(line)).collect()
}

/// The verdict's lines of a group as it is now.
pub(super) async fn verdict_lines(group: &Group, style: Style) -> Vec<String> {
    let seen = group.look().await;
    head(&StatusView::of(&group.clone().into(), &seen), style)
}
