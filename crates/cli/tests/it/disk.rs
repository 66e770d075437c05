//! A disk that is full: at the start, and while a group runs. Needs the right to mount; without it
//! the test says so and shows nothing.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::Place;

/// A small disk, gone when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        let directory = tempfile::Builder::new().prefix("ixd").tempdir().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|s| s.success()) || std::thread::panicking(), "still mounted");
    }
}

#[test]
fn a_full_disk_keeps_a_group_from_starting_and_a_running_one_from_promising() {
    let Some(disk) = Disk::mount("1m") else {
        return eprintln!("not tried: no right to mount");
    };
    let place = Place::within(disk.path());
    let refused = place.run(&["up", "--tag", "cart", "--detach"]);
    refused.exits(1).refuses().says(&["full", "INTERREX_HOME"]);
    assert!(place.groups().is_empty(), "{:?}", place.groups());
    drop(place);
    drop(disk);

    let disk = Disk::mount("64m").expect("it could be mounted before");
    let place = Place::within(disk.path());
    place.run(&["up", "--tag", "cart", "--replicas", "1", "--detach"]).exits(0);
    place.run(&["exec", "--", "SET", "before", "1"]).exits(0);
    let filler = disk.path().join("filler");
    // As much as there is: the last piece fails.
    let full = fs::write(&filler, vec![0; 80 << 20]).expect_err("the disk is full now");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    // The file system may have room for a few more writes; then the engine refuses.
    let value = "x".repeat(100_000);
    let refused = (0..40).find_map(|n| {
        let said = place.run(&["exec", "--", "SET", &format!("k{n}"), &value]);
        (said.code != Some(0)).then_some(said)
    });
    let refused = refused.expect("an engine without a disk refuses in the end");
    assert!(refused.out.contains("MISCONF") || refused.out.contains("error"), "{refused:#?}");
    fs::remove_file(&filler).expect("it can be removed");
    place.until("cart", "healthy with room", |status| {
        let written = place.run(&["exec", "--", "SET", "after", "1"]);
        status["verdict"] == "HEALTHY" && written.code == Some(0)
    });
    assert_eq!(place.run(&["exec", "--", "GET", "before"]).exits(0).out, "1\n");
}
