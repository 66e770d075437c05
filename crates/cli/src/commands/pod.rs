//! `interrex pod`: the agent in a pod, PID 1 of the engine's container. What it is told comes by
//! the downward API, a ConfigMap and a Secret (kubernetes::names has every name).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, LogFormat};
use brain::MemberName;
use brain::spec::ValidatedSpec;
use engine::Flavor;
use kubernetes::names::{
    AUTH_PATH, DATA_PATH, GRACE_ENV, NAMESPACE_ENV, Names, PASSWORD_KEY, PEER_KEY, POD_IP_ENV,
    POD_NAME_ENV, POD_UID_ENV, RUN_PATH, SPEC_KEY, SPEC_PATH,
};
use kubernetes::platform::{KubernetesPlatform, Pod};

use tokio::sync::watch;

use super::agent::settings;
use crate::failure::Failure;
use crate::spec;

/// How long a start waits to learn which volume it is on; without an answer it goes on.
const VOLUME: Duration = Duration::from_secs(2);

/// How often the mounted resource is looked at: the kubelet itself needs up to a minute.
const LOOK: Duration = Duration::from_secs(2);

/// Of the grace period this much is kept for the end itself, after which the kubelet kills.
const LAST_SECONDS: Duration = Duration::from_secs(5);

pub(super) async fn run() -> Result<ExitCode, Failure> {
    let file = Path::new(SPEC_PATH).join(SPEC_KEY);
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Failure::new(format!("cannot read the group's resource {}", file.display()))
            .because(&error)
            .hint("this verb runs in a pod that interrex made; on a laptop: interrex up")
    })?;
    let spec = spec::anywhere(&text, &file.display().to_string())?;
    let pod = pod(&spec)?;
    let (tell, directives) = watch::channel(spec.config().clone());
    tokio::spawn(follow(file, text, tell));
    let platform = KubernetesPlatform::of(&pod).map_err(|error| Failure::of(&error))?;
    let mut config = config(&pod, &spec, directives)?;
    if spec.storage_bytes().is_some() {
        config.volume = platform.volume(VOLUME).await;
    }
    ::agent::run(config, Arc::new(platform)).await.map_err(|error| Failure::of(&error))
}

fn pod(spec: &ValidatedSpec) -> Result<Pod, Failure> {
    let names = Names::of(spec.name());
    let ip = told(POD_IP_ENV)?;
    Ok(Pod {
        name: told(POD_NAME_ENV)?,
        uid: told(POD_UID_ENV)?,
        ip: ip.parse::<IpAddr>().map_err(|error| {
            Failure::new(format!("{POD_IP_ENV} is {ip:?}, no address")).because(&error)
        })?,
        namespace: told(NAMESPACE_ENV)?,
        group: spec.name().to_owned(),
        members: (0..spec.members()).map(|n| MemberName(names.member(n))).collect(),
        routing: spec.routing(),
        addresses: ::agent::state_directory(Path::new(DATA_PATH)).join("addresses.json"),
    })
}

fn told(variable: &str) -> Result<String, Failure> {
    std::env::var(variable).map_err(|error| {
        Failure::new(format!("{variable} is not set"))
            .because(&error)
            .hint("the pod's template comes from `interrex render` or the operator")
    })
}

/// Tells changes of the directives in the mounted resource, which the kubelet exchanges as a whole.
async fn follow(file: PathBuf, mut known: String, tell: watch::Sender<BTreeMap<String, String>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(text) = tokio::fs::read_to_string(&file).await else { continue };
        if text == known {
            continue;
        }
        match spec::anywhere(&text, &file.display().to_string()) {
            Ok(spec) => drop(tell.send_replace(spec.config().clone())),
            // Nothing of it is touched; the next one may be right.
            Err(failure) => tracing::error!(what = failure.what, "the changed spec is refused"),
        }
        known = text;
    }
}

fn config(
    pod: &Pod,
    spec: &ValidatedSpec,
    directives: watch::Receiver<BTreeMap<String, String>>,
) -> Result<Config, Failure> {
    let auth = Path::new(AUTH_PATH);
    let any = if pod.ip.is_ipv6() { "::" } else { "0.0.0.0" };
    Ok(Config {
        group: format!("{}/{}", pod.namespace, pod.group),
        tag: pod.group.clone(),
        settings: settings(spec, &pod.name, pod.uid.clone(), pod.members.clone()),
        gate_demanded: spec.demands_gate(),
        program: engine(spec.flavor())?,
        data: PathBuf::from(DATA_PATH),
        volume: None,
        run: Path::new(RUN_PATH).join("agent"),
        password_file: Some(auth.join(PASSWORD_KEY)),
        peer_key_file: auth.join(PEER_KEY),
        directives,
        persistence: spec.persistence(),
        memory_limit_bytes: None,
        members_on_this_machine: 1,
        bind: vec![any.to_owned()],
        log: LogFormat::Json,
        grace: grace()?,
    })
}

/// The engine of the image: the family that is asked for, else the one that is there.
fn engine(flavor: Option<Flavor>) -> Result<PathBuf, Failure> {
    let names: &[&str] = match flavor {
        Some(Flavor::Redis) => &["redis-server"],
        Some(Flavor::Valkey) => &["valkey-server"],
        None => &["valkey-server", "redis-server"],
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = names.iter().find_map(|name| {
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|at| at.is_file())
    });
    found.ok_or_else(|| {
        Failure::new(format!("the image has no {} on its PATH", names.join(" or ")))
            .hint("name an image that has it in spec.engine.image, or correct spec.engine.flavor")
    })
}

fn grace() -> Result<Duration, Failure> {
    let text = told(GRACE_ENV)?;
    let seconds: u64 = text.parse().map_err(|error| {
        Failure::new(format!("{GRACE_ENV} is {text:?}, no number of seconds")).because(&error)
    })?;
    let all = Duration::from_secs(seconds);
    Ok(all.saturating_sub(LAST_SECONDS).max(all / 2))
}
