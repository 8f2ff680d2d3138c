//! Hostile servers. A peer is data: what it does until the client is in an interesting state, and what it does from then
//! on, for ever. They live in the test process, on a runtime of their own that ends with [`Peers`], and take any number of
//! connections.
//!
//! The tables of each protocol are in a file of its own; [`stages`] makes the cases that every protocol has.

use std::{
    borrow::Cow,
    io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    runtime::{self, Runtime},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::harness::tls::{Authority, server, showing};

#[path = "peers/amqp.rs"]
pub(crate) mod amqp;
#[path = "peers/dns.rs"]
pub(crate) mod dns;
#[path = "peers/http.rs"]
pub(crate) mod http;
#[path = "peers/postgres.rs"]
pub(crate) mod postgres;
#[path = "peers/redis.rs"]
pub(crate) mod redis;
#[path = "peers/tcp.rs"]
pub(crate) mod tcp;
#[path = "peers/tls.rs"]
pub(crate) mod tls;

/// What is wrong with a peer: the columns of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Behaviour {
    /// Says well-formed things without end, as fast as they are taken.
    Endless,
    /// Announces, and then says, one thing that is huge.
    Huge,
    /// Says the right thing, a byte a second.
    Slow,
    /// Says nothing any more.
    Silent,
    /// Announces lengths that are negative, too short or too long, and numbers that make work.
    Lying,
    /// Ends the connection.
    Closing,
    /// Ends the connection by a reset.
    Resetting,
    /// Ends its side of the connection, and keeps the other open.
    HalfClosing,
    /// Says random bytes.
    Random,
    /// Speaks something else where TLS is asked for, or TLS that is broken.
    WrongTls,
}

impl Behaviour {
    /// All of them, in the order of the columns.
    pub(crate) const ALL: [Self; 10] = [
        Self::Endless,
        Self::Huge,
        Self::Slow,
        Self::Silent,
        Self::Lying,
        Self::Closing,
        Self::Resetting,
        Self::HalfClosing,
        Self::Random,
        Self::WrongTls,
    ];
}

/// One step of a conversation.
#[derive(Clone)]
pub(crate) enum Step {
    /// Waits until the client has said something.
    Hear,
    /// Says this.
    Say(Cow<'static, [u8]>),
    /// Waits for what the client says, and answers it.
    Answer(fn(&[u8]) -> Vec<u8>),
    /// Shakes hands for TLS as a good server does that offers this protocol.
    Encrypt(&'static str),
}

/// What a peer does after its steps.
#[derive(Clone)]
pub(crate) enum End {
    /// Says this again and again.
    Endless(Cow<'static, [u8]>),
    /// Says this a byte a second, then nothing.
    Slow(Cow<'static, [u8]>),
    /// Listens until the client has gone.
    Silent,
    /// Neither listens nor closes, also after the client has gone.
    Deaf,
    Close,
    Reset,
    HalfClose,
    /// Says random bytes that begin with this seed.
    Random(u64),
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) behaviour: Behaviour,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    /// Whether a check of it may still be healthy: it answered what it was asked before it went wrong.
    pub(crate) may_pass: bool,
}

impl Peer {
    /// A peer that gives no check a reason to be healthy.
    pub(crate) fn new(name: impl Into<String>, behaviour: Behaviour, steps: Vec<Step>, end: End) -> Self {
        Self { name: name.into(), behaviour, steps, end, may_pass: false }
    }

    /// A check of it may be healthy all the same.
    pub(crate) fn may_pass(mut self) -> Self {
        self.may_pass = true;
        self
    }
}

/// Says it.
pub(crate) fn say(bytes: impl Into<Cow<'static, [u8]>>) -> Step {
    Step::Say(bytes.into())
}

/// Says it without end.
pub(crate) fn endless(bytes: impl Into<Cow<'static, [u8]>>) -> End {
    End::Endless(bytes.into())
}

/// The cases of every protocol: `steps` are a good conversation. After each of its parts the peer is silent, slow with the
/// next one, closes, and so on. From `answered` parts on a check may be healthy.
pub(crate) fn stages(protocol: &str, steps: &[Step], answered: usize) -> Vec<Peer> {
    let says: Vec<usize> =
        steps.iter().enumerate().filter(|(_, step)| !matches!(step, Step::Hear)).map(|(at, _)| at).collect();
    let mut peers = Vec::new();
    for stage in 0..=says.len() {
        // Just before it says this part, or at the end of all.
        let before = says.get(stage).copied().unwrap_or(steps.len());
        let mut add = |word: &str, behaviour, end| {
            let mut peer = Peer::new(
                format!("{protocol}_{word}_{stage}"),
                behaviour,
                steps.iter().take(before).cloned().collect(),
                end,
            );
            peer.may_pass = stage >= answered;
            peers.push(peer);
        };
        add("silent", Behaviour::Silent, End::Silent);
        add("closes", Behaviour::Closing, End::Close);
        add("resets", Behaviour::Resetting, End::Reset);
        add("half_closes", Behaviour::HalfClosing, End::HalfClose);
        let seed = u64::try_from(stage).unwrap();
        add("random", Behaviour::Random, End::Random(seed));
        if let Some(Step::Say(next)) = steps.get(before) {
            add("slow", Behaviour::Slow, End::Slow(next.clone()));
        }
    }
    peers
}

/// A peer that listens.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) addr: SocketAddr,
    met: Arc<AtomicUsize>,
}

impl Standing {
    /// How many connections it has had.
    pub(crate) fn met(&self) -> usize {
        self.met.load(Ordering::Relaxed)
    }
}

/// The hostile servers of a test: they end when this is dropped.
pub(crate) struct Peers {
    runtime: Runtime,
    certified: Arc<Certified>,
}

/// Makes the settings of a TLS server that offers this protocol.
type Certified = dyn Fn(&str) -> ServerConfig + Send + Sync;

impl Peers {
    pub(crate) fn new() -> Self {
        let authority = Authority::new();
        let certificate =
            authority.certify("hostile.test", SystemTime::now() + Duration::from_secs(90 * 24 * 3600));
        let certified = move |protocol: &str| {
            let mut config = showing(server().with_no_client_auth(), &certificate);
            config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
            config
        };
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { runtime, certified: Arc::new(certified) }
    }

    /// Starts a peer at a port of its own.
    pub(crate) fn start(&self, peer: &Peer) -> Standing {
        self.start_at(peer, ([127, 0, 0, 1], 0).into())
    }

    /// Starts a peer there.
    #[track_caller]
    pub(crate) fn start_at(&self, peer: &Peer, at: SocketAddr) -> Standing {
        let peer = Arc::new(peer.clone());
        self.listen(at, move |stream, before, certified| {
            let peer = Arc::clone(&peer);
            async move { converse(Wire::Plain(stream), &peer, before, &*certified).await }
        })
    }

    /// Starts a peer that becomes one or another by the first thing that it hears.
    #[track_caller]
    pub(crate) fn serve(
        &self,
        at: SocketAddr,
        choose: impl Fn(&[u8]) -> Option<Peer> + Send + Sync + 'static,
    ) {
        let choose = Arc::new(choose);
        self.listen(at, move |stream, before, certified| {
            let choose = Arc::clone(&choose);
            async move {
                let mut wire = Wire::Plain(stream);
                match choose(&wire.hear().await?) {
                    Some(peer) => converse(wire, &peer, before, &*certified).await,
                    None => Ok(()),
                }
            }
        });
    }

    #[track_caller]
    fn listen<C: Future<Output = io::Result<()>> + Send + 'static>(
        &self,
        at: SocketAddr,
        conversation: impl Fn(TcpStream, usize, Arc<Certified>) -> C + Send + 'static,
    ) -> Standing {
        let listener = TcpListener::bind(at).unwrap_or_else(|e| panic!("listen at {at}: {e}"));
        listener.set_nonblocking(true).unwrap();
        let standing = Standing { addr: listener.local_addr().unwrap(), met: Arc::default() };
        let (met, certified) = (Arc::clone(&standing.met), Arc::clone(&self.certified));
        self.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let before = met.fetch_add(1, Ordering::Relaxed);
                let conversation = conversation(stream, before, Arc::clone(&certified));
                // What becomes of it is the client's affair.
                spawn(async move { drop(conversation.await) });
            }
        });
        standing
    }

    #[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.handle().spawn(work);
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

