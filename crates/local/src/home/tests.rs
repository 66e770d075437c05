//! A group's directory: made, found again, and refused in every way that it can be wrong.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Base, Group, Home, HomeError, Member, Ports};
use crate::file::read_secret;

/// A group with ports that nobody listens on.
pub(crate) fn sample(tag: &str, members: u16) -> Group {
    Group {
        format: super::group::FORMAT,
        id: super::new_id().unwrap(),
        tag: tag.to_owned(),
        kept: true,
        created: "2026-11-20T12:00:00Z".to_owned(),
        spec: "replicas: 2\n".to_owned(),
        engine: "/usr/bin/redis-server".into(),
        direct: false,
        ports: Ports { write: 1, read: 2, store: 3, control: 4 },
        members: (0..members)
            .map(|ordinal| Member {
                name: format!("{tag}-{ordinal}"),
                engine: 10 + ordinal,
                http: 40 + ordinal,
                peer: 70 + ordinal,
            })
            .collect(),
        links: Vec::new(),
        networks: None,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_group_comes_back_as_it_was_made_and_keeps_its_secrets_for_its_owner() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("new/cart");
    let made = Home::create(&root, sample("cart", 3)).unwrap();
    let found = Home::open(&root).unwrap();
    assert_eq!(found.group(), made.group());
    assert_eq!(mode(&root), 0o700);
    let secrets = [made.password_file(), made.peer_key_file(), made.token_file()];
    let mut drawn: Vec<String> = secrets.iter().map(|path| read_secret(path).unwrap()).collect();
    drawn.dedup();
    assert_eq!(drawn.len(), 3);
    assert!(secrets.iter().all(|path| mode(path) == 0o600));
    assert!(drawn.iter().all(|secret| secret.len() == 64));
    assert!(made.engine_directory("cart-2").is_dir());
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let home = Home::create(&base.path().join("cart"), sample("cart", 1)).unwrap();
    fs::set_permissions(home.token_file(), fs::Permissions::from_mode(0o640)).unwrap();
    let error = home.token().unwrap_err();
    assert_eq!(error.hint().unwrap(), format!("chmod 600 {}", home.token_file().display()));
    fs::write(home.token_file(), "\n").unwrap();
    fs::set_permissions(home.token_file(), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(home.token().is_err());
}

#[test]
fn somebody_elses_directory_is_refused_and_left_as_it_is() {
    let base = tempfile::tempdir().unwrap();
    for name in ["dump.rdb", "password", "members"] {
        let root = base.path().join(format!("of-{}", name.replace('.', "-")));
        fs::create_dir(&root).unwrap();
        fs::write(root.join(name), "precious").unwrap();
        let error = Home::create(&root, sample("cart", 1)).unwrap_err();
        assert!(matches!(&error, HomeError::Foreign { path } if *path == root), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(fs::read_to_string(root.join(name)).unwrap(), "precious");
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
    }
}

#[test]
fn an_interrupted_start_is_completed() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("cart");
    let lock = Home::lock_up(&root).unwrap();
    fs::write(root.join("password"), "half").unwrap();
    fs::write(root.join("group.json.77.new"), "{").unwrap();
    let home = Home::create(&root, sample("cart", 1)).unwrap();
    assert_eq!(read_secret(&home.password_file()).unwrap().len(), 64);
    drop(lock);
}

#[test]
fn a_second_up_is_told_who_is_at_work() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("cart");
    let held = Home::lock_up(&root).unwrap();
    let error = Home::lock_up(&root).unwrap_err();
    let pid = std::process::id();
    assert!(error.to_string().ends_with(&format!("another interrex (pid {pid})")), "{error}");
    drop(held);
    Home::lock_up(&root).unwrap();
}

#[test]
fn one_agent_is_admitted_to_a_member() {
    let base = tempfile::tempdir().unwrap();
    let home = Home::create(&base.path().join("cart"), sample("cart", 2)).unwrap();
    let held = home.lock_member("cart-0").unwrap();
    assert!(matches!(home.lock_member("cart-0"), Err(HomeError::Busy { .. })));
    home.lock_member("cart-1").unwrap();
    drop(held);
    home.lock_member("cart-0").unwrap();
    let error = home.lock_member("cart-2").unwrap_err();
    assert_eq!(error.hint().unwrap(), "there is: cart-0, cart-1");
}

#[test]
fn a_description_of_the_future_a_damaged_one_and_a_renamed_directory_are_refused() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("cart");
    Home::create(&root, sample("cart", 1)).unwrap();
    let moved = base.path().join("other");
    fs::rename(&root, &moved).unwrap();
    let error = Home::open(&moved).unwrap_err();
    assert!(matches!(&error, HomeError::Renamed { tag, .. } if tag == "cart"), "{error}");
    fs::rename(&moved, &root).unwrap();
    for (content, expected) in [
        ("{\"format\": 2, \"planet\": \"mars\"}", "format 2, this interrex reads up to format 1"),
        ("{\"format\": 1}", "does not describe a group"),
        ("", "does not describe a group"),
    ] {
        fs::write(root.join("group.json"), content).unwrap();
        let error = Home::open(&root).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains(&*root.to_string_lossy()), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_member_brought_from_another_group_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let one = Home::create(&base.path().join("one"), sample("one", 1)).unwrap();
    let two = Home::create(&base.path().join("two"), sample("two", 1)).unwrap();
    let id = one.member_id("one-0").unwrap();
    assert_eq!(one.member_id("one-0").unwrap(), id, "it is drawn once");
    fs::remove_dir_all(two.member_directory("two-0")).unwrap();
    fs::rename(one.member_directory("one-0"), two.member_directory("two-0")).unwrap();
    let error = two.member_id("two-0").unwrap_err();
    assert!(matches!(error, HomeError::OtherGroup { .. }), "{error}");
    assert_ne!(one.member_id("one-0").unwrap(), id, "a new directory is a new member");
}

#[test]
fn a_path_through_a_file_and_an_unwritable_one_name_the_path_and_the_way_out() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Home::create(&file.join("cart"), sample("cart", 1)).unwrap_err();
    assert!(error.to_string().contains("file/cart"), "{error}");
    if nix::unistd::Uid::effective().is_root() {
        return;
    }
    let closed = base.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    let error = Home::create(&closed.join("cart"), sample("cart", 1)).unwrap_err();
    assert!(error.hint().unwrap().contains("INTERREX_HOME"), "{error}");
}

