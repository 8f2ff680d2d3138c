//! A server that remembers what it was sent and sends it back: in the head, in the body, and with the status that the
//! path asks for.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(5);

/// The server; its thread ends with the test process.
pub(super) struct Echo {
    port: u16,
    seen: Arc<Mutex<String>>,
}

impl Echo {
    #[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::<Mutex<String>>::default();
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that has gone away is not of interest.
                let _ = answer(client, &kept);
            }
        });
        Self { port, seen }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Every request so far, as it came.
    pub(super) fn seen(&self) -> String {
        self.seen.lock().clone()
    }
}

fn answer(mut client: TcpStream, seen: &Mutex<String>) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let request = read(&mut client)?;
    seen.lock().push_str(&request);
    let status = if request.contains("/200") { "200 OK" } else { "500 Internal Server Error" };
    let flat: String = request.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let body = format!("{{\"token\": {:?}, \"request\": {flat:?}}}", "canary-of-the-answer");
    write!(
        client,
        "HTTP/1.1 {status}\r\nx-echo: {flat}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One request: head and as much of a body as it announces.
fn read(client: &mut TcpStream) -> std::io::Result<String> {
    let (mut request, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let length = client.read(&mut buffer)?;
        request.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()));
        let whole = request.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let announced = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            });
            body.len() >= announced.unwrap_or(0)
        });
        if whole || length == 0 {
            return Ok(request);
        }
    }
}
