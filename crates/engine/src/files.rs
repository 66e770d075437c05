//! Files and last words of an engine: what the head of an RDB and an AOF manifest say, and why a
//! start failed. Nothing here opens a file; damage table: engine.md 4.3.

mod manifest;
mod rdb;
mod startup;

pub use manifest::{
    AOF_MANIFEST, AofFile, AofKind, AofManifest, ManifestError, RDB_AS_AOF_BASE, rdb_as_aof_base,
};
pub use rdb::{RDB_HEAD_BYTES, RdbError, RdbFormat, RdbHead};
pub use startup::{Damage, StartFailure};

#[cfg(test)]
mod tests;
