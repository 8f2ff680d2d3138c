//! The page in OpenMetrics: by a strict reader, and by Prometheus itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    time::Duration,
};

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry};
use vitalsign::{
    agent,
    metrics::{Format, Pages, Store, prometheus_name},
    model::Instrument,
};

use crate::harness::{
    agent::Agent, eventually::eventually, http, openmetrics::OpenMetrics, prometheus::Prometheus,
    recorder::Recorder, scrape::Scrape,
};

const SOON: Duration = Duration::from_secs(60);
const ACCEPT: (&str, &str) = (
    "accept",
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
     text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
);

/// A series without the spelling of its bounds.
type Series = (String, BTreeMap<String, String>);

fn series<'a>(samples: impl Iterator<Item = (&'a String, &'a BTreeMap<String, String>)>) -> BTreeSet<Series> {
    let plain = |(name, labels): (&String, &BTreeMap<String, String>)| {
        let mut labels = labels.clone();
        if let Some(bound) = labels.get_mut("le") {
            *bound = bound.parse::<f64>().unwrap().to_string();
        }
        (name.clone(), labels)
    };
    samples.map(plain).collect()
}

#[test]
fn the_page_is_good_and_shows_what_the_text_shows() {
    let agent = Agent::start(
        "checks: { gone: { kind: tcp, address: '127.0.0.1:1', interval: 1s, timeout: 900ms } }\n",
    );
    eventually("a run", SOON, || {
        agent
            .scrape()
            .value("healthcheck_runs_total", &[("healthcheck_name", "gone")])
            .is_some_and(|n| n > 0.0)
    });
    let open = || http::get_with(agent.addr(), "/metrics", &[ACCEPT]);
    // Requests of both formats first, so that both pages have their series.
    let first = open();
    assert_eq!((first.status, first.header("vary")), (200, Some("accept, accept-encoding")));
    let both = || {
        let (text, open) = (agent.scrape(), OpenMetrics::parse(open().text()));
        let text = series(text.samples().iter().map(|sample| (&sample.name, &sample.labels)));
        let open = open.samples.iter().filter(|sample| !tells_a_start(&sample.name));
        let open = series(open.map(|sample| (&sample.name, &sample.labels)));
        if text == open {
            Ok(())
        } else {
            Err(format!("{:?}", text.symmetric_difference(&open).collect::<Vec<_>>()))
        }
    };
    eventually("the same series on both pages", SOON, both);

    let page = OpenMetrics::parse(open().text());
    let family = |name: &str| {
        let family = page.families.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", page.families));
        (family.kind.as_str(), family.unit.as_str())
    };
    assert_eq!(family("healthcheck_runs"), ("counter", ""));
    assert_eq!(family("healthcheck_duration_seconds"), ("histogram", "seconds"));
    assert_eq!(family("healthcheck_up"), ("gauge", ""));
    assert_eq!(family("process_cpu_seconds"), ("counter", "seconds"), "a second name");
    assert_eq!(family("system_cpu_time_seconds"), ("counter", "seconds"));

    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let boot: f64 = stat.lines().find_map(|line| line.strip_prefix("btime ")).unwrap().parse().unwrap();
    for name in ["system_cpu_time_seconds_created", "system_process_created_created"] {
        let starts: BTreeSet<_> = page.of(name, &[]).map(|sample| sample.value.to_string()).collect();
        assert_eq!(
            starts,
            BTreeSet::from([boot.to_string()]),
            "{name}: the kernel counts since the machine started"
        );
    }
    let process = page.of("process_cpu_time_seconds_created", &[]).next().unwrap().value;
    assert!(process > boot, "the processor time of a process began with it");
    assert!(page.of("healthcheck_runs_created", &[]).next().is_none(), "what is counted here begins at zero");
}

/// Whether a sample tells since when a counter counts, which the text format does not know.
fn tells_a_start(name: &str) -> bool {
    name.ends_with("_created") && !name.ends_with("system_process_created")
}

