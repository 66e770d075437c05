//! The directory of a group on one machine: where everything of it lies.
//!
//! ```text
//! BASE/                    $INTERREX_HOME, $XDG_DATA_HOME/interrex or ~/.local/share/interrex
//! └── TAG/                 one group
//!     ├── group.json       format, id, tag, spec as given, engine, members, ports, links
//!     ├── password         of the default user, generated              0600
//!     ├── peer-key         of the agents' channel, generated           0600
//!     ├── token            of the store and the links, generated       0600
//!     ├── up.lock          held by the `up` that is at work here
//!     ├── store/           the record and the route (objects.json), its lock
//!     ├── run/
//!     │   ├── keeper.lock  held by the keeper: one a group
//!     │   ├── change.lock  held while an `up` starts the group or a `down` ends it
//!     │   ├── PART.pid     pid and start time of keeper, store, links, agent-MEMBER
//!     │   ├── PART.log     what keeper, store and links say (the one before: PART.log.1)
//!     │   └── cuts.json    the links that are cut now
//!     └── members/NAME/
//!         ├── lock         held by the agent: one a member
//!         ├── identity     the member's id and its group's: takes the place of a pod's UID
//!         ├── log          what the agent and its engine say (the one before: log.1)
//!         ├── WHAT.sock    sockets; in a short directory elsewhere when the path is too long
//!         └── engine/      the engine's data, and the agent's state file on the same volume
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::{self, FileError, Lock};

pub mod base;
pub mod error;
pub mod group;
pub mod part;
#[cfg(test)]
pub(crate) mod tests;

pub use base::Base;
pub use error::HomeError;
pub use group::{Group, Member, Ports};
pub use part::Part;

/// Names in a group's directory that may be there before its group.json is.
const BEGUN: [&str; 7] = ["up.lock", "password", "peer-key", "token", "store", "run", "members"];

/// Bytes of randomness in the group's id and the members' ids.
const ID_BYTES: usize = 12;

/// Bytes of randomness in each secret.
const SECRET_BYTES: usize = 32;

/// The directory of one group.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
    group: Group,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    group: String,
    id: String,
}

impl Home {
    /// Opens the directory of a group that exists.
    pub fn open(root: &Path) -> Result<Self, HomeError> {
        let path = root.join("group.json");
        let refused = |source| HomeError::File { path: root.to_owned(), source };
        let Some(content) = file::read(&path).map_err(refused)? else {
            let base = root.parent().unwrap_or(root).to_owned();
            let tag = name_of(root);
            return Err(HomeError::NoSuchGroup { tag, base, known: Vec::new() });
        };
        let group = Group::parse(&path, &content)?;
        if group.tag != name_of(root) {
            return Err(HomeError::Renamed { path: root.to_owned(), tag: group.tag });
        }
        Ok(Self { root: root.to_owned(), group })
    }

    /// Makes the directory of a new group. What an interrupted attempt left is completed; a
    /// directory with anything else in it is refused and left as it is.
    pub fn create(root: &Path, group: Group) -> Result<Self, HomeError> {
        Self::check_vacant(root)?;
        let home = Self { root: root.to_owned(), group };
        let refused = |source| HomeError::File { path: root.to_owned(), source };
        for directory in [root.to_owned(), home.run_directory(), home.store_directory()] {
            file::make_directory(&directory).map_err(refused)?;
        }
        for path in [home.password_file(), home.peer_key_file(), home.token_file()] {
            let secret = file::random_hex(SECRET_BYTES).map_err(refused)?;
            file::replace(&path, format!("{secret}\n").as_bytes(), file::OWNER_ONLY)
                .map_err(refused)?;
        }
        for member in &home.group.members {
            file::make_directory(&home.engine_directory(&member.name)).map_err(refused)?;
        }
        home.save()?;
        Ok(home)
    }

