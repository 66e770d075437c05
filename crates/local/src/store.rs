//! The record store on disk: numbered documents in one file, replaced by compare-and-swap.
//!
//! The semantics of a Kubernetes Lease (failover.md 2.15): every change, a deletion too, takes a
//! higher version; a write names the version it replaces. Several processes may work on one
//! directory: each operation holds the lock file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::file::{self, FileError, Lock};

pub mod fault;
pub mod server;
#[cfg(test)]
mod tests;

/// The form of the store's file that this program writes and reads.
const FORMAT: u32 = 1;

/// The number of a change in the store; strictly increasing over all objects.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The objects that a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    /// The group's record (failover.md 2.1).
    Record,
    /// Where clients are sent (failover.md 2.13).
    Route,
}

impl Object {
    /// The name in addresses and in the store's file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Route => "route",
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that no object of the store has.
#[derive(Debug, thiserror::Error)]
#[error("the store holds record and route, but no {name:?}")]
pub struct UnknownObject {
    name: String,
}

impl FromStr for Object {
    type Err = UnknownObject;

    fn from_str(name: &str) -> Result<Self, UnknownObject> {
        match name {
            "record" => Ok(Self::Record),
            "route" => Ok(Self::Route),
            _ => Err(UnknownObject { name: name.to_owned() }),
        }
    }
}

/// An object as it stands: its last change, and its document unless it was deleted or never made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The version of the last change, also of a deletion; 0 when there was none.
    pub version: Version,
    /// The document; absent after a deletion and before the first write.
    pub document: Option<Value>,
}

/// How a write ended. Anything else is a [`StoreError`].
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// The document is on disk under this version.
    Done(Version),
    /// Another version stands; nothing was changed.
    Conflict(Stored),
    /// The object to be replaced is not there; nothing was changed.
    Missing(Version),
}

/// Why the store's file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused; nothing was changed.
    #[error("cannot use the record store in {}", directory.display())]
    File {
        /// The store's directory.
        directory: PathBuf,
        /// What was refused.
        source: FileError,
    },
    /// The new state is in place, but not proven durable: the write may or may not have happened.
    #[error("the record store in {} may have lost its last change", directory.display())]
    Uncertain {
        /// The store's directory.
        directory: PathBuf,
        /// What was refused.
        source: FileError,
    },
    /// The file is not what this program writes.
    #[error("{} is not a record store", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: serde_json::Error,
    },
    /// The file was written by a newer program.
    #[error(
        "{} has format {found}, this interrex reads up to format {FORMAT}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The file belongs to another group.
    #[error("{} belongs to group {found}, not to group {wanted}", path.display())]
    OtherGroup {
        /// The file.
        path: PathBuf,
        /// The id in the file.
        found: String,
        /// The id of the group that asked.
        wanted: String,
    },
}

impl StoreError {
    /// What a person can do about it, if something is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File { source, .. } | Self::Uncertain { source, .. } => source.hint(),
            Self::Unreadable { path, .. } => Some(format!(
                "put {} back from a copy, or end the group with `interrex down --wipe`",
                path.display()
            )),
            Self::Newer { .. } => Some("use the interrex that wrote it, or a newer one".to_owned()),
            Self::OtherGroup { path, .. } => Some(format!(
                "put the directory {} back where it came from",
                path.parent().unwrap_or(path).display()
            )),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Image {
    format: u32,
    group: String,
    version: Version,
    objects: BTreeMap<Object, Stored>,
}

/// The store in a directory.
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
    group: String,
}

impl FileStore {
    /// Opens the store of the group with this id; makes an empty one where there is none.
    pub fn open(directory: &Path, group: &str) -> Result<Self, StoreError> {
        let store = Self { directory: directory.to_owned(), group: group.to_owned() };
        file::make_directory(directory).map_err(|source| store.refused(source))?;
        let lock = store.lock()?;
        file::sweep(directory);
        if store.load_existing()?.is_none() {
            store.save(&store.empty())?;
        }
        drop(lock);
        Ok(store)
    }

    /// The object as it stands.
    pub fn get(&self, object: Object) -> Result<Stored, StoreError> {
        let lock = self.lock()?;
        let image = self.load()?;
        drop(lock);
        Ok(image.objects.get(&object).cloned().unwrap_or_default())
    }

    /// Replaces the document if `expected` is its version; `None` only creates.
    pub fn put(
        &self,
        object: Object,
        expected: Option<Version>,
        document: Value,
    ) -> Result<Written, StoreError> {
        let lock = self.lock()?;
        let mut image = self.load()?;
        let stored = image.objects.entry(object).or_default();
        match (&stored.document, expected) {
            (None, Some(_)) => return Ok(Written::Missing(stored.version)),
            (Some(_), None) => return Ok(Written::Conflict(stored.clone())),
            (Some(_), Some(version)) if version != stored.version => {
                return Ok(Written::Conflict(stored.clone()));
            }
            _ => {}
        }
        let version = Version(image.version.0 + 1);
        *stored = Stored { version, document: Some(document) };
        image.version = version;
        self.save(&image)?;
        drop(lock);
        Ok(Written::Done(version))
    }

    /// Takes the document away, whatever its version; `None` when there is none.
    pub fn delete(&self, object: Object) -> Result<Option<Version>, StoreError> {
        let lock = self.lock()?;
        let mut image = self.load()?;
        let stored = image.objects.entry(object).or_default();
        if stored.document.is_none() {
            return Ok(None);
        }
        let version = Version(image.version.0 + 1);
        *stored = Stored { version, document: None };
        image.version = version;
        self.save(&image)?;
        drop(lock);
        Ok(Some(version))
    }

    fn path(&self) -> PathBuf {
        self.directory.join("objects.json")
    }

    fn lock(&self) -> Result<Lock, StoreError> {
        Lock::take(&self.directory.join("lock")).map_err(|source| self.refused(source))
    }

    fn refused(&self, source: FileError) -> StoreError {
        StoreError::File { directory: self.directory.clone(), source }
    }

    fn empty(&self) -> Image {
        Image {
            format: FORMAT,
            group: self.group.clone(),
            version: Version(0),
            objects: BTreeMap::new(),
        }
    }

    /// A store whose file was taken away under it starts again from nothing, as a deleted record.
    fn load(&self) -> Result<Image, StoreError> {
        Ok(self.load_existing()?.unwrap_or_else(|| self.empty()))
    }

    fn load_existing(&self) -> Result<Option<Image>, StoreError> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let path = self.path();
        let Some(content) = file::read(&path).map_err(|source| self.refused(source))? else {
            return Ok(None);
        };
        let unreadable = |source| StoreError::Unreadable { path: path.clone(), source };
        let form: Form = serde_json::from_slice(&content).map_err(unreadable)?;
        if form.format > FORMAT {
            return Err(StoreError::Newer { path, found: form.format });
        }
        let image: Image = serde_json::from_slice(&content).map_err(unreadable)?;
        if image.group != self.group {
            let wanted = self.group.clone();
            return Err(StoreError::OtherGroup { path, found: image.group, wanted });
        }
        Ok(Some(image))
    }

    fn save(&self, image: &Image) -> Result<(), StoreError> {
        let content = serde_json::to_vec(image).expect("an image has only string keys");
        file::replace(&self.path(), &content, file::OWNER_ONLY).map_err(|source| match &source {
            FileError::Sync { path, .. } if *path == self.directory => {
                StoreError::Uncertain { directory: self.directory.clone(), source }
            }
            _ => self.refused(source),
        })
    }
}
