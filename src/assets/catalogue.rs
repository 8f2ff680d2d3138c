//! From queries that name metrics as they are defined to PromQL: `<healthcheck.up>` becomes the Prometheus name of that
//! definition with the selectors of the dashboard.
//!
//! `<foreign>` is every series that nobody here defines; `<name>`, `<name:bucket>` for a part of a histogram, `<name{label="value"}>` for matchers of its own. The labels that
//! a dashboard filters by are added where the definition has them, so no query can forget one, and a name that nobody
//! defines is an error. Works at build and test time only; knows nothing of panels.

use std::collections::BTreeSet;
use std::fmt;

use crate::metrics::{prometheus_label, prometheus_name};
use crate::model::{Definition, Instrument};

/// What every selector carries: the variables that every dashboard has.
const EVERYWHERE: &str = r#"job=~"$job",instance=~"$instance""#;

/// The name for every series that nobody here defines.
const FOREIGN: &str = "foreign";

/// What Prometheus adds to what it scrapes, computes from it, or is told about the resource.
const OF_PROMETHEUS: &str = "up|scrape_.+|target_info|ALERTS.*|.+:.+";

/// A metric that a query names and nobody defines.
#[derive(Debug)]
pub struct UnknownMetric(String);

impl fmt::Display for UnknownMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no metric is called {:?}: see tests/golden/metrics.txt", self.0)
    }
}

impl std::error::Error for UnknownMetric {}

/// The metrics that may be asked for.
#[derive(Clone, Copy)]
pub(super) struct Catalogue<'a>(pub(super) &'a [&'static Definition]);

/// A place in a query that names a metric.
struct Place<'t> {
    name: &'t str,
    part: Option<&'t str>,
    matchers: Option<&'t str>,
}

impl Catalogue<'_> {
    /// `template` as PromQL; `filters` are pairs of an attribute and the variable that chooses its values.
    pub(super) fn expand(self, template: &str, filters: &[(&str, &str)]) -> Result<String, UnknownMetric> {
        let mut text = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, place, after)) = next(rest) {
            text.push_str(before);
            rest = after;
            if place.name == FOREIGN {
                text.push_str(&format!(r#"{{__name__!~"{}",{EVERYWHERE}}}"#, self.ours()));
                continue;
            }
            let definition = self.find(place.name)?;
            text.push_str(&prometheus_name(definition));
            if let Some(part) = place.part {
                text.push('_');
                text.push_str(part);
            }
            text.push('{');
            text.push_str(EVERYWHERE);
            for (attribute, variable) in filters {
                if definition.attributes.contains(attribute) {
                    text.push_str(&format!(r#",{}=~"${variable}""#, prometheus_label(attribute)));
                }
            }
            if let Some(matchers) = place.matchers {
                text.push(',');
                text.push_str(matchers);
            }
            text.push('}');
        }
        text.push_str(rest);
        Ok(text)
    }

    /// `template` with nothing but the names in it put right: for what chooses the values of variables.
    pub(super) fn names(self, template: &str) -> Result<String, UnknownMetric> {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, place, after)) = next(rest) {
            text.push_str(before);
            text.push_str(&prometheus_name(self.find(place.name)?));
            if let Some(matchers) = place.matchers {
                text.push_str(&format!("{{{matchers}}}"));
            }
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }

    /// The unit of what `template` computes, as Grafana calls it, where the query changes it in a known way only.
    pub(super) fn unit(self, template: &str) -> Result<Option<&'static str>, UnknownMetric> {
        let Some((_, place, _)) = next(template) else { return Ok(None) };
        let definition = self.find(place.name)?;
        if template.contains(" / ") || template.contains(" * ") {
            return Ok(None);
        }
        let counted = template.contains("rate(") && !template.contains("histogram_quantile");
        let per_second = counted && !matches!(definition.instrument, Instrument::Histogram(_));
        Ok(Some(match (definition.unit, per_second) {
            ("s", false) if counted => return Ok(None),
            ("s", false) => "s",
            ("s", true) => "percentunit",
            ("By", false) => "bytes",
            ("By", true) => "Bps",
            ("{packet}", true) => "pps",
            ("{request}", true) => "reqps",
            ("{operation}", true) => "iops",
            (_, true) => "cps",
            (_, false) => "short",
        }))
    }

    /// A pattern for the names of all definitions, by their first word, and of what Prometheus adds.
    fn ours(self) -> String {
        let first = |definition: &&Definition| definition.name.split('.').next().unwrap_or_default();
        let words: BTreeSet<&str> = self.0.iter().map(first).collect();
        let words: Vec<&str> = words.into_iter().collect();
        format!("({})_.+|{OF_PROMETHEUS}", words.join("|"))
    }

    fn find(self, name: &str) -> Result<&'static Definition, UnknownMetric> {
        let found = self.0.iter().find(|definition| definition.name == name);
        found.copied().ok_or_else(|| UnknownMetric(name.to_owned()))
    }
}

