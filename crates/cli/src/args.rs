//! What can be typed: only clap's types, no behaviour.

mod cluster;
mod kubernetes;
mod manifest;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use trial::load::LoadPlan;

pub(crate) use cluster::{Cluster, is_plugin, own_pod, program};
pub(crate) use kubernetes::{Crd, Install, Load, Operator, Render, RenderFormat};
pub(crate) use manifest::Manifest;

/// What follows the help of `status`: the schema of its document.
pub(crate) const STATUS_HELP: &str = "\
The JSON document (`-o json`) is stable: fields are added, never renamed.

  group, verdict, reasons[], canFailOver, canFailOverReason, epoch, primary,
  write, read (host:port), password_file, directory, engine, authority, fence,
  fence_why, electorate[], copies, agents {total, answered, agree, store}, last_failover,
  members[] {name, role, address, engine_pid, agent_pid, directory, host, lag, complete,
  link_up, keys, memory_bytes, memory_max_bytes, epoch, offset, electable, why_not,
  drift[] [name, wanted, actual], error},
  namespace, context, password_secret, via (local, api-server, agents), via_why

On Kubernetes password_file and directory are null; on this machine namespace, context,
password_secret and host are. Without a group, `-n NAMESPACE` lists those of the namespace:
namespace, context, groups[] of the same documents.

verdict is one of HEALTHY, DEGRADED, FAILING-OVER, DOWN, WAITING, UNKNOWN.
Exit codes: 0 HEALTHY, 1 UNKNOWN or an error, 3 anything else.";

/// What follows the help of `kill` and its like.
const KILL_HELP: &str = "\
MEMBER is a member's name, `primary` or `replica` (the first that follows).
What is killed comes back by itself; this is a fault, not a stop.";

/// What follows the help of `compare`.
const COMPARE_HELP: &str = "\
Exit codes: 0 as wanted; 3 a median of ours is not below Sentinel's, or a rival could not be
measured; 4 ours lost a write that was waited for, or two of its members acknowledged at once.";

/// What follows the help of `promote`.
const PROMOTE_HELP: &str = "\
The last resort: a group that waits for members which will never come back. Without
--accept-data-loss it only shows what every member holds. With it, MEMBER begins a new
generation with its own copy; whatever only others hold is discarded as they come back.";

/// What follows the help of `render`.
const RENDER_HELP: &str = "\
Applied in any order, and again at any time, the objects converge:

  interrex render -f cart.yaml --secret | kubectl create -f -   # once
  interrex render -f cart.yaml | kubectl apply -f -

`create` refuses a Secret that is there already: a password never changes by accident.";

/// What follows the help of `crd`.
const CRD_HELP: &str = "\
Three documents of YAML: the CustomResourceDefinition, and a ValidatingAdmissionPolicy with its
binding for what a schema cannot see (Kubernetes 1.30 or newer):

  interrex crd | kubectl apply --server-side -f -";

