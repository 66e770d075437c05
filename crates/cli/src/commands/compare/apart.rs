//! A network of our own, in which members can be cut off without harm to anybody else: the command
//! runs itself again in a network namespace that ends with it.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// What a namespace needs before the program runs in it, and what shows that packets can be
/// filtered there.
const SETUP: &str = "ip link set lo up && nft add table inet interrex_compare && \
                     nft delete table inet interrex_compare && exec \"$@\"";

/// Runs this command again in a network of its own, and does not return; `false` where there is
/// none to be had.
pub(super) fn enter() -> Result<bool, Failure> {
    if !cfg!(target_os = "linux") {
        return Ok(false);
    }
    let Some(ways) = ways().into_iter().find(|way| is_possible(way)) else { return Ok(false) };
    let program = std::env::current_exe()
        .map_err(|error| Failure::new("cannot find the program that is running").because(&error))?;
    let mut command = into(&ways);
    command.arg(program).args(std::env::args_os().skip(1)).arg("--apart");
    let error = command.exec();
    Err(Failure::new("cannot enter a network of our own").because(&error))
}

/// As root, or as somebody who is root of a namespace of users alone.
fn ways() -> [Vec<&'static str>; 2] {
    [vec!["--net"], vec!["--user", "--map-root-user", "--net"]]
}

fn into(way: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(way).args(["--", "sh", "-c", SETUP, "sh"]);
    command
}

fn is_possible(way: &[&str]) -> bool {
    let mut trying = into(way);
    trying.arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    trying.status().is_ok_and(|status| status.success())
}
