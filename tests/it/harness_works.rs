//! The harness does what the other tests take for granted: servers start, answer, hang, go on and die when
//! told to, and the readers read what they should.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::Signal;

use crate::harness::{
    agent::Launch,
    amqp::Amqp,
    eventually::{eventually, eventually_async, same, within},
    http,
    postgres::Postgres,
    process::{Process, command},
    process_tree,
    rabbitmq::RabbitMq,
    redis::Redis,
    scrape::Scrape,
    scratch::Scratch,
    user::User,
};

const SOON: Duration = Duration::from_secs(60);
/// How long something is watched that must not happen; a slow machine makes the test weaker, not red.
const WHILE: Duration = Duration::from_millis(300);

#[test]
fn postgres_answers_hangs_goes_on_and_dies() {
    let mut postgres = Postgres::start();
    assert_eq!(postgres.psql("select current_user, 1 + 1"), "postgres|2");
    assert_eq!(as_vitalsign(&postgres, "select current_user").finish(), (true, "vitalsign".to_owned()));

    postgres.freeze();
    let mut client = as_vitalsign(&postgres, "select 'late'");
    assert!(within(WHILE, || client.ended()).is_err(), "a frozen server answered");
    postgres.thaw();
    assert_eq!(client.finish(), (true, "late".to_owned()));

    postgres.kill();
    assert_refused(postgres.port());
    postgres.restart();
    assert_eq!(postgres.psql("select 3"), "3");
    postgres.stop();
    assert_refused(postgres.port());
}

#[test]
fn postgres_wants_the_password_and_takes_settings() {
    let postgres = Postgres::start_with(&["max_connections=17"]);
    assert_eq!(postgres.psql("show max_connections"), "17");
    let wrong = postgres.url().replace(postgres.password(), "wrong");
    assert!(!psql(&wrong, "select 1").finish().0, "the server took a wrong password");
}

#[test]
fn redis_answers_hangs_goes_on_and_dies() {
    let mut redis = Redis::start_with(&["--maxclients", "77"]);
    assert_eq!(redis.cli(&["config", "get", "maxclients"]), "maxclients\n77");
    assert!(redis.url().contains(redis.password()));

    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, redis.port())).unwrap();
    assert_eq!(ask(&mut client, "PING\r\n").unwrap(), "-NOAUTH Authentication required.\r\n");
    redis.freeze();
    client.set_read_timeout(Some(WHILE)).unwrap();
    ask(&mut client, "PING\r\n").expect_err("a frozen server must not answer");
    redis.thaw();
    client.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(ask(&mut client, "").unwrap(), "-NOAUTH Authentication required.\r\n");

    redis.freeze();
    redis.kill(); // also while frozen
    assert_refused(redis.port());
    redis.restart();
    assert_eq!(redis.cli(&["ping"]), "PONG");
}

#[test]
fn rabbitmq_has_a_queue_with_messages() {
    let broker = RabbitMq::shared();
    broker.declare_queue("orders");
    broker.publish("orders", 25);
    eventually("messages in the queue", SOON, || same(broker.messages("orders"), &25));
    assert!(broker.url().contains(&broker.port().to_string()));
    assert!(broker.ctl(&["list_queues", "name", "messages"]).contains("orders\t25"));
    let missing = Amqp::connect(broker.port()).unwrap().look("missing").unwrap_err();
    assert!(missing.to_string().contains("no queue 'missing'"), "{missing}");
}

#[test]
fn rabbitmq_hangs_goes_on_and_dies() {
    let broker = RabbitMq::start();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, broker.port())).unwrap();
    broker.freeze();
    client.set_read_timeout(Some(WHILE)).unwrap();
    ask(&mut client, "AMQP\0\0\x09\x01").expect_err("a frozen broker must not answer");
    broker.thaw();
    client.set_read_timeout(Some(SOON)).unwrap();
    ask(&mut client, "").unwrap();
    broker.kill();
    assert_refused(broker.port());
}

#[test]
fn a_frozen_tree_is_stopped_to_the_last_child_and_dies_as_a_whole() {
    let user = User::unprivileged(&[]);
    let dir = Scratch::new("tree", user);
    let mut shell = command("/bin/sh", user, "KILL");
    shell.args(["-c", "setsid sh -c 'sleep 1000 & wait' & echo up; echo warm >&2; wait"]);
    let tree = Process::start("shell", shell, dir.path());
    let all = tree.ready("grandchildren", SOON, || {
        let all = process_tree::tree(tree.pid());
        if all.len() == 3 { Ok(all) } else { Err(format!("{all:?}")) }
    });
    eventually("output", SOON, || tree.stdout() == "up\n" && tree.stderr() == "warm\n");
    tree.freeze();
    assert!(all.iter().all(|&pid| process_tree::is_stopped(pid) && process_tree::is_alive(pid)));
    tree.thaw();
    eventually("all to run again", SOON, || !all.iter().any(|&pid| process_tree::is_stopped(pid)));
    tree.kill();
    assert!(!all.iter().any(|&pid| process_tree::is_alive(pid)));
}

