//! From OpenTelemetry names and units to Prometheus names: the rules of Prometheus' own OTLP receiver in its default
//! strategy (`UnderscoreEscapingWithSuffixes` of otlptranslator 1.0), so that a metric has one name on both ways.
//!
//! Also the rules that a definition must keep so that every implementation translates it alike. Costs nothing at run
//! time beyond one call a family.

use crate::model::{Definition, Instrument};

/// The Prometheus name of `definition`.
#[must_use]
pub fn prometheus_name(definition: &Definition) -> String {
    let mut tokens: Vec<&str> = definition
        .name
        .split(|c: char| !c.is_ascii_alphanumeric() && c != ':')
        .filter(|token| !token.is_empty())
        .collect();
    for unit in unit_tokens(definition.unit) {
        if !tokens.contains(&unit) {
            tokens.push(unit);
        }
    }
    match definition.instrument {
        Instrument::Counter => {
            tokens.retain(|token| *token != "total");
            tokens.push("total");
        }
        Instrument::Gauge if definition.unit == "1" => {
            tokens.retain(|token| *token != "ratio");
            tokens.push("ratio");
        }
        _ => {}
    }
    let name = tokens.join("_");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The Prometheus label of the attribute `name`: whatever a label cannot hold becomes `_`, and one that would begin
/// with a digit or a single `_` begins with `key_`.
#[must_use]
pub fn prometheus_label(name: &str) -> String {
    let label: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if label.starts_with(|c: char| c.is_ascii_digit()) {
        format!("key_{label}")
    } else if label.starts_with('_') && !label.starts_with("__") {
        format!("key{label}")
    } else {
        label
    }
}

fn unit_tokens(unit: &str) -> Vec<&str> {
    let (main, per) = unit.split_once('/').map_or((unit, None), |(main, per)| (main, Some(per)));
    let mut tokens = Vec::new();
    if !main.contains(['{', '}']) {
        match main {
            "" | "1" => {}
            "s" => tokens.push("seconds"),
            "By" => tokens.push("bytes"),
            "Hz" => tokens.push("hertz"),
            other => tokens.push(other),
        }
    }
    if per == Some("s") {
        tokens.extend(["per", "second"]);
    }
    tokens
}

/// What `definition` does against the rules that make its name translate alike everywhere; empty when all is well.
///
/// Source: OpenTelemetry's metric naming rules and Prometheus' naming practice; each rule avoids a case in which two
/// of the known translators disagree, or a label that a scrape or the OTLP receiver overwrites.
#[must_use]
pub fn violations(definition: &Definition) -> Vec<String> {
    let mut found = Vec::new();
    let tokens: Vec<&str> = definition.name.split(['.', '_']).collect();
    let well_formed = |token: &&str| {
        !token.is_empty() && token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if !tokens.iter().all(well_formed) || definition.name.starts_with(|c: char| c.is_ascii_digit()) {
        found.push(format!("{}: use lower-case words joined by '.' or '_'", definition.name));
    }
    let last = tokens.last().copied().unwrap_or_default();
    let registered = REGISTERED_ENDINGS.contains(&definition.name);
    for (index, token) in tokens.iter().enumerate() {
        let is_last = index + 1 == tokens.len();
        let wrong = match *token {
            "total" | "seconds" | "bytes" | "hertz" => true,
            "ratio" => !(is_last && definition.unit.is_empty()),
            "info" => !is_last,
            "bucket" | "sum" | "created" => is_last && !registered,
            _ => false,
        };
        if wrong {
            found.push(format!("{}: the word {token:?} cannot stand there", definition.name));
        }
    }
    if last == "count" && !registered {
        found.push(format!(
            "{}: a name ends in count only where a registered convention says so",
            definition.name
        ));
    }
    let annotation = definition.unit.starts_with('{') && definition.unit.ends_with('}');
    let share = definition.unit == "1"
        && definition.instrument == Instrument::Gauge
        && UTILIZATIONS.contains(&definition.name);
    if !matches!(definition.unit, "" | "s" | "By" | "Hz") && !annotation && !share {
        found.push(format!(
            "{}: unit {:?} is not one that translates alike everywhere",
            definition.name, definition.unit
        ));
    }
    let labels: Vec<String> = definition.attributes.iter().map(|name| prometheus_label(name)).collect();
    for (index, label) in labels.iter().enumerate() {
        if RESERVED_LABELS.contains(&label.as_str())
            || ["__", "otel_", "exported_"].iter().any(|prefix| label.starts_with(prefix))
        {
            found.push(format!("{}: the label {label:?} is overwritten by others", definition.name));
        }
        if labels.iter().take(index).any(|earlier| earlier == label) {
            found.push(format!("{}: two attributes become the label {label:?}", definition.name));
        }
    }
    if definition.help.is_empty() || definition.help.ends_with('.') || definition.help.contains('\n') {
        found.push(format!("{}: help is one sentence without a full stop", definition.name));
    }
    found
}

/// The registered names whose last word would otherwise be one that only histograms and counters end in.
const REGISTERED_ENDINGS: &[&str] = &[
    "db.client.connection.count",
    "process.thread.count",
    "process.unix.file_descriptor.count",
    "system.cpu.logical.count",
    "system.cpu.physical.count",
    "system.network.connection.count",
    "system.process.count",
    "system.process.created",
];

/// The registered gauges with the unit `1`. Translators disagree on their names, so no rule and no dashboard uses them.
const UTILIZATIONS: &[&str] = &[
    "system.cpu.utilization",
    "system.filesystem.utilization",
    "system.memory.utilization",
    "system.paging.utilization",
];

/// Labels that a scrape, a relabelling rule or the OTLP receiver usually sets.
const RESERVED_LABELS: &[&str] = &[
    "job",
    "instance",
    "le",
    "quantile",
    "namespace",
    "pod",
    "container",
    "node",
    "service",
    "endpoint",
    "env",
    "region",
    "cluster",
];

#[cfg(test)]
mod tests {
    use super::*;

    const fn definition(name: &'static str, instrument: Instrument, unit: &'static str) -> Definition {
        Definition { name, instrument, unit, attributes: &[], help: "what it means" }
    }

    #[test]
    fn translates_as_prometheus_does() {
        let cases = [
            ("healthcheck.duration", Instrument::Histogram(&[]), "s", "healthcheck_duration_seconds"),
            (
                "healthcheck.last_run.timestamp",
                Instrument::Gauge,
                "s",
                "healthcheck_last_run_timestamp_seconds",
            ),
            ("healthcheck.runs", Instrument::Counter, "{run}", "healthcheck_runs_total"),
            ("healthcheck.up", Instrument::UpDownCounter, "{check}", "healthcheck_up"),
            ("system.memory.limit", Instrument::UpDownCounter, "By", "system_memory_limit_bytes"),
            ("a.total.b", Instrument::Counter, "", "a_b_total"),
            ("dur.seconds", Instrument::Gauge, "s", "dur_seconds"),
            ("x", Instrument::Gauge, "1", "x_ratio"),
            ("x", Instrument::UpDownCounter, "1", "x"),
            ("already.ratio", Instrument::Gauge, "1", "already_ratio"),
            ("x", Instrument::Gauge, "By/s", "x_bytes_per_second"),
            ("x", Instrument::Gauge, "rpm", "x_rpm"),
            ("4xx.seen", Instrument::Gauge, "", "_4xx_seen"),
        ];
        for (name, instrument, unit, expected) in cases {
            assert_eq!(prometheus_name(&definition(name, instrument, unit)), expected, "{name} {unit}");
        }
    }

    #[test]
    fn labels_translate_as_prometheus_does() {
        let cases = [
            ("healthcheck.name", "healthcheck_name"),
            ("a..b-c", "a__b_c"),
            ("4xx", "key_4xx"),
            ("_private", "key_private"),
            ("__both", "__both"),
        ];
        for (name, expected) in cases {
            assert_eq!(prometheus_label(name), expected);
        }
    }

    #[test]
    fn names_what_breaks_the_rules() {
        let rule = |definition: Definition| violations(&definition).join("; ");
        assert_eq!(rule(definition("healthcheck.up", Instrument::Gauge, "{check}")), "");
        assert!(rule(definition("x.total", Instrument::Counter, "")).contains("\"total\""));
        assert!(rule(definition("x.ratio", Instrument::Gauge, "1")).contains("ratio"));
        assert_eq!(rule(definition("system.cpu.utilization", Instrument::Gauge, "1")), "");
        assert!(rule(definition("system.cpu.utilization", Instrument::Counter, "1")).contains("unit"));
        assert!(rule(definition("cgroup.cpu.utilization", Instrument::Gauge, "1")).contains("unit"));
        assert!(rule(definition("x", Instrument::Gauge, "rpm")).contains("unit"));
        assert!(rule(definition("x.count", Instrument::Gauge, "")).contains("count"));
        assert!(rule(definition("x.created", Instrument::Counter, "")).contains("created"));
        assert_eq!(rule(definition("system.process.created", Instrument::Counter, "{process}")), "");
        assert!(rule(definition("X.up", Instrument::Gauge, "")).contains("lower-case"));
        let clash = Definition {
            name: "x",
            instrument: Instrument::Gauge,
            unit: "",
            attributes: &["a.b", "a_b", "job"],
            help: "what it means",
        };
        assert!(rule(clash).contains("a_b"));
    }
}
