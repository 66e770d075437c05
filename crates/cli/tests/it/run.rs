//! Running the binary in a home of its own, with a deadline, and leaving nothing behind.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// No command takes longer, or it hangs.
const DEADLINE: Duration = Duration::from_secs(90);

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// A place for groups.
pub(crate) struct Place {
    directory: TempDir,
    /// Directories with programs; the test's own when `None`.
    path: Option<PathBuf>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) talk: String,
}

impl Said {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts that the talk (errors included) has all these words.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        // Lines are broken at 100 columns; words are looked for as if they were not.
        let flat = self.talk.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(flat.contains(word), "no {word:?} in {self:#?}");
        }
        self
    }

    /// Asserts a refusal: an error with a way out, and nothing on stdout.
    #[track_caller]
    pub(crate) fn refuses(self) -> Self {
        assert!(self.out.is_empty(), "{self:#?}");
        self.says(&["error:", "hint:"])
    }

    /// The document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Place {
    /// An empty place.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("ix").tempdir();
        Self { directory: directory.expect("a temporary directory"), path: None }
    }

    /// A place in this directory, which is not removed.
    #[cfg(target_os = "linux")]
    pub(crate) fn within(directory: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("ix").tempdir_in(directory);
        Self { directory: directory.expect("a directory"), path: None }
    }

    /// The same, with only these programs to be found.
    pub(crate) fn with_path(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Where groups lie.
    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("g")
    }

    /// A file beside the groups.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("a file can be written");
        path
    }

    /// Names in the place for groups.
    pub(crate) fn groups(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.home()) else { return Vec::new() };
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("an entry").file_name().to_string_lossy().into_owned()
        };
        entries.map(name).collect()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interrex"));
        command.args(words).env("INTERREX_HOME", self.home()).env_remove("INTERREX_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    /// Starts the binary and leaves it running.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().expect("the binary starts")
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Said {
        self.run_with(words, &[])
    }

    /// Runs the binary to its end with more in its environment.
    pub(crate) fn run_with(&self, words: &[&str], env: &[(&str, &str)]) -> Said {
        let mut command = self.command(words);
        command.envs(env.iter().copied());
        let mut child = command.spawn().expect("the binary starts");
        let out = drain(child.stdout.take().expect("stdout is a pipe"));
        let talk = drain(child.stderr.take().expect("stderr is a pipe"));
        let end = Instant::now() + DEADLINE;
        let code = loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                break status.code();
            }
            if Instant::now() >= end {
                child.kill().expect("it can be killed");
                child.wait().expect("it ends");
                panic!("interrex {words:?} did not end within {} s", DEADLINE.as_secs());
            }
            thread::sleep(LOOK);
        };
        let text = |reader: thread::JoinHandle<String>| reader.join().expect("it was read");
        Said { code, out: text(out), talk: text(talk) }
    }

    /// The status as a document.
    pub(crate) fn status(&self, tag: &str) -> Value {
        self.run(&["status", tag, "-o", "json"]).json()
    }

    /// Looks at the status until it is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, tag: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(40);
        loop {
            let status = self.status(tag);
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < end, "{tag} is never {what}: {status:#}");
            thread::sleep(LOOK);
        }
    }
}

impl Place {
    /// What the groups of a failing test say, for whoever reads its output.
    fn tell(&self) {
        for tag in self.groups() {
            let status = self.run(&["status", &tag, "-o", "json"]).out;
            let logs = self.run(&["logs", &tag, "--lines", "200", "--plain"]).out;
            let text = format!("--- {tag}, status:\n{status}\n--- {tag}, logs:\n{logs}\n");
            // Nobody is left to whom it could be said that this failed.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}

impl Drop for Place {
    /// Whatever a test did: nothing of it runs on.
    fn drop(&mut self) {
        if !self.groups().is_empty() {
            self.path = None;
            if thread::panicking() {
                self.tell();
            }
            let said = self.run(&["down", "--all", "--wipe"]);
            assert!(said.code == Some(0) || thread::panicking(), "a group is left: {said:#?}");
        }
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
