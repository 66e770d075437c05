//! The manifest of a multi-part append-only file: which files there are, in which order.

use thiserror::Error;

use crate::Offset;

/// Name of the manifest inside `appendonlydir`.
pub const AOF_MANIFEST: &str = "appendonly.aof.manifest";

/// The name under which an RDB becomes the base of an append-only file.
pub const RDB_AS_AOF_BASE: &str = "appendonly.aof.1.base.rdb";

/// The manifest that makes [`RDB_AS_AOF_BASE`] the whole of an append-only file. Without it an
/// engine with `appendonly yes` and an RDB starts *empty* (engine.md 4.6).
pub fn rdb_as_aof_base() -> String {
    format!("file {RDB_AS_AOF_BASE} seq 1 type b\n")
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// A line that is none of a manifest.
    #[error("read AOF manifest: line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No file in it.
    #[error("read AOF manifest: it names no file")]
    Empty,
}

/// What a file of an append-only file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AofKind {
    /// What everything begins with.
    Base,
    /// What came after.
    Incremental,
    /// Replaced, and about to be deleted.
    History,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AofFile {
    /// Name inside `appendonlydir`, never a path.
    pub name: String,
    /// Its number.
    pub sequence: u64,
    /// What it is.
    pub kind: AofKind,
    /// Where in the stream it begins (Redis ≥ 8.0).
    pub start: Option<Offset>,
    /// Where it ends, once it has (Redis ≥ 8.0).
    pub end: Option<Offset>,
}

/// A manifest: its files as they are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AofManifest {
    /// The files.
    pub files: Vec<AofFile>,
}

impl AofManifest {
    /// Reads a manifest.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let mut files = Vec::new();
        for (n, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            files.push(file(line).map_err(|why| ManifestError::Line { line: n + 1, why })?);
        }
        let this = Self { files };
        if this.live().next().is_none() {
            return Err(ManifestError::Empty);
        }
        Ok(this)
    }

    /// The files that hold data.
    pub fn live(&self) -> impl Iterator<Item = &AofFile> {
        self.files.iter().filter(|file| file.kind != AofKind::History)
    }

    /// The base.
    pub fn base(&self) -> Option<&AofFile> {
        self.files.iter().find(|file| file.kind == AofKind::Base)
    }
}

fn file(line: &str) -> Result<AofFile, &'static str> {
    let mut words = words(line)?.into_iter();
    let (mut name, mut sequence, mut kind, mut start, mut end) = (None, None, None, None, None);
    while let Some(key) = words.next() {
        let value = words.next().ok_or("a word without its value")?;
        let number = || value.parse::<u64>().map_err(|_| "not a number where one must be");
        match key.to_ascii_lowercase().as_str() {
            "file" => name = Some(value),
            "seq" => sequence = Some(number()?),
            "type" => {
                kind = Some(match value.as_str() {
                    "b" => AofKind::Base,
                    "i" => AofKind::Incremental,
                    "h" => AofKind::History,
                    _ => return Err("a type other than b, i and h"),
                });
            }
            "startoffset" => start = Some(Offset(number()?)),
            "endoffset" => end = Some(Offset(number()?)),
            // A newer engine may add more; it is not ours to judge.
            _ => {}
        }
    }
    let name = name.ok_or("no file in it")?;
    if name.is_empty() || name.contains('/') {
        return Err("a path in place of a file's name");
    }
    let sequence = sequence.ok_or("no seq in it")?;
    let kind = kind.ok_or("no type in it")?;
    Ok(AofFile { name, sequence, kind, start, end })
}

/// Words as the engine splits them; a name with blanks is in double quotes.
fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut chars = line.trim().chars().peekable();
    while chars.peek().is_some() {
        let mut word = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next().ok_or("a quote that does not end")? {
                    '"' => break,
                    '\\' => word.push(chars.next().ok_or("a quote that does not end")?),
                    c => word.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                word.push(c);
            }
        }
        words.push(word);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
    }
    Ok(words)
}
