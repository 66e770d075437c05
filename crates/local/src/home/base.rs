//! Where groups lie, which there are, and where their sockets go.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::{Home, HomeError};
use crate::file::{self, FileError};

/// The longest path of a Unix socket: with its zero 104 bytes on macOS, 108 on Linux.
const LONGEST_SOCKET: usize = 103;

/// The longest tag: leaves room for the ordinal in a member's name of 63 bytes.
const LONGEST_TAG: usize = 40;

/// The directory in which all groups of a user lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(PathBuf);

/// A group as the listing finds it.
#[derive(Debug)]
pub struct Listed {
    /// The directory's name.
    pub tag: String,
    /// The group, or why it cannot be read.
    pub home: Result<Home, HomeError>,
}

impl Base {
    /// The base that the environment names.
    pub fn from_env() -> Result<Self, HomeError> {
        Self::from_vars(|name| std::env::var_os(name))
    }

    /// The base that these variables name: `INTERREX_HOME` itself, else `interrex` in
    /// `XDG_DATA_HOME`, else in `.local/share` of `HOME`.
    pub fn from_vars(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, HomeError> {
        let set = |name| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("INTERREX_HOME")
            .or_else(|| set("XDG_DATA_HOME").map(|path| path.join("interrex")))
            .or_else(|| set("HOME").map(|path| path.join(".local/share/interrex")))
            .map(|path| Self(std::path::absolute(&path).unwrap_or(path)))
            .ok_or(HomeError::NoBase)
    }

    /// The base in this directory.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The directory that a group with this tag has or would have.
    pub fn root_of(&self, tag: &str) -> Result<PathBuf, HomeError> {
        check_tag(tag)?;
        Ok(self.0.join(tag))
    }

    /// All groups, by tag.
    pub fn list(&self) -> Result<Vec<Listed>, HomeError> {
        let refused = |source| HomeError::File {
            path: self.0.clone(),
            source: FileError::Read { path: self.0.clone(), source },
        };
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(refused(error)),
        };
        let mut listed = Vec::new();
        for entry in entries {
            let path = entry.map_err(refused)?.path();
            if path.join("group.json").exists() {
                listed.push(Listed { tag: super::name_of(&path), home: Home::open(&path) });
            }
        }
        listed.sort_by(|one, other| one.tag.cmp(&other.tag));
        Ok(listed)
    }

    /// The group with this tag; the only one when no tag is given.
    pub fn resolve(&self, tag: Option<&str>) -> Result<Home, HomeError> {
        let tags = || -> Result<Vec<String>, HomeError> {
            Ok(self.list()?.into_iter().map(|listed| listed.tag).collect())
        };
        let Some(tag) = tag else {
            let mut found = self.list()?;
            return match found.len() {
                0 => Err(HomeError::NoGroup { base: self.0.clone() }),
                1 => found.remove(0).home,
                _ => Err(HomeError::Several { tags: tags()? }),
            };
        };
        match Home::open(&self.root_of(tag)?) {
            Err(HomeError::NoSuchGroup { tag, base, .. }) => {
                Err(HomeError::NoSuchGroup { tag, base, known: tags()? })
            }
            opened => opened,
        }
    }
}

fn check_tag(tag: &str) -> Result<(), HomeError> {
    let fits = (1..=LONGEST_TAG).contains(&tag.len())
        && tag.starts_with(|first: char| first.is_ascii_lowercase())
        && !tag.ends_with('-')
        && tag.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-');
    if fits { Ok(()) } else { Err(HomeError::BadTag { tag: tag.to_owned() }) }
}

/// `DIRECTORY/WHAT.sock`, or one in a short directory of this user's own when that is too long.
pub(super) fn socket_path(
    directory: &Path,
    member: &str,
    what: &str,
) -> Result<PathBuf, HomeError> {
    let refused = |source| HomeError::File { path: directory.to_owned(), source };
    let near = directory.join(format!("{what}.sock"));
    if near.as_os_str().len() <= LONGEST_SOCKET {
        file::make_directory(directory).map_err(refused)?;
        return Ok(near);
    }
    let short = short_directory();
    file::make_directory(&short).map_err(refused)?;
    let unsafe_sockets = || HomeError::UnsafeSockets { path: short.clone() };
    let about = fs::symlink_metadata(&short).map_err(|_| unsafe_sockets())?;
    let ours = about.is_dir()
        && about.uid() == Uid::current().as_raw()
        && about.permissions().mode() & file::OTHERS == 0;
    if !ours {
        return Err(unsafe_sockets());
    }
    // The hash tells equal members of different homes apart; the name is for people and cut short.
    let name: String = member.chars().take(20).collect();
    Ok(short.join(format!("{}-{name}-{what}.sock", short_name(directory))))
}

/// Removes a member's sockets in the short directory, if there are any.
pub(super) fn remove_sockets(directory: &Path) {
    let Ok(entries) = fs::read_dir(short_directory()) else { return };
    let ours = short_name(directory);
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&ours) {
            // Only a stale name is left when it fails.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn short_directory() -> PathBuf {
    PathBuf::from(format!("/tmp/interrex-{}", Uid::current()))
}

fn short_name(directory: &Path) -> String {
    format!("{:016x}", fold(directory.as_os_str().as_encoded_bytes()))
}

/// FNV-1a: the same on every run and machine, unlike the standard hasher.
fn fold(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