/// Asks in both formats, compressed and not, and gives the names of the samples and the text.
fn chosen(agent: &Agent, query: &str) -> Vec<(BTreeSet<String>, String)> {
    let mut all = Vec::new();
    for open in [true, false] {
        for coding in ["identity", "GZIP"] {
            let accept = if open { ACCEPT } else { ("accept", "text/plain") };
            let path = format!("/metrics?{query}");
            let answer = http::get_with(agent.addr(), &path, &[accept, ("accept-encoding", coding)]);
            assert_eq!(answer.status, 200);
            let packed = answer.header("content-encoding");
            // Of the whole page a busy machine may have the last text alone.
            if query.contains("name[]") || coding != "GZIP" {
                assert_eq!(packed, (coding == "GZIP").then_some("gzip"), "{query}");
            }
            let text = if packed.is_some() {
                let mut text = String::new();
                flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).unwrap();
                text
            } else {
                answer.text().to_owned()
            };
            let names: BTreeSet<String> = if open {
                OpenMetrics::parse(&text).samples.iter().map(|sample| sample.name.clone()).collect()
            } else {
                Scrape::parse(&text).samples().iter().map(|sample| sample.name.clone()).collect()
            };
            all.push((names, text));
        }
    }
    all
}

#[test]
fn names_in_the_query_choose_from_the_page() {
    let agent = Agent::start("checks: { gone: { kind: tcp, address: '127.0.0.1:1' } }\n");
    eventually("a run", SOON, || {
        agent.scrape().value("healthcheck_up", &[("healthcheck_name", "gone")]).is_some()
    });
    let whole: BTreeSet<String> = agent.scrape().samples().iter().map(|sample| sample.name.clone()).collect();
    for query in [
        "name[]=healthcheck_runs_total&x=y&name[]=healthcheck_duration_seconds",
        "name%5B%5D=healthcheck_duration_seconds&name%5b%5d=healthcheck_runs%5Ftotal&name[]=no_such_name",
    ] {
        for (names, text) in chosen(&agent, query) {
            let expected =
                ["runs_total", "duration_seconds_bucket", "duration_seconds_sum", "duration_seconds_count"];
            assert_eq!(names, expected.map(|name| format!("healthcheck_{name}")).into(), "{query}");
            assert_eq!(text.matches("# TYPE ").count(), 2, "{text}");
        }
    }
    for (names, text) in chosen(&agent, "name[]=healthcheck_up&name[]=process_max_fds") {
        assert_eq!(names, ["healthcheck_up", "process_max_fds"].map(str::to_owned).into(), "{text}");
    }
    for (names, text) in chosen(&agent, "name[]=") {
        assert!(names.is_empty(), "{text}");
    }
    for (names, _) in chosen(&agent, "name=healthcheck_up") {
        assert!(names.is_superset(&whole), "who chooses nothing gets all of it");
    }
}

#[test]
fn no_two_metrics_have_one_family() {
    let mut families = BTreeMap::new();
    for definition in agent::definitions() {
        let name = prometheus_name(definition);
        let family = match definition.instrument {
            Instrument::Counter => name.strip_suffix("_total").unwrap().to_owned(),
            _ => name,
        };
        let other = families.insert(family.clone(), definition.name);
        assert_eq!(other, None, "{} would be the family {family} too", definition.name);
    }
    for (family, name) in &families {
        for ending in ["_total", "_created", "_bucket", "_sum", "_count", "_info"] {
            let Some(stem) = family.strip_suffix(ending) else { continue };
            let owner =
                agent::definitions().into_iter().find(|other| families.get(stem) == Some(&other.name));
            let clashes = match owner.map(|owner| owner.instrument) {
                Some(Instrument::Counter) => matches!(ending, "_total" | "_created"),
                Some(Instrument::Histogram(_)) => !matches!(ending, "_total" | "_info"),
                _ => false,
            };
            assert!(!clashes, "{name}: the family {stem} may have samples called {family}");
        }
    }
}