#[test]
fn an_agent_is_found_by_its_log_line() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    for line in [
        format!(r#"ts=2026-01-01T00:00:00Z level=info msg="listening" address={addr}"#),
        format!(r#"{{"level":"INFO","fields":{{"message":"listening","address":"{addr}"}}}}"#),
    ] {
        let script = format!(
            "exec 9<>/dev/tcp/127.0.0.1/{}\necho \"$@\" \"$GREETING\"\ntrap 'exit 3' TERM\n\
             echo '{line}' >&2\nwhile :; do read -r -t 0.01 _ <&9; done\n",
            addr.port()
        );
        let agent =
            Launch::new("checks: {}\n").arg("more").env("GREETING", "hello").stand_in(&script).start();
        let (_peer, _) = listener.accept().unwrap();
        assert_eq!(agent.addr(), addr);
        assert_eq!(agent.sockets_to(addr.port()), 1);
        assert_eq!(agent.sockets_to(1), 0);
        assert!(agent.log().contains("listening"));
        assert!(agent.stdout().contains("--web.listen-address=127.0.0.1:0 more hello"), "{}", agent.stdout());
        agent.signal(Signal::TERM);
        assert_eq!(agent.wait_exit().code(), Some(3));
    }
}

#[test]
fn http_reads_each_kind_of_body() {
    for (answer, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello more", "hello"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\na: b\r\n\r\n",
            "hello",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nhello", "hello"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
    ] {
        let response = answered_with(answer).unwrap_or_else(|e| panic!("{answer:?}: {e}"));
        assert_eq!((response.status, response.text()), (200, body), "{answer:?}");
    }
    answered_with("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").expect_err("cut short");
    answered_with("").expect_err("nothing");
    answered_with("hello\r\n").expect_err("no HTTP");
}

#[test]
fn a_scrape_is_read_strictly() {
    let page = "# HELP up Is it \\\\ up?\n# TYPE up gauge\nup{job=\"a\\\"b\",zone=\"x,y}\"} 1\nup{job=\"c\",} 0 17\n\
                # TYPE t histogram\nt_bucket{le=\"+Inf\"} 3\nt_sum 1.5e-3\nt_count 3\nn NaN\n";
    let scrape = Scrape::parse(page);
    scrape.expect("up", &[("job", "a\"b")], 1.0);
    scrape.expect("up", &[("job", "c")], 0.0);
    scrape.expect_that("t_sum", &[], "about 0.0015", |v| (v - 0.0015).abs() < 1e-9);
    assert!(scrape.value("n", &[]).unwrap().is_nan());
    assert_eq!(scrape.value("up", &[("job", "d")]), None);
    assert_eq!(scrape.values("up").len(), 2);
    assert_eq!(scrape.samples().len(), 6);
    assert_eq!(scrape.types()["t"], "histogram");
    assert_eq!(scrape.families()["up"].help, "Is it \\ up?");
    for wrong in ["up 1", "up\n", "up{a=\"b} 1\n", "up{a=b} 1\n", "1up 1\n", "up one\n", "up 1\nup 1\n"] {
        assert!(Scrape::try_parse(wrong).is_err(), "{wrong:?} was read");
    }
}

#[test]
#[should_panic(expected = "waited 30ms for a pig to fly, last seen: 7 pigs on the ground")]
fn a_wait_says_what_it_saw_last() {
    let mut pigs = 0;
    eventually("a pig to fly", Duration::from_millis(30), || {
        pigs = 7;
        Err::<(), _>(format!("{pigs} pigs on the ground"))
    });
}

#[tokio::test]
async fn an_asynchronous_wait_ends_when_it_holds() {
    let mut looks = 0;
    let value = eventually_async("three looks", SOON, async || {
        looks += 1;
        (looks == 3).then_some("done")
    });
    assert_eq!(value.await, "done");
}

/// A psql that runs beside the test.
struct Client(Child);

impl Client {
    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    fn finish(mut self) -> (bool, String) {
        let status = eventually("psql to end", SOON, || self.ended());
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        (status.success(), text.trim_end().to_owned())
    }
}

fn as_vitalsign(postgres: &Postgres, sql: &str) -> Client {
    psql(&postgres.url(), sql)
}

fn psql(url: &str, sql: &str) -> Client {
    let mut psql = command("/usr/bin/psql", User::oneself(), "KILL");
    psql.args(["-X", "-A", "-t", "-c", sql, url]).stdout(Stdio::piped()).stderr(Stdio::null());
    Client(psql.spawn().unwrap())
}

fn ask(client: &mut TcpStream, question: &str) -> std::io::Result<String> {
    client.write_all(question.as_bytes())?;
    let mut answer = [0; 4096];
    let length = client.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn assert_refused(port: u16) {
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

/// What the client makes of this answer.
fn answered_with(answer: &str) -> std::io::Result<http::Response> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr: SocketAddr = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        http::send(addr, b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
    })
}
