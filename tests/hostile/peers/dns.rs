//! A name server that is hostile in as many ways as it knows names: the first label of what is asked says how.
//!
//! Port 53, which a client does not choose, is free at the addresses of 127.0.0.0/8 for whoever may bind it.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use tokio::net::UdpSocket as Socket;

use super::{
    Behaviour::{self, Endless, Huge, Lying, Random, Silent},
    End, Peer, Peers, Step, endless, say,
};

/// What comes over UDP for a question.
#[derive(Clone, Copy)]
enum Datagrams {
    Nothing,
    /// These, from the question.
    These(fn(&[u8]) -> Vec<Vec<u8>>),
    /// This again and again, from the question: ten thousand of them.
    Flood(fn(&[u8]) -> Vec<u8>),
}

/// One name, what it is asked for over UDP, and what over TCP where the answer says so.
struct Name {
    label: &'static str,
    behaviour: Behaviour,
    datagrams: Datagrams,
    stream: Option<(Vec<Step>, End)>,
}

const RESPONSE: u8 = 0x81;
const CUT: u8 = 0x83;

/// The question with other flags and counts, and this after it.
fn answer(question: &[u8], flags: [u8; 2], answers: u16, rest: &[u8]) -> Vec<u8> {
    let mut whole = question.to_vec();
    whole[2..4].copy_from_slice(&flags);
    whole[6..8].copy_from_slice(&answers.to_be_bytes());
    whole.extend_from_slice(rest);
    whole
}

fn cut(question: &[u8]) -> Vec<Vec<u8>> {
    vec![answer(question, [CUT, 0x80], 0, b"")]
}

/// An address for the name of the question.
const RECORD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\x00\x00\x09";

fn over_tcp(answer: &[u8]) -> Vec<u8> {
    [&u16::try_from(answer.len()).unwrap().to_be_bytes(), answer].concat()
}

/// As many addresses as fit; nobody is at any of them.
fn thousands(asked: &[u8]) -> Vec<u8> {
    let question = &asked[2..];
    let fits = (65_000 - question.len()) / RECORD.len();
    over_tcp(&answer(question, [RESPONSE, 0x80], u16::try_from(fits).unwrap(), &RECORD.repeat(fits)))
}

fn cut_again(asked: &[u8]) -> Vec<u8> {
    over_tcp(&answer(&asked[2..], [CUT, 0x80], 0, b""))
}

