//! The engine module that ends an engine past its deadline, embedded, and the file that sets it.
//!
//! # Why a module
//! An engine that was frozen (SIGSTOP, a stalled host, a paused VM) and thaws after another member
//! took over executes what its clients had queued and acknowledges it, before anything outside the
//! engine can act: measured, 320 of 320 such writes. The module looks at the clock on every turn
//! of the engine's event loop, before a queued command runs and before a reply leaves, and ends
//! the engine when its authority is over: 0 of 320 (failover.md 1.2 E15, 2.7 G2).
//!
//! # Why it exits, and does not answer an error
//! An engine past its deadline may hold writes that nobody else has, and would go on replicating
//! them; an error to clients would leave that state alive and leave stale reads possible. Its
//! agent starts it again as a dead end and keeps its data aside if it diverged. In ordinary
//! isolation the agent demotes earlier, with the memory kept, so the gate never fires there.
//!
//! Between the look and the reply lies the append-only file: an engine frozen there, or held up
//! there by its disk, would send what it has executed when it goes on (measured: 2 of 50 freezes
//! under load). A timer of the kernel on the engine's main thread, set to the same deadline, ends
//! it before it can.
//!
//! # What stays open
//! A reply that an I/O thread of the engine has in its hands (`io-threads` above 1): it may get out
//! while the main thread ends the process. It was executed while the authority was valid.
//!
//! The module needs Linux and redis ≥ 7.0 or valkey; elsewhere [`module_bytes`] is `None` and the
//! level of fencing is the process alone.

#[cfg(all(test, gate_embedded))]
mod elf;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The exit code of an engine that its gate ended. No engine exits with it otherwise: redis and
/// valkey use 0, 1 and signals.
pub const EXIT_CODE: i32 = 86;

/// The file name under which [`write_module`] writes the module.
pub const MODULE_FILE: &str = "interrex-gate.so";

/// The name under which the engine lists the module (`MODULE LIST`, `INFO modules`).
pub const MODULE_NAME: &str = "interrex-gate";

/// What is in the file while the gate is open: no deadline.
const OPEN: u64 = 0;

/// Why a gate cannot be put in place or moved.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// This build has no module: not Linux, or not 64 bits.
    #[error("this platform has no gate module; the level of fencing is the process alone")]
    Unsupported,
    /// The module could not be written beside the data.
    #[error("cannot write the gate module {path}")]
    WriteModule {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The deadline file could not be created.
    #[error("cannot create the deadline file {path}")]
    CreateDeadline {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The deadline could not be written. The last one written stands, so the engine ends at it.
    #[error("cannot write the deadline in {path}")]
    WriteDeadline {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The module as a shared object without needed libraries, or `None` where it cannot exist.
pub fn module_bytes() -> Option<&'static [u8]> {
    #[cfg(gate_embedded)]
    {
        Some(include_bytes!(concat!(env!("OUT_DIR"), "/interrex-gate.so")))
    }
    #[cfg(not(gate_embedded))]
    {
        None
    }
}

/// Writes the module into `dir` (mode 0700) and returns its path, for `loadmodule PATH DEADLINE`.
///
/// It is written aside and renamed: an engine that runs on an older module keeps its own file, as
/// changing a mapped one in place would crash it.
pub fn write_module(dir: &Path) -> Result<PathBuf, GateError> {
    let bytes = module_bytes().ok_or(GateError::Unsupported)?;
    let path = dir.join(MODULE_FILE);
    match replace(&path, bytes, 0o700) {
        Ok(_) => Ok(path),
        Err(source) => Err(GateError::WriteModule { path, source }),
    }
}

/// The deadline file of one engine: 8 bytes, little-endian, nanoseconds of CLOCK_BOOTTIME.
///
/// Its owner is the agent. The engine's module only reads it; an engine that was started on a
/// file keeps that file even when a new one is created under the same name, so a new agent cannot
/// open the gate of an old engine by accident.
#[derive(Debug)]
pub struct Gate {
    path: PathBuf,
    file: File,
}

impl Gate {
    /// Creates the file, open, under `path`; whatever was there is replaced, not changed in place.
    ///
    /// Create it before the engine starts: the module refuses to load without it. An engine starts
    /// as a dead end, which needs no deadline.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, GateError> {
        let path = path.into();
        match replace(&path, &OPEN.to_le_bytes(), 0o600) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(GateError::CreateDeadline { path, source }),
        }
    }

    /// The path to give to `loadmodule`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the engine run until `deadline_boottime_ns` of CLOCK_BOOTTIME, sooner or later than
    /// before. 0 does not open the gate: it counts as 1 ns, which is past.
    pub fn set(&self, deadline_boottime_ns: u64) -> Result<(), GateError> {
        self.write(deadline_boottime_ns.max(1))
    }

    /// Takes the deadline away. Only for an engine that has said itself that it is a replica or a
    /// dead end, or that needs nobody's consent (failover.md 2.7, G2).
    pub fn open(&self) -> Result<(), GateError> {
        self.write(OPEN)
    }

    fn write(&self, value: u64) -> Result<(), GateError> {
        // One write of 8 aligned bytes. If the module reads it half-copied it reads it again.
        self.file
            .write_all_at(&value.to_le_bytes(), 0)
            .map_err(|source| GateError::WriteDeadline { path: self.path.clone(), source })
    }
}

