//! The resolver against name servers that answer, and others that do not.

use std::net::Ipv4Addr;
use std::time::Duration;

use parking_lot::Mutex;
use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// A name server on a port of its own that answers by the name's last part: `test` with 10.0.0.1 (and NXDOMAIN below
/// `no.test`), `empty` with nothing, `broken` with SERVFAIL, `long` only over TCP, `stray` with a thousand other
/// datagrams, and `hang` never.
struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    asked: Mutex<Vec<String>>,
}

impl Server {
    async fn at(ip: [u8; 4], port: u16) -> Self {
        let tcp = TcpListener::bind((Ipv4Addr::from(ip), port)).await.unwrap();
        let udp = UdpSocket::bind(tcp.local_addr().unwrap()).await.unwrap();
        Self { udp, tcp, asked: Mutex::default() }
    }

    fn port(&self) -> u16 {
        self.udp.local_addr().unwrap().port()
    }

    fn answer(&self, question: &[u8], by_tcp: bool) -> Option<Vec<u8>> {
        let mut packet = Packet::parse(question).unwrap().into_reply();
        let asked = packet.questions[0].clone();
        let name = asked.qname.to_string();
        if asked.qtype == QTYPE::TYPE(TYPE::A) {
            self.asked.lock().push(name.clone());
        }
        let zone = name.rsplit('.').next().unwrap();
        match zone {
            "hang" | "stray" => return None,
            "test" if name.ends_with("no.test") => *packet.rcode_mut() = RCODE::NameError,
            "empty" => {}
            "broken" => *packet.rcode_mut() = RCODE::ServerFailure,
            "long" if !by_tcp => packet.set_flags(PacketFlag::TRUNCATION),
            "test" | "long" if asked.qtype == QTYPE::TYPE(TYPE::A) => {
                let record = RData::A(A { address: 0x0a00_0001 });
                packet.answers.push(ResourceRecord::new(asked.qname, CLASS::IN, 60, record));
            }
            // A server that swallows what it does not know.
            "test" if name.starts_with("v4only") => return None,
            "test" | "long" => {}
            _ => *packet.rcode_mut() = RCODE::NameError,
        }
        Some(packet.build_bytes_vec().unwrap())
    }

    async fn serve(&self) {
        let mut space = [0; 512];
        loop {
            tokio::select! {
                came = self.udp.recv_from(&mut space) => {
                    let (length, from) = came.unwrap();
                    if space[..length].windows(7).any(|part| part == b"\x05stray\0") {
                        for _ in 0..1_000 {
                            self.udp.send_to(b"not an answer", from).await.unwrap();
                            tokio::task::yield_now().await;
                        }
                    }
                    if let Some(answer) = self.answer(&space[..length], false) {
                        self.udp.send_to(&answer, from).await.unwrap();
                    }
                }
                came = self.tcp.accept() => {
                    let mut stream = came.unwrap().0;
                    let mut question = vec![0; stream.read_u16().await.unwrap().into()];
                    stream.read_exact(&mut question).await.unwrap();
                    let answer = self.answer(&question, true).unwrap();
                    stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            }
        }
    }

    /// Does `work` meanwhile; what it was asked for.
    async fn during<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        let output = tokio::select! {
            output = work => output,
            () = self.serve() => unreachable!(),
        };
        (output, std::mem::take(&mut self.asked.lock()))
    }
}

/// A resolver with these files.
fn resolver(hosts: &str, resolv_conf: &str, port: u16) -> (Resolver, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let [hosts_file, conf_file] = ["hosts", "resolv.conf"].map(|name| dir.path().join(name));
    std::fs::write(&hosts_file, hosts).unwrap();
    std::fs::write(&conf_file, resolv_conf).unwrap();
    (Resolver::new(Files::new(hosts_file, conf_file), port, 4), dir)
}

async fn find(resolver: &Resolver, host: &str) -> Result<Vec<String>, Unresolved> {
    let found = resolver.look_up(host, 80, Instant::now() + SOON).await?;
    Ok(found.iter().map(ToString::to_string).collect())
}

fn at(address: &str) -> Result<Vec<String>, Unresolved> {
    Ok(vec![address.to_owned()])
}

#[tokio::test]
async fn a_server_that_says_something_else_without_end_is_of_no_use() {
    let server = Server::at([127, 0, 0, 1], 0).await;
    let (resolver, _files) = resolver("", "nameserver 127.0.0.1\noptions attempts:1\n", server.port());
    let (found, _) = server.during(find(&resolver, "db.stray")).await;
    assert_eq!(found, Err(Unresolved::ServerFailed));
}

#[tokio::test]
async fn a_name_is_asked_of_the_server_in_the_file() {
    let server = Server::at([127, 0, 0, 1], 0).await;
    let (resolver, _files) = resolver("", "nameserver 127.0.0.1\n", server.port());
    let (found, asked) = server.during(find(&resolver, "db.test")).await;
    assert_eq!((found, asked), (at("10.0.0.1:80"), vec!["db.test".to_owned()]));
}

#[tokio::test]
async fn why_a_name_has_no_address_is_told_apart() {
    let server = Server::at([127, 0, 0, 1], 0).await;
    let conf = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
    let (resolver, _files) = resolver("", conf, server.port());
    for (name, why) in [
        ("db.no.test", Unresolved::NoSuchHost),
        ("not a name", Unresolved::NoSuchHost),
        ("db.empty", Unresolved::NoAddress),
        ("db.broken", Unresolved::ServerFailed),
        ("db.hang", Unresolved::ServerSilent),
    ] {
        assert_eq!(server.during(find(&resolver, name)).await.0, Err(why), "{name}");
    }
    drop(server);
    assert_eq!(find(&resolver, "db.test").await, Err(Unresolved::ServerSilent), "nobody listens");
}

