//! The state file: what a member still knows after a crash, and whose disk this is.
//!
//! Two slots of fixed size, written in turn, so that a torn write leaves the older one and a full
//! disk stops neither: the blocks are there since the file was made (failover.md 2.1).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use brain::Memory;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::keys::{hex, random_hex};

/// Bytes of one slot: a memory with 50 members in its electorate is below 16 KiB.
const SLOT_BYTES: usize = 32 * 1024;

/// Writes are padded to this, so that what people see in the file ends with its newest words.
const BLOCK_BYTES: usize = 4096;

/// The directory of the agent inside the data directory.
const DIRECTORY: &str = "interrex";

/// The file in it.
const FILE: &str = "state.json";

/// Names the volume that the state file belongs to.
const VOLUME: &str = "volume";

/// Why the state cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory cannot be made.
    #[error("cannot create the state directory {path}")]
    CreateDirectory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be made.
    #[error("cannot create the state file {path}")]
    Create {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the state file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Neither slot is whole.
    #[error(
        "the state file {path} is damaged: neither of its two copies is whole; without it nobody \
         knows what this member has promised. Move its directory away to rejoin as a newcomer"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write the state file {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The memory does not fit.
    #[error("cannot write the state file {path}: {length} bytes do not fit into {SLOT_BYTES}")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// What it would need.
        length: usize,
    },
    /// The file is gone, or another one stands there: the disk is not the one that was read.
    #[error("the state file {path} was taken away or replaced: this is another disk now")]
    Wiped {
        /// The file.
        path: PathBuf,
    },
    /// Another agent works on this directory.
    #[error("another agent works on {path}; end it first, or use another directory")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
}

/// The open state file of this agent.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
    sequence: u64,
}

/// Tells whether the disk is still the one that was read.
#[derive(Debug, Clone)]
pub struct StateWatch {
    path: PathBuf,
    identity: (u64, u64),
}

/// The first line of a slot.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    sequence: u64,
    length: usize,
    sha256: String,
}

/// The directory in which an agent keeps its own things beside the engine's data.
pub fn directory(data: &Path) -> PathBuf {
    data.join(DIRECTORY)
}

/// Takes the directory for this agent alone, until the returned file is dropped.
pub(crate) fn lock(data: &Path) -> Result<nix::fcntl::Flock<File>, StateError> {
    let directory = make_directory(data)?;
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| StateError::Create { path: path.clone(), source })?;
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock)
        .map_err(|_| StateError::Locked { path })
}

fn make_directory(data: &Path) -> Result<PathBuf, StateError> {
    let path = directory(data);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .map_err(|source| StateError::CreateDirectory { path: path.clone(), source })?;
    Ok(path)
}

/// Binds the state file to the volume that it lies on (failover.md 2.1): a copy of it on another
/// volume (restored, cloned) is kept aside, and the member is a newcomer. A volume that cannot be
/// named now changes nothing.
pub(crate) fn bind(data: &Path, volume: Option<&str>) -> Result<(), StateError> {
    let Some(volume) = volume else { return Ok(()) };
    let directory = make_directory(data)?;
    let (mark, state) = (directory.join(VOLUME), directory.join(FILE));
    let bound = match fs::read_to_string(&mark) {
        Ok(bound) => Some(bound),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(StateError::Read { path: mark, source }),
    };
    if bound.as_deref() == Some(volume) {
        return Ok(());
    }
    if bound.is_some() && state.exists() {
        tracing::warn!(volume, "this is another volume than the state file's: a newcomer's");
        let aside = state.with_extension("of-another-volume");
        fs::rename(&state, aside).map_err(|source| StateError::Create { path: state, source })?;
    }
    let write = || -> io::Result<()> {
        let draft = mark.with_extension("new");
        let mut file = File::create(&draft)?;
        io::Write::write_all(&mut file, volume.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &mark)?;
        File::open(&directory)?.sync_all()
    };
    write().map_err(|source| StateError::Create { path: mark.clone(), source })
}

impl StateFile {
    /// Reads the memory of this disk; makes it, with a new random state id, where there is none.
    pub fn open(data: &Path) -> Result<(Self, Memory), StateError> {
        let path = make_directory(data)?.join(FILE);
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => Self::read(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(&path),
            Err(source) => Err(StateError::Read { path, source }),
        }
    }

