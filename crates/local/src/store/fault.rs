//! Faults that tests and chaos put into a running store.

use serde::{Deserialize, Serialize};

/// What is wrong with the store now; all off in a healthy one, and after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every request is answered 503 at once, waiting ones too.
    pub down: bool,
    /// No request is answered until this is off again; what waited then is carried out.
    pub hang: bool,
    /// Every request waits this long first, in milliseconds.
    pub delay_ms: u64,
    /// Writes are carried out, but their answers never come.
    pub ambiguous: bool,
    /// Writes are answered 403.
    pub read_only: bool,
}
