//! The head of an RDB file: who wrote it, and where in the replication stream it stands.

use thiserror::Error;

use crate::{Offset, Replid};

/// Enough of a file's beginning for all that [`RdbHead`] looks at.
pub const RDB_HEAD_BYTES: usize = 1024;

const OPCODE_AUX: u8 = 0xFA;
/// Longer than any auxiliary field that an engine writes; bounds what a strange file can ask for.
const STRING_MAX: usize = 512;

/// The format, by the file's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RdbFormat {
    /// `REDIS0010` and the like: Redis, and Valkey before 9.
    Redis(u32),
    /// `VALKEY080` and the like: Valkey 9 and newer; no other engine reads it.
    Valkey(u32),
}

impl RdbFormat {
    /// The version's number.
    pub fn version(self) -> u32 {
        match self {
            Self::Redis(version) | Self::Valkey(version) => version,
        }
    }
}

/// Why a file is no RDB.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RdbError {
    /// Nothing in it: what a full disk leaves behind.
    #[error("read RDB head: the file is empty")]
    Empty,
    /// Fewer than the nine bytes of its signature.
    #[error("read RDB head: the file ends after {length} bytes, before its version")]
    Cut {
        /// Bytes that there are.
        length: usize,
    },
    /// Other first bytes.
    #[error("read RDB head: neither REDIS nor VALKEY at its start, but {start:?}")]
    Signature {
        /// The first bytes, unreadable ones replaced.
        start: String,
    },
}

/// What the head of an RDB file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdbHead {
    /// Its format.
    pub format: RdbFormat,
    /// Version of the engine that wrote it.
    pub engine: Option<String>,
    /// Unix time at which it was begun, in seconds.
    pub created_s: Option<u64>,
    /// The stream that its data are part of; a primary without a backlog writes none.
    pub replid: Option<Replid>,
    /// The bytes of that stream that are in it.
    pub offset: Option<Offset>,
    /// It is the base of an append-only file.
    pub is_aof_base: bool,
}

impl RdbHead {
    /// Reads the head from a file's first [`RDB_HEAD_BYTES`]. Fields after a cut are missing, that
    /// is no error: whether the data are whole, only a load can tell.
    pub fn parse(head: &[u8]) -> Result<Self, RdbError> {
        if head.is_empty() {
            return Err(RdbError::Empty);
        }
        let Some((signature, mut rest)) = head.split_at_checked(9) else {
            return Err(RdbError::Cut { length: head.len() });
        };
        let mut this = Self {
            format: format(signature).ok_or_else(|| RdbError::Signature {
                start: String::from_utf8_lossy(signature).into_owned(),
            })?,
            engine: None,
            created_s: None,
            replid: None,
            offset: None,
            is_aof_base: false,
        };
        while let Some((&OPCODE_AUX, tail)) = rest.split_first() {
            rest = tail;
            let (Some(name), Some(value)) = (string(&mut rest), string(&mut rest)) else { break };
            this.set(&name, value);
        }
        Ok(this)
    }

    fn set(&mut self, name: &str, value: String) {
        match name {
            "redis-ver" | "valkey-ver" => self.engine = Some(value),
            "ctime" => self.created_s = value.parse().ok(),
            "repl-id" => self.replid = Some(Replid(value)).filter(Replid::is_known),
            "repl-offset" => self.offset = value.parse().ok().map(Offset),
            "aof-base" | "aof-preamble" => self.is_aof_base |= value == "1",
            _ => {}
        }
    }
}

fn format(signature: &[u8]) -> Option<RdbFormat> {
    let number = |digits: &[u8]| {
        let all_digits = digits.iter().all(u8::is_ascii_digit);
        all_digits.then(|| digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0')))
    };
    if let Some(digits) = signature.strip_prefix(b"REDIS") {
        return number(digits).map(RdbFormat::Redis);
    }
    number(signature.strip_prefix(b"VALKEY")?).map(RdbFormat::Valkey)
}

/// A string of the format: a length and bytes, or a small number. `None` when it is cut, or packed
/// in a way that no auxiliary field is.
fn string(rest: &mut &[u8]) -> Option<String> {
    let first = take(rest, 1)?[0];
    let length = match first >> 6 {
        0 => usize::from(first & 0x3F),
        1 => usize::from(first & 0x3F) << 8 | usize::from(take(rest, 1)?[0]),
        2 if first == 0x80 => {
            usize::try_from(u32::from_be_bytes(take(rest, 4)?.try_into().ok()?)).ok()?
        }
        3 => {
            let number = match first & 0x3F {
                0 => i64::from(i8::from_le_bytes(take(rest, 1)?.try_into().ok()?)),
                1 => i64::from(i16::from_le_bytes(take(rest, 2)?.try_into().ok()?)),
                2 => i64::from(i32::from_le_bytes(take(rest, 4)?.try_into().ok()?)),
                _ => return None,
            };
            return Some(number.to_string());
        }
        _ => return None,
    };
    if length > STRING_MAX {
        return None;
    }
    Some(String::from_utf8_lossy(take(rest, length)?).into_owned())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(taken)
}
