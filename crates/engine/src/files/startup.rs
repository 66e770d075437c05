//! Why an engine that was started did not stay: read from what it printed.

use std::fmt;

/// A file that cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// The RDB: truncated, a wrong checksum, or no RDB at all.
    Rdb,
    /// The RDB of another family or a newer version: whole, but not for this engine.
    RdbVersion,
    /// The append-only file or one of its parts.
    Aof,
    /// The base of the append-only file is an RDB of a newer version.
    AofVersion,
    /// The manifest of the append-only file, or a file that it names is missing.
    AofManifest,
}

impl Damage {
    /// Whether the whole append-only directory is to be put aside, not the RDB.
    pub fn is_in_aof(self) -> bool {
        matches!(self, Self::Aof | Self::AofVersion | Self::AofManifest)
    }
}

/// Why a start failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// A file that cannot be loaded: to be put aside, and the data taken from a peer (engine.md
    /// 4.3).
    Damaged {
        /// What is damaged.
        damage: Damage,
        /// The engine's own word.
        line: String,
    },
    /// Somebody listens on the port already, or the address is not ours.
    Port {
        /// The engine's own word.
        line: String,
    },
    /// No space left.
    DiskFull {
        /// The engine's own word.
        line: String,
    },
    /// No right to a file or directory, or it is not there.
    Access {
        /// The engine's own word.
        line: String,
    },
    /// A module could not be loaded: the gate, or one of the user's.
    Module {
        /// The engine's own word.
        line: String,
    },
    /// A directive that the engine does not take.
    Directive {
        /// The directive as the engine read it, its values left out where they may be secret.
        directive: String,
        /// The engine's reason.
        line: String,
    },
    /// Not enough memory to load.
    OutOfMemory {
        /// The engine's own word.
        line: String,
    },
}

/// What a line with a sign in it means.
type Reading = fn(String) -> StartFailure;

/// What the engines print, most telling first. Where two texts stand in one line, the first row
/// decides.
const SIGNS: &[(&str, Reading)] = &[
    ("No space left on device", |line| StartFailure::DiskFull { line }),
    ("Can't handle RDB format version", |line| damaged(Damage::RdbVersion, line)),
    ("FATAL AOF MANIFEST FILE ERROR", |line| damaged(Damage::AofManifest, line)),
    ("Invalid AOF manifest file format", |line| damaged(Damage::AofManifest, line)),
    ("Unable to obtain the AOF file", |line| damaged(Damage::AofManifest, line)),
    ("The AOF file appendonly", |line| damaged(Damage::AofManifest, line)),
    ("Found an invalid AOF manifest", |line| damaged(Damage::AofManifest, line)),
    ("Bad file format reading the append only file", |line| damaged(Damage::Aof, line)),
    ("Unexpected end of file reading the append only file", |line| damaged(Damage::Aof, line)),
    ("Unrecoverable error reading the append only file", |line| damaged(Damage::Aof, line)),
    ("Error reading the RDB preamble of the AOF file", |line| damaged(Damage::Aof, line)),
    ("Error reading the RDB base of the append only file", |line| damaged(Damage::Aof, line)),
    ("reading the append only file", |line| damaged(Damage::Aof, line)),
    ("failed to load:", |line| StartFailure::Module { line }),
    ("initialization failed. Module not loaded", |line| StartFailure::Module { line }),
    ("Can't load module from", |line| StartFailure::Module { line }),
    ("Address already in use", |line| StartFailure::Port { line }),
    ("Cannot assign requested address", |line| StartFailure::Port { line }),
    ("Failed listening on port", |line| StartFailure::Port { line }),
    ("Could not create server TCP listening socket", |line| StartFailure::Port { line }),
    ("Failed opening Unix socket", |line| StartFailure::Access { line }),
    ("Out Of Memory allocating", |line| StartFailure::OutOfMemory { line }),
    ("Out of memory allocating", |line| StartFailure::OutOfMemory { line }),
    ("Permission denied", |line| StartFailure::Access { line }),
    ("Read-only file system", |line| StartFailure::Access { line }),
    // Too general to come before the others: each of them is followed by it, or stands beside it.
    ("RDB CRC error", |line| damaged(Damage::Rdb, line)),
    ("Wrong RDB checksum", |line| damaged(Damage::Rdb, line)),
    ("RDB ERROR DETECTED", |line| damaged(Damage::Rdb, line)),
    ("Short read or OOM loading DB", |line| damaged(Damage::Rdb, line)),
    ("Internal error in RDB reading", |line| damaged(Damage::Rdb, line)),
    ("Unexpected EOF reading RDB file", |line| damaged(Damage::Rdb, line)),
    ("Wrong signature trying to load DB from file", |line| damaged(Damage::Rdb, line)),
    ("Fatal error loading the DB", |line| damaged(Damage::Rdb, line)),
    ("Bad file format", |line| damaged(Damage::Aof, line)),
];

