//! A TCP proxy that fails on demand: what a cable, a firewall or a dying server does to a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::machine::{free_port, servers};

/// What the proxy does; switched while it runs, and effective for connections that are open already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chaos {
    /// Passes everything on.
    Pass,
    /// Passes each piece on after a pause.
    Delay(Duration),
    /// Accepts connections and swallows what comes, in both directions; never answers, never closes.
    Blackhole,
    /// Closes open connections and refuses new ones.
    Cut,
    /// Passes this many bytes of a connection's answer on, then resets it. Counted from the switch, or from the
    /// connection's start when that is later.
    ResetAfter(u64),
}

/// A cut is counted, so that one which is over before anybody looked still ends the connections of its time.
#[derive(Clone, Copy)]
struct Mode {
    chaos: Chaos,
    cuts: u64,
    number: u64,
}

#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    open: AtomicU64,
    answered: AtomicU64,
    resets: AtomicU64,
    /// The number of the last mode that the port was opened or closed for.
    obeyed: AtomicU64,
}

/// A proxy on a port of its own in front of one address. Dropped, it closes everything.
pub struct ChaosProxy {
    port: u16,
    mode: watch::Sender<Mode>,
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

impl ChaosProxy {
    /// Starts a proxy in front of `target`, such as `127.0.0.1:6443`. It passes everything on until told otherwise.
    pub async fn start(target: &str) -> Result<Self> {
        // Looked up once, by the caller's word: the proxy has no name service to depend on.
        let target = tokio::net::lookup_host(target).await.with_context(|| format!("look {target} up"))?.next();
        let target = target.context("a target without address")?;
        let (mode, modes) = watch::channel(Mode { chaos: Chaos::Pass, cuts: 0, number: 0 });
        let counters = Arc::new(Counters::default());
        let for_task = counters.clone();
        let (listener, port) = bind().await?;
        let task = servers().spawn(run(listener, target, modes, for_task));
        Ok(Self { port, mode, counters, task })
    }