#[tokio::test]
async fn search_domains_are_tried_until_one_has_the_name() {
    let server = Server::at([127, 0, 0, 1], 0).await;
    let conf = "nameserver 127.0.0.1\nsearch no.test broken empty test\noptions ndots:2\n";
    let (resolver, _files) = resolver("", conf, server.port());
    let (found, asked) = server.during(find(&resolver, "db")).await;
    assert_eq!(found, at("10.0.0.1:80"));
    assert_eq!(asked, ["db.no.test", "db.broken", "db.empty", "db.test"]);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_fetched_over_tcp() {
    let server = Server::at([127, 0, 0, 1], 0).await;
    let (resolver, _files) = resolver("", "nameserver 127.0.0.1\n", server.port());
    assert_eq!(server.during(find(&resolver, "db.long")).await.0, at("10.0.0.1:80"));
    let (resolver, _files) = self::resolver("", "nameserver 127.0.0.1\noptions use-vc\n", server.port());
    assert_eq!(server.during(find(&resolver, "db.test")).await.0, at("10.0.0.1:80"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_swallows_one_family_delays_the_other_only_by_a_moment() {
    let server = Server::at([127, 0, 0, 1], 0).await;
    let (resolver, _files) = resolver("", "nameserver 127.0.0.1\n", server.port());
    let begun = Instant::now();
    let (found, _) = server.during(find(&resolver, "v4only.test")).await;
    assert_eq!(found, at("10.0.0.1:80"));
    // Time stands still but for waits of ours: one for the other family, none for a server's time to be over.
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_second_server_is_asked_in_time_when_the_first_is_silent() {
    let silent = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let server = Server::at([127, 0, 0, 1], silent.local_addr().unwrap().port()).await;
    let (resolver, _files) = resolver("", "nameserver 127.0.0.2\nnameserver 127.0.0.1\n", server.port());
    // As long as a run has by default, and as a server has by default.
    let found = resolver.look_up("db.test", 80, Instant::now() + Duration::from_secs(5));
    let (found, _) = server.during(found).await;
    assert_eq!(found.unwrap(), ["10.0.0.1:80".parse().unwrap()]);
}

#[tokio::test]
async fn servers_take_turns_where_the_file_says_so() {
    let first = Server::at([127, 0, 0, 1], 0).await;
    let second = Server::at([127, 0, 0, 2], first.port()).await;
    let both = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n";
    for (options, expected) in [("options rotate\n", 2), ("", 4)] {
        let (resolver, _files) = resolver("", &format!("{both}{options}"), first.port());
        let look_up = async {
            for _ in 0..4 {
                find(&resolver, "db.test").await.unwrap();
            }
        };
        let ((), asked) = tokio::select! {
            by_first = first.during(look_up) => by_first,
            () = second.serve() => unreachable!(),
        };
        assert_eq!(asked.len(), expected, "{options}");
    }
}

#[tokio::test]
async fn what_the_machine_knows_itself_is_asked_of_nobody() {
    let server = Server::at([127, 0, 0, 1], 0).await;
    let hosts = "192.168.65.254 host.docker.internal\n10.1.1.1 db.hang\nfd00::1 db.hang\n10.1.1.2 db.hang\n";
    let (resolver, files) = resolver(hosts, "nameserver 127.0.0.1\n", server.port());
    let asked = server
        .during(async {
            assert_eq!(find(&resolver, "host.docker.internal").await, at("192.168.65.254:80"));
            let turns = ["[fd00::1]:80", "10.1.1.1:80", "10.1.1.2:80"].map(str::to_owned);
            assert_eq!(find(&resolver, "db.hang").await, Ok(turns.to_vec()));
            assert_eq!(find(&resolver, "::1").await, at("[::1]:80"));
            assert_eq!(find(&resolver, "10.0.0.9").await, at("10.0.0.9:80"));
            assert!(find(&resolver, "localhost").await.unwrap().contains(&"127.0.0.1:80".to_owned()));
            std::fs::write(files.path().join("hosts"), "10.1.1.3 db.hang\n").unwrap();
            assert_eq!(find(&resolver, "db.hang").await, at("10.1.1.3:80"));
        })
        .await
        .1;
    assert_eq!(asked, [""; 0]);
}

#[tokio::test]
async fn names_that_hang_keep_out_none_that_are_answered() {
    let server = Server::at([127, 0, 0, 1], 0).await;
    let (resolver, _files) = resolver("", "nameserver 127.0.0.1\n", server.port());
    let names: Vec<_> = (0..20).map(|number| format!("db{number}.hang")).collect();
    let mut hanging: Vec<_> = names.iter().map(|name| Box::pin(find(&resolver, name))).collect();
    let hang = std::future::poll_fn(|context| {
        assert!(hanging.iter_mut().all(|one| one.as_mut().poll(context).is_pending()));
        std::task::Poll::Pending::<()>
    });
    let good = async {
        for _ in 0..10 {
            assert_eq!(find(&resolver, "db.test").await, at("10.0.0.1:80"));
        }
        resolver.places.waiting()
    };
    let (waiting, _) = server
        .during(async {
            tokio::select! { waiting = good => waiting, () = hang => unreachable!() }
        })
        .await;
    assert!(waiting >= 12, "{waiting} of 20 wait, with 4 places of each sort");
    drop(hanging);
    assert_eq!((resolver.places.active(), resolver.places.waiting()), (0, 0));
}
