//! `interrex agent`: the process beside an engine. Started by the keeper.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, LogFormat};
use brain::spec::ValidatedSpec;
use brain::{MemberName, Settings};
use engine::config::Persistence;
use local::home::{Home, HomeError, Part};
use local::keeper;
use local::platform::LocalPlatform;

use super::keep::open;
use crate::args::AgentPart;
use crate::failure::Failure;
use crate::spec;

/// From SIGTERM to the end: an engine that saves its data may need a while; `down` waits longer.
const GRACE: Duration = Duration::from_secs(45);

pub(super) async fn run(args: AgentPart) -> Result<ExitCode, Failure> {
    let home = open(&args.home)?;
    let refused = |error: HomeError| Failure::of(&error).hint_if(error.hint());
    let me = home.member(&args.member).map_err(refused)?.name.clone();
    let _lock = home.lock_member(&me).map_err(refused)?;
    keeper::announce(&home, &Part::Agent(me.clone()))
        .map_err(|error| Failure::new(format!("cannot note the agent of {me}")).because(&error))?;
    let spec = spec::of_text(&home.group().spec, "the group's own spec")?;
    let platform = LocalPlatform::of(&home, &me).map_err(refused)?;
    let config = config(&home, &me, &spec)?;
    agent::run(config, Arc::new(platform)).await.map_err(|error| Failure::of(&error))
}

/// What one agent of a group on this machine is told.
fn config(home: &Home, me: &str, spec: &ValidatedSpec) -> Result<Config, Failure> {
    let refused = |error: HomeError| Failure::of(&error).hint_if(error.hint());
    let group = home.group();
    let described = home.member(me).map_err(refused)?;
    let members: Vec<MemberName> =
        group.members.iter().map(|member| MemberName(member.name.clone())).collect();
    let mut bind = vec![group.host(described).to_string(), group.front(described).to_string()];
    bind.dedup();
    Ok(Config {
        group: group.id.clone(),
        tag: group.tag.clone(),
        settings: settings(spec, me, home.member_id(me).map_err(refused)?, members),
        gate_demanded: spec.demands_gate(),
        program: group.engine.clone(),
        data: home.engine_directory(me),
        // A directory has an id of its own, which goes with it.
        volume: None,
        run: run_directory(home, me).map_err(refused)?,
        password_file: Some(home.password_file()),
        peer_key_file: home.peer_key_file(),
        directives: tokio::sync::watch::channel(spec.config().clone()).1,
        persistence: spec.persistence(),
        memory_limit_bytes: None,
        members_on_this_machine: group.members.len() as u32,
        bind,
        log: LogFormat::Pretty,
        grace: GRACE,
    })
}

/// What the election of one member works with, wherever it runs.
pub(super) fn settings(
    spec: &ValidatedSpec,
    me: &str,
    pod: String,
    members: Vec<MemberName>,
) -> Settings {
    let persistence = spec.persistence();
    Settings {
        me: MemberName(me.to_owned()),
        pod,
        // Drawn by the agent at each start.
        boot: String::new(),
        timing: spec.timing(),
        durability: spec.durability(),
        failsafe: spec.failsafe(),
        recovery_timeout: spec.recovery_timeout(),
        budget_per_hour: spec.budget_per_hour(),
        gate: spec.wants_gate(),
        persistent: persistence.is_persistent(),
        fsync_always: persistence == Persistence::AofAlways,
        without: None,
        members,
    }
}

/// A directory in which `engine.sock` is a path that every kernel takes.
fn run_directory(home: &Home, me: &str) -> Result<PathBuf, HomeError> {
    // As long as `run/engine.sock` and a little more, so that what fits here fits there.
    let socket = home.socket(me, "run-engine-sock")?;
    let near = home.member_directory(me);
    Ok(if socket.starts_with(&near) { near.join("run") } else { socket.with_extension("") })
}
