//! The rendered file, given to the engine that is installed: it starts, has every value, is a dead
//! end, knows its users, and shows no drift. The engines are those of the PATH, or those that
//! `INTERREX_TEST_ENGINES` names; where there is none, the tests say so and pass.
#![cfg(unix)]
// A test is allowed to stop at the first surprise, and must say when it tested nothing.
// The clock is the deadline of a real process, not an input of a decision.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine::config::{
    AGENT_RULES, AGENT_USER, Account, Persistence, Rendered, Settings, application_rules, render,
};
use engine::files::{AofManifest, Damage, RdbHead, StartFailure};
use engine::{Engine, Flavor, Info, Refusal, Role, directive};

/// An engine that answers nothing for this long is broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a condition that has a deadline.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// SHA-256 of `test`.
const TEST_SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Puts something into a data directory that no engine can load.
type Spoil = Box<dyn Fn(&Path)>;
/// Name, what is spoiled, directives, and the damage that is to be seen.
type Case = (&'static str, Spoil, &'static [(&'static str, &'static str)], Option<Damage>);

struct Place {
    directory: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("ie-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("s")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

struct Server {
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The engines of the PATH, or those that `INTERREX_TEST_ENGINES` names, separated by colons.
fn installed() -> Vec<(PathBuf, Engine)> {
    let named = std::env::var("INTERREX_TEST_ENGINES").unwrap_or_default();
    let programs: Vec<PathBuf> = if named.is_empty() {
        [Flavor::Redis, Flavor::Valkey].map(|flavor| flavor.program().into()).to_vec()
    } else {
        named.split(':').filter(|name| !name.is_empty()).map(PathBuf::from).collect()
    };
    let found = programs.into_iter().filter_map(|program| {
        let output = Command::new(&program).arg("--version").output().ok()?;
        let engine = Engine::from_version_output(&String::from_utf8_lossy(&output.stdout));
        Some((program, engine.expect("an installed engine says its version")))
    });
    let found: Vec<(PathBuf, Engine)> = found.collect();
    if found.is_empty() {
        println!("no engine is installed: nothing is tested here");
    }
    found
}

fn settings(engine: Engine, place: &Path, user: &[(&str, &str)]) -> Settings {
    Settings {
        engine,
        user: user.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        persistence: Persistence::AofEverysec,
        cache: false,
        maxmemory_bytes: Some(100 << 20),
        // No TCP port: many of these tests run at once.
        port: 0,
        bind: vec!["127.0.0.1".to_owned()],
        dir: place.to_string_lossy().into_owned(),
        unix_socket: Some(place.join("s").to_string_lossy().into_owned()),
        announce: Some(("127.0.0.1".to_owned(), 6379)),
        max_lag_s: 3,
        shutdown_timeout_s: 5,
        gate: None,
        accounts: vec![
            Account {
                name: "default".to_owned(),
                password_sha256: Some(vec![TEST_SHA256.to_owned()]),
                rules: application_rules(engine),
            },
            Account {
                name: AGENT_USER.to_owned(),
                password_sha256: Some(vec![TEST_SHA256.to_owned()]),
                rules: AGENT_RULES.to_owned(),
            },
        ],
    }
}

fn start(program: &Path, place: &Place, rendered: &Rendered) -> Server {
    let file = place.directory.join("engine.conf");
    std::fs::write(&file, rendered.text()).unwrap();
    let log = std::fs::File::create(place.directory.join("log")).unwrap();
    let child = Command::new(program)
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    Server { child }
}

fn log(place: &Place) -> String {
    std::fs::read_to_string(place.directory.join("log")).unwrap()
}

struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Waits until the engine listens, and fails at once when it ends in place of that.
    fn connect(place: &Place, server: &mut Server, user: &str) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            if let Ok(stream) = UnixStream::connect(place.socket()) {
                break stream;
            }
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the engine ended: {ended:?}\n{}", log(place));
            assert!(Instant::now() < deadline, "no socket after {PATIENCE:?}\n{}", log(place));
            std::thread::sleep(LOOK_AGAIN);
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut this = Self { stream: BufReader::new(stream) };
        assert_eq!(this.ask(&["AUTH", user, "test"]), ["+OK"]);
        this
    }

    /// One command; the reply's leaves, an error with its `-`.
    fn ask(&mut self, words: &[&str]) -> Vec<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            let _ = write!(request, "${}\r\n{word}\r\n", word.len());
        }
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut leaves = Vec::new();
        self.read(&mut leaves).unwrap();
        leaves
    }

    fn read(&mut self, leaves: &mut Vec<String>) -> io::Result<()> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.trim_end();
        match line.split_at(1) {
            ("*", count) => {
                for _ in 0..count.parse::<usize>().unwrap_or(0) {
                    self.read(leaves)?;
                }
            }
            ("$", "-1") => leaves.push("(nil)".to_owned()),
            ("$", length) => {
                let mut bytes = vec![0; length.parse::<usize>().unwrap() + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                leaves.push(String::from_utf8_lossy(&bytes).into_owned());
            }
            _ => leaves.push(line.to_owned()),
        }
        Ok(())
    }

    fn info(&mut self) -> Info {
        Info::parse(&self.ask(&["INFO"])[0]).unwrap()
    }

    fn config(&mut self) -> BTreeMap<String, String> {
        let leaves = self.ask(&["CONFIG", "GET", "*"]);
        leaves.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }
}

