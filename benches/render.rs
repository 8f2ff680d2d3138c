//! What one page of metrics costs to render, against two peers in the same run: a copy of the same bytes, which is what
//! no renderer can beat, and the `prometheus` crate with the same series and values.
//!
//! 10,000 lines: 5,000 gauges with four labels in ten families and 333 histograms of fifteen lines in ten families,
//! all values random numbers of full precision. The two pages are compared, so that neither leaves anything out.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark, not the program"
)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
#![allow(dead_code, missing_docs, unreachable_pub, reason = "shared by benchmarks that need different parts")]

mod support;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;

use prometheus::core::Collector;
use prometheus::{Encoder, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder};
use vitalsign::metrics::{Store, prometheus_name, render};
use vitalsign::model::{Definition, Instrument};

use support::figures::{Table, median, millis};

const LINES: usize = 10_000;
const FAMILIES: usize = 10;
const ROUNDS: usize = 1000;
/// The peer takes forty times as long.
const PEER_ROUNDS: usize = 60;

/// Sorted, because the peer sorts them.
const LABELS: &[&str] = &["check", "instance_name", "kind", "state"];
const BOUNDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
const OBSERVATIONS: usize = 50;

struct Peer {
    registry: Registry,
    encoder: TextEncoder,
}

impl Peer {
    fn render(&self, out: &mut Vec<u8>) {
        out.clear();
        self.encoder.encode(&self.registry.gather(), out).unwrap();
    }

    fn register(&self, collector: impl Collector + 'static) {
        self.registry.register(Box::new(collector)).unwrap();
    }
}

/// The same series with the same values in our store and in the peer's.
fn fill(lines: usize) -> (Store, Peer) {
    let (store, peer) = (Store::new(), Peer { registry: Registry::new(), encoder: TextEncoder::new() });
    let mut random = fastrand::Rng::with_seed(1);
    let gauges = define("bench.gauge", Instrument::Gauge);
    let histograms = define("bench.histogram", Instrument::Histogram(BOUNDS));
    let of_peer = |definition: &'static Definition| Opts::new(prometheus_name(definition), definition.help);
    for definition in gauges {
        let theirs = GaugeVec::new(of_peer(definition), LABELS).unwrap();
        for index in 0..lines / 2 / FAMILIES {
            let (labels, value) = (labels(index), random.f64() * 1e3);
            let labels = labels.each_ref().map(String::as_str);
            store.gauge(definition, &labels).set(value);
            theirs.with_label_values(&labels).set(value);
        }
        peer.register(theirs);
    }
    for (family, definition) in histograms.into_iter().enumerate() {
        let options = HistogramOpts { common_opts: of_peer(definition), buckets: BOUNDS.to_vec() };
        let theirs = HistogramVec::new(options, LABELS).unwrap();
        for index in (family..lines / 30).step_by(FAMILIES) {
            let labels = labels(index);
            let labels = labels.each_ref().map(String::as_str);
            let (histogram, other) =
                (store.histogram(definition, &labels), theirs.with_label_values(&labels));
            for _ in 0..OBSERVATIONS {
                let value = random.f64().powi(4) * 6.0;
                histogram.observe(value);
                other.observe(value);
            }
        }
        peer.register(theirs);
    }
    (store, peer)
}

fn define(name: &str, instrument: Instrument) -> Vec<&'static Definition> {
    let one = |index| -> &'static Definition {
        Box::leak(Box::new(Definition {
            name: Box::leak(format!("{name}.{index}").into_boxed_str()),
            instrument,
            unit: "s",
            attributes: LABELS,
            help: "What a series of the benchmark measures",
        }))
    };
    (0..FAMILIES).map(one).collect()
}

fn labels(index: usize) -> [String; 4] {
    [
        format!("orders-database-{index:05}"),
        format!("10.0.{}.{}:5432", index / 256, index % 256),
        "postgres".to_owned(),
        "healthy".to_owned(),
    ]
}

/// Series and values of a page; what the store says of itself is not the peer's.
fn values(page: &[u8]) -> BTreeMap<&str, f64> {
    let text = std::str::from_utf8(page).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("vitalsign_"));
    lines
        .map(|line| line.rsplit_once(' ').map(|(series, value)| (series, value.parse().unwrap())).unwrap())
        .collect()
}

fn gzip(page: &[u8], out: Vec<u8>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
    encoder.write_all(page).unwrap();
    encoder.finish().unwrap()
}

fn main() {
    let (store, peer) = fill(LINES);
    let (mut page, mut copy, mut theirs, mut packed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    render(&store.snapshot(), &mut page);
    peer.render(&mut theirs);
    assert!(values(&page) == values(&theirs), "the two pages differ");
    let lines = values(&page).len();

    // Page and copy in turn, so that whatever else the machine does meets both. What is copied was touched one round ago,
    // like what is rendered from: the page that was just written is still in the nearest cache, and told apart.
    let same = page.clone();
    let [mut ours, mut memcpy, mut nearest, mut others, mut gzipped] = [const { Vec::new() }; 5];
    for _ in 0..ROUNDS {
        ours.push(millis(|| {
            page.clear();
            render(black_box(&store.snapshot()), &mut page);
            black_box(&page);
        }));
        for (source, times) in [(&same, &mut memcpy), (&page, &mut nearest)] {
            times.push(millis(|| {
                copy.clear();
                copy.extend_from_slice(black_box(source));
                black_box(&copy);
            }));
        }
    }
    for _ in 0..PEER_ROUNDS {
        others.push(millis(|| peer.render(black_box(&mut theirs))));
    }
    for _ in 0..PEER_ROUNDS {
        gzipped.push(millis(|| {
            packed.clear();
            packed = gzip(black_box(&page), std::mem::take(&mut packed));
        }));
    }
    let [ours, memcpy, nearest, others, gzipped] =
        [&mut ours, &mut memcpy, &mut nearest, &mut others, &mut gzipped].map(|all| median(all));
    let mut table = Table::default();
    table.tell("lines on the page", format!("{lines}"));
    table.tell("bytes of the page, plain and gzip -1", format!("{} and {}", page.len(), packed.len()));
    table.tell("render, median", format!("{ours:.3} ms"));
    table.tell("memcpy of the page, median", format!("{memcpy:.3} ms"));
    table.tell("memcpy of the page that was just written, median", format!("{nearest:.3} ms"));
    table.tell("the prometheus crate, median", format!("{others:.3} ms"));
    table.tell("gzip -1, median", format!("{gzipped:.3} ms"));
    table.at_most("render / memcpy", 5.5, ours / memcpy, "×");
    table.at_least("prometheus crate / render", 15.0, others / ours, "×");
    table.print("Rendering a page of metrics");
}