    /// Says whether a new group may take this directory.
    pub fn check_vacant(root: &Path) -> Result<(), HomeError> {
        let refused = |source| HomeError::File {
            path: root.to_owned(),
            source: FileError::Read { path: root.to_owned(), source },
        };
        let entries = match fs::read_dir(root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(refused(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(refused)?.file_name());
        }
        // An interrupted attempt always left its lock; without it a "password" is somebody's own.
        let begun = names.iter().any(|name| name == "up.lock")
            && names.iter().all(|name| {
                BEGUN.iter().any(|known| name == known)
                    || file::is_left_over(&name.to_string_lossy())
            });
        if names.is_empty() || begun {
            return Ok(());
        }
        Err(HomeError::Foreign { path: root.to_owned() })
    }

    /// Writes group.json anew.
    pub fn save(&self) -> Result<(), HomeError> {
        let mut content = serde_json::to_vec_pretty(&self.group).expect("a group has string keys");
        content.push(b'\n');
        file::replace(&self.root.join("group.json"), &content, file::OWNER_ONLY)
            .map_err(|source| self.refused(source))
    }

    /// What group.json says.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Changes what group.json is to say; [`Home::save`] writes it.
    pub fn group_mut(&mut self) -> &mut Group {
        &mut self.group
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The member with this name.
    pub fn member(&self, name: &str) -> Result<&Member, HomeError> {
        self.group.members.iter().find(|member| member.name == name).ok_or_else(|| {
            HomeError::NoSuchMember {
                tag: self.group.tag.clone(),
                name: name.to_owned(),
                known: self.group.members.iter().map(|member| member.name.clone()).collect(),
            }
        })
    }

    /// All parts of the group that the keeper looks after, in the order of their start.
    pub fn parts(&self) -> Vec<Part> {
        let agents = self.group.members.iter().map(|member| Part::Agent(member.name.clone()));
        [Part::Store, Part::Links].into_iter().chain(agents).collect()
    }

    /// The file with the password of the default user.
    pub fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }

    /// The file with the key of the agents' channel (failover.md 2.6).
    pub fn peer_key_file(&self) -> PathBuf {
        self.root.join("peer-key")
    }

    /// The file with the token that the store and the links ask for.
    pub fn token_file(&self) -> PathBuf {
        self.root.join("token")
    }

    /// Reads the token that the store and the links ask for.
    pub fn token(&self) -> Result<String, HomeError> {
        file::read_secret(&self.token_file()).map_err(|source| self.refused(source))
    }

    /// The directory of the record store.
    pub fn store_directory(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The directory of pids, logs and cuts.
    pub fn run_directory(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The file that names the links which are cut.
    pub fn cuts_file(&self) -> PathBuf {
        self.run_directory().join("cuts.json")
    }

    /// The file with the pid and the start time of a part.
    pub fn pid_file(&self, part: &Part) -> PathBuf {
        self.run_directory().join(format!("{part}.pid"))
    }

    /// The file that takes what a part says.
    pub fn log_file(&self, part: &Part) -> PathBuf {
        match part {
            Part::Agent(name) => self.member_directory(name).join("log"),
            _ => self.run_directory().join(format!("{part}.log")),
        }
    }

    /// The directory of a member.
    pub fn member_directory(&self, name: &str) -> PathBuf {
        self.root.join("members").join(name)
    }

    /// The directory of a member's engine and of its agent's state file.
    pub fn engine_directory(&self, name: &str) -> PathBuf {
        self.member_directory(name).join("engine")
    }

    /// A path for a member's socket, short enough for any kernel. The directory is made.
    pub fn socket(&self, member: &str, what: &str) -> Result<PathBuf, HomeError> {
        base::socket_path(&self.member_directory(member), member, what)
    }

    /// The id that takes the place of a pod's UID (failover.md 2.15); drawn at the first call.
    pub fn member_id(&self, name: &str) -> Result<String, HomeError> {
        let directory = self.member_directory(name);
        let path = directory.join("identity");
        if let Some(content) = file::read(&path).map_err(|source| self.refused(source))? {
            let identity: Identity = serde_json::from_slice(&content)
                .map_err(|source| HomeError::Unreadable { path, source })?;
            if identity.group != self.group.id {
                let (found, wanted) = (identity.group, self.group.id.clone());
                return Err(HomeError::OtherGroup { path: directory, found, wanted });
            }
            return Ok(identity.id);
        }
        let id = new_id().map_err(|source| self.refused(source))?;
        let identity = Identity { group: self.group.id.clone(), id };
        let content = serde_json::to_vec(&identity).expect("an identity has string keys");
        file::make_directory(&directory).map_err(|source| self.refused(source))?;
        file::replace(&path, &content, file::OWNER_ONLY).map_err(|source| self.refused(source))?;
        Ok(identity.id)
    }

    /// Admits one agent to a member's directory, until the lock is dropped.
    pub fn lock_member(&self, name: &str) -> Result<Lock, HomeError> {
        self.member(name)?;
        let directory = self.member_directory(name);
        file::make_directory(&directory).map_err(|source| self.refused(source))?;
        lock(&directory, &directory.join("lock"), "another agent")
    }

    /// Admits one keeper to the group, until the lock is dropped.
    pub fn lock_keeper(&self) -> Result<Lock, HomeError> {
        lock(&self.root, &self.run_directory().join("keeper.lock"), "another keeper")
    }

    /// Admits one `up` or `down` to a group's directory, which need not be there yet.
    pub fn lock_up(root: &Path) -> Result<Lock, HomeError> {
        file::make_directory(root)
            .map_err(|source| HomeError::File { path: root.to_owned(), source })?;
        lock(root, &root.join("up.lock"), "another interrex")
    }

    /// Admits one `up` that starts or `down` that ends at a time, until the lock is dropped.
    pub fn lock_change(&self) -> Result<Lock, HomeError> {
        file::make_directory(&self.run_directory()).map_err(|source| self.refused(source))?;
        let path = self.run_directory().join("change.lock");
        lock(&self.root, &path, "an interrex that starts or ends it")
    }

    /// Removes the members' sockets that lie outside of the directory.
    pub(crate) fn remove_sockets(&self) {
        for member in &self.group.members {
            base::remove_sockets(&self.member_directory(&member.name));
        }
    }

    fn refused(&self, source: FileError) -> HomeError {
        HomeError::File { path: self.root.clone(), source }
    }
}

/// Draws an id for a group or a member.
pub fn new_id() -> Result<String, FileError> {
    file::random_hex(ID_BYTES)
}

fn name_of(root: &Path) -> String {
    root.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn lock(directory: &Path, path: &Path, who: &str) -> Result<Lock, HomeError> {
    let refused = |source| HomeError::File { path: directory.to_owned(), source };
    let Some(mut lock) = Lock::try_take(path).map_err(refused)? else {
        let note = fs::read_to_string(path).unwrap_or_default();
        let by = match note.trim() {
            "" => who.to_owned(),
            pid => format!("{who} (pid {pid})"),
        };
        return Err(HomeError::Busy { path: directory.to_owned(), by });
    };
    if let Err(error) = lock.sign(&std::process::id().to_string()) {
        tracing::debug!(%error, path = %path.display(), "a lock is not signed");
    }
    Ok(lock)
}
