//! What the house rules (this crate's tests) look at: the files of the tree, and how a test says
//! what it found. Nothing here ships.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Directories that are not the project's own text.
const NOT_OURS: [&str; 4] = ["target", ".git", ".cargo", "node_modules"];

/// Endings of the files that the rules read.
const TEXT: [&str; 8] = ["rs", "toml", "md", "sh", "yaml", "yml", "txt", "snap"];

/// Files without an ending that the rules read too.
const TEXT_NAMES: [&str; 3] = ["Makefile", "run", ".gitignore"];

/// The root of the workspace.
///
/// # Panics
/// When this crate no longer lies at `crates/tidy`.
pub fn root() -> PathBuf {
    // Of the run, not of the build: two trees may share what was built, and each judges itself.
    let of_run = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = of_run.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().and_then(Path::parent).expect("this crate lies at crates/tidy").to_owned()
}

/// One text file of the tree.
#[derive(Clone, Debug)]
pub struct Text {
    /// Where it lies, relative to the root, with `/` between the parts.
    pub path: String,
    /// What is in it.
    pub body: String,
}

impl Text {
    /// The crate's folder name, for a file under `crates/`.
    pub fn krate(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.body.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether the file holds tests only: under `tests/`, or a module named `tests`.
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
    }

    /// The lines of a Rust file outside comments and before its `mod tests { … }`.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.lines().find(|(_, line)| line.starts_with("mod tests {"));
        let end = tests.map_or(usize::MAX, |(line, _)| line);
        self.lines()
            .take_while(move |(number, _)| *number < end)
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Every text file of the tree, in the order of its paths.
///
/// # Panics
/// When the tree cannot be read: then no rule can be checked.
pub fn texts() -> Vec<Text> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 50, "only {} files found: is this the project's tree?", found.len());
    found
}

/// Every Rust file of the tree.
pub fn sources() -> Vec<Text> {
    texts().into_iter().filter(|text| ends(&text.path, "rs")).collect()
}

/// One file of the tree by its path.
///
/// # Panics
/// When it is not there or is no text.
pub fn text(path: &str) -> Text {
    let body = fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{path}: a rule needs this file: {error}"));
    Text { path: path.to_owned(), body }
}

fn walk(directory: &Path, prefix: &str, found: &mut Vec<Text>) {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: cannot be listed: {error}", directory.display()));
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type();
        if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
            if !NOT_OURS.contains(&name.as_str()) {
                walk(&entry.path(), &path, found);
            }
        } else if kind.is_ok_and(|kind| kind.is_file()) && is_text(&name) {
            // A file that somebody removes in this moment is no fault of the tree.
            if let Ok(body) = fs::read_to_string(entry.path()) {
                found.push(Text { path, body });
            }
        }
    }
}

fn is_text(name: &str) -> bool {
    TEXT.iter().any(|ending| ends(name, ending)) || TEXT_NAMES.contains(&name)
}

/// Whether a path ends with `.ending`.
pub fn ends(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == ending)
}

/// What a rule found, to be said all at once.
#[derive(Debug, Default)]
pub struct Findings(Vec<String>);

impl Findings {
    /// Notes a breach: where it is and what it is.
    pub fn add(&mut self, path: &str, line: usize, what: &str) {
        self.0.push(format!("{path}:{line}: {what}"));
    }

    /// Ends the test: with every breach and the way out when there is one.
    ///
    /// # Panics
    /// When anything was found.
    pub fn judge(self, way_out: &str) {
        let mut words = String::new();
        for finding in &self.0 {
            let _ = writeln!(words, "  {finding}");
        }
        assert!(self.0.is_empty(), "{} found:\n{words}  way out: {way_out}", self.0.len());
    }
}
