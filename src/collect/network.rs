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
mod tests {
    use super::*;
    use crate::collect::trial::{Trial, survives};
    use crate::model::Reason;

    const DEV: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 11185693580 5023283    0    0    0     0          0         0 11185693580 5023283    0    0    0     0       0          0
  eth0: 286541493   11799    3    4    0     0          0         0   794906    7721    5    6    0     0       0          0
eth1:7:4294967296 1 0 0 0 0 0 0 18446744073709551615 1 0 0 0 0 0 0
vethab12: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
";
    const PATH: &str = "proc/1/net/dev";

    #[test]
    fn shows_real_interfaces() {
        let mut trial = Trial::new(&Network, "{}");
        trial.write(PATH, DEV);
        let page = trial.read();
        let eth0 = |name: &str, direction: &str| {
            page.value(&format!(
                "system_network_{name}_total{{network_interface_name=\"eth0\",network_io_direction=\"{direction}\"}}"
            ))
        };
        assert_eq!(eth0("io_bytes", "receive"), Some(286_541_493.0));
        assert_eq!(eth0("io_bytes", "transmit"), Some(794_906.0));
        assert_eq!(eth0("errors", "receive"), Some(3.0));
        assert_eq!(eth0("errors", "transmit"), Some(5.0));
        assert_eq!(eth0("packet_dropped", "receive"), Some(4.0));
        assert_eq!(eth0("packet_dropped", "transmit"), Some(6.0));
        let odd = "system_network_io_bytes_total{network_interface_name=\"eth1:7\",network_io_direction=\"receive\"}";
        assert_eq!(page.value(odd), Some(4_294_967_296.0));
        assert_eq!((page.len(), page.errors), (12, vec![]));
    }

    #[test]
    fn shows_what_is_asked_for() {
        let mut trial = Trial::new(&Network, "include: [lo, eth*]\nexclude: ['eth1:*']\n");
        trial.write(PATH, DEV);
        let page = trial.read();
        assert_eq!(page.len(), 12);
        assert_eq!(page.starting_with("system_network_io_bytes_total{network_interface_name=\"lo\""), 2);
    }

    #[test]
    fn a_name_that_is_no_text_is_shown_as_far_as_it_is() {
        let mut trial = Trial::new(&Network, "{}");
        let mut dev = DEV.as_bytes().to_vec();
        dev.extend_from_slice(b"  x\xff\"\\: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n");
        trial.write(PATH, dev);
        let page = trial.read();
        assert_eq!(
            page.starting_with("system_network_errors_total{network_interface_name=\"x\u{fffd}\\\"\\\\\""),
            2
        );
        assert_eq!((page.len(), page.errors), (18, vec![]));
    }

    #[test]
    fn one_wrong_line_makes_all_doubtful() {
        let mut trial = Trial::new(&Network, "{}");
        for wrong in [
            "eth9: 1 2 3\n",
            ": 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n",
            "eth9 1\n",
            "eth9: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 -1\n",
        ] {
            trial.write(PATH, format!("{DEV}{wrong}"));
            let page = trial.read();
            assert_eq!((page.len(), page.errors), (0, vec![Reason::Protocol]), "{wrong}");
        }
        survives(&Network, "{}", &[(PATH, DEV)]);
    }
}