#[test]
fn the_file_is_taken_whole_and_is_a_dead_end() {
    for (program, engine) in installed() {
        let place = Place::new("whole");
        let user = [
            ("maxmemory-policy", "allkeys-lru"),
            ("save", "3600 1 300 100"),
            ("notify-keyspace-events", "KEA"),
            ("proc-title-template", "{title} \\ \"{listen-addr}\" {server-mode}"),
            ("maxmemory-clients", "5%"),
            ("client-output-buffer-limit", "pubsub 32mb 8mb 60 normal 0 0 0"),
        ];
        let user: Vec<_> =
            user.into_iter().filter(|(name, _)| directive::find(name, engine).is_some()).collect();
        let rendered = render(&settings(engine, &place.directory, &user)).unwrap();
        let mut server = start(&program, &place, &rendered);
        let mut agent = Client::connect(&place, &mut server, AGENT_USER);

        let drift = rendered.diff(&agent.config());
        assert_eq!(drift, [], "{engine}");

        let info = agent.info();
        assert_eq!(Engine::from_info(&info), Ok(engine));
        assert_eq!(info.server.process_id, Some(server.child.id()));
        assert_eq!(info.replication.role, Some(Role::Replica));
        assert_eq!(info.replication.primary_host.as_deref(), Some("127.0.0.1"));
        assert_eq!(info.replication.primary_port, Some(1));
        assert_eq!(info.position(), None, "an empty replica stands nowhere");
        assert_eq!(info.persistence.aof_enabled, Some(true));

        let mut client = Client::connect(&place, &mut server, "default");
        let refusal = Refusal::parse(&client.ask(&["SET", "a", "1"])[0]);
        assert_eq!(refusal, Refusal::ReadOnly, "{engine}");
        for command in
            [&["REPLICAOF", "NO", "ONE"][..], &["CONFIG", "SET", "timeout", "1"], &["SHUTDOWN"]]
        {
            let reply = &client.ask(command)[0];
            assert_eq!(Refusal::parse(reply), Refusal::NoPerm, "{engine} {command:?}: {reply}");
        }
        assert_eq!(agent.ask(&["REPLICAOF", "NO", "ONE"]), ["+OK"]);
        assert_eq!(client.ask(&["SET", "a", "1"]), ["+OK"]);
        assert_eq!(agent.info().replication.role, Some(Role::Primary));
        assert!(agent.info().position().is_some());

        assert_eq!(agent.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]), ["+OK"]);
        let drift = rendered.diff(&agent.config());
        assert_eq!(drift.len(), 1, "{drift:?}");
        assert!(drift[0].live && drift[0].wanted == "allkeys-lru", "{drift:?}");
    }
}

