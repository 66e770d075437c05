//! Why the directory of a group could not be used, and what a person can do about it.

use std::path::PathBuf;

use super::group;
use crate::file::FileError;

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
