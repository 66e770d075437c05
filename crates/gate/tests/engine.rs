//! The gate against real engines: what a thawed engine acknowledges with it and without it.
//!
//! The engine is `redis-server` from the PATH; `INTERREX_TEST_ENGINES` may name others, separated
//! by colons, and every test then runs on each.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gate::Gate;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(20);
const CONNECTIONS: usize = 64;
const WRITES: usize = 5;

/// The gate's deadline is this much before the end of any authority, at the least (failover.md 2.7:
/// a quarter of the fast profile's margin).
const MARGIN_NS: u64 = 100_000_000;

fn engines() -> Vec<PathBuf> {
    let named = std::env::var("INTERREX_TEST_ENGINES").unwrap_or_default();
    let engines: Vec<PathBuf> =
        named.split(':').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    if engines.is_empty() { vec![PathBuf::from("redis-server")] } else { engines }
}

fn boottime_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has CLOCK_BOOTTIME");
    Duration::from(now).as_nanos() as u64
}

/// Looks again every few milliseconds until `probe` answers; names what it waited for.
fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < until, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One engine on a free loopback port, in a directory of its own, killed when dropped.
struct Engine {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
    gate: Option<Gate>,
}

impl Engine {
    fn start(program: &Path, gated: bool) -> Self {
        Self::start_with(program, gated, &[])
    }

    fn start_with(program: &Path, gated: bool, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let gate = gated.then(|| Gate::create(directory.path().join("deadline")).expect("a gate"));
        // A port that was free a moment ago can be taken by the time that the engine binds it.
        let (child, port) = wait_for("a free port", || {
            let port = free_port();
            let mut command = Command::new(program);
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.arg("--dir").arg(directory.path()).args(more);
            if let Some(gate) = &gate {
                let module = gate::write_module(directory.path()).expect("the module");
                command.arg("--loadmodule").arg(module).arg(gate.path());
            }
            let mut child = spawn(&mut command, directory.path());
            let up = wait_for("the engine to listen or to give up", || {
                let gone = child.try_wait().expect("a child").is_some();
                if gone { Some(false) } else { call(port, "PING").ok().map(|_| true) }
            });
            up.then_some((child, port))
        });
        Self { child, port, directory, gate }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("this engine was started with a gate")
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the engine is our child and not reaped yet");
    }

    fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let stat = format!("/proc/{}/stat", self.pid());
        wait_for("the engine to stand still", || {
            let stat = fs::read_to_string(&stat).ok()?;
            stat.rsplit_once(')')?.1.trim_start().starts_with('T').then_some(())
        });
    }

    fn exit(&mut self) -> ExitStatus {
        wait_for("the engine to exit", || self.child.try_wait().expect("a child"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(command: &mut Command, directory: &Path) -> Child {
    let log = fs::File::create(directory.join("log")).expect("a log file");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
    command.spawn().unwrap_or_else(|error| {
        panic!(
            "cannot start {}: {error}; these tests need an engine: install redis-server, or name \
             one in INTERREX_TEST_ENGINES",
            command.get_program().display()
        )
    })
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.local_addr().expect("its address").port()
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends one inline command and returns the first line of the reply.
fn call(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = connect(port)?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut line = String::new();
    if BufReader::new(stream).read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// How many of the queued writes were acknowledged before the connection ended, or all were.
fn acknowledgements(mut stream: TcpStream) -> usize {
    let mut seen = String::new();
    let mut buffer = [0; 64];
    while seen.matches("+OK\r\n").count() < WRITES {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => seen.push_str(&String::from_utf8_lossy(&buffer[..count])),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("reading acknowledgements: {error}"),
        }
    }
    seen.matches("+OK\r\n").count()
}

/// Freezes, queues 64 × 5 writes, waits until `deadline`, thaws, counts the acknowledgements.
fn frozen_writes(engine: &Engine, deadline: u64) -> usize {
    let mut streams: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| connect(engine.port).expect("a connection")).collect();
    // Each connection is known to the engine before the freeze, as a client's would be.
    for stream in &mut streams {
        stream.write_all(b"PING\r\n").expect("a ping");
        let mut pong = [0; 7];
        stream.read_exact(&mut pong).expect("a pong");
    }
    engine.freeze();
    for (id, stream) in streams.iter_mut().enumerate() {
        for write in 0..WRITES {
            stream.write_all(format!("SET k{id} {write}\r\n").as_bytes()).expect("queued");
        }
    }
    wait_for("the deadline", || (boottime_ns() > deadline).then_some(()));
    engine.signal(Signal::SIGCONT);
    streams.into_iter().map(acknowledgements).sum()
}

#[test]
fn a_thawed_engine_past_its_deadline_acknowledges_nothing_and_exits() {
    for program in engines() {
        let mut engine = Engine::start(&program, true);
        let deadline = boottime_ns() + 1_000_000_000;
        engine.gate().set(deadline).expect("set");
        assert_eq!(frozen_writes(&engine, deadline), 0, "{}", program.display());
        assert_eq!(engine.exit().code(), Some(gate::EXIT_CODE), "{}", engine.log());
    }
}

#[test]
fn a_command_queued_past_the_deadline_does_not_even_run() {
    for program in engines() {
        let mut engine = Engine::start(&program, true);
        let mut stream = connect(engine.port).expect("a connection");
        stream.write_all(b"SET k v\r\n").expect("a write");
        stream.read_exact(&mut [0; 5]).expect("its acknowledgement");
        let deadline = boottime_ns() + 300_000_000;
        engine.gate().set(deadline).expect("set");
        engine.freeze();
        // What it leaves on disk shows whether it ran, answered or not.
        stream.write_all(b"SAVE\r\n").expect("queued");
        wait_for("the deadline", || (boottime_ns() > deadline).then_some(()));
        engine.signal(Signal::SIGCONT);
        assert_eq!(engine.exit().code(), Some(gate::EXIT_CODE), "{}", engine.log());
        assert!(!engine.directory.path().join("dump.rdb").exists(), "{}", program.display());
    }
}

#[test]
fn a_command_that_outlives_the_deadline_is_not_acknowledged() {
    for program in engines() {
        let more = ["--enable-debug-command", "local"];
        let mut engine = Engine::start_with(&program, true, &more);
        let mut stream = connect(engine.port).expect("a connection");
        engine.gate().set(boottime_ns() + 300_000_000).expect("set");
        stream.write_all(b"DEBUG SLEEP 0.6\r\n").expect("a command of 600 ms");
        assert_eq!(acknowledgements(stream), 0, "{}", program.display());
        assert_eq!(engine.exit().code(), Some(gate::EXIT_CODE), "{}", engine.log());
    }
}

/// Writes one after the other on one connection until it ends, and counts what is acknowledged.
fn write_until_the_end(mut stream: TcpStream, acknowledged: &AtomicUsize) {
    let mut reply = [0; 5];
    while stream.write_all(b"SET k v\r\n").is_ok() && stream.read_exact(&mut reply).is_ok() {
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

/// How many there are once all that has left the engine is read: none comes for a while.
fn settled(acknowledged: &AtomicUsize) -> usize {
    let mut last = (acknowledged.load(Ordering::SeqCst), Instant::now());
    wait_for("the replies that are on their way", || {
        let now = acknowledged.load(Ordering::SeqCst);
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > Duration::from_millis(200)).then_some(now)
    })
}

#[test]
fn a_reply_that_the_freeze_holds_up_on_its_way_never_leaves() {
    for program in engines() {
        // Every batch is synced between the gate's look and its replies: most freezes strike there.
        let more = ["--appendonly", "yes", "--appendfsync", "always"];
        for _ in 0..6 {
            let mut engine = Engine::start_with(&program, true, &more);
            let deadline = boottime_ns() + 500_000_000;
            engine.gate().set(deadline).expect("set");
            let acknowledged = Arc::new(AtomicUsize::new(0));
            let writers: Vec<_> = (0..8)
                .map(|_| (connect(engine.port).expect("a connection"), Arc::clone(&acknowledged)))
                .map(|(stream, all)| thread::spawn(move || write_until_the_end(stream, &all)))
                .collect();
            wait_for("some load", || (boottime_ns() + 300_000_000 > deadline).then_some(()));
            engine.freeze();
            // A busy machine lets writers read late what was sent in time: what counts is what
            // comes after the thaw.
            let in_time = settled(&acknowledged);
            // The timer's interrupt may come a moment late on a busy machine (decision 0007).
            let authority_over = deadline + MARGIN_NS;
            wait_for("the end", || (boottime_ns() > authority_over).then_some(()));
            engine.signal(Signal::SIGCONT);
            writers.into_iter().for_each(|w| w.join().expect("a writer"));
            let late = acknowledged.load(Ordering::SeqCst) - in_time;
            assert!(in_time > 0, "no load: {}", engine.log());
            assert_eq!(late, 0, "of {in_time}, {}", program.display());
            assert_eq!(engine.exit().code(), Some(gate::EXIT_CODE), "{}", engine.log());
        }
    }
}

#[test]
fn a_command_that_outlives_a_deadline_which_is_extended_meanwhile_is_answered() {
    for program in engines() {
        let more = ["--enable-debug-command", "local"];
        let engine = Engine::start_with(&program, true, &more);
        let first = boottime_ns() + 300_000_000;
        engine.gate().set(first).expect("set");
        assert_eq!(call(engine.port, "PING").expect("a reply"), "+PONG");
        let mut stream = connect(engine.port).expect("a connection");
        stream.write_all(b"DEBUG SLEEP 0.6\r\n").expect("a command of 600 ms");
        engine.gate().set(first + 3_600_000_000_000).expect("extend");
        let mut reply = [0; 5];
        stream.read_exact(&mut reply).expect("an answer");
        assert_eq!(&reply, b"+OK\r\n", "{}", engine.log());
        assert!(boottime_ns() > first, "the first deadline is past");
        assert!(!engine.log().contains("no timer"), "{}", engine.log());
    }
}

#[test]
fn io_threads_change_nothing() {
    for program in engines() {
        let threads = ["--io-threads", "3"];
        let mut engine = Engine::start_with(&program, true, &threads);
        let deadline = boottime_ns() + 1_000_000_000;
        engine.gate().set(deadline).expect("set");
        assert_eq!(frozen_writes(&engine, deadline), 0, "{}", program.display());
        assert_eq!(engine.exit().code(), Some(gate::EXIT_CODE), "{}", engine.log());
    }
}

#[test]
fn without_a_gate_every_queued_write_is_acknowledged_late() {
    for program in engines() {
        let engine = Engine::start(&program, false);
        let late = frozen_writes(&engine, boottime_ns());
        assert_eq!(late, CONNECTIONS * WRITES, "{}", program.display());
    }
}

#[test]
fn an_open_gate_and_an_extended_deadline_let_everything_through() {
    for program in engines() {
        let engine = Engine::start(&program, true);
        assert_eq!(frozen_writes(&engine, boottime_ns()), CONNECTIONS * WRITES, "open");

        let first = boottime_ns() + 400_000_000;
        engine.gate().set(first).expect("set");
        engine.gate().set(first + 3_600_000_000_000).expect("extend");
        assert_eq!(frozen_writes(&engine, first), CONNECTIONS * WRITES, "extended");

        engine.gate().set(boottime_ns() + 200_000_000).expect("set");
        engine.gate().open().expect("open");
        wait_for("the old deadline", || (boottime_ns() > first).then_some(()));
        assert_eq!(call(engine.port, "PING").expect("a reply"), "+PONG", "opened again");
    }
}

#[test]
fn an_idle_engine_ends_soon_after_its_deadline() {
    for program in engines() {
        let mut engine = Engine::start(&program, true);
        let deadline = boottime_ns() + 300_000_000;
        engine.gate().set(deadline).expect("set");
        assert_eq!(engine.exit().code(), Some(gate::EXIT_CODE), "{}", engine.log());
        let now = boottime_ns();
        assert!(now >= deadline, "{} ns too early", deadline - now);
        // The loop turns at least 10 times a second; the rest is a busy machine's scheduler.
        assert!(now - deadline < 2_000_000_000, "{} ns late", now - deadline);
    }
}

#[test]
fn a_deadline_that_moves_under_load_never_ends_the_engine_early() {
    for program in engines() {
        let engine = Engine::start(&program, true);
        let until = Instant::now() + Duration::from_millis(700);
        let mut stream = connect(engine.port).expect("a connection");
        let mut reply = [0; 7];
        while Instant::now() < until {
            for ahead_ns in [600_000_000, 0x0001_0000_0000, 0x0100_0000_0000] {
                engine.gate().set(boottime_ns() + ahead_ns).expect("set");
            }
            stream.write_all(b"PING\r\n").expect("a ping");
            stream.read_exact(&mut reply).expect("the engine goes on");
        }
    }
}

#[test]
fn the_gate_cannot_be_taken_out_or_loaded_twice() {
    for program in engines() {
        let more: &[&str] = &["--enable-module-command", "local"];
        let engine = Engine::start_with(&program, true, more);
        let reply = call(engine.port, &format!("MODULE UNLOAD {}", gate::MODULE_NAME));
        assert!(reply.expect("a reply").starts_with("-ERR"), "{}", engine.log());
        let again = engine.directory.path().join(gate::MODULE_FILE);
        let load = format!("MODULE LOAD {} {}", again.display(), engine.gate().path().display());
        assert!(call(engine.port, &load).expect("a reply").starts_with("-ERR"));
        assert!(engine.log().contains("the gate is loaded already"), "{}", engine.log());
        engine.gate().set(1).expect("set");
    }
}

#[test]
fn the_engine_does_not_start_without_a_readable_deadline() {
    for program in engines() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let module = gate::write_module(directory.path()).expect("the module");
        let short = directory.path().join("short");
        fs::write(&short, [0; 7]).expect("a file that is too short");
        let absent = directory.path().join("absent");
        let cases: [(&[&Path], &str); 4] = [
            (&[], "exactly one argument"),
            (&[&short, &short], "exactly one argument"),
            (&[&short], "cannot map the deadline file"),
            (&[&absent], "absent: it must exist and hold 8 bytes"),
        ];
        for (arguments, message) in cases {
            let mut command = Command::new(&program);
            command.args(["--port", &free_port().to_string(), "--save", "", "--dir"]);
            command.arg(directory.path()).arg("--loadmodule").arg(&module).args(arguments);
            let mut child = spawn(&mut command, directory.path());
            let status = wait_for("the refusal", || child.try_wait().expect("a child"));
            let log = fs::read_to_string(directory.path().join("log")).expect("the log");
            assert_eq!(status.code(), Some(1), "{log}");
            assert!(log.contains(message), "{message:?} is not in: {log}");
        }
    }
}
