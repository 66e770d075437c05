//! The commands, one file a verb.

use std::future::Future;
use std::process::ExitCode;

use crate::args::{self, Verb};
use crate::failure::Failure;
use crate::ui::Printer;

mod agent;
mod attend;
mod bench;
mod chaos;
mod compare;
mod crd;
mod cut;
mod demo;
mod down;
mod exec;
mod failover;
mod heal;
mod install;
mod keep;
mod kill;
mod links;
mod load;
mod logs;
mod manifest;
mod operator;
mod pause;
mod pod;
mod primary;
mod promote;
mod render;
mod status;
mod store;
pub(crate) mod up;
mod version;
mod watch;
mod why;

/// Does what was asked for.
pub(crate) fn run(verb: Verb, printer: &mut Printer) -> Result<ExitCode, Failure> {
    if args::is_plugin() {
        refuse_local(&verb)?;
    }
    let exit = match verb {
        Verb::Up(args) => on_one_thread(up::run(args, printer)),
        Verb::Down(args) => on_one_thread(down::run(args, printer)),
        Verb::Status(args) => on_one_thread(status::run(args, printer)),
        Verb::Watch(args) => on_one_thread(watch::run(args, printer)),
        Verb::Primary(args) => on_one_thread(primary::run(args, printer)),
        Verb::Failover(args) => on_one_thread(failover::run(args, printer)),
        Verb::Promote(args) => on_one_thread(promote::run(args, printer)),
        Verb::Why(args) => on_one_thread(why::run(args, printer)),
        Verb::Kill(args) => on_one_thread(kill::run(args, printer)),
        Verb::Pause(args) => on_one_thread(pause::run(args, printer)),
        Verb::Cut(args) => on_one_thread(cut::run(args, printer)),
        Verb::Heal(args) => on_one_thread(heal::run(args, printer)),
        Verb::Logs(args) => on_one_thread(logs::run(args, printer)),
        Verb::Exec(args) => on_one_thread(exec::run(args, printer)),
        Verb::Chaos(args) => on_one_thread(chaos::run(args, printer)),
        Verb::Bench(args) => on_one_thread(bench::run(args, printer)),
        Verb::Compare(args) => compare::run(&args, printer),
        Verb::Demo(args) => on_one_thread(demo::run(args, printer)),
        Verb::Render(args) => render::run(&args, printer),
        Verb::Operator(args) => on_one_thread(operator::run(args)),
        Verb::Crd(args) => crd::run(args, printer),
        Verb::Manifest(args) => manifest::run(&args, printer),
        Verb::Version(args) => version::run(args, printer),
        Verb::Keep(args) => on_one_thread(keep::run(args)),
        Verb::Store(args) => on_one_thread(store::run(args)),
        Verb::Links(args) => on_one_thread(links::run(args)),
        // It speaks to its keeper in exit codes of its own.
        Verb::Agent(args) => return on_one_thread(agent::run(args)),
        Verb::Pod => return on_one_thread(pod::run()),
        Verb::Install(args) => install::run(&args),
        Verb::Load(args) => on_one_thread(load::run(args)),
    };
    exit.map(ExitCode::from)
}

/// What is done to processes of this machine is not done to pods.
fn refuse_local(verb: &Verb) -> Result<(), Failure> {
    let (word, instead) = match verb {
        Verb::Up(_) => ("up", "on Kubernetes: kubectl apply of a Redis, or interrex render"),
        Verb::Down(_) => ("down", "on Kubernetes: kubectl delete redis GROUP"),
        Verb::Kill(_) => ("kill", "on Kubernetes: kubectl interrex chaos --only kill"),
        Verb::Pause(_) => ("pause", "there is none of it on Kubernetes"),
        Verb::Cut(_) => ("cut", "there is none of it on Kubernetes"),
        Verb::Heal(_) => ("heal", "there is none of it on Kubernetes"),
        Verb::Logs(_) => ("logs", "on Kubernetes: kubectl logs POD -c engine"),
        Verb::Exec(_) => ("exec", "on Kubernetes: kubectl exec POD -c engine -- redis-cli …"),
        Verb::Bench(_) => ("bench", "it measures this machine: interrex bench"),
        Verb::Compare(_) => ("compare", "it measures this machine: interrex compare"),
        Verb::Demo(_) => ("demo", "it runs on this machine: interrex demo"),
        _ => return Ok(()),
    };
    let what = format!("{word} is for groups on this machine: interrex {word}");
    Err(Failure::usage(what).hint(instead))
}

/// One thread: the parts of a group are many and small, and none of them computes.
fn on_one_thread<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new("cannot start").because(&error))?;
    let outcome = runtime.block_on(command);
    // A lookup or a file that hangs must not hold up the end.
    runtime.shutdown_background();
    outcome
}