/// The first place in `template` that names a metric, with what stands before and after it. A `<` that begins no name
/// is the operator.
fn next(template: &str) -> Option<(&str, Place<'_>, &str)> {
    let mut from = 0;
    loop {
        let start = from + template.get(from..)?.find('<')?;
        let inner = template.get(start + 1..)?;
        if !inner.starts_with(|c: char| c.is_ascii_lowercase()) {
            from = start + 1;
            continue;
        }
        let (inner, after) = inner.split_once('>')?;
        let (name, matchers) = match inner.split_once('{') {
            Some((name, matchers)) => (name, Some(matchers.trim_end_matches('}'))),
            None => (inner, None),
        };
        let (name, part) = match name.split_once(':') {
            Some((name, part)) => (name, Some(part)),
            None => (name, None),
        };
        return Some((template.get(..start)?, Place { name, part, matchers }, after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static UP: Definition = Definition {
        name: "healthcheck.up",
        instrument: Instrument::UpDownCounter,
        unit: "{check}",
        attributes: &["healthcheck.name"],
        help: "h",
    };
    static DURATION: Definition = Definition {
        name: "healthcheck.duration",
        instrument: Instrument::Histogram(&[1.0]),
        unit: "s",
        attributes: &["healthcheck.name"],
        help: "h",
    };
    static IO: Definition = Definition {
        name: "system.disk.io",
        instrument: Instrument::Counter,
        unit: "By",
        attributes: &[],
        help: "h",
    };
    const CATALOGUE: Catalogue<'_> = Catalogue(&[&UP, &DURATION, &IO]);
    const CHECK: &[(&str, &str)] = &[("healthcheck.name", "check")];

    #[test]
    fn names_become_selectors() {
        let expand = |template: &str, filters| CATALOGUE.expand(template, filters).unwrap();
        let everywhere = r#"job=~"$job",instance=~"$instance""#;
        assert_eq!(expand("sum(<healthcheck.up>)", &[]), format!("sum(healthcheck_up{{{everywhere}}})"));
        assert_eq!(
            expand(r#"<healthcheck.up{a="b"}> < 1"#, CHECK),
            format!(r#"healthcheck_up{{{everywhere},healthcheck_name=~"$check",a="b"}} < 1"#)
        );
        assert_eq!(
            expand("rate(<healthcheck.duration:bucket>[5m])", &[]),
            format!("rate(healthcheck_duration_seconds_bucket{{{everywhere}}}[5m])")
        );
        assert_eq!(
            expand("<system.disk.io>", CHECK),
            format!("system_disk_io_bytes_total{{{everywhere}}}"),
            "no filter by what a metric does not have"
        );
        assert_eq!(expand("time() <= 3 <", &[]), "time() <= 3 <");
        let names = CATALOGUE.names(r#"label_values(<healthcheck.up{a="b"}>, c)"#).unwrap();
        assert_eq!(names, r#"label_values(healthcheck_up{a="b"}, c)"#);
        let unknown = CATALOGUE.expand("<healthcheck.down>", &[]).unwrap_err();
        assert!(unknown.to_string().contains("healthcheck.down"), "{unknown}");
    }

    #[test]
    fn units_follow_from_definitions() {
        for (template, unit) in [
            ("<healthcheck.up>", Some("short")),
            ("rate(<system.disk.io>[5m])", Some("Bps")),
            ("<system.disk.io>", Some("bytes")),
            ("histogram_quantile(0.9, rate(<healthcheck.duration:bucket>[5m]))", Some("s")),
            ("<system.disk.io> / <healthcheck.up>", None),
            ("rate(<healthcheck.duration:count>[5m])", None),
            ("vector(1)", None),
        ] {
            assert_eq!(CATALOGUE.unit(template).unwrap(), unit, "{template}");
        }
    }
}