fn names() -> Vec<Name> {
    let udp = |label, behaviour, datagrams| Name { label, behaviour, datagrams, stream: None };
    let tcp = |label, behaviour, steps: Vec<Step>, end| Name {
        label,
        behaviour,
        datagrams: Datagrams::These(cut),
        stream: Some((steps, end)),
    };
    vec![
        udp("silent", Silent, Datagrams::Nothing),
        udp(
            "othernumber",
            Endless,
            Datagrams::Flood(|q| {
                let mut answer = answer(q, [RESPONSE, 0x80], 0, b"");
                answer[0] ^= 0x55;
                answer
            }),
        ),
        udp("question", Endless, Datagrams::Flood(<[u8]>::to_vec)),
        udp(
            "othername",
            Endless,
            Datagrams::Flood(|q| {
                let mut answer = answer(q, [RESPONSE, 0x80], 0, b"");
                answer[13] ^= 0x01;
                answer
            }),
        ),
        udp("cutflood", Endless, Datagrams::Flood(|q| answer(q, [CUT, 0x80], 0, b""))),
        udp("garbage", Random, Datagrams::These(|q| vec![[&q[..2], &[0xff; 400]].concat()])),
        udp("header", Lying, Datagrams::These(|q| vec![answer(&q[..12], [RESPONSE, 0x80], 1, b"")])),
        udp("half", Lying, Datagrams::These(|q| vec![q[..7].to_vec()])),
        udp("empty", Lying, Datagrams::These(|_| vec![Vec::new()])),
        udp(
            "loop",
            Lying,
            Datagrams::These(|q| {
                // A name that is its own end, asked for by an answer.
                let at = u16::try_from(q.len()).unwrap() | 0xc000;
                let record = [&at.to_be_bytes()[..], b"\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x09"].concat();
                vec![answer(q, [RESPONSE, 0x80], 1, &record)]
            }),
        ),
        udp(
            "alias",
            Lying,
            Datagrams::These(|q| {
                // It is called what it is called.
                vec![answer(q, [RESPONSE, 0x80], 1, b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c")]
            }),
        ),
        udp("count", Lying, Datagrams::These(|q| vec![answer(q, [RESPONSE, 0x80], u16::MAX, RECORD)])),
        udp(
            "length",
            Lying,
            Datagrams::These(|q| {
                vec![answer(q, [RESPONSE, 0x80], 1, b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\xff\xff\x7f")]
            }),
        ),
        tcp("tcpsilent", Silent, vec![Step::Hear], End::Silent),
        tcp("tcpcloses", Behaviour::Closing, vec![Step::Hear], End::Close),
        tcp("tcpresets", Behaviour::Resetting, vec![Step::Hear], End::Reset),
        tcp("tcphalf", Behaviour::HalfClosing, vec![Step::Hear], End::HalfClose),
        tcp("tcpslow", Behaviour::Slow, vec![Step::Hear], End::Slow(vec![0; 60].into())),
        tcp("tcprandom", Random, vec![Step::Hear], End::Random(53)),
        tcp("tcpzero", Lying, vec![Step::Hear, say(&[0, 0][..])], End::Silent),
        tcp("tcpcutagain", Lying, vec![Step::Answer(cut_again)], End::Silent),
        tcp("tcptoolong", Huge, vec![Step::Hear, say(&[0xff, 0xff][..])], endless(&[0; 512][..])),
        tcp(
            "tcpendless",
            Endless,
            vec![Step::Hear],
            endless(&[0, 12, 0, 0, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0][..]),
        ),
        tcp("tcpthousands", Huge, vec![Step::Answer(thousands)], End::Close),
    ]
}

/// The names to ask for, below `.hostile.test`, and what is wrong with each.
pub(crate) fn labels() -> Vec<(&'static str, Behaviour)> {
    names().into_iter().map(|name| (name.label, name.behaviour)).collect()
}

/// Starts the server at `at`, with UDP and TCP.
#[track_caller]
pub(crate) fn start(peers: &Peers, at: SocketAddr) {
    let socket = UdpSocket::bind(at).unwrap_or_else(|e| {
        panic!("listen at {at}, which takes the right to bind port 53 (root has it): {e}")
    });
    socket.set_nonblocking(true).unwrap();
    let names = Arc::new(names());
    let of_udp = Arc::clone(&names);
    peers.spawn(async move {
        let socket = Arc::new(Socket::from_std(socket).unwrap());
        let mut space = [0; 512];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut space).await else { continue };
            let question = space[..length].to_vec();
            let Some(name) = named(&of_udp, &question) else { continue };
            super::spawn(reply(Arc::clone(&socket), from, question, name.datagrams));
        }
    });
    peers.serve(at, move |asked| {
        let (steps, end) = named(&names, asked.get(2..)?)?.stream.clone()?;
        // It has been heard already.
        let steps = steps.into_iter().map(|step| match step {
            Step::Answer(answer) => say(answer(asked)),
            other => other,
        });
        let steps = steps.filter(|step| !matches!(step, Step::Hear)).collect();
        Some(Peer::new("dns", Silent, steps, end))
    });
}

fn named<'a>(names: &'a [Name], question: &[u8]) -> Option<&'a Name> {
    let (length, rest) = question.get(12..)?.split_first()?;
    let label = rest.get(..usize::from(*length))?.to_ascii_lowercase();
    names.iter().find(|name| name.label.as_bytes() == label)
}

async fn reply(socket: Arc<Socket>, to: SocketAddr, question: Vec<u8>, datagrams: Datagrams) {
    let send = async |bytes: &[u8]| -> io::Result<usize> { socket.send_to(bytes, to).await };
    match datagrams {
        Datagrams::Nothing => {}
        Datagrams::These(answers) => {
            for answer in answers(&question) {
                let _ = send(&answer).await;
            }
        }
        Datagrams::Flood(answer) => {
            let answer = answer(&question);
            for _ in 0..10_000 {
                // The port is closed once the client has had enough.
                if send(&answer).await.is_err() {
                    break;
                }
            }
        }
    }
}
