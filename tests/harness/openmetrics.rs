//! A strict reader of an OpenMetrics 1.0 page: what it refuses, some reader of that format would.

use std::collections::{BTreeMap, BTreeSet};

use super::scrape::{is_name, labels, number, unescape};

type Labels = BTreeMap<String, String>;

/// A parsed page.
#[derive(Debug, Default)]
pub(crate) struct OpenMetrics {
    /// The families by name.
    pub(crate) families: BTreeMap<String, Family>,
    /// The lines with values, in order.
    pub(crate) samples: Vec<Sample>,
    /// The family whose lines are being read.
    current: String,
}

/// What is said once about all series of a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) help: String,
}

/// One line with a value.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The name as written.
    pub(crate) name: String,
    /// The labels by name.
    pub(crate) labels: Labels,
    /// The value.
    pub(crate) value: f64,
    /// What led to it, for one.
    pub(crate) exemplar: Option<Exemplar>,
}

/// One observation out of many.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exemplar {
    /// Where it leads.
    pub(crate) labels: Labels,
    /// What was observed.
    pub(crate) value: f64,
    /// When, in Unix seconds.
    pub(crate) at: f64,
}

impl OpenMetrics {
    /// Parses a page; fails the test at the first line that is wrong.
    #[track_caller]
    pub(crate) fn parse(page: &str) -> Self {
        Self::try_parse(page).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Parses a page, or says which line is wrong and why.
    pub(crate) fn try_parse(page: &str) -> Result<Self, String> {
        let lines = page.strip_suffix("# EOF\n").ok_or("the page does not end in # EOF")?;
        let (mut parsed, mut seen) = (Self::default(), BTreeSet::new());
        for (number, line) in (1..).zip(lines.split_terminator('\n')) {
            parsed.line(line, &mut seen).map_err(|why| format!("line {number}: {why}: {line}"))?;
        }
        parsed.check_histograms()?;
        Ok(parsed)
    }

    /// The samples of this name with these labels among theirs.
    pub(crate) fn of<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let has = |sample: &&Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        };
        self.samples.iter().filter(move |sample| sample.name == name).filter(has)
    }

    fn line(&mut self, line: &str, seen: &mut BTreeSet<String>) -> Result<(), &'static str> {
        let Some(comment) = line.strip_prefix('#') else { return self.sample(line, seen) };
        let mut words = comment.strip_prefix(' ').ok_or("a comment of no kind")?.splitn(3, ' ');
        let (what, name) = (words.next().unwrap_or_default(), words.next().ok_or("no name")?);
        let text = words.next().ok_or("no text")?;
        if !is_name(name, ":") {
            return Err("bad family name");
        }
        if self.current != name {
            if self.families.contains_key(name) {
                return Err("a family in two places");
            }
            name.clone_into(&mut self.current);
        }
        if self.samples.last().is_some_and(|sample| self.belongs(&sample.name)) {
            return Err("said after the family's first sample");
        }
        let family = self.families.entry(name.to_owned()).or_default();
        let place = match what {
            "HELP" => &mut family.help,
            "TYPE" => &mut family.kind,
            "UNIT" => &mut family.unit,
            _ => return Err("a comment of no kind"),
        };
        if !place.is_empty() {
            return Err("said twice");
        }
        *place = unescape(text, true)?;
        let known =
            ["counter", "gauge", "histogram", "summary", "info", "stateset", "unknown", "gaugehistogram"];
        match what {
            "TYPE" if !known.contains(&text) => Err("unknown type"),
            "UNIT" if !name.ends_with(&format!("_{text}")) => Err("the name does not end in the unit"),
            // Raw quotes are for others to trip over.
            "HELP" if text.replace("\\\\", "").replace("\\\"", "").contains('"') => {
                Err("a quote without a backslash")
            }
            _ => Ok(()),
        }
    }

    /// Whether a sample of this name may be one of the current family.
    fn belongs(&self, sample: &str) -> bool {
        let kind = self.families.get(&self.current).map_or("", |family| family.kind.as_str());
        let endings: &[&str] = match kind {
            "counter" => &["_total", "_created"],
            "histogram" => &["_bucket", "_sum", "_count", "_created"],
            "summary" => &["", "_sum", "_count", "_created"],
            "info" => &["_info"],
            _ => &[""],
        };
        sample.strip_prefix(self.current.as_str()).is_some_and(|ending| endings.contains(&ending))
    }

    fn sample(&mut self, line: &str, seen: &mut BTreeSet<String>) -> Result<(), &'static str> {
        let (name, rest) = line.split_at(line.find(['{', ' ']).ok_or("no value")?);
        if !is_name(name, ":") {
            return Err("bad metric name");
        }
        if !self.belongs(name) {
            return Err("a sample that its family cannot have");
        }
        let (labels, rest) = labels(rest)?;
        let rest = rest.strip_prefix(' ').ok_or("no space before the value")?;
        let (value, exemplar) =
            rest.split_once(" # ").map_or((rest, None), |(value, rest)| (value, Some(rest)));
        // No timestamps: a scrape is what happened now.
        let value = number(value).ok_or("bad value")?;
        let exemplar = exemplar.map(self::exemplar).transpose()?;
        if exemplar.is_some() && !name.ends_with("_bucket") && !name.ends_with("_total") {
            return Err("an exemplar where none may be");
        }
        if ["_total", "_bucket", "_count"].iter().any(|ending| name.ends_with(ending))
            && self.families.get(&self.current).is_some_and(|family| family.kind != "gauge")
            && (value < 0.0 || value.is_nan())
        {
            return Err("a count below zero");
        }
        if !seen.insert(format!("{name}{labels:?}")) {
            return Err("series given twice");
        }
        self.samples.push(Sample { name: name.to_owned(), labels, value, exemplar });
        Ok(())
    }

    /// Buckets ascend to `+Inf`, which is the count, in the one spelling of bounds; an exemplar is in its bucket.
    fn check_histograms(&self) -> Result<(), String> {
        let mut histograms: BTreeMap<(&str, Labels), Vec<(&str, &Sample)>> = BTreeMap::new();
        for sample in &self.samples {
            let Some(name) = sample.name.strip_suffix("_bucket") else { continue };
            let mut labels = sample.labels.clone();
            labels.remove("le");
            let bound =
                sample.labels.get("le").ok_or_else(|| format!("{}: a bucket without le", sample.name))?;
            histograms.entry((name, labels)).or_default().push((bound, sample));
        }
        for ((name, labels), buckets) in histograms {
            let wrong = |why: &str| Err(format!("{name}{labels:?}: {why}"));
            let (mut below, mut count) = (f64::NEG_INFINITY, 0.0);
            for (bound, sample) in &buckets {
                let Some(upper) = number(bound) else { return wrong("a bound that is no number") };
                if !bound.contains(['.', 'e', 'I']) || upper <= below || sample.value < count {
                    return wrong("buckets that do not ascend, or a bound not spelled as a float");
                }
                if sample.exemplar.as_ref().is_some_and(|e| e.value <= below || e.value > upper) {
                    return wrong("an exemplar that is not in its bucket");
                }
                (below, count) = (upper, sample.value);
            }
            let total = self.samples.iter().find(|s| s.name == format!("{name}_count") && s.labels == labels);
            if below != f64::INFINITY || total.is_none_or(|total| total.value != count) {
                return wrong("no +Inf, or not as many as the count");
            }
        }
        Ok(())
    }
}

