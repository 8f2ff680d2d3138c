//! The parsers of this part, for [`crate::fuzzing`].

use super::conf::Conf;
use super::hosts::{Hosts, address};
use super::message::{Family, question, reply};
use super::search::candidates;

const NAME: &str = "db.example";

type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: &[Target] = &[
    ("dns_message", |bytes| {
        // Most numbers would be those of another question.
        let id = bytes.first_chunk::<2>().map_or(0, |id| u16::from_be_bytes(*id));
        for family in [Family::V4, Family::V6] {
            let _ = reply(bytes, id, NAME, family);
        }
    }),
    ("resolv_conf", |bytes| {
        let conf = Conf::read(bytes, "host.example");
        let _ = candidates(&String::from_utf8_lossy(bytes), &conf);
    }),
    ("hosts", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let hosts = Hosts::read(&text);
        let _ = (hosts.find("db"), hosts.find(&text), address(&text), question(1, &text, Family::V4));
    }),
];