/// Redis and Valkey without the interregnum: a group that stays writable whatever dies.
#[derive(Debug, Parser)]
#[command(name = "interrex", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Exit codes: 0 healthy, 1 error, 2 usage, 3 degraded, 4 unsafe to proceed.")]
pub(crate) struct Cli {
    /// Only ASCII, no colours.
    #[arg(long, global = true, help_heading = "Look")]
    pub(crate) plain: bool,
    /// Only data and errors, no talk.
    #[arg(long, short, global = true, help_heading = "Look")]
    pub(crate) quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

impl Cli {
    /// Reads this process's command line. Under kubectl, usage and help name kubectl's command.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        if !is_plugin() {
            return Self::try_parse();
        }
        let command = <Self as clap::CommandFactory>::command().bin_name(program());
        <Self as clap::FromArgMatches>::from_arg_matches(&command.try_get_matches()?)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a group on this machine, or resume one.
    Up(Up),
    /// End a group: exactly what `up` started.
    Down(Down),
    /// How a group is: the verdict first.
    #[command(after_help = STATUS_HELP)]
    Status(Status),
    /// A live view with keys to break things.
    Watch(Watch),
    /// Print the primary's name.
    Primary(Primary),
    /// Hand the primary's role over, without losing a write.
    Failover(Failover),
    /// Make a member lead with what it has, when nobody can lead without loss.
    #[command(after_help = PROMOTE_HELP)]
    Promote(Promote),
    /// Tell the story of the last failover.
    Why(Why),
    /// Kill a member's engine or agent (SIGKILL).
    #[command(after_help = KILL_HELP)]
    Kill(Kill),
    /// Freeze a member (SIGSTOP), for a while or until `heal`.
    #[command(after_help = KILL_HELP)]
    Pause(Pause),
    /// Cut a member off, silently.
    #[command(after_help = KILL_HELP)]
    Cut(Cut),
    /// Undo cuts and pauses.
    Heal(Heal),
    /// What agents and engines say.
    Logs(Logs),
    /// Run an engine command on a member.
    Exec(Exec),
    /// Break a group on purpose, and measure what its clients notice.
    Chaos(Chaos),
    /// Throughput through the group against a bare engine.
    Bench(Bench),
    /// The same faults against Sentinel, a cluster, a bare engine and a group, side by side.
    #[command(after_help = COMPARE_HELP)]
    Compare(Compare),
    /// Show a group that survives, in under a minute.
    Demo(Demo),
    /// Print a group's Kubernetes objects, to be applied without an operator.
    #[command(after_help = RENDER_HELP)]
    Render(Render),
    /// Make and keep the Kubernetes objects of every group (`kind: Redis`) of a cluster.
    Operator(Operator),
    /// Print what a Kubernetes cluster must know once: the resource Redis, and the rules on it.
    #[command(after_help = CRD_HELP)]
    Crd(Crd),
    /// Print what a Kubernetes cluster needs once: the resource, the operator, and its rights.
    #[command(after_help = manifest::MANIFEST_HELP)]
    Manifest(Manifest),
    /// The version of this program.
    Version(Version),
    /// The process that keeps a group's other processes running.
    #[command(hide = true)]
    Keep(Part),
    /// The process that holds a group's record.
    #[command(hide = true)]
    Store(Part),
    /// The process that carries a group's connections.
    #[command(hide = true)]
    Links(Part),
    /// The process beside an engine.
    #[command(hide = true)]
    Agent(AgentPart),
    /// The process beside an engine, in a pod: PID 1 of the engine's container.
    #[command(hide = true)]
    Pod,
    /// Copies this program into a directory: the init container of a pod.
    #[command(hide = true)]
    Install(Install),
    /// Makes load on a group and tells over HTTP what its clients notice: for tests, in a pod.
    #[command(hide = true)]
    Load(Load),
}

/// How data are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For programs that like it.
    Yaml,
}

/// The group, and how to print.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// The group's tag; may be left out when there is one group.
    pub(crate) tag: Option<String>,
}

/// How to print.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Output {
    /// How to print the data.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// The profiles of failover.md 2.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// A takeover 3 s after a silent death.
    Fast,
    /// 5 s.
    Default,
    /// 15 s.
    Patient,
}

/// The durability modes of failover.md 2.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// Memory only; availability first.
    Cache,
    /// A write that is waited for is on one replica.
    Balanced,
    /// Copies or no write.
    Strict,
}

/// `interrex up`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Up {
    /// The group's tag, as `--tag`.
    #[arg(value_name = "TAG", conflicts_with = "tag")]
    pub(crate) target: Option<String>,
    /// A spec, the same YAML as on Kubernetes; `-` reads standard input.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["replicas", "cache", "profile", "durability"])]
    pub(crate) file: Option<PathBuf>,
    /// Replicas beside the primary [default: 2].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) replicas: Option<i64>,
    /// The engine: redis, valkey, a program's name or its path [default: the one on the PATH].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) engine: Option<String>,
    /// Memory only: nothing on disk, availability first.
    #[arg(long, conflicts_with = "durability")]
    pub(crate) cache: bool,
    /// Keep the data after the end, under this name.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Return when the group is ready, and leave it running.
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// The write address [default: a free port].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// How quickly a silent death is acted upon [default: default].
    #[arg(long, value_enum)]
    pub(crate) profile: Option<Profile>,
    /// What a write is worth [default: balanced].
    #[arg(long, value_enum)]
    pub(crate) durability: Option<Durability>,
    /// Engines replicate without a link between them: faster, but replication cannot be cut.
    #[arg(long)]
    pub(crate) direct: bool,
    /// How long to wait until the group is ready.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(crate) timeout: Duration,
}

