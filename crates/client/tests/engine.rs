//! Connections against a real engine: values, refusals, deadlines, death, and no leaked password.
//!
//! The engine is `redis-server` from the PATH, or what `INTERREX_TEST_ENGINE` names.

use std::error::Error as _;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use client::raw::{Counts, RawConnection};
use client::{ClientError, Command, Connection, Credentials, Endpoint, Value};
use engine::Refusal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(100);
const PASSWORD: &str = "correct-horse-battery";

/// An engine on a unix socket and a free loopback port, killed when dropped.
struct Engine {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Engine {
    async fn start(more: &[&str]) -> Self {
        let until = Instant::now() + PATIENCE;
        // A port that was free a moment ago can be taken by the time that the engine binds it.
        while Instant::now() < until {
            let mut engine = Self::spawn(more);
            while engine.child.try_wait().expect("a child").is_none() {
                if RawConnection::open(&engine.unix(), None, PATIENCE).await.is_ok() {
                    return engine;
                }
                assert!(Instant::now() < until, "the engine does not listen");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        panic!("no engine could be started within {PATIENCE:?}");
    }

    fn spawn(more: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let program = std::env::var("INTERREX_TEST_ENGINE").unwrap_or("redis-server".to_owned());
        let mut command = Process::new(&program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(directory.path()).arg("--unixsocket");
        command.arg(directory.path().join("s")).args(more);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("cannot start {program}: {error}; these tests need redis-server installed")
        });
        Self { child, port, directory }
    }

    fn unix(&self) -> Endpoint {
        Endpoint::unix(self.directory.path().join("s"))
    }

    fn tcp(&self) -> Endpoint {
        Endpoint::tcp("127.0.0.1", self.port)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("our child");
    }

    async fn connection(&self) -> Connection {
        Connection::open(&self.tcp(), None, PATIENCE).await.expect("a connection")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Everything that a person or a log could see of an error.
fn everything(error: &ClientError) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let causes = causes.map(|cause| format!("{cause} {cause:?}"));
    causes.fold(format!("{error} {error:?}"), |shown, cause| shown + " / " + &cause)
}

#[tokio::test]
async fn values_come_over_both_kinds_of_socket() {
    let engine = Engine::start(&[]).await;
    for endpoint in [engine.tcp(), engine.unix()] {
        let connection = Connection::open(&endpoint, None, PATIENCE).await.expect("open");
        let call = async |words: &[&str]| connection.call(words, PATIENCE).await.expect("a value");
        assert_eq!(call(&["PING"]).await, Value::Status("PONG".to_owned()));
        assert_eq!(call(&["SET", "k", "v\r\n"]).await, Value::Ok);
        assert_eq!(call(&["GET", "k"]).await, Value::Bytes(b"v\r\n".to_vec()));
        assert_eq!(call(&["GET", "absent"]).await, Value::Nil);
        assert_eq!(call(&["DEL", "k"]).await, Value::Int(1));
        let config = call(&["CONFIG", "GET", "port"]).await;
        let pairs = config.as_pairs().expect("pairs");
        assert_eq!((pairs[0].0, pairs[0].1.as_int()), ("port", Some(i64::from(engine.port))));
        let info = call(&["INFO", "replication"]).await;
        assert!(info.as_text().expect("text").contains("role:master"));
    }
}

#[tokio::test]
async fn a_refusal_is_read_and_leaves_the_connection_alive() {
    let engine = Engine::start(&[]).await;
    let connection = engine.connection().await;
    for words in [&["REPLICAOF", "127.0.0.1", "1"][..], &["PING"]] {
        connection.call(words, PATIENCE).await.expect("a value");
    }
    let cases: [(&[&str], Refusal, &str); 3] = [
        (&["SET", "k", "v"], Refusal::ReadOnly, "READONLY"),
        (&["PSYNC", "?", "-1"], Refusal::NoMasterLink, "NOMASTERLINK"),
        (&["NOSUCH", "x"], Refusal::Other { code: "ERR".to_owned() }, "ERR"),
    ];
    for (words, refusal, prefix) in cases {
        let error = connection.call(words, PATIENCE).await.expect_err("a refusal");
        let refused = error.refused().expect("a refusal");
        assert_eq!((&refused.refusal, refused.prefix()), (&refusal, prefix));
        assert!(!refused.rest().is_empty());
        let named = format!("127.0.0.1:{} refused {}", engine.port, words[0]);
        assert_eq!(error.to_string(), named);
        assert!(!connection.is_dead());
    }
}

#[tokio::test]
async fn a_pipeline_keeps_the_order_and_each_refusal() {
    let engine = Engine::start(&[]).await;
    let connection = engine.connection().await;
    let commands = [
        Command::new(&["MULTI"]),
        Command::new(&["SET", "k", "v"]),
        Command::new(&["INCR", "k"]),
        Command::new(&["EXEC"]),
        Command::new(&["LPUSH", "k", "v"]),
        Command::new(&["GET", "k"]),
    ];
    let answers = connection.pipeline(&commands, PATIENCE).await.expect("answers");
    assert_eq!(answers[0], Ok(Value::Ok));
    assert_eq!(answers[1], Ok(Value::Status("QUEUED".to_owned())));
    let inner = answers[3].as_ref().expect("executed").as_array().expect("a list");
    assert_eq!(inner[0], Value::Ok);
    assert!(matches!(&inner[1], Value::Refused(refused) if refused.prefix() == "ERR"));
    let refused = answers[4].as_ref().expect_err("a list operation on a string");
    assert_eq!(refused.refusal, Refusal::WrongType);
    assert_eq!(answers[5], Ok(Value::Bytes(b"v".to_vec())));
    assert_eq!(connection.pipeline(&[], PATIENCE).await.expect("nothing"), vec![]);
}

#[tokio::test]
async fn a_password_opens_the_door_and_is_never_shown() {
    let acl = format!("app on >{PASSWORD} ~* +@all");
    let words: Vec<&str> = acl.split(' ').collect();
    let more = [&["--requirepass", PASSWORD, "--user"], words.as_slice()].concat();
    let engine = Engine::start(&more).await;
    for user in ["default", "app"] {
        let credentials = Credentials::new(user, PASSWORD);
        let connection = Connection::open(&engine.tcp(), Some(&credentials), PATIENCE).await;
        let connection = connection.expect("open");
        let name = connection.call(&["ACL", "WHOAMI"], PATIENCE).await.expect("a name");
        assert_eq!(name.as_text(), Some(user));
        assert!(!format!("{connection:?}").contains(PASSWORD));
        let mut raw = RawConnection::open(&engine.tcp(), Some(&credentials), PATIENCE).await;
        let raw = raw.as_mut().expect("open");
        raw.queue(&["PING"]);
        assert!(raw.answer(PATIENCE).await.expect("an answer").is_ok());
        assert_eq!(raw.counts(), Counts { queued: 1, acknowledged: 1, refused: 0 });

        let rule = format!(">{PASSWORD}");
        let leaks: [&[&str]; 3] = [
            &["ACL", "SETUSER", "x", &rule, "+@nonsense"],
            &["ACL", "SETUSER", "x", &format!("<{PASSWORD}")],
            &["CONFIG", "SET", "masterauth", PASSWORD, "port"],
        ];
        for words in leaks {
            let error = connection.call(words, PATIENCE).await.expect_err("a refusal");
            assert!(!everything(&error).contains(PASSWORD), "{}", everything(&error));
        }
    }
    let unknown = Credentials::new("nobody", PASSWORD);
    let error = Connection::open(&engine.tcp(), Some(&unknown), PATIENCE).await.expect_err("no");
    assert_eq!(error.refused().expect("a refusal").refusal, Refusal::WrongPass);
    assert!(!everything(&error).contains(PASSWORD), "{}", everything(&error));
    let error = RawConnection::open(&engine.tcp(), Some(&unknown), PATIENCE).await.expect_err("no");
    assert!(!everything(&error).contains(PASSWORD), "{}", everything(&error));

    let anonymous = engine.connection().await;
    let error = anonymous.call(&["PING"], PATIENCE).await.expect_err("no password yet");
    assert_eq!(error.refused().expect("a refusal").refusal, Refusal::NoAuth);
}

#[tokio::test]
async fn a_frozen_engine_costs_the_deadline_and_then_the_connection() {
    let engine = Engine::start(&[]).await;
    let connection = engine.connection().await;
    engine.signal(Signal::SIGSTOP);
    let begun = Instant::now();
    let error = connection.call(&["SET", "k", "late"], SHORT).await.expect_err("frozen");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert!(connection.is_dead());
    let error = connection.call(&["PING"], PATIENCE).await.expect_err("dead");
    assert!(matches!(error, ClientError::Dead { .. }), "{error:?}");

    // The kernel accepts for a frozen process, so the credentials' answer meets the deadline.
    let credentials = Credentials::new("default", PASSWORD);
    let error = Connection::open(&engine.tcp(), Some(&credentials), SHORT).await.expect_err("no");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    engine.signal(Signal::SIGCONT);
}

#[tokio::test]
async fn a_killed_engine_is_noticed_without_a_call() {
    let engine = Engine::start(&[]).await;
    let idle = engine.connection().await;
    let busy = engine.connection().await;
    let blocked = busy.call(&["BLPOP", "never", "0"], PATIENCE);
    let kill = async {
        idle.call(&["PING"], PATIENCE).await.expect("alive");
        engine.signal(Signal::SIGKILL);
        tokio::time::timeout(PATIENCE, idle.closed()).await.expect("noticed");
    };
    let (blocked, ()) = tokio::join!(blocked, kill);
    let error = blocked.expect_err("the engine was killed");
    assert!(matches!(error, ClientError::Disconnected { .. }), "{error:?}");
    assert!(idle.is_dead() && busy.is_dead());
    let error = idle.call(&["PING"], PATIENCE).await.expect_err("dead");
    assert!(matches!(error, ClientError::Dead { .. }), "{error:?}");
    // Another test's engine may have its port by now; nobody else has its socket. The kernel closes
    // what a dead process had open one after the other: connections may go before the listener.
    let until = tokio::time::Instant::now() + PATIENCE;
    let error = loop {
        match Connection::open(&engine.unix(), None, PATIENCE).await {
            Err(error) => break error,
            Ok(open) => assert!(tokio::time::Instant::now() < until, "somebody there: {open:?}"),
        }
    };
    assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn late_acknowledgements_of_a_frozen_engine_are_counted_one_by_one() {
    let engine = Engine::start(&[]).await;
    let mut raw = RawConnection::open(&engine.unix(), None, PATIENCE).await.expect("open");
    engine.signal(Signal::SIGSTOP);
    for value in 0..5 {
        raw.queue(&["SET", "k", &value.to_string()]);
    }
    raw.queue(&["LPUSH", "k", "v"]);
    raw.flush(PATIENCE).await.expect("the kernel takes them");
    let error = raw.answer(SHORT).await.expect_err("frozen");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert_eq!((raw.is_dead(), raw.counts().unanswered()), (false, 6));
    engine.signal(Signal::SIGCONT);
    assert_eq!(raw.answer(PATIENCE).await.expect("late"), Ok(Value::Ok));
    let settled = raw.settle(PATIENCE).await;
    assert_eq!(settled, Counts { queued: 6, acknowledged: 5, refused: 1 });
}

#[tokio::test]
async fn answers_before_the_end_count_and_those_after_do_not() {
    let engine = Engine::start(&[]).await;
    let mut raw = RawConnection::open(&engine.tcp(), None, PATIENCE).await.expect("open");
    raw.queue(&["SET", "k", "v"]);
    assert_eq!(raw.settle(PATIENCE).await.acknowledged, 1);
    raw.queue(&["SHUTDOWN", "NOSAVE"]);
    raw.queue(&["SET", "k", "w"]);
    let settled = raw.settle(PATIENCE).await;
    assert_eq!((settled.acknowledged, settled.unanswered()), (1, 2));
    assert!(raw.is_dead());
    let error = raw.flush(PATIENCE).await.expect_err("dead");
    assert!(matches!(error, ClientError::Dead { .. }), "{error:?}");
}

#[tokio::test]
async fn a_large_pipeline_goes_through_in_one_piece() {
    let engine = Engine::start(&[]).await;
    let mut raw = RawConnection::open(&engine.tcp(), None, PATIENCE).await.expect("open");
    let value = vec![b'x'; 1000];
    let set = client::raw::encode(&[b"SET", b"k".as_slice(), &value]);
    let get = client::raw::encode(&["GET", "k"]);
    for _ in 0..2000 {
        raw.queue_encoded(&set, 1);
        raw.queue_encoded(&get, 1);
    }
    for _ in 0..2000 {
        assert_eq!(raw.answer(PATIENCE).await.expect("set"), Ok(Value::Ok));
        assert_eq!(raw.answer(PATIENCE).await.expect("get"), Ok(Value::Bytes(value.clone())));
    }
    assert_eq!(raw.counts().unanswered(), 0);
}

#[tokio::test]
async fn a_server_of_another_kind_is_a_protocol_error() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let server = tokio::spawn(async move {
        let mut held = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.expect("a client");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("an answer");
            held.push(stream);
        }
        held
    });
    let endpoint = Endpoint::tcp("127.0.0.1", port);
    let connection = Connection::open(&endpoint, None, PATIENCE).await.expect("open");
    let error = connection.call(&["PING"], PATIENCE).await.expect_err("not RESP");
    let ended = matches!(error, ClientError::Protocol { .. } | ClientError::Disconnected { .. });
    assert!(ended && connection.is_dead(), "{error:?}");
    let mut raw = RawConnection::open(&endpoint, None, PATIENCE).await.expect("open");
    raw.queue(&["PING"]);
    let error = raw.answer(PATIENCE).await.expect_err("not RESP");
    assert!(matches!(error, ClientError::Protocol { .. }) && raw.is_dead(), "{error:?}");
    drop(server.await.expect("the server"));
}
