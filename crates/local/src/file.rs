//! Files as a group needs them: written whole or not at all, and secrets for their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Mode of a file that only its owner may read.
pub const OWNER_ONLY: u32 = 0o600;

/// Mode of a directory that only its owner may enter.
pub const OWNER_DIRECTORY: u32 = 0o700;

/// The permission bits of everybody but the owner.
pub const OTHERS: u32 = 0o077;

/// What went wrong with a file; the operating system's own words are the source.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A directory could not be made.
    #[error("cannot make the directory {}", path.display())]
    MakeDirectory {
        /// The directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file could not be opened for writing.
    #[error("cannot open {} for writing", path.display())]
    OpenForWriting {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Bytes did not reach a file.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file was written but may not survive a loss of power.
    #[error("cannot make {} durable", path.display())]
    Sync {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A new file could not take the place of the old one.
    #[error("cannot put the new {} in its place", path.display())]
    Rename {
        /// The file that was to be replaced.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A secret can be read by others than its owner.
    #[error("{} can be read by others: its mode is {mode:o}, wanted is 600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A secret file holds nothing.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A lock could not be asked for.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("cannot draw random bytes")]
    Random {
        /// The operating system's answer.
        source: getrandom::Error,
    },
}

impl FileError {
    /// What a person can do about it, if something is known.
    pub fn hint(&self) -> Option<String> {
        let (path, source) = match self {
            Self::MakeDirectory { path, source }
            | Self::OpenForWriting { path, source }
            | Self::Write { path, source }
            | Self::Sync { path, source }
            | Self::Rename { path, source }
            | Self::Read { path, source }
            | Self::Lock { path, source } => (path, source),
            Self::Exposed { path, .. } => {
                return Some(format!("chmod 600 {}", path.display()));
            }
            Self::Empty { path } => {
                return Some(format!("write the secret into {} again", path.display()));
            }
            Self::Random { .. } => return None,
        };
        hint_of(path, source.kind())
    }

    /// True when the disk has no room left.
    pub fn is_full(&self) -> bool {
        matches!(
            self,
            Self::MakeDirectory { source, .. }
                | Self::OpenForWriting { source, .. }
                | Self::Write { source, .. }
                | Self::Sync { source, .. }
                | Self::Rename { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                )
        )
    }
}

fn hint_of(path: &Path, kind: io::ErrorKind) -> Option<String> {
    let holder = path.parent().unwrap_or(path).display();
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some(format!("the disk that holds {holder} is full: free some space and try again"))
        }
        io::ErrorKind::PermissionDenied => Some(format!(
            "make {holder} writable for this user, or set INTERREX_HOME to a directory that is"
        )),
        io::ErrorKind::ReadOnlyFilesystem => Some(format!(
            "{holder} is on a read-only disk: set INTERREX_HOME to a directory on another one"
        )),
        io::ErrorKind::NotADirectory => {
            Some(format!("a part of {holder} is a file: move it away, or set INTERREX_HOME"))
        }
        _ => None,
    }
}

/// Makes a directory and those above it, closed to other users.
pub fn make_directory(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(OWNER_DIRECTORY)
        .create(path)
        .map_err(|source| FileError::MakeDirectory { path: path.to_owned(), source })
}

/// Replaces a file so that a reader, or a crash at any moment, meets the old or the new content.
///
/// Temporary file beside it, fsync, rename, fsync of the directory (failover.md 2.15). Two writers
/// of one file must hold a lock between them. After [`FileError::Sync`] of the directory the new
/// content is in place but may not survive a loss of power.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let fresh = fresh_name(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&fresh)
        .map_err(|source| FileError::OpenForWriting { path: fresh.clone(), source })?;
    file.write_all(content).map_err(|source| FileError::Write { path: fresh.clone(), source })?;
    file.sync_all().map_err(|source| FileError::Sync { path: fresh.clone(), source })?;
    drop(file);
    fs::rename(&fresh, path)
        .map_err(|source| FileError::Rename { path: path.to_owned(), source })?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

fn fresh_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // The pid, because a part and its keeper may note the same start at the same time.
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

/// True for what [`replace`] leaves when it is killed: half a file that nobody will ask for.
pub fn is_left_over(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "new")
}

/// Removes what killed writers left in a directory; only for who keeps all others from writing.
pub fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if is_left_over(&entry.file_name().to_string_lossy()) {
            // It is only a waste of room when it stays.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn sync_directory(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| FileError::Sync { path: path.to_owned(), source })
}

/// Reads a whole file; `None` when there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

/// Reads a secret of one line; refuses one that others can read, and an empty one.
pub fn read_secret(path: &Path) -> Result<String, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode });
    }
    let mut content = String::new();
    file.read_to_string(&mut content).map_err(failed)?;
    let secret = content.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(FileError::Empty { path: path.to_owned() });
    }
    Ok(secret.to_owned())
}

/// Draws `bytes` random bytes and spells them in hexadecimal.
pub fn random_hex(bytes: usize) -> Result<String, FileError> {
    let mut drawn = vec![0_u8; bytes];
    getrandom::fill(&mut drawn).map_err(|source| FileError::Random { source })?;
    let mut text = String::with_capacity(2 * bytes);
    for byte in drawn {
        text.extend(
            [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[digit as usize])),
        );
    }
    Ok(text)
}

/// An exclusive lock on a file, given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock if nobody holds it; `None` when somebody does.
    pub fn try_take(path: &Path) -> Result<Option<Self>, FileError> {
        let file = Self::open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => {
                Err(FileError::Lock { path: path.to_owned(), source })
            }
        }
    }

    /// Waits for the lock. Only for locks that are held for the length of one file operation.
    pub fn take(path: &Path) -> Result<Self, FileError> {
        let file = Self::open(path)?;
        file.lock().map_err(|source| FileError::Lock { path: path.to_owned(), source })?;
        Ok(Self { file })
    }

    /// Notes in the lock file who holds it, for the message to the next one who asks.
    pub fn sign(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())
    }

    fn open(path: &Path) -> Result<File, FileError> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(OWNER_ONLY)
            .open(path)
            .map_err(|source| FileError::OpenForWriting { path: path.to_owned(), source })
    }
}