#[test]
fn a_full_disk_is_told_as_one() {
    use crate::file::FileError;
    let full = FileError::Write {
        path: "/data/cart/group.json.new".into(),
        source: std::io::ErrorKind::StorageFull.into(),
    };
    assert!(full.is_full());
    let hint = full.hint().unwrap();
    assert!(hint.starts_with("the disk that holds /data/cart is full"), "{hint}");
}

#[test]
fn the_environment_names_the_base_in_order() {
    let base = |set: &[(&str, &str)]| {
        Base::from_vars(|name| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    };
    let (home, data) = (("HOME", "/h"), ("XDG_DATA_HOME", "/d"));
    let all = base(&[home, data, ("INTERREX_HOME", "/i")]).unwrap();
    assert_eq!(all.path(), Path::new("/i"));
    assert_eq!(base(&[home, data]).unwrap().path(), Path::new("/d/interrex"));
    let empty = base(&[home, ("XDG_DATA_HOME", "")]).unwrap();
    assert_eq!(empty.path(), Path::new("/h/.local/share/interrex"));
    assert!(matches!(base(&[]), Err(HomeError::NoBase)));
}

#[test]
fn groups_are_found_by_tag_and_the_only_one_without() {
    let directory = tempfile::tempdir().unwrap();
    let base = Base::at(directory.path());
    assert!(matches!(base.resolve(None), Err(HomeError::NoGroup { .. })));
    Home::create(&base.root_of("cart").unwrap(), sample("cart", 1)).unwrap();
    fs::create_dir(directory.path().join("nothing")).unwrap();
    assert_eq!(base.resolve(None).unwrap().group().tag, "cart");
    Home::create(&base.root_of("orders").unwrap(), sample("orders", 1)).unwrap();
    assert_eq!(base.resolve(None).unwrap_err().to_string(), "there are 2 groups: cart, orders");
    assert_eq!(base.resolve(Some("orders")).unwrap().group().tag, "orders");
    let error = base.resolve(Some("card")).unwrap_err();
    assert_eq!(error.hint().unwrap(), "there is: cart, orders");
    let missing = Base::at(&directory.path().join("missing"));
    assert!(missing.list().unwrap().is_empty());
}

#[test]
fn a_tag_is_a_name_and_no_path() {
    let base = Base::at(Path::new("/b"));
    for tag in ["", "..", "a/b", "Cart", "7up", "-a", "a-", &"a".repeat(41), "ä"] {
        assert!(matches!(base.root_of(tag), Err(HomeError::BadTag { .. })), "{tag:?}");
    }
    assert_eq!(base.root_of("cart-7").unwrap(), Path::new("/b/cart-7"));
}

#[test]
fn sockets_are_short_wherever_the_group_lies() {
    let base = tempfile::tempdir().unwrap();
    let near = Home::create(&base.path().join("cart"), sample("cart", 1)).unwrap();
    let socket = near.socket("cart-0", "engine").unwrap();
    assert_eq!(socket, near.member_directory("cart-0").join("engine.sock"));
    let deep = base.path().join("d".repeat(80));
    let far = Home::create(&deep.join("cart"), sample("cart", 2)).unwrap();
    let one = far.socket("cart-0", "engine").unwrap();
    let two = far.socket("cart-1", "engine").unwrap();
    assert_ne!(one, two);
    assert_eq!(one, far.socket("cart-0", "engine").unwrap());
    assert!(one.as_os_str().len() < 104 && one.parent().unwrap().is_dir());
    assert_eq!(mode(one.parent().unwrap()), 0o700);
}
