//! A road to a server that takes its time: whatever is sent there arrives later.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    time::sleep,
};

/// The road; in time at first.
pub(super) struct Road {
    addr: SocketAddr,
    late: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Road {
    /// The one to this server.
    #[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
    pub(super) fn to(server: SocketAddr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (addr, late) = (listener.local_addr().unwrap(), Arc::<AtomicU64>::default());
        let now = Arc::clone(&late);
        runtime.spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&now)));
            }
        });
        Self { addr, late, _runtime: runtime }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How much later a request arrives from now on.
    pub(super) fn be_late(&self, by: Duration) {
        self.late.store(by.as_secs(), Ordering::Relaxed);
    }
}

async fn pass(client: TcpStream, server: SocketAddr, late: Arc<AtomicU64>) -> std::io::Result<()> {
    let (mut asks, mut hears) = client.into_split();
    let (mut answers, mut takes) = TcpStream::connect(server).await?.into_split();
    let mut request = vec![0; 1 << 16];
    let there = async {
        loop {
            let length = asks.read(&mut request).await?;
            if length == 0 {
                return takes.shutdown().await;
            }
            // Nothing is waited for here: to be late is what the road is for.
            sleep(Duration::from_secs(late.load(Ordering::Relaxed))).await;
            takes.write_all(&request[..length]).await?;
        }
    };
    let back = async { copy(&mut answers, &mut hears).await.map(drop) };
    tokio::try_join!(there, back).map(drop)
}
