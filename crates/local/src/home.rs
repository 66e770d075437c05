//! The directory of a group on one machine: where everything of it lies.
//!
//! ```text
//! BASE/                    $INTERREX_HOME, else $XDG_DATA_HOME/interrex, else ~/.local/share/interrex
//! └── TAG/                 one group
//!     ├── group.json       format, id, tag, spec as given, engine, members, every port, every link
//!     ├── password         of the default user, generated              0600
//!     ├── peer-key         of the agents' channel, generated           0600
//!     ├── token            of the store and the links, generated       0600
//!     ├── up.lock          held by the `up` that is at work here
//!     ├── store/           the record and the route (objects.json), its lock
//!     ├── run/
//!     │   ├── keeper.lock  held by the keeper: one a group
//!     │   ├── PART.pid     pid and start time of keeper, store, links, agent-MEMBER
//!     │   ├── PART.log     what keeper, store and links say (the one before: PART.log.1)
//!     │   └── cuts.json    the links that are cut now
//!     └── members/NAME/
//!         ├── lock         held by the agent: one a member
//!         ├── identity     the member's id and its group's: takes the place of a pod's UID
//!         ├── log          what the agent and its engine say (the one before: log.1)
//!         ├── NAME.sock    sockets; in a short directory elsewhere when the path is too long
//!         └── engine/      the engine's data, and the agent's state file on the same volume
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::{self, FileError, Lock};

pub mod base;
pub mod group;
pub mod part;
#[cfg(test)]
pub(crate) mod tests;

pub use base::Base;
pub use group::{Group, Member, Ports};
pub use part::Part;

/// Why the directory of a group could not be used. Nothing in it was changed, but for
/// [`HomeError::File`], where what was begun can be begun again.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Nothing says where groups lie.
    #[error("no place for groups is known: none of INTERREX_HOME, XDG_DATA_HOME and HOME is set")]
    NoBase,
    /// A tag that cannot be a directory's or a member's name.
    #[error(
        "the tag {tag:?} cannot be used: it takes 1 to 40 small letters, digits and dashes, \
         with a letter first and no dash last"
    )]
    BadTag {
        /// The tag as given.
        tag: String,
    },
    /// The file system refused.
    #[error("cannot use the directory of the group, {}", path.display())]
    File {
        /// The group's directory.
        path: PathBuf,
        /// What was refused.
        source: FileError,
    },
    /// Somebody else's files are there.
    #[error("{} is not empty and not the directory of a group", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// A part of the directory came from another group.
    #[error("{} belongs to group {found}, not to group {wanted}", path.display())]
    OtherGroup {
        /// The part.
        path: PathBuf,
        /// The id that it carries.
        found: String,
        /// The id of the group it lies in.
        wanted: String,
    },
    /// The directory was copied or renamed.
    #[error("{} is the directory of group {tag:?} under another name", path.display())]
    Renamed {
        /// The directory.
        path: PathBuf,
        /// The tag in group.json.
        tag: String,
    },
    /// A newer program wrote it.
    #[error(
        "{} has format {found}, this interrex reads up to format {}", path.display(), group::FORMAT
    )]
    Newer {
        /// The group.json.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The description of the group is damaged.
    #[error("{} does not describe a group", path.display())]
    Unreadable {
        /// The group.json.
        path: PathBuf,
        /// What the reader says.
        source: serde_json::Error,
    },
    /// Another process works on it.
    #[error("{} is in use by {by}", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
        /// What is known of the other.
        by: String,
    },
    /// There is no group at all.
    #[error("there is no group in {}", base.display())]
    NoGroup {
        /// Where groups would lie.
        base: PathBuf,
    },
    /// There is no such group.
    #[error("there is no group {tag:?} in {}", base.display())]
    NoSuchGroup {
        /// The tag that was asked for.
        tag: String,
        /// Where groups lie.
        base: PathBuf,
        /// The tags that are there.
        known: Vec<String>,
    },
    /// Several groups, and none was named.
    #[error("there are {} groups: {}", tags.len(), tags.join(", "))]
    Several {
        /// Their tags.
        tags: Vec<String>,
    },
    /// The group has no such member.
    #[error("group {tag:?} has no member {name:?}")]
    NoSuchMember {
        /// The group.
        tag: String,
        /// The name that was asked for.
        name: String,
        /// The members that it has.
        known: Vec<String>,
    },
    /// The place for sockets with a short path is not ours.
    #[error("{} is not a directory of this user alone", path.display())]
    UnsafeSockets {
        /// The directory.
        path: PathBuf,
    },
}

impl HomeError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoBase => "set INTERREX_HOME to a directory of yours".to_owned(),
            Self::BadTag { .. } => "for example: interrex up --tag cart".to_owned(),
            Self::File { source, .. } => return source.hint(),
            Self::Foreign { .. } => {
                "take another --tag, or move these files away: they were not touched".to_owned()
            }
            Self::OtherGroup { path, .. } => {
                format!("put {} back where it came from", path.display())
            }
            Self::Renamed { path, tag } => format!(
                "rename it back: mv {} {}",
                path.display(),
                path.with_file_name(tag).display()
            ),
            Self::Newer { .. } => "use the interrex that wrote it, or a newer one".to_owned(),
            Self::Unreadable { path, .. } => {
                format!("put {} back from a copy, or move the directory away", path.display())
            }
            Self::Busy { .. } => "wait until it is done, or end it first".to_owned(),
            Self::NoGroup { .. } => "start one: interrex up".to_owned(),
            Self::NoSuchGroup { known, .. } if known.is_empty() => {
                "start one: interrex up".to_owned()
            }
            Self::NoSuchGroup { known, .. } | Self::NoSuchMember { known, .. } => {
                format!("there is: {}", known.join(", "))
            }
            Self::Several { tags } => {
                format!("name one, for example: interrex status {}", tags.first()?)
            }
            Self::UnsafeSockets { path } => {
                format!("remove {}, or set INTERREX_HOME to a shorter path", path.display())
            }
        })
    }
}

/// Names in a group's directory that may be there before its group.json is.
const BEGUN: [&str; 7] =
    ["up.lock", "password", "peer-key", "token", "store", "run", "group.json.new"];

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
            && names
                .iter()
                .all(|name| BEGUN.iter().any(|known| name == known) || name == "members");
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
