//! The full suite in network namespaces: this process makes them, runs itself once more in the one
//! of the clients, and takes everything away again, whatever became of that.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use local::home::Base;
use local::netns::{self, NetnsError, Networks, disk};

use crate::args::{Chaos, Suite};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;
use crate::throwaway::APART;
use crate::ui::Printer;

/// Tells the inner process the number of its namespaces. Nothing of it is a secret.
const NUMBER: &str = "INTERREX_CHAOS_NETWORKS";

/// Members of a group that nobody said a number of replicas for.
const MEMBERS: usize = 3;

/// What is to be done about namespaces.
pub(super) enum Place {
    /// They are to be made.
    Make,
    /// This process is in them.
    Inside(u8),
    /// There are none, and no word is to be lost about it.
    None,
    /// There can be none, for this reason.
    Impossible(String),
}

/// Where a trial without a group of its own takes place.
pub(super) fn place(args: &Chaos) -> Place {
    if args.suite != Suite::Full || !args.tags.is_empty() {
        return Place::None;
    }
    let inside = std::env::var(NUMBER).ok().and_then(|number| number.parse().ok());
    match (inside, netns::missing()) {
        (Some(number), _) => Place::Inside(number),
        (None, None) => Place::Make,
        (None, Some(why)) => Place::Impossible(why),
    }
}

/// How many members the largest group of this trial has.
pub(super) fn members(args: &Chaos) -> usize {
    let replicas = args.replicas.and_then(|replicas| usize::try_from(replicas).ok());
    replicas.map_or(MEMBERS, |replicas| replicas + 1)
}

/// Makes the namespaces, does the trial in them, and removes them.
pub(super) async fn around(args: &Chaos, printer: &mut Printer) -> Outcome {
    let refused = |error: NetnsError| Failure::of(&error).hint_if(error.hint());
    let (number, _lock) = netns::reserve().map_err(refused)?;
    let home = std::env::temp_dir().join(format!("interrex-chaos-{number}"));
    let networks = Networks::of(number, members(args));
    networks.build().map_err(refused)?;
    clear(&home)?;
    let clients = networks.clients();
    printer.step(
        &format!("Made {} network namespaces", members(args) + 2),
        &format!("{clients}*   INTERREX_HOME={}", home.display()),
    );
    let outcome = inside(&clients, number, &home).await;
    // Whatever became of it: nothing stays.
    netns::remove(number).map_err(refused)?;
    clear(&home)?;
    printer.step("Removed the network namespaces", &format!("{clients}*"));
    outcome
}

async fn inside(clients: &str, number: u8, home: &Path) -> Outcome {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new("cannot find the program that is running").because(&error))?;
    let (program, arguments) =
        netns::entered(clients, &program, std::env::args_os().skip(1).collect());
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env(NUMBER, number.to_string())
        .env("INTERREX_HOME", home)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| Failure::new("cannot run nsenter").because(&error))?;
    // A Ctrl-C reaches both: the inner one mends what it has broken, and this one waits for it.
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = signals::end() => {}
        }
    };
    let status = status.map_err(|error| Failure::new("lost the trial").because(&error))?;
    Ok(match status.code() {
        Some(0) => Exit::Healthy,
        Some(2) => Exit::Usage,
        Some(3) => Exit::Degraded,
        Some(4) => Exit::Unsafe,
        _ => Exit::Error,
    })
}

/// Removes what an earlier trial of this number left.
fn clear(home: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(home) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove {}", home.display())).because(&error))
        }
        _ => Ok(()),
    }
}

/// The namespaces for the next group, as they were at first; with `small_disks`, disks for it.
pub(super) fn ready(number: u8, members: usize, small_disks: bool) -> Result<Networks, Failure> {
    let networks = Networks::of(number, members);
    networks.settle().map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    if small_disks {
        make_disks(number, members)?;
    }
    Ok(networks)
}

/// Puts small disks where the members of the next group will have their data.
fn make_disks(number: u8, members: usize) -> Result<(), Failure> {
    let base = Base::from_env().map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    let root: PathBuf =
        base.root_of(APART).map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    for member in 0..members {
        let directory = root.join(format!("members/{APART}-{member}/engine"));
        disk::mount(number, &directory).map_err(|error| Failure::of(&error))?;
    }
    // So that the directory is one of a start that was interrupted, and is completed.
    let lock = root.join("up.lock");
    std::fs::write(&lock, "")
        .map_err(|error| Failure::new(format!("cannot write {}", lock.display())).because(&error))
}