/// An AOF's base is an RDB, and its errors are those of an RDB: this tells them apart.
const LOADS_AOF_BASE: &str = "Reading RDB base file on AOF loading";
/// An RDB of Valkey 9 in any other engine has only its signature wrong.
const WRONG_SIGNATURE: &str = "Wrong signature";
const CONFIG_ERROR: &str = "FATAL CONFIG FILE ERROR";

fn damaged(damage: Damage, line: String) -> StartFailure {
    StartFailure::Damaged { damage, line }
}

impl StartFailure {
    /// Looks for the reason in what the engine printed, oldest line first. `None` when nothing in
    /// it is known: then it was ended from outside, or in a way of its own.
    pub fn find<'a>(lines: impl Iterator<Item = &'a str> + Clone) -> Option<Self> {
        if lines.clone().any(|line| line.contains(CONFIG_ERROR)) {
            return directive(lines);
        }
        let hit = SIGNS.iter().find_map(|(sign, failure)| {
            let line = lines.clone().find(|line| line.contains(sign))?;
            Some((failure)(said(line)))
        })?;
        let in_aof = lines.clone().any(|line| line.contains(LOADS_AOF_BASE));
        Some(match hit {
            Self::Damaged { damage: Damage::Rdb, line } if in_aof => damaged(Damage::Aof, line),
            Self::Damaged { damage: Damage::RdbVersion, line } if in_aof => {
                damaged(Damage::AofVersion, line)
            }
            other => other,
        })
    }

    /// The file to put aside, if that is the cure.
    pub fn damage(&self) -> Option<Damage> {
        match self {
            Self::Damaged { damage, .. } => Some(*damage),
            _ => None,
        }
    }

    /// Whether a wrong signature, and not a broken file, was the reason: the head of the file tells
    /// which engine it is for ([`super::RdbHead`]).
    pub fn is_wrong_signature(&self) -> bool {
        matches!(self, Self::Damaged { line, .. } if line.contains(WRONG_SIGNATURE))
    }
}

/// ```text
/// *** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***
/// Reading the configuration file, at line 5
/// >>> 'maxmemory-policy "bogus"'
/// argument(s) must be one of the following: …
/// ```
fn directive<'a>(lines: impl Iterator<Item = &'a str>) -> Option<StartFailure> {
    let mut lines = lines.skip_while(|line| !line.contains(CONFIG_ERROR)).skip(1);
    let quoted = lines.find_map(|line| line.trim().strip_prefix(">>> "))?;
    let directive = quoted.trim_matches('\'');
    // Users, passwords and their hashes are in such lines.
    let secret = ["user", "requirepass", "masterauth", "primaryauth"];
    let name = directive.split_whitespace().next().unwrap_or_default();
    let secret = secret.contains(&name) || name.starts_with("tls-");
    let directive = if secret { name } else { directive }.to_owned();
    let reason = lines.map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    // The reason may repeat the rule that it does not like, a password's for example.
    let line =
        if secret { reason.split([':', '\'', '"']).next().unwrap_or_default() } else { reason };
    let line = line.to_owned();
    if line.contains("Permission denied") || line.contains("No such file or directory") {
        return Some(StartFailure::Access { line: format!("{directive}: {line}") });
    }
    Some(StartFailure::Directive { directive, line })
}

/// The line without the engine's process id, time and level: `6076:M 20 Nov 2026 23:23:16.468 # `.
fn said(line: &str) -> String {
    let marks = [" # ", " * ", " - ", " . "];
    let head = line.get(..48).unwrap_or(line);
    let cut = marks.iter().filter_map(|mark| head.find(mark).map(|at| at + mark.len())).min();
    let numbered = line.split_once(':').is_some_and(|(pid, _)| pid.parse::<u32>().is_ok());
    let text = if numbered { cut.and_then(|at| line.get(at..)).unwrap_or(line) } else { line };
    text.trim().to_owned()
}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { damage: Damage::Rdb, line } => write!(f, "its RDB is damaged: {line}"),
            Self::Damaged { damage: Damage::RdbVersion, line } => {
                write!(f, "its RDB is from another engine or a newer version: {line}")
            }
            Self::Damaged { damage: Damage::AofVersion, line } => {
                write!(f, "its append-only file is from a newer version: {line}")
            }
            Self::Damaged { damage: Damage::Aof, line } => {
                write!(f, "its append-only file is damaged: {line}")
            }
            Self::Damaged { damage: Damage::AofManifest, line } => {
                write!(f, "its append-only file is not whole: {line}")
            }
            Self::Port { line } => write!(f, "it cannot listen on its port: {line}"),
            Self::DiskFull { line } => write!(f, "its disk is full: {line}"),
            Self::Access { line } => write!(f, "it may not use a file or directory: {line}"),
            Self::Module { line } => write!(f, "a module could not be loaded: {line}"),
            Self::Directive { directive, line } => {
                write!(f, "it refuses the directive {directive}: {line}")
            }
            Self::OutOfMemory { line } => write!(f, "it has too little memory: {line}"),
        }
    }
}
