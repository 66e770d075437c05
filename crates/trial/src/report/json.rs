//! The JSON file: everything, every event.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::Report;

/// The file's name for a trial of today: `chaos-2026-11-20.json`, with a number when there is one
/// already.
pub fn free_name(directory: &Path, today: &Zoned) -> PathBuf {
    let date = today.strftime("%Y-%m-%d");
    let plain = directory.join(format!("chaos-{date}.json"));
    let numbered = (2..).map(|n| directory.join(format!("chaos-{date}-{n}.json")));
    std::iter::once(plain).chain(numbered).find(|path| !path.exists()).unwrap_or_default()
}

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report to {}", path.display())]
pub struct WriteError {
    /// Where to.
    pub path: PathBuf,
    /// The cause.
    pub source: std::io::Error,
}

/// Writes a report, over nothing that is there.
pub fn write(report: &Report, path: &Path) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_owned(), source };
    let text = serde_json::to_vec_pretty(report).map_err(|error| failed(error.into()))?;
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(&text).and_then(|()| file.write_all(b"\n")).map_err(failed)
}
