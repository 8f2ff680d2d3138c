//! Two addresses of a name, for every kind that connects.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::Once,
    time::{Duration, SystemTime},
};

use tokio::{net::TcpSocket, runtime};

use crate::harness::{
    agent::Launch, eventually::eventually, ports, postgres::Postgres, rabbitmq::RabbitMq, redis::Redis,
    scratch::Scratch, tls::Authority, user::User,
};

/// Where servers answer. Not 127.0.0.1, which glibc would put before all others.
const GOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// The address that comes first.
const BAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const HOSTS: &str = "127.0.0.2 two.test\n127.0.0.3 two.test\n";

/// A port of [`BAD`] that answers no packet: its queue of connections is full.
struct Blackhole {
    _queue: Vec<TcpStream>,
    _listener: TcpListener,
}

impl Blackhole {
    fn at(port: u16) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let address = SocketAddr::from((BAD, port));
        let listener = runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(address).unwrap();
            socket.listen(1).unwrap().into_std().unwrap()
        });
        let mut queue = Vec::new();
        loop {
            match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => panic!("fill the queue of {address}: {error}"),
            }
        }
        Self { _queue: queue, _listener: listener }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server of the tests")]
fn thread(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

/// Does this with every connection to the port of [`GOOD`].
fn serve(port: u16, work: impl Fn(TcpStream) + Send + 'static) {
    let listener = TcpListener::bind((GOOD, port)).unwrap();
    thread(move || listener.incoming().for_each(|stream| work(stream.unwrap())));
}

/// An HTTP server that answers every request with 200.
fn web() -> u16 {
    let port = ports::free();
    serve(port, |mut stream| {
        let _ = stream.read(&mut [0; 2048]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    port
}

/// Passes on to the same port of 127.0.0.1, where the servers of the harness are.
fn front(port: u16) {
    serve(port, move |client| {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        for (mut from, mut to) in [(&client, &server), (&server, &client)]
            .map(|(a, b)| (a.try_clone().unwrap(), b.try_clone().unwrap()))
        {
            thread(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    });
}

/// A cluster that speaks TLS as `two.test`, and the file with its authority.
fn with_tls() -> (Postgres, Scratch) {
    let user = User::unprivileged(&["postgres"]);
    let (files, authority) = (Scratch::new("certificates", user), Authority::new());
    let server = authority.certify("two.test", SystemTime::now() + Duration::from_secs(3600));
    let root = files.write("root.pem", authority.pem(), user);
    let certificate = files.write("server.pem", &server.cert.pem(), user);
    let key = files.write("server.key", &server.signing_key.serialize_pem(), user);
    for (file, mode) in [(&root, 0o644), (&certificate, 0o644), (&key, 0o600)] {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", certificate.display()),
        format!("ssl_key_file={}", key.display()),
    ];
    (Postgres::start_with(&settings.each_ref().map(String::as_str)), files)
}

/// Each kind against a name; those that check who answers know it by `name`.
struct Servers {
    postgres: Postgres,
    files: Scratch,
    redis: Redis,
    web: u16,
}

impl Servers {
    fn start() -> Self {
        let (postgres, files) = with_tls();
        let redis = Redis::start();
        [postgres.port(), redis.port()].into_iter().for_each(front);
        static AMQP: Once = Once::new();
        AMQP.call_once(|| front(RabbitMq::shared().port()));
        Self { postgres, files, redis, web: web() }
    }

    fn ports(&self) -> [u16; 4] {
        [self.postgres.port(), self.redis.port(), self.web, RabbitMq::shared().port()]
    }

    fn checks(&self, name: &str) -> Vec<(&'static str, String)> {
        let at = |url: String| url.replace("127.0.0.1", name);
        let (postgres, redis) = (at(self.postgres.url()), at(self.redis.url()));
        let root = self.files.join("root.pem").display().to_string();
        vec![
            ("pg", format!("kind: postgres, url: '{postgres}?sslmode=disable'")),
            ("pg_kept", format!("kind: postgres, url: '{postgres}?sslmode=require', reuse: true")),
            (
                "pg_verified",
                format!("kind: postgres, url: '{postgres}?sslmode=verify-full&sslrootcert={root}'"),
            ),
            ("redis", format!("kind: redis, url: '{redis}'")),
            ("amqp", format!("kind: amqp, url: '{}'", at(RabbitMq::shared().url()))),
            ("tcp", format!("kind: tcp, address: '{name}:{}'", self.web)),
            ("http", format!("kind: http, url: 'http://{name}:{}/'", self.web)),
            ("http_kept", format!("kind: http, url: 'http://{name}:{}/', reuse: true", self.web)),
            (
                "http_proxy",
                format!("kind: http, url: 'http://elsewhere.test/', proxy: 'http://{name}:{}'", self.web),
            ),
        ]
    }
}

fn config(checks: &[(&'static str, String)], policy: &str) -> String {
    let lines: Vec<_> =
        checks.iter().map(|(name, settings)| format!("  {name}: {{ {settings}, {policy} }}\n")).collect();
    format!("checks:\n{}", lines.concat())
}

#[test]
fn a_first_address_that_swallows_packets_fails_no_kind() {
    let servers = Servers::start();
    let _holes = servers.ports().map(Blackhole::at);
    let checks = servers.checks("two.test");
    let document = Launch::new(&config(&checks, "interval: 10s, timeout: 5s")).hosts(HOSTS).check();
    for (name, _) in &checks {
        assert_eq!(document[name]["status"], "healthy", "{name}: {document}");
    }
}

#[test]
fn a_first_address_that_refuses_fails_no_kind() {
    let servers = Servers::start();
    let checks = servers.checks("two.test");
    let document = Launch::new(&config(&checks, "interval: 10s, timeout: 5s")).hosts(HOSTS).check();
    for (name, _) in &checks {
        assert_eq!(document[name]["status"], "healthy", "{name}: {document}");
    }
}

#[test]
fn the_name_is_what_a_certificate_is_for_whatever_the_address() {
    let servers = Servers::start();
    let checks = servers.checks("other.test");
    let hosts = HOSTS.replace("two.test", "other.test");
    let document = Launch::new(&config(&checks, "interval: 10s, timeout: 5s")).hosts(&hosts).check();
    assert_eq!(document["pg_verified"]["reason"], "tls", "{document}");
    assert_eq!(document["pg_kept"]["status"], "healthy", "{document}");
}

#[test]
fn an_address_that_accepts_and_is_silent_is_the_only_one_asked() {
    let port = ports::free();
    let [silent, second] = [BAD, GOOD].map(|ip| TcpListener::bind((ip, port)).unwrap());
    let checks = [
        ("pg", format!("kind: postgres, url: 'postgres://u:p@two.test:{port}/db'")),
        ("redis", format!("kind: redis, url: 'redis://two.test:{port}'")),
        ("amqp", format!("kind: amqp, url: 'amqp://two.test:{port}'")),
        ("tcp", format!("kind: tcp, address: 'two.test:{port}', expect: x")),
        ("http", format!("kind: http, url: 'http://two.test:{port}/'")),
        ("https", format!("kind: http, url: 'https://two.test:{port}/'")),
    ];
    let document = Launch::new(&config(&checks, "interval: 10s, timeout: 1500ms")).hosts(HOSTS).check();
    for (name, _) in &checks {
        assert_eq!(document[name]["reason"], "timeout", "{name}: {document}");
    }
    second.set_nonblocking(true).unwrap();
    assert_eq!(second.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "a second connection was made");
    silent.set_nonblocking(true).unwrap();
    let accepted = std::iter::from_fn(|| silent.accept().ok()).count();
    assert_eq!(accepted, checks.len(), "one connection a check");
}

#[test]
fn the_phases_of_a_login_are_told_apart_and_a_kept_connection_outlives_runs() {
    let servers = Servers::start();
    let all = servers.checks("two.test");
    let checks: Vec<_> = all.into_iter().filter(|(name, _)| name.starts_with("pg")).collect();
    let agent = Launch::new(&config(&checks, "interval: 1s, timeout: 950ms")).hosts(HOSTS).start();
    let expected = [
        ("pg", [true, true, false, true, true]),
        ("pg_verified", [true; 5]),
        // Looked up, connected and let in once.
        ("pg_kept", [false, false, false, false, true]),
    ];
    eventually("phases", Duration::from_secs(60), || {
        let scrape = agent.scrape();
        let phases = |name| {
            ["resolve", "connect", "tls", "auth", "request"].map(|phase| {
                let labels = [("healthcheck_name", name), ("healthcheck_phase", phase)];
                scrape.value("healthcheck_phase_duration_seconds", &labels).is_some()
            })
        };
        let told = expected.map(|(name, _)| (name, phases(name)));
        if told == expected { Ok(()) } else { Err(format!("{told:?}")) }
    });
    let runs = |name| agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", name)]);
    let kept = || {
        servers.postgres.psql(
        "select a.pid from pg_stat_activity a join pg_stat_ssl s using (pid) where s.ssl and a.state = 'idle'",
    )
    };
    let (first, before) = (kept(), runs("pg_kept"));
    eventually("further runs", Duration::from_secs(60), || runs("pg_kept") > before.map(|runs| runs + 2.0));
    assert!(!first.is_empty());
    let still = kept();
    assert!(first.lines().any(|pid| still.lines().any(|now| now == pid)), "{first} became {still}");
}
