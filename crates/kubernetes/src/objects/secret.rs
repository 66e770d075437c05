//! The Secret: the clients' password and the peers' key. It is made once; whoever changes it does
//! so on purpose.

use std::fmt;

use brain::spec::ValidatedSpec;
use k8s_openapi::api::core::v1::Secret;
use thiserror::Error;

use super::Options;
use super::frame::{Frame, one};
use crate::names::{self, Names};

/// Random bytes of each secret: 256 bits.
const BYTES: usize = 32;

/// No randomness, no secret.
#[derive(Debug, Error)]
#[error("cannot draw a secret")]
pub struct RandomError {
    source: getrandom::Error,
}

/// What a group's Secret has in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    password: String,
    peer_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(not shown)")
    }
}

impl Credentials {
    /// Draws both.
    pub fn draw() -> Result<Self, RandomError> {
        Ok(Self { password: hex()?, peer_key: hex()? })
    }
}

/// The group's own Secret. The password is left out when the spec names another Secret that has it:
/// then this one has the peers' key only.
pub fn secret(spec: &ValidatedSpec, options: &Options, credentials: &Credentials) -> Secret {
    let frame = Frame::of(spec, options);
    let Credentials { password, peer_key } = credentials;
    let mut data = one(names::PEER_KEY, peer_key);
    if password_secret(spec) == frame.names.auth() {
        data.insert(names::PASSWORD_KEY.to_owned(), password.clone());
    }
    Secret {
        metadata: frame.meta(frame.names.auth()),
        type_: Some("Opaque".to_owned()),
        string_data: Some(data),
        ..Secret::default()
    }
}

/// The Secret that has the clients' password.
pub(crate) fn password_secret(spec: &ValidatedSpec) -> String {
    let named = spec.resource().spec.auth.secret_name.clone();
    named.unwrap_or_else(|| Names::of(spec.name()).auth())
}

fn hex() -> Result<String, RandomError> {
    let mut drawn = [0_u8; BYTES];
    getrandom::fill(&mut drawn).map_err(|source| RandomError { source })?;
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    Ok(drawn.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}