/// `interrex down`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Every group of this user.
    #[arg(long, conflicts_with = "tag")]
    pub(crate) all: bool,
    /// Remove the data too.
    #[arg(long)]
    pub(crate) wipe: bool,
}

/// `interrex status`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Wait until the group is HEALTHY.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// `interrex watch`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// `interrex primary`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Primary {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// `interrex failover`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Failover {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The member that is to lead; the primary chooses when it is left out.
    #[arg(long, value_name = "MEMBER")]
    pub(crate) to: Option<String>,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait until the group is HEALTHY again.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// `interrex promote`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Promote {
    /// The group's tag, or a member's name when there is one group.
    pub(crate) tag: Option<String>,
    /// The member that is to lead; left out, only what everybody holds is shown.
    pub(crate) member: Option<String>,
    /// Lead, although writes that this member lacks are lost.
    #[arg(long)]
    pub(crate) accept_data_loss: bool,
    /// How long to wait until it leads.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// `interrex why`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Why {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The failover to this epoch [default: the last one].
    #[arg(long, value_name = "EPOCH")]
    pub(crate) epoch: Option<u64>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// A group and one of its members.
#[derive(Args, Clone, Debug)]
pub(crate) struct Victim {
    /// The group's tag; may be left out when there is one group.
    #[arg(value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// The member: its name, `primary` or `replica`.
    #[arg(value_name = "MEMBER")]
    pub(crate) member: String,
}

/// Which of a member's two processes.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub(crate) struct Half {
    /// The engine (this is the default).
    #[arg(long)]
    pub(crate) engine: bool,
    /// The agent.
    #[arg(long)]
    pub(crate) agent: bool,
    /// The engine and its agent.
    #[arg(long)]
    pub(crate) both: bool,
}

/// `interrex kill`.
#[derive(Args, Clone, Debug)]
#[command(allow_missing_positional = true)]
pub(crate) struct Kill {
    #[command(flatten)]
    pub(crate) victim: Victim,
    #[command(flatten)]
    pub(crate) half: Half,
}

/// `interrex pause`.
#[derive(Args, Clone, Debug)]
#[command(allow_missing_positional = true)]
pub(crate) struct Pause {
    #[command(flatten)]
    pub(crate) victim: Victim,
    #[command(flatten)]
    pub(crate) half: Half,
    /// Thaw after this time; else `interrex heal` does.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) span: Option<Duration>,
}

/// `interrex cut`.
#[derive(Args, Clone, Debug)]
#[command(allow_missing_positional = true)]
pub(crate) struct Cut {
    #[command(flatten)]
    pub(crate) victim: Victim,
    /// From whom: store, peers, clients, all (store and peers) or a member's name.
    #[arg(long, value_name = "WHOM", default_value = "all")]
    pub(crate) from: String,
    /// Which way bytes stop, seen from the member.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) direction: Direction,
    /// Heal after this time; else `interrex heal` does.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) span: Option<Duration>,
}

/// Which way bytes stop, seen from the member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    /// Neither way gets through.
    #[default]
    Both,
    /// What is sent to the member.
    In,
    /// What the member sends.
    Out,
}

/// `interrex heal`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Heal {
    /// The group's tag, or a member's name.
    #[arg(value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Only this member [default: everything].
    #[arg(value_name = "MEMBER")]
    pub(crate) member: Option<String>,
}

/// `interrex logs`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Logs {
    /// The group's tag, or a member's name.
    #[arg(value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// The member: its name, `primary`, or keeper, store, links [default: all members].
    #[arg(value_name = "MEMBER")]
    pub(crate) member: Option<String>,
    /// Go on as more is said.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with the last lines.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) lines: usize,
}