/// Asks the engine itself: what the table calls live can be set live, and what it calls a restart
/// cannot.
#[test]
fn the_table_is_right_about_what_can_be_set_live() {
    for (program, engine) in installed() {
        let place = Place::new("live");
        let rendered = render(&settings(engine, &place.directory, &[])).unwrap();
        let mut server = start(&program, &place, &rendered);
        let mut agent = Client::connect(&place, &mut server, AGENT_USER);
        let (mut tried, mut wrong) = (0, Vec::new());
        for (name, value) in agent.config() {
            let Some(known) = directive::find(&name, engine) else {
                wrong.push(format!("{name} {value:?} is not in the table"));
                continue;
            };
            if let Err(error) = known.kind.check(&value) {
                wrong.push(format!("{name} {value:?} is its own value, and not {}", error.want));
            }
            // Ours to set; or compiled without jemalloc, or without TLS.
            let ours = matches!(known.applied, directive::Applied::Ours(_));
            if ours || name == "activedefrag" || name.starts_with("tls-") {
                continue;
            }
            let reply = agent.ask(&["CONFIG", "SET", &name, &value]).remove(0);
            let live = !reply.contains("immutable") && !reply.contains("protected");
            if live != (known.applied == directive::Applied::Live) {
                wrong.push(format!("{name}: {reply}"));
            }
            tried += 1;
        }
        assert!(wrong.is_empty(), "{engine}: {wrong:#?}");
        assert!(tried > 100, "only {tried} were tried");
    }
}

#[test]
fn the_files_it_leaves_are_read() {
    for (program, engine) in installed() {
        let place = Place::new("files");
        let rendered = render(&settings(engine, &place.directory, &[])).unwrap();
        let mut server = start(&program, &place, &rendered);
        let mut agent = Client::connect(&place, &mut server, AGENT_USER);
        assert_eq!(agent.ask(&["SAVE"]), ["+OK"]);
        let bytes = std::fs::read(place.directory.join("dump.rdb")).unwrap();
        let head = RdbHead::parse(&bytes).unwrap();
        assert_eq!(head.format.version(), engine.capabilities().rdb_version);
        assert_eq!(head.engine, Some(engine.version.to_string()));
        if engine.capabilities().multi_part_aof {
            let manifest = place.directory.join("appendonlydir").join(engine::files::AOF_MANIFEST);
            let manifest = AofManifest::parse(&std::fs::read_to_string(manifest).unwrap()).unwrap();
            assert!(manifest.base().is_some(), "{manifest:?}");
        }
    }
}

#[test]
fn its_last_words_are_understood() {
    for (program, engine) in installed() {
        let rdb = |bytes: &'static [u8]| {
            move |place: &Path| std::fs::write(place.join("dump.rdb"), bytes).unwrap()
        };
        let cases: [Case; 5] = [
            ("zero", Box::new(rdb(b"")), &[("appendonly", "no")], Some(Damage::Rdb)),
            ("garbage", Box::new(rdb(b"garbage...")), &[("appendonly", "no")], Some(Damage::Rdb)),
            (
                "newer",
                Box::new(rdb(b"REDIS0999aaaaaaa")),
                &[("appendonly", "no")],
                Some(Damage::RdbVersion),
            ),
            (
                "manifest",
                Box::new(|place: &Path| {
                    let directory = place.join("appendonlydir");
                    std::fs::create_dir(&directory).unwrap();
                    std::fs::write(directory.join(engine::files::AOF_MANIFEST), "rubbish\n")
                        .unwrap();
                }),
                &[],
                Some(Damage::AofManifest),
            ),
            ("module", Box::new(|_| ()), &[("loadmodule", "/nonexistent.so")], None),
        ];
        for (name, spoil, user, damage) in cases {
            if name == "manifest" && !engine.capabilities().multi_part_aof {
                continue;
            }
            let place = Place::new(name);
            spoil(&place.directory);
            let rendered = render(&settings(engine, &place.directory, user)).unwrap();
            let mut server = start(&program, &place, &rendered);
            let deadline = Instant::now() + PATIENCE;
            while server.child.try_wait().unwrap().is_none() {
                assert!(Instant::now() < deadline, "{engine} {name}: still there\n{}", log(&place));
                std::thread::sleep(LOOK_AGAIN);
            }
            let log = log(&place);
            let failure = StartFailure::find(log.lines());
            let failure = failure.unwrap_or_else(|| panic!("{engine} {name}: no reason in\n{log}"));
            assert_eq!(failure.damage(), damage, "{engine} {name}: {failure}\n{log}");
            if name == "module" {
                assert!(matches!(failure, StartFailure::Module { .. }), "{failure}\n{log}");
            }
        }
    }
}
