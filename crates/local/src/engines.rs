//! Finding an engine on this machine.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use engine::Flavor;
use engine::flavor::{Engine, FlavorError};

#[cfg(test)]
mod tests;

/// How long a program may take to tell its version.
const DEADLINE: Duration = Duration::from_secs(10);

/// Which engine is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The first that is found: `redis-server`, then `valkey-server`.
    #[default]
    Any,
    /// One of this family.
    Of(Flavor),
    /// This program: a path, or a name to be looked up.
    Program(PathBuf),
}

impl Wanted {
    /// What a person means: a family (`redis`, `valkey`), or a program by its name or path.
    pub fn from_words(words: &str) -> Self {
        match words {
            "redis" => Self::Of(Flavor::Redis),
            "valkey" => Self::Of(Flavor::Valkey),
            program => Self::Program(program.into()),
        }
    }

    fn programs(&self) -> Vec<PathBuf> {
        let of = |flavor: Flavor| PathBuf::from(flavor.program());
        match self {
            // Distributions link the name of one to the other: both are asked what they are.
            Self::Any | Self::Of(Flavor::Redis) => vec![of(Flavor::Redis), of(Flavor::Valkey)],
            Self::Of(Flavor::Valkey) => vec![of(Flavor::Valkey), of(Flavor::Redis)],
            Self::Program(program) => vec![program.clone()],
        }
    }

    fn admits(&self, engine: Engine) -> bool {
        match self {
            Self::Of(flavor) => engine.flavor == *flavor,
            Self::Any | Self::Program(_) => true,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("redis-server or valkey-server"),
            Self::Of(flavor) => formatter.write_str(flavor.program()),
            Self::Program(program) => write!(formatter, "{}", program.display()),
        }
    }
}

/// An engine that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its program, as an absolute path.
    pub program: PathBuf,
    /// What it is.
    pub engine: Engine,
}

/// Why no engine can be run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is none.
    #[error("no engine is installed: {wanted} was not found on the PATH")]
    None {
        /// What was looked for.
        wanted: Wanted,
    },
    /// The path that was given leads to no program.
    #[error("{} is no program", program.display())]
    NoProgram {
        /// The path.
        program: PathBuf,
    },
    /// The program could not be asked.
    #[error("cannot ask {} for its version", program.display())]
    Ask {
        /// The program.
        program: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The program did not answer.
    #[error("{} did not tell its version within {} s", program.display(), within.as_secs())]
    Silent {
        /// The program.
        program: PathBuf,
        /// The deadline.
        within: Duration,
    },
    /// The program does not run here: a library is missing, or it is for another machine.
    #[error("{} does not run here: {words}", program.display())]
    Fails {
        /// The program.
        program: PathBuf,
        /// Its last words, or how it ended.
        words: String,
    },
    /// The program is no engine, or one that is too old.
    #[error("cannot use {} as an engine", program.display())]
    Unusable {
        /// The program.
        program: PathBuf,
        /// What is wrong with it.
        source: FlavorError,
    },
}

impl EngineError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let install = if cfg!(target_os = "macos") {
            "brew install valkey (or redis)"
        } else {
            "sudo apt-get install redis-server (or valkey-server)"
        };
        Some(match self {
            Self::None { wanted: Wanted::Program(program) } => {
                format!("give the path of {}, or install one: {install}", program.display())
            }
            Self::None { .. } => format!("install one: {install}"),
            Self::NoProgram { .. } => {
                "give --engine redis, --engine valkey, or the path of a server".to_owned()
            }
            Self::Unusable { source: FlavorError::TooOld { .. }, .. } => {
                format!("install a newer one, or name another with --engine: {install}")
            }
            Self::Ask { .. } | Self::Silent { .. } | Self::Fails { .. } | Self::Unusable { .. } => {
                "name another one with --engine".to_owned()
            }
        })
    }
}

/// Finds the engine that is wanted; of several the first one that can be used.
pub async fn find(wanted: &Wanted, path: Option<&OsStr>) -> Result<Found, EngineError> {
    let mut first_error = None;
    for name in wanted.programs() {
        let Some(program) = locate(&name, path) else { continue };
        match ask(&program).await {
            Ok(found) if wanted.admits(found.engine) => return Ok(found),
            Ok(_) => {}
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| match wanted {
        Wanted::Program(program) if program.components().count() > 1 => {
            EngineError::NoProgram { program: program.clone() }
        }
        _ => EngineError::None { wanted: wanted.clone() },
    }))
}

fn locate(name: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    if name.components().count() > 1 {
        let absolute = std::path::absolute(name).ok()?;
        return is_program(&absolute).then_some(absolute);
    }
    std::env::split_paths(path?)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_absolute() && is_program(candidate))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// Asks a program which engine it is.
pub async fn ask(program: &Path) -> Result<Found, EngineError> {
    let own = || program.to_owned();
    let output = tokio::process::Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(DEADLINE, output)
        .await
        .map_err(|_| EngineError::Silent { program: own(), within: DEADLINE })?
        .map_err(|source| EngineError::Ask { program: own(), source })?;
    if !output.status.success() && output.stdout.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        let words = last.map_or_else(|| output.status.to_string(), str::to_owned);
        return Err(EngineError::Fails { program: own(), words });
    }
    let engine = Engine::from_version_output(&String::from_utf8_lossy(&output.stdout))
        .map_err(|source| EngineError::Unusable { program: own(), source })?;
    Ok(Found { program: own(), engine })
}
