//! `interrex install`: puts this program into a pod's shared directory, from where the engine's
//! container starts it. The engine's image stays as it is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::args::Install;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(args: &Install) -> Result<Exit, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::new("cannot find the program that is running").because(&error))?;
    let to = args.directory.join("interrex");
    copy(&own, &to).map_err(|error| {
        let what = format!("cannot copy this program to {}", to.display());
        Failure::new(what).because(&error).hint("the directory must be there and writable")
    })?;
    Ok(Exit::Healthy)
}

/// Beside it and over it: a container that is started at the same moment finds the whole of it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let draft = to.with_extension("new");
    std::fs::copy(from, &draft)?;
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&draft, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_whole_and_can_be_run_and_a_missing_directory_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let args = Install { directory: directory.path().to_owned() };
        assert_eq!(run(&args).expect("a copy"), Exit::Healthy);
        let copied = std::fs::metadata(directory.path().join("interrex")).expect("the copy");
        let own = std::env::current_exe().and_then(std::fs::metadata).expect("this program");
        assert_eq!(copied.len(), own.len());
        assert_eq!(copied.permissions().mode() & 0o777, 0o755);
        let nowhere = Install { directory: directory.path().join("nowhere") };
        assert!(run(&nowhere).expect_err("no directory").what.contains("nowhere"));
    }
}
