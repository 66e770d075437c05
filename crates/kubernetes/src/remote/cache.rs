//! Where the agents of a group were when the API server last answered: a small file for each
//! context, namespace and group in the user's cache directory. There is no secret in it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::find::Found;

/// Raised when an older program could no longer read the file.
const FORMAT: u32 = 1;

/// The files of one context's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    directory: PathBuf,
}

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory cannot be made.
    #[error("cannot make the directory {path}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    /// Milliseconds since 1970.
    at_ms: u64,
    group: String,
    #[serde(flatten)]
    found: Found,
}

impl Cache {
    /// The cache of this namespace, where this environment keeps such things: in
    /// `INTERREX_CACHE`, else in `interrex` under `XDG_CACHE_HOME`, else under the user's own
    /// cache directory. `None` where there is no home.
    pub fn of(
        context: &str,
        namespace: &str,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        let base = set("INTERREX_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|path| path.join("interrex")))
            .or_else(|| set("HOME").map(|path| path.join(usual).join("interrex")))?;
        Some(Self { directory: base.join(file_name(context)).join(file_name(namespace)) })
    }

    /// Keeps where the members of a group are.
    pub fn write(&self, group: &str, found: &Found) -> Result<(), CacheError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let file = File { format: FORMAT, at_ms, group: group.to_owned(), found: found.clone() };
        let text = serde_json::to_vec_pretty(&file).expect("a file has string keys");
        let path = self.path(group);
        std::fs::create_dir_all(&self.directory)
            .map_err(|source| CacheError::Directory { path: self.directory.clone(), source })?;
        replace(&path, &text).map_err(|source| CacheError::Write { path, source })
    }

    /// Where the members of a group were, and when: milliseconds since 1970. A file that cannot be
    /// used is none.
    pub fn read(&self, group: &str) -> Option<(Found, u64)> {
        let text = std::fs::read(self.path(group)).ok()?;
        let file: File = serde_json::from_slice(&text).ok()?;
        (file.format == FORMAT && file.group == group).then_some((file.found, file.at_ms))
    }

    /// The groups of which something is kept, by name.
    pub fn groups(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut groups: Vec<String> = entries
            .filter_map(|entry| {
                let text = std::fs::read(entry.path()).ok()?;
                let file: File = serde_json::from_slice(&text).ok()?;
                (file.format == FORMAT).then_some(file.group)
            })
            .collect();
        groups.sort();
        groups
    }

    fn path(&self, group: &str) -> PathBuf {
        self.directory.join(format!("{}.json", file_name(group)))
    }
}

/// A name as a file's: contexts often have slashes and colons.
fn file_name(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        // A dot is plain but in front: `..` is no name.
        if is_plain || (byte == b'.' && !out.is_empty()) {
            out.push(char::from(byte));
        } else {
            // A String takes everything that is written to it.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Two calls at once leave one whole file.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let written = std::fs::File::create(&new)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // Best effort: the directory may be as full as it was.
        let _ = std::fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::find::Pod;
    use super::*;

    fn cache(home: &TempDir, context: &str, namespace: &str) -> Cache {
        let value = home.path().as_os_str().to_owned();
        Cache::of(context, namespace, |name| (name == "XDG_CACHE_HOME").then(|| value.clone()))
            .expect("a cache")
    }

    fn found(address: [u8; 4]) -> Found {
        let pod = Pod {
            name: "cart-0".into(),
            uid: Some("u0".into()),
            address: Some(address.into()),
            ..Pod::default()
        };
        Found { pods: vec![pod], secret: Some("cart-auth".into()) }
    }

    #[test]
    fn what_is_kept_is_found_again_by_context_namespace_and_group() {
        let home = TempDir::new().expect("a directory");
        let arn = "arn:aws:eks:eu-west-1:1:cluster/prod";
        let (prod, stage) = (cache(&home, arn, "shop"), cache(&home, "stage", "shop"));
        assert_eq!(prod.read("cart"), None);
        prod.write("cart", &found([10, 0, 0, 1])).expect("it is kept");
        stage.write("cart", &found([10, 0, 0, 2])).expect("it is kept");
        let (again, at_ms) = prod.read("cart").expect("it is there");
        assert_eq!(again, found([10, 0, 0, 1]));
        assert!(at_ms > 1_700_000_000_000, "{at_ms}");
        assert_eq!(cache(&home, arn, "other").read("cart"), None);
        prod.write("cart", &found([10, 0, 0, 3])).expect("it is replaced");
        assert_eq!(prod.read("cart").map(|kept| kept.0), Some(found([10, 0, 0, 3])));
        assert_eq!(prod.groups(), ["cart"]);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_none() {
        let home = TempDir::new().expect("a directory");
        let cache = cache(&home, "c", "n");
        cache.write("cart", &found([10, 0, 0, 1])).expect("it is kept");
        std::fs::write(cache.path("cart"), b"{ torn").expect("it is written");
        assert_eq!(cache.read("cart"), None);
        assert_eq!(cache.groups(), Vec::<String>::new());
        assert_eq!(Cache::of("c", "n", |_| None), None);
    }

    #[test]
    fn no_name_leaves_the_directory() {
        for (name, file) in [("..", "%2E."), ("a/b", "a%2Fb"), ("v1.2", "v1.2"), (".x", "%2Ex")] {
            assert_eq!(file_name(name), file);
        }
    }
}
