//! Collector `network`: what network interfaces receive and transmit, and what they lose.
//!
//! From `/proc/net/dev`, one read of some microseconds. That file is of the reader's own network namespace: under
//! another root, where a container has the host's `/proc`, it is read as the host's first process sees it. Leaves out
//! the loopback and what container engines make, whose traffic passes a real interface or none; and numbers of packets.

use std::path::Path;

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::filter::Filter;
use super::numbers::whole;
use super::proc_file::ProcFile;
use super::sheet::Counts;
use super::{Collector, Root, Sheet, Source};

static IO: Definition = Definition {
    name: "system.network.io",
    instrument: Instrument::Counter,
    unit: "By",
    attributes: &["network.interface.name", "network.io.direction"],
    help: "Bytes that the interface received and transmitted",
};
static ERRORS: Definition = Definition {
    name: "system.network.errors",
    instrument: Instrument::Counter,
    unit: "{error}",
    attributes: &["network.interface.name", "network.io.direction"],
    help: "Number of packets that could not be received or transmitted because of an error",
};
static DROPPED: Definition = Definition {
    name: "system.network.packet.dropped",
    instrument: Instrument::Counter,
    unit: "{packet}",
    attributes: &["network.interface.name", "network.io.direction"],
    help: "Number of packets that were dropped although nothing was wrong with them",
};

static DEFINITIONS: &[&Definition] = &[&IO, &ERRORS, &DROPPED];

/// See the module.
pub(super) struct Network;

struct NetworkCollector {
    file: ProcFile,
    filter: Filter,
}

#[derive(Debug, PartialEq)]
struct Interface<'a> {
    name: &'a str,
    receive: Direction,
    transmit: Direction,
}

#[derive(Debug, PartialEq)]
struct Direction {
    bytes: u64,
    errors: u64,
    dropped: u64,
}

impl Source for Network {
    fn name(&self) -> &'static str {
        "network"
    }

    fn about(&self) -> &'static str {
        "Reads how much network interfaces receive and transmit, and what they lose."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        let filter = Filter::read(
            fields,
            "which interfaces to show, such as eth*; without it, all but lo, docker0, veth*, br-* and cali*",
            "which interfaces not to show, such as wg*",
        );
        let ours = root.join("proc") == Path::new("/proc");
        let path = if ours { "proc/net/dev" } else { "proc/1/net/dev" };
        Some(Box::new(NetworkCollector { file: ProcFile::optional(root, path), filter }))
    }
}

impl Collector for NetworkCollector {
    fn name(&self) -> &'static str {
        Network.name()
    }

    fn counts(&self) -> Counts {
        Counts::OfThings
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        let Self { file, filter } = self;
        file.read(sheet, |text, sheet| {
            for interface in parse(text)?.iter().filter(|interface| filter.shows(interface.name, is_usual)) {
                interface.set(sheet);
            }
            Some(())
        });
    }
}

impl Interface<'_> {
    fn set(&self, sheet: &mut Sheet) {
        for (direction, passed) in [("receive", &self.receive), ("transmit", &self.transmit)] {
            let labels = [self.name, direction];
            sheet.set(&IO, &labels, passed.bytes as f64);
            sheet.set(&ERRORS, &labels, passed.errors as f64);
            sheet.set(&DROPPED, &labels, passed.dropped as f64);
        }
    }
}

fn is_usual(name: &str) -> bool {
    !["lo", "docker0"].contains(&name) && !["veth", "br-", "cali"].iter().any(|start| name.starts_with(start))
}

/// Two lines of headings, then one for each interface.
fn parse(text: &str) -> Option<Vec<Interface<'_>>> {
    let mut lines = text.lines();
    lines.next()?.starts_with("Inter-|").then_some(())?;
    lines.next()?;
    lines.map(line).collect()
}

/// A name, which may have colons in it, and eight numbers for either direction.
fn line(line: &str) -> Option<Interface<'_>> {
    let (name, counters) = line.rsplit_once(':')?;
    let mut fields = counters.split_ascii_whitespace();
    let mut direction = || {
        let [bytes, _packets, errors, dropped] =
            [whole(fields.next())?, whole(fields.next())?, whole(fields.next())?, whole(fields.next())?];
        // FIFO overruns, then for either direction three others.
        for _ in 0..4 {
            whole(fields.next())?;
        }
        Some(Direction { bytes, errors, dropped })
    };
    let name = name.trim_ascii();
    (!name.is_empty()).then_some(())?;
    Some(Interface { name, receive: direction()?, transmit: direction()? })
}

#[cfg(test)]
mod tests;