fn exemplar(text: &str) -> Result<Exemplar, &'static str> {
    if !text.starts_with('{') {
        return Err("an exemplar without labels");
    }
    let (labels, rest) = labels(text)?;
    if labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum::<usize>() > 128 {
        return Err("an exemplar with labels of more than 128 characters");
    }
    let mut words = rest.strip_prefix(' ').ok_or("no space before the exemplar's value")?.split(' ');
    let value = words.next().and_then(number).ok_or("an exemplar's bad value")?;
    let at = words.next().and_then(number).ok_or("an exemplar without a time")?;
    if words.next().is_some() { Err("more than an exemplar") } else { Ok(Exemplar { labels, value, at }) }
}

#[test]
fn the_reader_refuses_what_is_wrong() {
    let good = "# TYPE a counter\na_total 1 # {trace_id=\"x\"} 1 1.5\n# EOF\n";
    let exemplar = OpenMetrics::parse(good).samples[0].exemplar.clone().unwrap();
    assert_eq!((exemplar.labels["trace_id"].as_str(), exemplar.value, exemplar.at), ("x", 1.0, 1.5));
    for wrong in [
        "# TYPE a counter\na_total 1\n",
        "# TYPE a counter\na 1\n# EOF\n",
        "# TYPE a_total counter\na_total 1\n# EOF\n",
        "# TYPE a gauge\na 1 1500\n# EOF\n",
        "# TYPE a gauge\na 1\na 1\n# EOF\n",
        "# TYPE a gauge\na 1\n# HELP a late\n# EOF\n",
        "# TYPE a gauge\na 1\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n",
        "# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n",
        "# TYPE a gauge\na 1 # {trace_id=\"x\"} 1 1.5\n# EOF\n",
        "# HELP a say \"a\"\n# EOF\n",
        "# a remark\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"1.0\"} 1\na_sum 1\na_count 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n# EOF\n",
    ] {
        assert!(OpenMetrics::try_parse(wrong).is_err(), "{wrong}");
    }
}
