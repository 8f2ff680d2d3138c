//! A crowd of hostile clients at several addresses. Each of them connects, behaves badly, and comes back a moment after
//! it was sent away.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::Runtime,
    time::sleep,
};

/// How many addresses there are, from 127.0.1.1 on.
const ADDRESSES: usize = 10;
/// Between two bytes of those who are slow.
const SLOWLY: Duration = Duration::from_millis(500);
/// Before one who was sent away comes back.
const PAUSE: Duration = Duration::from_secs(5);

/// What a client does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// Connects and says nothing.
    Silent,
    /// Sends the head of a request byte by byte.
    SlowHead,
    /// Asks for many pages of metrics and reads none of them.
    NeverReads,
    /// Sends a body byte by byte.
    SlowBody,
    /// Asks once and stays.
    Idle,
    /// Sends many requests at once and reads the answers.
    Pipelining,
}

impl Manner {
    pub(super) const ALL: [Self; 6] =
        [Self::Silent, Self::SlowHead, Self::NeverReads, Self::SlowBody, Self::Idle, Self::Pipelining];
}

/// The clients; gone when this is dropped.
pub(super) struct Crowd {
    runtime: Option<Runtime>,
    connected: Arc<AtomicUsize>,
}

impl Crowd {
    /// So many clients that behave in these manners, from ten addresses.
    pub(super) fn gather(agent: SocketAddr, clients: usize, manners: &[Manner]) -> Self {
        Self::gather_from(agent, clients, manners, ADDRESSES)
    }

    /// The same from so many addresses.
    pub(super) fn gather_from(
        agent: SocketAddr,
        clients: usize,
        manners: &[Manner],
        addresses: usize,
    ) -> Self {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("descriptors for all");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (runtime, connected) = (runtime.expect("a runtime"), Arc::<AtomicUsize>::default());
        for number in 0..clients {
            let manner = manners[number % manners.len()];
            let last = u8::try_from(1 + number / manners.len() % addresses).expect("a few addresses");
            let address = Ipv4Addr::new(127, 0, 1, last);
            let connected = Arc::clone(&connected);
            runtime.spawn(async move {
                let mut is_first = true;
                loop {
                    if let Ok(stream) = connect(address, agent).await {
                        connected.fetch_add(usize::from(is_first), Ordering::Relaxed);
                        is_first = false;
                        // However it ends.
                        let _ = behave(manner, stream).await;
                    }
                    sleep(PAUSE).await;
                }
            });
        }
        Self { runtime: Some(runtime), connected }
    }

    /// How many of them had a connection so far.
    pub(super) fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn connect(address: Ipv4Addr, agent: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((address, 0).into())?;
    socket.connect(agent).await
}

/// Until the agent ends it.
async fn behave(manner: Manner, mut stream: TcpStream) -> io::Result<()> {
    const ASK: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
    match manner {
        Manner::Silent => {}
        Manner::SlowHead => return drip(stream, b"GET /health/live HTTP/1.1\r\nhost: x\r\nx: ").await,
        Manner::NeverReads => {
            stream.write_all(&ASK.repeat(400)).await?;
            // It would notice only by reading.
            loop {
                sleep(SLOWLY * 4).await;
                stream.write_all(ASK).await?;
            }
        }
        Manner::SlowBody => {
            stream.write_all(b"POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await?;
            return drip(stream, b"x").await;
        }
        Manner::Idle => stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await?,
        Manner::Pipelining => {
            let (mut reads, mut writes) = stream.into_split();
            let asks = async {
                loop {
                    writes.write_all(&b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100)).await?;
                    sleep(SLOWLY).await;
                }
            };
            return tokio::select! {
                ended = asks => ended,
                ended = read(&mut reads) => ended,
            };
        }
    }
    read(&mut stream).await
}

/// Sends `text`, and then its last byte for ever.
async fn drip(stream: TcpStream, text: &[u8]) -> io::Result<()> {
    let (mut reads, mut writes) = stream.into_split();
    let sends = async {
        let last = text.last().copied().into_iter().cycle();
        for byte in text.iter().copied().chain(last) {
            writes.write_all(&[byte]).await?;
            sleep(SLOWLY).await;
        }
        Ok(())
    };
    tokio::select! {
        ended = sends => ended,
        ended = read(&mut reads) => ended,
    }
}

/// Reads what comes until the other side ends it.
async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<()> {
    let mut some = [0; 4096];
    while stream.read(&mut some).await? > 0 {}
    Ok(())
}