    /// Host and port that clients connect to.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Switches. When this returns, the port is open or closed as the mode says.
    pub fn set(&self, chaos: Chaos) {
        self.mode.send_modify(|mode| {
            mode.chaos = chaos;
            mode.cuts += u64::from(chaos == Chaos::Cut);
            mode.number += 1;
        });
        // The proxy is on threads of its own, so it gets on while this one waits.
        let number = self.mode.borrow().number;
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while self.counters.obeyed.load(Ordering::Acquire) < number && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// How many connections were accepted so far; refused ones do not count.
    pub fn accepted(&self) -> u64 {
        self.counters.accepted.load(Ordering::Relaxed)
    }

    /// How many connections are open now.
    pub fn open(&self) -> u64 {
        self.counters.open.load(Ordering::Relaxed)
    }

    /// How many connections were reset so far.
    pub fn resets(&self) -> u64 {
        self.counters.resets.load(Ordering::Relaxed)
    }

    /// How many bytes of answers were passed on.
    pub fn answered_bytes(&self) -> u64 {
        self.counters.answered.load(Ordering::Relaxed)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(listener: TcpListener, target: SocketAddr, mut modes: watch::Receiver<Mode>, counters: Arc<Counters>) {
    let address = listener.local_addr();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        // A port that is not listened on is what refuses; it is bound again when the cut is over.
        let mode = *modes.borrow_and_update();
        if mode.chaos == Chaos::Cut {
            listener = None;
        } else if listener.is_none() {
            listener = match address {
                Ok(address) => rebind(address).await,
                Err(_) => None,
            };
        }
        counters.obeyed.store(mode.number, Ordering::Release);
        tokio::select! {
            changed = modes.changed() => if changed.is_err() { return },
            accepted = accept(listener.as_ref()) => if let Ok((client, _)) = accepted {
                counters.accepted.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, target, modes.clone(), counters.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// A port that nobody gets as the near end of a connection while it is closed.
async fn bind() -> Result<(TcpListener, u16)> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let port = free_port()?;
        match servers().spawn(TcpListener::bind(("127.0.0.1", port))).await? {
            Ok(listener) => return Ok((listener, port)),
            Err(_) if attempt < 5 => {}
            Err(error) => return Err(error).context("bind a port"),
        }
    }
}

/// The port may be in use for a moment by connections that are just ending.
async fn rebind(address: SocketAddr) -> Option<TcpListener> {
    for _ in 0..200 {
        match TcpListener::bind(address).await {
            Ok(listener) => return Some(listener),
            Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
    tracing::error!("the chaos proxy lost its port {address}");
    None
}

struct Open(Arc<Counters>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends when the client, the target or a cut ends it.
async fn connection(client: TcpStream, target: SocketAddr, modes: watch::Receiver<Mode>, counters: Arc<Counters>) {
    counters.open.fetch_add(1, Ordering::Relaxed);
    let _open = Open(counters.clone());
    let mut cuts = modes.clone();
    let born = cuts.borrow_and_update().cuts;
    tokio::select! {
        biased;
        // Beside the pump, because that may be stuck in writing to a side that does not read.
        _ = cuts.wait_for(|mode| mode.cuts != born || mode.chaos == Chaos::Cut) => {}
        () = pump(client, target, modes, born, &counters) => {}
    }
}

async fn pump(
    mut client: TcpStream,
    target: SocketAddr,
    mut modes: watch::Receiver<Mode>,
    born: u64,
    counters: &Counters,
) {
    let mut server = None;
    let mut passed = 0_u64;
    let (mut question, mut answer) = (vec![0_u8; 16 * 1024], vec![0_u8; 16 * 1024]);
    loop {
        // In a black hole not even a connection is made.
        if modes.borrow_and_update().chaos == Chaos::Blackhole {
            if modes.changed().await.is_err() {
                return;
            }
            passed = 0;
            continue;
        }
        let server = match &mut server {
            Some(server) => server,
            None => match TcpStream::connect(target).await {
                Ok(connected) => server.insert(connected),
                Err(_) => return,
            },
        };
        tokio::select! {
            changed = modes.changed() => {
                if changed.is_err() {
                    return;
                }
                passed = 0;
            }
            read = client.read(&mut question) => {
                let Ok(count @ 1..) = read else { return };
                if hold(&mut modes, born).await.is_none() {
                    return;
                }
                if server.write_all(&question[..count]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answer) => {
                let Ok(count @ 1..) = read else { return };
                let Some(chaos) = hold(&mut modes, born).await else { return };
                let allowed = match chaos {
                    Chaos::ResetAfter(most) => usize::try_from(most.saturating_sub(passed)).unwrap_or(count).min(count),
                    _ => count,
                };
                // Counted first: who has read an answer finds it counted.
                passed += allowed as u64;
                counters.answered.fetch_add(allowed as u64, Ordering::Relaxed);
                if client.write_all(&answer[..allowed]).await.is_err() {
                    return;
                }
                if allowed < count {
                    // No time to linger makes the close a reset.
                    let _ = client.set_zero_linger();
                    counters.resets.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
        }
    }
}

/// Holds a piece back for as long as the mode asks for, and says which mode it goes on in; `None` when the connection
/// was cut since it was born.
async fn hold(modes: &mut watch::Receiver<Mode>, born: u64) -> Option<Chaos> {
    let came = tokio::time::Instant::now();
    loop {
        let mode = *modes.borrow_and_update();
        let until = match mode.chaos {
            Chaos::Cut => return None,
            _ if mode.cuts != born => return None,
            Chaos::Delay(time) => Some(came + time),
            Chaos::Blackhole => None,
            chaos => return Some(chaos),
        };
        let over = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => return Some(mode.chaos),
            changed = modes.changed() => if changed.is_err() { return None },
        }
    }
}
