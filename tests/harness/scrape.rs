//! A strict reader of a Prometheus text page (0.0.4): what it refuses, a server would drop or misread.

use std::collections::{BTreeMap, BTreeSet};

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// The name as written, `_bucket`, `_sum` and `_count` included.
    pub(crate) name: String,
    /// The labels by name.
    pub(crate) labels: BTreeMap<String, String>,
    /// The value.
    pub(crate) value: f64,
}

/// What is said once about all series of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Family {
    /// `counter`, `gauge`, `histogram`, `summary`, `untyped`; empty when not said.
    pub(crate) kind: String,
    /// The help text; empty when there is none.
    pub(crate) help: String,
}

/// A parsed page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrape {
    samples: Vec<Sample>,
    families: BTreeMap<String, Family>,
}

impl Scrape {
    /// Parses a page; fails the test at the first line that is wrong.
    #[track_caller]
    pub(crate) fn parse(page: &str) -> Self {
        Self::try_parse(page).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Parses a page, or says which line is wrong and why.
    pub(crate) fn try_parse(page: &str) -> Result<Self, String> {
        let mut scrape = Self::default();
        let mut seen = BTreeSet::new();
        for (number, line) in (1..).zip(page.lines()) {
            scrape.line(line, &mut seen).map_err(|why| format!("line {number}: {why}: {line}"))?;
        }
        if page.is_empty() || page.ends_with('\n') {
            Ok(scrape)
        } else {
            Err("the last line does not end".to_owned())
        }
    }

    /// The value of the one series that has these labels, whatever others it has; fails when several do.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.values(name).into_iter().filter(|s| s.has(labels));
        let first = found.next()?;
        if let Some(second) = found.next() {
            panic!("{name}{labels:?} is not one series: {first:?}, {second:?}");
        }
        Some(first.value)
    }

    /// All series of a name.
    pub(crate) fn values(&self, name: &str) -> Vec<&Sample> {
        self.samples.iter().filter(|s| s.name == name).collect()
    }

    /// All series, in the order of the page.
    pub(crate) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The families by name.
    pub(crate) fn families(&self) -> &BTreeMap<String, Family> {
        &self.families
    }

    /// The type of each family that has one.
    pub(crate) fn types(&self) -> BTreeMap<&str, &str> {
        let typed = self.families.iter().filter(|(_, family)| !family.kind.is_empty());
        typed.map(|(name, family)| (name.as_str(), family.kind.as_str())).collect()
    }

    /// Asserts the value of one series.
    #[track_caller]
    pub(crate) fn expect(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.expect_that(name, labels, &value.to_string(), |seen| seen.total_cmp(&value).is_eq());
    }

    /// Asserts something else about the value of one series.
    #[track_caller]
    pub(crate) fn expect_that(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        what: &str,
        holds: impl FnOnce(f64) -> bool,
    ) {
        let seen = self.value(name, labels);
        let all: String =
            self.values(name).iter().map(|s| format!("\n  {:?} {}", s.labels, s.value)).collect();
        assert!(
            seen.is_some_and(holds),
            "{name}{labels:?}: wanted {what}, the page has {seen:?}; series:{all}"
        );
    }

    fn line(&mut self, line: &str, seen: &mut BTreeSet<String>) -> Result<(), &'static str> {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap_or((help, ""));
            let family = self.families.entry(name.to_owned()).or_default();
            if !family.help.is_empty() {
                return Err("second HELP");
            }
            unescape(text, false)?.clone_into(&mut family.help);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').ok_or("no type")?;
            let family = self.families.entry(name.to_owned()).or_default();
            if !family.kind.is_empty() {
                return Err("second TYPE");
            }
            if !["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind) {
                return Err("unknown type");
            }
            if self.samples.iter().any(|s| s.name == name) {
                return Err("TYPE after the first series");
            }
            kind.clone_into(&mut family.kind);
        } else if !line.starts_with('#') && !line.trim().is_empty() {
            let sample = sample(line)?;
            if !seen.insert(format!("{}{:?}", sample.name, sample.labels)) {
                return Err("series given twice");
            }
            self.samples.push(sample);
        }
        Ok(())
    }
}

impl Sample {
    /// Whether it has all of these labels.
    pub(crate) fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|&(name, value)| self.labels.get(name).is_some_and(|v| v == value))
    }
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(end);
    if !is_name(name, ":") {
        return Err("bad metric name");
    }
    let (labels, rest) = labels(rest)?;
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().and_then(number).ok_or("bad value")?;
    if words.next().is_some_and(|time| time.parse::<i64>().is_err()) || words.next().is_some() {
        return Err("bad timestamp");
    }
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// The labels that `text` begins with, if it does, and what follows them.
pub(super) fn labels(text: &str) -> Result<(BTreeMap<String, String>, &str), &'static str> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    if let Some(mut inside) = text.strip_prefix('{') {
        loop {
            if let Some(after) = inside.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, quoted) = inside.split_once("=\"").ok_or("label without a value")?;
            let close = closing_quote(quoted).ok_or("open quote")?;
            let (value, after) = quoted.split_at(close);
            let taken = labels.insert(label.to_owned(), unescape(value, true)?);
            if !is_name(label, "") || taken.is_some() {
                return Err("bad or repeated label name");
            }
            let after = after.strip_prefix('"').ok_or("open quote")?;
            inside = after.strip_prefix(',').unwrap_or(after);
            if !after.starts_with([',', '}']) {
                return Err("no comma between labels");
            }
        }
    }
    Ok((labels, rest))
}

pub(super) fn number(word: &str) -> Option<f64> {
    match word {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => word.parse().ok().filter(|v: &f64| v.is_finite()),
    }
}

pub(super) fn is_name(name: &str, extra: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || extra.contains(c);
    name.chars().all(good) && name.starts_with(|c: char| !c.is_ascii_digit())
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| match c {
        _ if escaped => {
            escaped = false;
            None
        }
        '\\' => {
            escaped = true;
            None
        }
        '"' => Some(at),
        _ => None,
    })
}

pub(super) fn unescape(text: &str, quoted: bool) -> Result<String, &'static str> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('\\') => plain.push('\\'),
                Some('"') if quoted => plain.push('"'),
                _ => return Err("bad escape"),
            },
            _ => plain.push(c),
        }
    }
    Ok(plain)
}