/// `interrex exec`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Exec {
    /// The group's tag, or a member's name.
    #[arg(value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// The member: its name, `primary` or `replica` [default: primary].
    #[arg(value_name = "MEMBER")]
    pub(crate) member: Option<String>,
    /// The command and its arguments; only `-` reads one command a line from standard input.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `interrex chaos`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Chaos {
    /// Break this group instead of a throw-away one; give the tag twice to consent.
    #[arg(value_name = "TAG", num_args = 0..=2)]
    pub(crate) tags: Vec<String>,
    /// Which scenarios.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) suite: Suite,
    /// Only this scenario; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// How often each [default: what the suite says].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: Option<u32>,
    /// Writes a second of each of the four clients: fewer where several trials share a machine.
    #[arg(long, value_name = "N", default_value_t = LoadPlan::default().rate, value_parser = clap::value_parser!(u32).range(10..=5000))]
    pub(crate) rate: u32,
    /// The throw-away group's profile.
    #[arg(long, value_enum)]
    pub(crate) profile: Option<Profile>,
    /// The throw-away group's replicas.
    #[arg(long, value_name = "N")]
    pub(crate) replicas: Option<i64>,
    /// The throw-away group's engine.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) engine: Option<String>,
    /// Where the measurements are written [default: chaos-DATE.json].
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// What everything drawn comes from; another one every time unless it is given.
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Where the histories are written that the checkers have judged: one JSON document a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    /// The namespace once more: consent to break a group on Kubernetes.
    #[arg(long, value_name = "NAMESPACE", requires = "namespace")]
    pub(crate) really: Option<String>,
}

/// Sets of scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Kill, handover, pause, empty restart, restart of all, cut from store, cut from peers.
    #[default]
    Basic,
    /// The same, as often and as long as the promised figures need, and random partitions, freezes,
    /// full disks, ill stores: hours. As root each member gets a network namespace of its own.
    Full,
}

/// `interrex bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Bench {
    /// The engine: redis, valkey, a program's name or its path.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) engine: Option<String>,
    /// Alternating rounds; medians are compared.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How long each measurement lasts.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(crate) span: Duration,
    /// Replicas beside the primary, in both groups.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) replicas: i64,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `interrex compare`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    /// How often each event is done to each rival; to Sentinel and a cluster with their defaults,
    /// which wait longest, half as often.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Only this event: crash, freeze, partition, planned, or emptied, which is done only when it
    /// is asked for; may be repeated.
    #[arg(long, value_name = "EVENT")]
    pub(crate) only: Vec<String>,
    /// Only this rival: interrex, sentinel-5, sentinel-30, cluster-5, cluster-15 or bare;
    /// `sentinel` and `cluster` name both of each; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) rival: Vec<String>,
    /// Our group's profile.
    #[arg(long, value_enum, default_value_t = Profile::Default)]
    pub(crate) profile: Profile,
    /// The engine of all of them: redis, valkey, a program's name or its path.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) engine: Option<String>,
    /// Write BENCHMARKS.md and benchmarks.svg into this directory.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) write: Option<PathBuf>,
    /// This process is in a network of its own already.
    #[arg(long, hide = true)]
    pub(crate) apart: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `interrex demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Demo {
    /// The engine: redis, valkey, a program's name or its path.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) engine: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `interrex version`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Version {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// One of a group's own processes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Part {
    /// The group's directory.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) home: PathBuf,
}

/// One member's agent.
#[derive(Args, Clone, Debug)]
pub(crate) struct AgentPart {
    /// The group's directory.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) home: PathBuf,
    /// The member.
    #[arg(long, value_name = "MEMBER")]
    pub(crate) member: String,
}

/// `500ms`, `10s`, `2m`, `1h`; a bare number is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let wrong = || format!("{text:?} is no length of time: try 500ms, 10s, 2m or 1h");
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_tag_comes_first_and_may_be_left_out() {
        let kill = |words: &[&str]| match Cli::try_parse_from(words).map(|cli| cli.verb) {
            Ok(Verb::Kill(kill)) => (kill.victim.tag, kill.victim.member),
            other => panic!("{words:?}: {other:?}"),
        };
        assert_eq!(kill(&["interrex", "kill", "primary"]), (None, "primary".into()));
        let with_tag = kill(&["interrex", "kill", "cart", "primary", "--agent"]);
        assert_eq!(with_tag, (Some("cart".into()), "primary".into()));
        assert!(Cli::try_parse_from(["interrex", "kill", "primary", "--agent", "--both"]).is_err());
        assert!(Cli::try_parse_from(["interrex", "kill"]).is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("10"), Ok(Duration::from_secs(10)));
        assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
        for wrong in ["", "s", "-1s", "1d", "10 parsecs"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
