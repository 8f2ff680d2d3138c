//! A question to a name server and its answer, as bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

/// Of one family no more addresses are looked at: nobody would try them all within one run.
const MOST_ADDRESSES: usize = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V6,
    V4,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// None where the name has no address of this family.
    Addresses(Vec<IpAddr>),
    /// The name does not exist.
    NoSuchName,
    /// It does not fit: ask over TCP.
    Cut,
    /// The server cannot or will not say.
    Failed,
}

/// The question; `None` where `name` is no name.
pub(super) fn question(id: u16, name: &str, family: Family) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(
        Name::new(name).ok()?,
        kind(family),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.build_bytes_vec().ok()
}

/// Reads what came for the question `id`; `None` where it is no answer to it.
pub(super) fn reply(bytes: &[u8], id: u16, name: &str, family: Family) -> Option<Reply> {
    if bytes.get(..2)? != id.to_be_bytes() {
        return None;
    }
    // The right number and not to be read: an answer, but of no use.
    let Ok(packet) = Packet::parse(bytes) else { return Some(Reply::Failed) };
    if !packet.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    // A server that refuses may leave the question out.
    let asked = Name::new(name).ok()?;
    let repeats = |question: &Question<'_>| question.qname == asked && question.qtype == kind(family);
    if !packet.questions.iter().all(repeats) {
        return None;
    }
    Some(match packet.rcode() {
        _ if packet.has_flags(PacketFlag::TRUNCATION) => Reply::Cut,
        RCODE::NoError => Reply::Addresses(
            packet
                .answers
                .iter()
                .filter_map(|answer| address(&answer.rdata, family))
                .take(MOST_ADDRESSES)
                .collect(),
        ),
        RCODE::NameError => Reply::NoSuchName,
        _ => Reply::Failed,
    })
}

/// An address of the family. Aliases that lead to it are for the server to follow.
fn address(data: &RData<'_>, family: Family) -> Option<IpAddr> {
    match (data, family) {
        (RData::A(a), Family::V4) => Some(Ipv4Addr::from(a.address).into()),
        (RData::AAAA(aaaa), Family::V6) => Some(Ipv6Addr::from(aaaa.address).into()),
        _ => None,
    }
}

fn kind(family: Family) -> QTYPE {
    QTYPE::TYPE(match family {
        Family::V6 => TYPE::AAAA,
        Family::V4 => TYPE::A,
    })
}

#[cfg(test)]
mod tests {
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, AAAA, CNAME};

    use super::*;

    fn answer(adapt: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
        let question = question(7, "db.test", Family::V4).unwrap();
        let mut packet = Packet::parse(&question).unwrap().into_reply();
        adapt(&mut packet);
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn read(bytes: &[u8]) -> Option<Reply> {
        reply(bytes, 7, "db.test", Family::V4)
    }

    #[test]
    fn addresses_behind_an_alias_are_read() {
        let bytes = answer(|packet| {
            let name = |text: &'static str| Name::new(text).unwrap();
            let record = |of, data| ResourceRecord::new(name(of), CLASS::IN, 60, data);
            let alias = CNAME(name("real.test"));
            packet.answers = vec![
                record("db.test", RData::CNAME(alias)),
                record("real.test", RData::A(A { address: 0x0a00_0001 })),
                record("real.test", RData::AAAA(AAAA { address: 1 })),
                record("real.test", RData::A(A { address: 0x0a00_0002 })),
            ];
        });
        let addresses = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap());
        assert_eq!(read(&bytes), Some(Reply::Addresses(addresses.to_vec())));
    }

    #[test]
    fn no_more_addresses_are_taken_in_than_anybody_tries() {
        let bytes = answer(|packet| {
            let record = |n| {
                let data = RData::A(A { address: 0x0a00_0000 + n });
                ResourceRecord::new(Name::new("db.test").unwrap(), CLASS::IN, 60, data)
            };
            packet.answers = (0..4_000_u32).map(record).collect();
        });
        let Some(Reply::Addresses(addresses)) = read(&bytes) else { panic!() };
        assert_eq!(addresses.len(), MOST_ADDRESSES);
    }

    #[test]
    fn what_a_server_says_instead_is_told_apart() {
        assert_eq!(read(&answer(|_| ())), Some(Reply::Addresses(Vec::new())));
        for (code, told) in [
            (RCODE::NameError, Reply::NoSuchName),
            (RCODE::ServerFailure, Reply::Failed),
            (RCODE::Refused, Reply::Failed),
        ] {
            assert_eq!(read(&answer(|packet| *packet.rcode_mut() = code)), Some(told));
        }
        let cut = answer(|packet| packet.set_flags(PacketFlag::TRUNCATION));
        assert_eq!(read(&cut), Some(Reply::Cut));
        assert_eq!(read(&[0, 7, 0x80]), Some(Reply::Failed), "half a header");
    }

    #[test]
    fn answers_to_other_questions_are_left_alone() {
        let bytes = answer(|_| ());
        assert_eq!(reply(&bytes, 8, "db.test", Family::V4), None);
        assert_eq!(reply(&bytes, 7, "other.test", Family::V4), None);
        assert_eq!(reply(&bytes, 7, "db.test", Family::V6), None);
        assert!(reply(&bytes, 7, "DB.test", Family::V4).is_some());
        assert_eq!(read(&question(7, "db.test", Family::V4).unwrap()), None, "a question");
        assert_eq!(read(b"\0"), None);
    }
}
