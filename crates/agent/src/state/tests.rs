//! The state file torn, wiped, locked and on a full disk.

use super::*;
use brain::Epoch;

fn led(memory: &Memory, epoch: u64) -> Memory {
    Memory { led: Epoch(epoch), ..memory.clone() }
}

#[test]
fn what_was_written_is_read_back_and_the_id_stays() {
    let data = tempfile::tempdir().unwrap();
    let (mut state, first) = StateFile::open(data.path()).unwrap();
    assert_eq!(first.state_id.len(), 32);
    for epoch in 1..=5 {
        state.write(&led(&first, epoch)).unwrap();
    }
    let (_, again) = StateFile::open(data.path()).unwrap();
    assert_eq!(again, led(&first, 5));
    let other = tempfile::tempdir().unwrap();
    assert_ne!(StateFile::open(other.path()).unwrap().1.state_id, first.state_id);
}

#[test]
fn a_torn_write_leaves_the_older_memory_and_two_leave_an_error_that_names_the_file() {
    let data = tempfile::tempdir().unwrap();
    let (mut state, first) = StateFile::open(data.path()).unwrap();
    state.write(&led(&first, 7)).unwrap();
    state.write(&led(&first, 8)).unwrap();
    let path = directory(data.path()).join(FILE);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let newest = state.sequence % 2 * SLOT_BYTES as u64;
    file.write_all_at(b"###", newest + 150).unwrap();
    assert_eq!(StateFile::open(data.path()).unwrap().1.led, Epoch(7));
    file.write_all_at(&[0; 200], SLOT_BYTES as u64 - newest).unwrap();
    let error = StateFile::open(data.path()).unwrap_err();
    assert!(matches!(error, StateError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("state.json"), "{error}");
}

#[test]
fn a_directory_that_was_emptied_is_another_disk() {
    let data = tempfile::tempdir().unwrap();
    let (mut state, first) = StateFile::open(data.path()).unwrap();
    fs::remove_dir_all(directory(data.path())).unwrap();
    assert!(matches!(state.write(&first), Err(StateError::Wiped { .. })));
    let (_, second) = StateFile::open(data.path()).unwrap();
    assert_ne!(second.state_id, first.state_id);
    assert!(matches!(state.check(), Err(StateError::Wiped { .. })));
}

#[test]
fn a_memory_that_does_not_fit_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (mut state, first) = StateFile::open(data.path()).unwrap();
    let long = Memory { boot: "x".repeat(SLOT_BYTES), ..first.clone() };
    assert!(matches!(state.write(&long), Err(StateError::TooLong { .. })));
    assert_eq!(StateFile::open(data.path()).unwrap().1, first);
}

#[test]
fn two_agents_do_not_share_a_directory() {
    let data = tempfile::tempdir().unwrap();
    let held = lock(data.path()).unwrap();
    assert!(matches!(lock(data.path()), Err(StateError::Locked { .. })));
    drop(held);
    lock(data.path()).unwrap();
}

/// Mounts a file system of 256 KiB, fills it, and writes the state: needs root and Linux.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_does_not_keep_the_state_from_being_written() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs", path])
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        return;
    }
    let result = std::panic::catch_unwind(|| {
        let (mut state, first) = StateFile::open(Path::new(path)).unwrap();
        let filler = File::create(Path::new(path).join("filler")).unwrap();
        let mut at = 0;
        while filler.write_all_at(&[1; 1024], at).is_ok() {
            at += 1024;
        }
        for epoch in 1..10 {
            state.write(&led(&first, epoch)).unwrap();
        }
        assert_eq!(StateFile::open(Path::new(path)).unwrap().1.led, Epoch(9));
    });
    std::process::Command::new("umount").arg(path).status().unwrap();
    result.unwrap();
}

#[test]
fn a_state_file_that_came_with_a_copy_of_a_volume_is_kept_aside() {
    let data = tempfile::tempdir().unwrap();
    let id_on = |volume: Option<&str>| {
        bind(data.path(), volume).unwrap();
        StateFile::open(data.path()).unwrap().1.state_id
    };
    let first = id_on(None);
    assert_eq!(id_on(Some("claim-1/pv-1")), first, "a file without a mark is of this volume");
    assert_eq!(id_on(Some("claim-1/pv-1")), first);
    assert_eq!(id_on(None), first, "nobody could tell now");
    let other = id_on(Some("claim-2/pv-2"));
    assert_ne!(other, first);
    assert_eq!(id_on(Some("claim-2/pv-2")), other);
    assert!(directory(data.path()).join("state.of-another-volume").exists());
}