    fn read(path: PathBuf, mut file: File) -> Result<(Self, Memory), StateError> {
        let mut bytes = Vec::with_capacity(2 * SLOT_BYTES);
        let fail = |source| StateError::Read { path: path.clone(), source };
        file.read_to_end(&mut bytes).map_err(fail)?;
        let identity = identity(&file.metadata().map_err(fail)?);
        let newest = bytes.chunks(SLOT_BYTES).filter_map(read_slot).max_by_key(|(n, _)| *n);
        match newest {
            Some((sequence, memory)) if !memory.state_id.is_empty() => {
                Ok((Self { path, file, identity, sequence }, memory))
            }
            _ => Err(StateError::Damaged { path }),
        }
    }

    fn create(path: &Path) -> Result<(Self, Memory), StateError> {
        let memory = Memory { state_id: random_hex::<16>(), ..Memory::default() };
        let fail = |source| StateError::Create { path: path.to_owned(), source };
        let aside = path.with_extension("new");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .map_err(fail)?;
        // Spaces, written and not skipped: so the blocks are ours from now on.
        file.write_all_at(&vec![b' '; 2 * SLOT_BYTES], 0).map_err(fail)?;
        let identity = identity(&file.metadata().map_err(fail)?);
        let mut state = Self { path: path.to_owned(), file, identity, sequence: 0 };
        state.put(&memory)?;
        fs::rename(&aside, path).map_err(fail)?;
        sync_directory(path).map_err(fail)?;
        Ok((state, memory))
    }

    /// Puts the memory on the disk; it is there when this returns.
    pub fn write(&mut self, memory: &Memory) -> Result<(), StateError> {
        self.check()?;
        self.put(memory)
    }

    /// Whether the file that was opened is still the one that stands there.
    pub fn check(&self) -> Result<(), StateError> {
        self.watch().check()
    }

    /// The means to ask that without the file.
    pub fn watch(&self) -> StateWatch {
        StateWatch { path: self.path.clone(), identity: self.identity }
    }

    fn put(&mut self, memory: &Memory) -> Result<(), StateError> {
        let sequence = self.sequence + 1;
        let slot = write_slot(sequence, memory);
        if slot.len() > SLOT_BYTES {
            return Err(StateError::TooLong { path: self.path.clone(), length: slot.len() });
        }
        let at = sequence % 2 * SLOT_BYTES as u64;
        let fail = |source| StateError::Write { path: self.path.clone(), source };
        self.file.write_all_at(&slot, at).map_err(fail)?;
        self.file.sync_data().map_err(fail)?;
        self.sequence = sequence;
        Ok(())
    }
}

impl StateWatch {
    /// Whether the file that was opened is still the one that stands there.
    pub fn check(&self) -> Result<(), StateError> {
        match fs::metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity => Ok(()),
            Ok(_) => Err(StateError::Wiped { path: self.path.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StateError::Wiped { path: self.path.clone() })
            }
            Err(source) => Err(StateError::Read { path: self.path.clone(), source }),
        }
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().expect("the state file lies in a directory");
    File::open(directory)?.sync_all()
}

fn write_slot(sequence: u64, memory: &Memory) -> Vec<u8> {
    let body = serde_json::to_vec(memory).expect("a memory is plain data");
    let header = Header { sequence, length: body.len(), sha256: checksum(sequence, &body) };
    let mut slot = serde_json::to_vec(&header).expect("a header is plain data");
    slot.push(b'\n');
    slot.extend(body);
    slot.push(b'\n');
    slot.resize(slot.len().next_multiple_of(BLOCK_BYTES), b' ');
    slot
}

fn read_slot(slot: &[u8]) -> Option<(u64, Memory)> {
    let end = slot.iter().position(|byte| *byte == b'\n')?;
    let header: Header = serde_json::from_slice(&slot[..end]).ok()?;
    let body = slot.get(end + 1..)?.get(..header.length)?;
    if checksum(header.sequence, body) != header.sha256 {
        return None;
    }
    Some((header.sequence, serde_json::from_slice(body).ok()?))
}

fn checksum(sequence: u64, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(sequence.to_be_bytes());
    hash.update(body);
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests;