/// Writes `bytes` under a temporary name and renames it to `path`.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<File> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.new", std::process::id()));
    let aside = PathBuf::from(aside);
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&aside)?;
    let done = file.write_all_at(bytes, 0).and_then(|()| fs::rename(&aside, path));
    if done.is_err() {
        // The first error is the one to report; a temporary file left behind harms nobody.
        fs::remove_file(&aside).ok();
    }
    done.map(|()| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_exits_with_the_published_code() {
        let source = include_str!("module.rs");
        assert!(source.contains(&format!("const EXIT_CODE: c_int = {EXIT_CODE};")));
    }

    #[cfg(gate_embedded)]
    #[test]
    fn the_module_needs_no_library_and_six_symbols_of_any_libc() {
        let module = module_bytes().expect("embedded");
        assert_eq!(elf::needed_libraries(module), Some(0));
        let expected = ["_exit", "clock_gettime", "close", "mmap", "open", "read", "sigaction"];
        assert_eq!(elf::undefined_symbols(module), expected);
        assert!(module.len() < 16_384, "{} bytes", module.len());
    }

    #[test]
    fn a_deadline_is_eight_little_endian_bytes_and_zero_never_opens() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let gate = Gate::create(dir.path().join("gate")).expect("a new gate");
        let bytes = || fs::read(gate.path()).expect("the deadline file");
        assert_eq!(bytes(), [0; 8]);
        gate.set(0x0102_0304_0506_0708).expect("set");
        assert_eq!(bytes(), [8, 7, 6, 5, 4, 3, 2, 1]);
        gate.set(0).expect("set");
        assert_eq!(bytes(), [1, 0, 0, 0, 0, 0, 0, 0]);
        gate.open().expect("open");
        assert_eq!(bytes(), [0; 8]);
    }

    #[test]
    fn a_new_gate_leaves_the_file_of_the_old_engine_alone() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("gate");
        let old = Gate::create(&path).expect("the old gate");
        old.set(7).expect("set");
        let mapped = File::open(&path).expect("what the old engine mapped");
        let new = Gate::create(&path).expect("the new gate");
        new.set(9).expect("set");
        let mut seen = [0; 8];
        mapped.read_exact_at(&mut seen, 0).expect("read");
        assert_eq!(u64::from_le_bytes(seen), 7);
        assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1);
    }

    #[test]
    fn the_error_names_the_file_and_keeps_the_cause_apart() {
        let error = Gate::create("/nonexistent/gate").expect_err("no such directory");
        assert_eq!(error.to_string(), "cannot create the deadline file /nonexistent/gate");
        assert!(std::error::Error::source(&error).is_some());
    }
}
