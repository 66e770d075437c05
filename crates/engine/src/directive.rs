//! Every directive of the engines that Interrex runs: what value it takes, whether a change needs a
//! restart, and which ones a group keeps for itself.

mod suggest;
mod table;
mod value;

use thiserror::Error;

use crate::{Engine, Flavor, Version};

pub use value::{EVENT_FLAGS, Kind, ValueError, parse_memory, same};

/// When a new value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// At once, by `CONFIG SET`.
    Live,
    /// At the next start of the engine.
    Restart,
    /// Never by a user: the group sets it. The text says which field to use, or why there is none.
    Ours(&'static str),
}

/// One directive, in the versions that have it.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Another name for the same thing.
    pub alias: Option<&'static str>,
    /// What it takes.
    pub kind: Kind,
    /// When it takes effect.
    pub applied: Applied,
    redis: Range,
    valkey: Range,
    /// Redis 6.2 knows it by its alias only.
    renamed_in_7: bool,
}

/// From (inclusive) until (exclusive); `None` as `from` is "never".
#[derive(Clone, Copy, Debug)]
struct Range {
    from: Option<Version>,
    until: Option<Version>,
}

/// Why a directive is refused. Every text names the directive, the value and the way out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DirectiveError {
    /// No engine has it.
    #[error("{name}: no such directive{}", did_you_mean(.nearest.as_deref()))]
    Unknown {
        /// As it was given.
        name: String,
        /// The nearest directive that exists.
        nearest: Option<String>,
    },
    /// Another engine or version has it.
    #[error("{name}: {engine} does not have this directive, it is in {available}")]
    NotInEngine {
        /// As it was given.
        name: String,
        /// The engine of the group.
        engine: Engine,
        /// Which ones have it.
        available: String,
    },
    /// Interrex sets it.
    #[error("{name}: set by interrex and not by hand; {instead}")]
    Ours {
        /// As it was given.
        name: String,
        /// What to do in its place.
        instead: &'static str,
    },
    /// The value does not fit.
    #[error("{name}: {value:?} is no value for it, want {want}")]
    Value {
        /// As it was given.
        name: String,
        /// As it was given.
        value: String,
        /// What would fit.
        want: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// Checks one directive of a user's configuration against the engine that is going to read it, and
/// returns what is known about it.
pub fn check(name: &str, value: &str, engine: Engine) -> Result<Directive, DirectiveError> {
    let lower = name.to_ascii_lowercase();
    let directive = match find(&lower, engine) {
        Some(directive) => directive,
        None if is_of_a_module(&lower, engine) => table::OF_A_MODULE,
        None => return Err(not_found(&lower, name, engine)),
    };
    if let Applied::Ours(instead) = directive.applied {
        return Err(DirectiveError::Ours { name: name.to_owned(), instead });
    }
    directive.kind.check(value).map_err(|ValueError { want }| DirectiveError::Value {
        name: name.to_owned(),
        value: value.to_owned(),
        want,
    })?;
    Ok(directive)
}

/// What is known about a directive in this engine, by its name or its alias, in lower case.
pub fn find(name: &str, engine: Engine) -> Option<Directive> {
    rows(name).find(|row| row.is_in(name, engine)).copied()
}

/// Every directive of every engine. A name that means different things to different engines is
/// there once for each.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    table::all()
}

/// Beginnings of the names that the modules inside Redis ≥ 8 have.
pub const MODULE_PREFIXES: [&str; 4] = ["search-", "ts-", "bf-", "cf-"];

fn rows(name: &str) -> impl Iterator<Item = &'static Directive> + '_ {
    table::all().filter(move |row| row.name == name || row.alias == Some(name))
}

/// Modules bring directives as `module.option`; the modules inside Redis ≥ 8 by a prefix. Their
/// values are checked by the engine.
fn is_of_a_module(name: &str, engine: Engine) -> bool {
    let inside = engine.flavor == Flavor::Redis && engine.version.since(8, 0);
    let dotted = name.split_once('.').is_some_and(|(module, option)| {
        [module, option].iter().all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
    });
    dotted || (inside && MODULE_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

fn not_found(lower: &str, name: &str, engine: Engine) -> DirectiveError {
    let available: Vec<String> = rows(lower).flat_map(Directive::available).collect();
    if available.is_empty() {
        let names = table::all().filter(|row| !matches!(row.applied, Applied::Ours(_)));
        let names = names.filter(|row| row.is_in(row.name, engine)).map(|row| row.name);
        let nearest = suggest::nearest(lower, names).map(str::to_owned);
        return DirectiveError::Unknown { name: name.to_owned(), nearest };
    }
    let available = available.join(", ");
    DirectiveError::NotInEngine { name: name.to_owned(), engine, available }
}

impl Directive {
    /// Whether `other` names this directive.
    pub fn is_named(&self, other: &str) -> bool {
        self.name == other || self.alias == Some(other)
    }

    fn is_in(&self, name: &str, engine: Engine) -> bool {
        self.versions(name, engine.flavor).is_some_and(|(from, until)| {
            engine.version >= from && until.is_none_or(|until| engine.version < until)
        })
    }

    /// From which version (inclusive) until which (exclusive) a family knows it by this name, its
    /// own or its alias. `None` is never; no end is for good.
    pub fn versions(&self, name: &str, flavor: Flavor) -> Option<(Version, Option<Version>)> {
        let range = match flavor {
            Flavor::Redis => self.redis,
            Flavor::Valkey => self.valkey,
        };
        let renamed = self.renamed_in_7 && flavor == Flavor::Redis && name == self.name;
        let oldest = if renamed { Version::new(7, 0, 0) } else { Version::new(0, 0, 0) };
        Some((range.from?.max(oldest), range.until))
    }

    /// "redis from 7.0", for the person whose engine does not have it.
    fn available(&self) -> Vec<String> {
        [Flavor::Redis, Flavor::Valkey]
            .into_iter()
            .filter_map(|flavor| {
                let (from, until) = self.versions(self.name, flavor)?;
                let until = until.map(|v| format!(" and before {}.{}", v.major, v.minor));
                let until = until.unwrap_or_default();
                Some(format!("{flavor} from {}.{}{until}", from.major, from.minor))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