#[test]
fn registries_that_join_keep_the_rules() {
    let (store, registry) = (Store::new(), Registry::new());
    let counter = |name: &str| {
        let counter =
            IntCounter::with_opts(Opts::new(name, "Say \"how\" many").const_label("a", "} 1 2")).unwrap();
        counter.inc_by(3);
        counter
    };
    registry.register(Box::new(counter("orders_total"))).unwrap();
    registry.register(Box::new(counter("odd_counter"))).unwrap();
    registry.register(Box::new(counter("taken_total"))).unwrap();
    registry.register(Box::new(IntGauge::new("taken", "Called like a counter").unwrap())).unwrap();
    let sizes = HistogramOpts::new("sizes", "Sizes").buckets(vec![0.00001, 1.0, 1e6]);
    let sizes = Histogram::with_opts(sizes).unwrap();
    sizes.observe(2.0);
    registry.register(Box::new(sizes)).unwrap();
    store.join(&registry).unwrap();
    let mut pages = Pages::new(store.clone(), Vec::new());
    let mut page = |format| {
        let now = tokio::time::Instant::now();
        String::from_utf8(pages.page(now, format, false).text_at(now).concat()).unwrap()
    };
    // On a busy machine the registry may not answer the first page in time.
    let open = eventually("the registry on the page", SOON, || {
        store.touch();
        Some(page(Format::OpenMetrics)).filter(|page| page.contains("sizes_count"))
    });
    let open = OpenMetrics::parse(&open);
    let kind = |family: &str| open.families.get(family).map(|family| family.kind.as_str());
    assert_eq!((kind("orders"), kind("orders_total")), (Some("counter"), None));
    assert_eq!(kind("odd_counter"), Some("unknown"), "it has no ending that a counter must have");
    assert_eq!((kind("taken"), kind("taken_total")), (Some("gauge"), Some("unknown")));
    assert_eq!(open.families["orders"].help, "Say \"how\" many");
    let values: Vec<f64> = open.of("orders_total", &[("a", "} 1 2")]).map(|sample| sample.value).collect();
    assert_eq!(values, [3.0]);
    let bounds: Vec<&str> = open.of("sizes_bucket", &[]).map(|sample| sample.labels["le"].as_str()).collect();
    assert_eq!(bounds, ["1e-05", "1.0", "1e+06", "+Inf"]);
    let text = eventually("the same in the text", SOON, || {
        store.touch();
        Some(page(Format::Text)).filter(|page| page.contains("sizes_count"))
    });
    assert_eq!(Scrape::parse(&text).value("odd_counter", &[]), Some(3.0));
}

#[test]
fn prometheus_reads_units_and_exemplars_off_it() {
    let (collector, target) = (Recorder::start(), Recorder::start());
    let agent = Agent::start(&format!(
        "checks:\n  web: {{ kind: http, url: 'http://{}/', interval: 1s, timeout: 900ms }}\notlp: {{ traces: {{ endpoint: \
         'http://{}/v1/traces', delay: 100ms }} }}\n",
        target.addr(),
        collector.addr()
    ));
    let prometheus = Prometheus::start(&[("vitalsign", agent.addr())], "");
    let found = eventually("an exemplar in Prometheus", SOON, || {
        let query = "query_exemplars?query=healthcheck_duration_seconds_bucket&start=0&end=9999999999";
        let found = prometheus.ask(query);
        let exemplar = found[0]["exemplars"][0].clone();
        exemplar.is_object().then_some(exemplar)
    });
    let (trace, span) = (found["labels"]["trace_id"].as_str(), found["labels"]["span_id"].as_str());
    eventually("the span that it leads to", SOON, || {
        let spans = collector.spans();
        spans.iter().any(|received| (Some(&*received.trace()), Some(&*received.id())) == (trace, span))
    });
    let units = prometheus.ask("targets/metadata?metric=healthcheck_duration_seconds");
    assert_eq!((&units[0]["unit"], &units[0]["type"]), (&"seconds".into(), &"histogram".into()), "{units}");
    let up = prometheus.ask("query?query=up");
    assert_eq!(up["result"][0]["value"][1], "1", "{up}");
}
