//! Starting the engine process so that it cannot outlive its agent.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::unistd::Pid;

use super::{Launch, Launched, SuperviseError};

/// Starts the engine in a process group of its own, its output in a pipe.
pub(super) fn spawn(launch: &Launch) -> Result<Launched, SuperviseError> {
    let fail = |source| SuperviseError::Spawn { program: launch.program.clone(), source };
    let (output, writer) = std::io::pipe().map_err(fail)?;
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(fail)?)
        .stderr(writer)
        // Keys and passwords of the agent's surroundings are not the engine's business.
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| KEPT.iter().any(|kept| name == kept)))
        .process_group(0);
    die_with_the_agent(&mut command);
    let child = command.spawn().map_err(fail)?;
    // The child is collected by `process::reap`, never through this handle.
    let pid = Pid::from_raw(child.id() as i32);
    Ok(Launched { pid, output: OwnedFd::from(output) })
}

/// What an engine may need of its surroundings.
const KEPT: [&str; 6] = ["PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "MALLOC_CONF"];

/// Lets the kernel kill the engine when the agent dies, however it dies.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_the_agent(command: &mut Command) {
    use nix::sys::prctl::set_pdeathsig;
    use nix::sys::signal::Signal;
    let agent = std::process::id();
    let last_words = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        // Had the agent died before that call, nobody would send the signal any more.
        if std::os::unix::process::parent_id() != agent {
            return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two
    // system calls, prctl and getppid; it takes no lock and allocates nothing (a simple error kind
    // and an errno are plain numbers).
    unsafe {
        command.pre_exec(last_words);
    }
}

/// Elsewhere no kernel does that: the next agent ends what it finds (`predecessor`).
#[cfg(not(target_os = "linux"))]
fn die_with_the_agent(_command: &mut Command) {}
