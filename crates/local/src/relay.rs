//! Carrying bytes between two TCP connections through valves that can be shut without a word.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Bytes in flight in each direction of a connection. Large, so that a replica's first sync and a
/// pipeline do not pay for the relay in small pieces.
const BUFFER: usize = 64 * 1024;

/// The most a dialer may send before its connection is carried on, while the way is shut.
const LONGEST_PATIENCE: usize = 1 << 20;

/// The most connections that one listener carries at a time; more wait in the kernel's queue. Far
/// above what agents and clients of one machine open, below the usual limit of open files.
const MOST_CONNECTIONS: usize = 4096;

/// Pause before connections are accepted again when there was no room for one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(20);

/// Where a relay listens and dials: local mode never leaves this machine.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// One direction of a way: bytes pass while it is open, and wait while it is shut.
#[derive(Clone, Debug)]
pub struct Valve(watch::Receiver<bool>);

/// The handle that shuts and opens all valves of one flow.
#[derive(Debug)]
pub struct Tap(watch::Sender<bool>);

impl Default for Tap {
    fn default() -> Self {
        Self(watch::Sender::new(true))
    }
}

impl Tap {
    /// A valve that follows this tap.
    pub fn valve(&self) -> Valve {
        Valve(self.0.subscribe())
    }

    /// Opens or shuts every valve of this tap; true when that changed something.
    pub fn set(&self, open: bool) -> bool {
        self.0.send_if_modified(|now| std::mem::replace(now, open) != open)
    }

    /// True while bytes pass.
    pub fn is_open(&self) -> bool {
        *self.0.borrow()
    }
}

impl Valve {
    async fn until(&mut self, open: bool) {
        if self.0.wait_for(|now| *now == open).await.is_err() {
            // The tap is gone, so nothing will ever turn it again: what was shut stays shut.
            if *self.0.borrow() != open {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until bytes may pass.
    pub async fn until_open(&mut self) {
        self.until(true).await;
    }
}

/// The two directions of a way, seen from who dials.
#[derive(Clone, Debug)]
pub struct Way {
    /// From the dialer to the target.
    pub there: Valve,
    /// From the target to the dialer.
    pub back: Valve,
}

/// The taps of flows by name; those that nobody asked for yet are open.
#[derive(Debug)]
pub struct Taps<K> {
    taps: BTreeMap<K, Tap>,
}

impl<K: Ord> Default for Taps<K> {
    fn default() -> Self {
        Self { taps: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Taps<K> {
    /// A valve of the flow, making its tap when it is new.
    pub fn valve(&mut self, flow: &K) -> Valve {
        self.taps.entry(flow.clone()).or_default().valve()
    }

    /// All flows with their taps.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Tap)> {
        self.taps.iter()
    }
}

/// Binds a loopback port.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(loopback(port)).await
}

/// Accepts connections and runs `serve` for each, until dropped; then all of them end.
pub async fn accept_all<F, S>(listener: TcpListener, serve: S)
where
    S: Fn(TcpStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut running = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned();
        let accepted = tokio::select! {
            Some(_) = running.join_next() => continue,
            accepted = async { (permit.await, listener.accept().await) } => accepted,
        };
        match accepted {
            (Ok(permit), Ok((stream, _))) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection keeps Nagle's delay");
                }
                let served = serve(stream);
                running.spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
            (_, Err(error)) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors: wait for a connection to end, here or elsewhere.
                let ended = tokio::time::timeout(ACCEPT_AGAIN, running.join_next()).await;
                if let Ok(None) = ended {
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
            (Err(_), _) => return,
        }
    }
}

/// Carries a dialer's connection to `target`, through the valves of `way`.
///
/// While a valve is shut nothing is closed and nothing passes: not bytes, not an end, not a new
/// connection. What was held passes once both ends have met an open way again.
pub async fn carry(mut dialer: TcpStream, target: SocketAddr, mut way: Way) {
    let Some(early) = hold(&mut dialer, &mut way).await else { return };
    let mut reached = match TcpStream::connect(target).await {
        Ok(reached) => reached,
        Err(error) => {
            tracing::debug!(%target, %error, "nobody there");
            return;
        }
    };
    if let Err(error) = reached.set_nodelay(true) {
        tracing::debug!(%target, %error, "a connection keeps Nagle's delay");
    }
    exchange(&mut dialer, &mut reached, &early, &mut way).await;
}

/// Passes bytes both ways between two connections until both have ended or one has broken.
pub async fn exchange(
    dialer: &mut TcpStream,
    reached: &mut TcpStream,
    early: &[u8],
    way: &mut Way,
) {
    if let Err(error) = pass(dialer, reached, early, way).await {
        tracing::debug!(%error, "a connection broke");
    }
    // The end itself travels the same way as the bytes.
    way.there.until_open().await;
    way.back.until_open().await;
}

/// Waits until the way is open in both directions, as a handshake needs; gives what the dialer has
/// sent meanwhile, or nothing when it has gone away.
pub async fn hold(dialer: &mut TcpStream, way: &mut Way) -> Option<Vec<u8>> {
    let mut early = Vec::new();
    loop {
        let open = async {
            way.there.until_open().await;
            way.back.until_open().await;
        };
        let room = early.len() < LONGEST_PATIENCE;
        tokio::select! {
            biased;
            () = open => return Some(early),
            read = dialer.read_buf(&mut early), if room => match read {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            },
        }
    }
}

async fn pass(
    dialer: &mut TcpStream,
    reached: &mut TcpStream,
    early: &[u8],
    way: &mut Way,
) -> io::Result<()> {
    let (from_dialer, to_dialer) = dialer.split();
    let (from_reached, mut to_reached) = reached.split();
    write_through(&mut to_reached, early, &mut way.there).await?;
    tokio::try_join!(
        pump(from_dialer, to_reached, &mut way.there),
        pump(from_reached, to_dialer, &mut way.back),
    )?;
    Ok(())
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    valve: &mut Valve,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await;
        valve.until_open().await;
        match read? {
            0 => return to.shutdown().await,
            length => write_through(&mut to, &buffer[..length], valve).await?,
        }
    }
}

/// Writes all of it, and stops in the middle while the valve is shut.
async fn write_through(
    to: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    valve: &mut Valve,
) -> io::Result<()> {
    while !bytes.is_empty() {
        valve.until_open().await;
        tokio::select! {
            biased;
            written = to.write(bytes) => match written? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                length => bytes = &bytes[length..],
            },
            () = valve.until(false) => {}
        }
    }
    Ok(())
}
