//! The group's peer key and everything that is derived from it: frames, replication passwords, the
//! bearer token of requests that act. No secret shows itself.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use brain::{MemberId, MemberName};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A key shorter than this could be guessed.
const LENGTH_MIN: usize = 16;

/// A key and its successor while it is rotated (failover.md 2.6).
const KEYS_MAX: usize = 2;

/// The keys of a group: the first signs, all are accepted.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerKeys(Vec<Key>);

/// One key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

/// Why the peer keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the peer key file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file has no key, or too many.
    #[error("the peer key file {path} has {found} keys; it must have one, or two while it rotates")]
    Count {
        /// The file.
        path: PathBuf,
        /// Lines with a key.
        found: usize,
    },
    /// A key that could be guessed.
    #[error("a key in {path} has {length} characters; it needs at least {LENGTH_MIN}")]
    Short {
        /// The file.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
}

impl PeerKeys {
    /// Reads one key a line.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = fs::read_to_string(path)
            .map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
        Self::of_text(&text, path)
    }

    /// The same of a text that is at hand; `path` is where it comes from, for errors only.
    pub fn of_text(text: &str, path: &Path) -> Result<Self, KeyError> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        if lines.is_empty() || lines.len() > KEYS_MAX {
            return Err(KeyError::Count { path: path.to_owned(), found: lines.len() });
        }
        if let Some(short) = lines.iter().find(|line| line.len() < LENGTH_MIN) {
            return Err(KeyError::Short { path: path.to_owned(), length: short.len() });
        }
        Ok(Self(lines.iter().map(|line| Key(line.as_bytes().to_vec())).collect()))
    }

    /// No key at all: equal to no group's keys.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// The key that signs.
    pub fn first(&self) -> &Key {
        self.0.first().expect("there is at least one key, or it would not have been read")
    }

    /// Every key that is accepted, the signing one first.
    pub fn all(&self) -> &[Key] {
        &self.0
    }
}

impl Key {
    /// HMAC-SHA256 over the parts, each with its length before it, so that no two lists of parts
    /// give the same input.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.mac(parts).finalize().into_bytes().into()
    }

    /// Whether this is the signature of the parts; takes the same time for every wrong one.
    pub fn verifies(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.mac(parts).verify_slice(signature).is_ok()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0)
            .expect("HMAC takes a key of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    /// The password with which a member replicates from that one. That of a pod of the same name
    /// with another disk differs (failover.md 2.4), and one for another opens nothing: whoever has
    /// been given an address anew, or still listens there, is not taken for whom it was.
    pub fn replication_password(&self, id: &MemberId, from: &MemberName) -> String {
        let parts: [&[u8]; 5] = [
            b"interrex replication 2",
            id.name.0.as_bytes(),
            id.pod.as_bytes(),
            id.state.as_bytes(),
            from.0.as_bytes(),
        ];
        hex(&self.sign(&parts))
    }

    /// The bearer token of requests that act on the group.
    pub fn bearer_token(&self, group: &str) -> String {
        hex(&self.sign(&[b"interrex http 1", group.as_bytes()]))
    }

    /// Whether this is that token; takes the same time for every wrong one.
    pub(crate) fn is_bearer_token(&self, group: &str, token: &str) -> bool {
        unhex(token)
            .is_some_and(|given| self.verifies(&[b"interrex http 1", group.as_bytes()], &given))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl fmt::Debug for PeerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKeys({})", self.0.len())
    }
}

/// The ACL user of a member.
pub(crate) fn replication_user(member: &brain::MemberName) -> String {
    format!("{REPLICATION_PREFIX}{member}")
}

/// What every replication user's name begins with.
pub(crate) const REPLICATION_PREFIX: &str = "repl-";

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 == 1 || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The SHA-256 of a password as the engine's configuration takes it.
pub(crate) fn password_sha256(password: &str) -> String {
    hex(&Sha256::digest(password.as_bytes()))
}

/// `bytes` random bytes as hexadecimal digits.
///
/// # Panics
/// If the kernel has no randomness, without which nothing here is safe.
pub(crate) fn random_hex<const BYTES: usize>() -> String {
    let mut buffer = [0; BYTES];
    getrandom::fill(&mut buffer).expect("the kernel gives random bytes");
    hex(&buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<PeerKeys, KeyError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peer-key");
        fs::write(&path, text).unwrap();
        PeerKeys::read(&path)
    }

    fn member(state: &str) -> MemberId {
        MemberId { name: "cart-0".into(), pod: "p".into(), state: state.into() }
    }

    #[test]
    fn one_key_or_two_are_read_and_none_is_shown() {
        assert_eq!(keys("0123456789abcdef\n").unwrap().all().len(), 1);
        let two = keys("0123456789abcdef\n\nfedcba9876543210").unwrap();
        assert_eq!(two.all().len(), 2);
        assert_eq!(format!("{two:?} {:?}", two.first()), "PeerKeys(2) Key(…)");
        assert!(matches!(keys("\n"), Err(KeyError::Count { found: 0, .. })));
        assert!(matches!(keys("short"), Err(KeyError::Short { length: 5, .. })));
    }

    #[test]
    fn passwords_differ_by_key_by_disk_and_by_whom_they_open() {
        let first = keys("0123456789abcdef").unwrap();
        let other = keys("fedcba9876543210").unwrap();
        let of = |keys: &PeerKeys, disk, from| {
            keys.first().replication_password(&member(disk), &MemberName::from(from))
        };
        let password = of(&first, "a", "cart-0");
        assert_eq!(password, of(&first, "a", "cart-0"));
        assert_ne!(password, of(&first, "b", "cart-0"));
        assert_ne!(password, of(&first, "a", "cart-1"));
        assert_ne!(password, of(&other, "a", "cart-0"));
        assert_eq!(password.len(), 64);
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let keys = keys("0123456789abcdef").unwrap();
        let signature = keys.first().sign(&[b"ab", b"c"]);
        assert!(keys.first().verifies(&[b"ab", b"c"], &signature));
        assert!(!keys.first().verifies(&[b"a", b"bc"], &signature));
    }
}
