//! The relay between a driver and a server, each of which may do what it likes.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(20);
const FILE: &str = ".s.PGSQL.5432";

/// A relay, where a driver finds it, the server's end, and what the witness heard.
async fn relay() -> (Relay, PathBuf, TcpStream, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = listener.accept().await.unwrap().0;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let witness = Arc::clone(&heard);
    let witness: Witness = Box::new(move |said| witness.lock().extend_from_slice(said));
    let (relay, directory) = Relay::new(stream, FILE, witness).unwrap();
    (relay, directory.join(FILE), server, heard)
}

#[tokio::test]
async fn bytes_go_both_ways_and_the_end_too() {
    let (mut relay, place, mut server, heard) = relay().await;
    let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let talk = async {
        let mut driver = UnixStream::connect(&place).await.unwrap();
        driver.write_all(b"hello").await.unwrap();
        let mut received = vec![0; sent.len()];
        driver.read_exact(&mut received).await.unwrap();
        assert!(received == sent, "something got lost");
        driver.write_all(b"bye").await.unwrap();
    };
    let serve = async {
        let mut said = [0; 5];
        server.read_exact(&mut said).await.unwrap();
        server.write_all(&sent).await.unwrap();
        said
    };
    let ((), said) = timeout(SOON, async { tokio::join!(relay.during(talk), serve) }).await.unwrap();
    assert_eq!(&said, b"hello");
    // The driver is gone; what it said last was not.
    let mut last = String::new();
    let (_, read) = tokio::join!(timeout(SOON, relay.finish()), server.read_to_string(&mut last));
    read.unwrap();
    assert_eq!((last.as_str(), heard.lock().as_slice()), ("bye", b"hellobye".as_slice()));
}

#[tokio::test]
async fn one_connection_and_then_nobody_is_let_in() {
    let (mut relay, place, _server, _) = relay().await;
    relay
        .during(async {
            let _driver = UnixStream::connect(&place).await.unwrap();
            // The name is given up as soon as the relay has seen who came.
            while UnixStream::connect(&place).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
}

#[tokio::test]
async fn another_process_is_not_let_in() {
    let (mut relay, place, mut server, _) = relay().await;
    let this = std::env::current_exe().unwrap();
    let name = "checks::net::relay::tests::the_other_process_is_thrown_out";
    let mut other = Command::new(this)
        .args(["--exact", name, "--ignored"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    other.stdin.take().unwrap().write_all(place.to_str().unwrap().as_bytes()).unwrap();
    relay
        .during(async {
            let ended = timeout(SOON, async {
                loop {
                    if let Some(status) = other.try_wait().unwrap() {
                        return status;
                    }
                    tokio::task::yield_now().await;
                }
            });
            assert!(ended.await.unwrap().success());
            // And the driver still is.
            let mut driver = UnixStream::connect(&place).await.unwrap();
            driver.write_all(b"me").await.unwrap();
            let mut said = [0; 2];
            server.read_exact(&mut said).await.unwrap();
            assert_eq!(&said, b"me");
        })
        .await;
}

#[test]
#[ignore = "the other process of the test above, which tells it where to connect"]
fn the_other_process_is_thrown_out() {
    let mut place = String::new();
    io::stdin().read_to_string(&mut place).unwrap();
    let name = SocketAddr::from_abstract_name(place.trim_start_matches('\0')).unwrap();
    let mut stream = std::os::unix::net::UnixStream::connect_addr(&name).unwrap();
    let _ = stream.write_all(b"let me in");
    assert!(!matches!(stream.read(&mut [0]), Ok(1)));
}

#[tokio::test]
async fn a_server_that_resets_is_told_from_one_that_ends() {
    for reset in [true, false] {
        let (mut relay, place, server, _) = relay().await;
        if reset {
            server.set_zero_linger().unwrap();
        }
        drop(server);
        let read = relay
            .during(async {
                let mut driver = UnixStream::connect(&place).await.unwrap();
                timeout(SOON, driver.read(&mut [0])).await.unwrap()
            })
            .await;
        assert_eq!(read.unwrap(), 0);
        let error = relay.take_error().map(|error| error.kind());
        assert_eq!(error, reset.then_some(io::ErrorKind::ConnectionReset));
    }
}

#[tokio::test]
async fn a_server_that_floods_leaves_others_their_turn() {
    let (mut relay, place, mut server, _) = relay().await;
    let turns = async {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    };
    let flood = async { while server.write_all(&[0; 65536]).await.is_ok() {} };
    let most = Mutex::new(0);
    let most_seen = &most;
    let drain = relay.during(async move {
        let driver = UnixStream::connect(place).await.unwrap();
        let mut space = vec![0; 1 << 20];
        // As a driver does that reads for as long as there is something.
        poll_fn(|context| {
            let mut at_once = 0;
            while driver.poll_read_ready(context).is_ready() {
                at_once += driver.try_read(&mut space).unwrap_or_default();
            }
            let mut most = most_seen.lock();
            *most = at_once.max(*most);
            Poll::<()>::Pending
        })
        .await;
    });
    tokio::select! {
        () = turns => {}
        () = flood => unreachable!(),
        () = drain => unreachable!(),
    }
    let most = most.into_inner();
    assert!((1..=4 * PIECE).contains(&most), "{most} bytes at once");
}

#[tokio::test]
async fn a_dropped_relay_takes_both_ends_with_it() {
    let (mut relay, place, mut server, _) = relay().await;
    let mut driver = relay.during(UnixStream::connect(&place)).await.unwrap();
    relay
        .during(async {
            driver.write_all(b"x").await.unwrap();
            server.read_exact(&mut [0]).await.unwrap();
        })
        .await;
    drop(relay);
    assert_eq!(timeout(SOON, server.read(&mut [0])).await.unwrap().unwrap(), 0);
    assert_eq!(timeout(SOON, driver.read(&mut [0])).await.unwrap().unwrap(), 0);
    assert!(UnixStream::connect(&place).await.is_err());
}