/// How long a peer that closes nothing keeps a connection after all: a test is over by then.
const KEPT: Duration = Duration::from_secs(10);
const BLOCK: usize = 64 * 1024;

/// `before` is how many connections there were before this one.
async fn converse(mut wire: Wire, peer: &Peer, before: usize, certified: &Certified) -> io::Result<()> {
    for step in &peer.steps {
        match step {
            Step::Hear => drop(wire.hear().await?),
            Step::Say(bytes) => wire.say(bytes).await?,
            Step::Answer(answer) => {
                let heard = wire.hear().await?;
                wire.say(&answer(&heard)).await?;
            }
            Step::Encrypt(protocol) => wire = wire.encrypt(certified(protocol)).await?,
        }
    }
    match &peer.end {
        End::Endless(unit) => {
            let block = unit.repeat((BLOCK / unit.len()).max(1));
            loop {
                wire.say(&block).await?;
            }
        }
        End::Slow(bytes) => {
            for byte in bytes.iter() {
                wire.say(&[*byte]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            wire.listen().await
        }
        End::Silent => wire.listen().await,
        End::Deaf => {
            let _ = timeout(KEPT, std::future::pending::<()>()).await;
            Ok(())
        }
        End::Close => wire.shutdown().await,
        End::Reset => wire.stream().set_zero_linger(),
        End::HalfClose => {
            wire.shutdown().await?;
            wire.listen().await
        }
        End::Random(seed) => {
            let mut random = fastrand::Rng::with_seed(seed.wrapping_add(u64::try_from(before).unwrap()));
            let mut block = vec![0; BLOCK];
            loop {
                random.fill(&mut block);
                wire.say(&block).await?;
            }
        }
    }
}

/// A connection, with TLS or without.
enum Wire {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Wire {
    async fn encrypt(self, config: ServerConfig) -> io::Result<Self> {
        match self {
            Self::Plain(stream) => {
                let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
                Ok(Self::Encrypted(Box::new(stream)))
            }
            Self::Encrypted(_) => panic!("a conversation encrypts twice"),
        }
    }

    fn stream(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Encrypted(stream) => stream.get_ref().0,
        }
    }

    /// What the client says next; an error when it has gone.
    async fn hear(&mut self) -> io::Result<Vec<u8>> {
        let mut heard = Vec::with_capacity(BLOCK);
        if self.read_buf(&mut heard).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(heard)
    }

    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.flush().await
    }

    async fn listen(&mut self) -> io::Result<()> {
        loop {
            self.hear().await?;
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
