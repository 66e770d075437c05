//! Engines that are there, too old, something else, or silent.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use engine::Flavor;

use super::{EngineError, Wanted, find};

const REDIS: &str = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=97eb";
const OLD: &str = "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=a3fd";
const VALKEY: &str = "Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1";

fn program(directory: &Path, name: &str, line: &str) {
    script(&directory.join(name), &format!("#!/bin/sh\necho '{line}'\n"));
}

/// Another process writes it: a file that this one has open for writing is open for a moment in
/// whatever another test starts just then, and cannot be run (ETXTBSY).
fn script(path: &Path, text: &str) {
    let draft = path.with_extension("text");
    fs::write(&draft, text).unwrap();
    let copied = std::process::Command::new("cp").arg(&draft).arg(path).status().unwrap();
    assert!(copied.success());
    fs::remove_file(draft).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn path(directory: &Path) -> &OsStr {
    directory.as_os_str()
}

#[tokio::test]
async fn nothing_on_the_path_says_how_to_install() {
    let empty = tempfile::tempdir().unwrap();
    for path in [Some(path(empty.path())), None] {
        let error = find(&Wanted::Any, path).await.unwrap_err();
        assert!(matches!(error, EngineError::None { .. }), "{error}");
        assert!(error.hint().unwrap().contains("install"));
    }
}

#[tokio::test]
async fn one_that_is_too_old_is_named_unless_another_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    program(directory.path(), "redis-server", OLD);
    let error = find(&Wanted::Any, Some(path(directory.path()))).await.unwrap_err();
    assert!(error.to_string().contains("redis-server"), "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("6.0.16: too old"), "{source}");
    program(directory.path(), "valkey-server", VALKEY);
    let found = find(&Wanted::Any, Some(path(directory.path()))).await.unwrap();
    assert_eq!(found.engine.flavor, Flavor::Valkey);
    assert_eq!(found.program, directory.path().join("valkey-server"));
}

#[tokio::test]
async fn one_that_does_not_run_here_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("redis-server");
    script(&broken, "#!/bin/sh\necho 'no libc.so.9' >&2\nexit 127\n");
    let error = find(&Wanted::Any, Some(path(directory.path()))).await.unwrap_err();
    assert!(matches!(error, EngineError::Fails { .. }), "{error}");
    assert!(error.to_string().contains("no libc.so.9"), "{error}");
}

#[tokio::test]
async fn the_answer_decides_and_not_the_name() {
    let directory = tempfile::tempdir().unwrap();
    program(directory.path(), "redis-server", VALKEY);
    let path = Some(path(directory.path()));
    let error = find(&Wanted::Of(Flavor::Redis), path).await.unwrap_err();
    assert!(matches!(error, EngineError::None { .. }), "{error}");
    let found = find(&Wanted::from_words("valkey"), path).await.unwrap();
    assert_eq!(found.program, directory.path().join("redis-server"));
}

#[tokio::test]
async fn a_program_by_its_path_is_taken_or_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    program(directory.path(), "my-redis", REDIS);
    program(directory.path(), "cat", "meow");
    fs::write(directory.path().join("text"), "").unwrap();
    let at = |name: &str| Wanted::Program(directory.path().join(name));
    assert_eq!(find(&at("my-redis"), None).await.unwrap().engine.version.minor, 0);
    let cat = find(&at("cat"), None).await.unwrap_err();
    assert!(matches!(cat, EngineError::Unusable { .. }), "{cat}");
    for name in ["text", "nothing"] {
        let error = find(&at(name), None).await.unwrap_err();
        assert!(matches!(error, EngineError::NoProgram { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
