//! A connection to Redis that belongs to the future of the one who asks.
//!
//! The driver would make the connection by itself and hand it to a task; here it gets a connection that is already open,
//! and its work is done beside each question. So a dropped run takes its socket with it at once, the phases can be told
//! apart, and an answer has a limit: the driver takes in whatever a server announces.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::checks::net::{Allowance, Wire};
use crate::checks::reasons;
use crate::model::Reason;

/// See the module.
pub(super) struct Connection {
    commands: MultiplexedConnection,
    /// Writes what `commands` are given and reads what comes back; `None` once the connection has ended.
    driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    allowance: Allowance,
}

impl Connection {
    /// Logs in and chooses the database. `allowance` is that of the wire.
    pub(super) async fn open(
        login: &RedisConnectionInfo,
        wire: Box<dyn Wire>,
        allowance: Allowance,
    ) -> RedisResult<Self> {
        let wire = Patient { wire, asked: false };
        // The run has a time limit, so the driver needs none.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (commands, driver) = MultiplexedConnection::new_with_config(&silent, wire, config).await?;
        let mut connection = Self { commands, driver: Some(Box::pin(driver)), allowance };
        connection.ask(async |commands| log_in(commands, login).await).await?;
        Ok(connection)
    }

    /// Begins another run.
    pub(super) fn renew(&self) {
        self.allowance.renew();
    }

    /// Whether it can be asked again.
    pub(super) fn lives(&self) -> bool {
        self.driver.is_some()
    }

    /// Ends it: nothing more is sent or read.
    pub(super) fn end(&mut self) {
        self.driver = None;
    }

    /// Asks, and does the driver's work meanwhile.
    pub(super) async fn ask<T>(&mut self, question: impl AsyncFnOnce(MultiplexedConnection) -> T) -> T {
        let driver = &mut self.driver;
        let mut question = pin!(question(self.commands.clone()));
        poll_fn(|context| {
            // The question first, because it gives the driver something to do.
            if let Poll::Ready(answer) = question.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
                *driver = None;
                // What is still asked now fails, and has to be told.
                return question.as_mut().poll(context);
            }
            Poll::Pending
        })
        .await
    }
}

/// The driver would send all at once and wait for all answers, and so miss why a server answers only once: because it
/// has no room for another client.
async fn log_in(mut commands: MultiplexedConnection, login: &RedisConnectionInfo) -> RedisResult<()> {
    if let Some(password) = login.password() {
        let user = login.username();
        let auth = redis::cmd("AUTH").arg(user).arg(password).exec_async(&mut commands).await;
        match (auth, user) {
            // Redis before 6 knows no users.
            (Err(error), Some(_)) if error.detail().is_some_and(|text| text.contains("number of arg")) => {
                redis::cmd("AUTH").arg(password).exec_async(&mut commands).await?;
            }
            (auth, _) => auth?,
        }
    }
    if login.db() != 0 {
        redis::cmd("SELECT").arg(login.db()).exec_async(&mut commands).await?;
    }
    Ok(())
}

/// A server that takes no more clients says so at once and closes, which the driver would miss: it throws away what
/// comes before it has asked, and does not read after it could not write. So nothing is read before something was
/// written, and to a peer that has gone everything can be written.
struct Patient {
    wire: Box<dyn Wire>,
    asked: bool,
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.asked {
            // Asking wakes whoever reads.
            return Poll::Pending;
        }
        Pin::new(&mut self.wire).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.wire).poll_write(context, bytes));
        if !self.asked {
            self.asked = true;
            context.waker().wake_by_ref();
        }
        Poll::Ready(match written {
            Err(error) if reasons::of_io(&error).reason == Reason::ConnectionReset => Ok(bytes.len()),
            written => written,
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;
    use crate::checks::net::Limited;

    const SOON: Duration = Duration::from_secs(20);
    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

    async fn open(wire: impl Wire + 'static, login: RedisConnectionInfo) -> RedisResult<Connection> {
        let wire = Limited::new(wire);
        let allowance = wire.allowance();
        timeout(SOON, Connection::open(&login, Box::new(wire), allowance)).await.unwrap()
    }

    async fn ping(connection: &mut Connection) -> RedisResult<String> {
        let asked = connection.ask(async |mut commands| redis::cmd("PING").query_async(&mut commands).await);
        timeout(SOON, asked).await.unwrap()
    }

    #[tokio::test]
    async fn asks_again_and_again_and_notices_the_end() {
        let (wire, mut server) = duplex(1024);
        let mut connection = open(wire, RedisConnectionInfo::default()).await.unwrap();
        for _ in 0..3 {
            let served = async {
                let mut asked = [0; PING.len()];
                server.read_exact(&mut asked).await.unwrap();
                server.write_all(b"+PONG\r\n").await.unwrap();
                asked
            };
            let (answer, asked) = tokio::join!(ping(&mut connection), served);
            assert_eq!((answer.unwrap().as_str(), asked.as_slice()), ("PONG", PING));
        }
        drop(server);
        for _ in 0..2 {
            assert!(ping(&mut connection).await.unwrap_err().is_connection_dropped());
        }
    }

    #[tokio::test]
    async fn hears_why_a_server_does_not_listen() {
        for login in [RedisConnectionInfo::default(), RedisConnectionInfo::default().set_password("x")] {
            let (wire, mut server) = duplex(1024);
            server.write_all(b"-ERR max number of clients reached\r\n").await.unwrap();
            drop(server);
            let error = match open(wire, login).await {
                Ok(mut connection) => ping(&mut connection).await.unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error.detail(), Some("max number of clients reached"));
        }
    }

    #[tokio::test]
    async fn takes_in_only_so_much() {
        let (wire, mut server) = duplex(64 * 1024);
        let mut connection = open(wire, RedisConnectionInfo::default()).await.unwrap();
        let flood = async {
            server.write_all(b"$2000000000\r\n").await.unwrap();
            let mut sent = 0;
            while server.write_all(&[b'x'; 4096]).await.is_ok() {
                sent += 4096;
            }
            sent
        };
        let asked = async {
            let answer = ping(&mut connection).await;
            drop(connection);
            answer
        };
        let (answer, sent) = tokio::join!(asked, flood);
        assert!(answer.unwrap_err().to_string().contains("more than 1048576 bytes"));
        assert!(sent < 4 << 20, "{sent} bytes were taken in");
    }

    #[tokio::test]
    async fn a_dropped_question_takes_the_connection_with_it() {
        let (wire, mut server) = duplex(1024);
        let mut connection = open(wire, RedisConnectionInfo::default()).await.unwrap();
        let asked =
            connection.ask(async |mut commands| redis::cmd("PING").query_async::<()>(&mut commands).await);
        let mut said = [0; PING.len()];
        tokio::select! {
            answer = asked => panic!("{answer:?}"),
            heard = timeout(SOON, server.read_exact(&mut said)) => drop(heard.unwrap().unwrap()),
        }
        assert_eq!(said, PING);
        drop(connection);
        let more = timeout(SOON, server.read(&mut said)).await.unwrap();
        assert_eq!(more.unwrap(), 0, "the connection outlived its question");
    }
}
