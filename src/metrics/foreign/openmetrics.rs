//! From the text that the crate `prometheus` writes to OpenMetrics: headers, the bounds of buckets and quantiles,
//! infinite numbers and times are spelled otherwise there.
//!
//! Reads no text but that encoder's, which writes one family, and the label of a bound last.

use std::io::Write;

use super::super::bound::canonical;
use super::super::openmetrics::{counter_family, escape_help};

/// Writes the family `name` of `text` at the end of `out`; `counter` says whether it is one by OpenMetrics' rules.
pub(in crate::metrics) fn rewrite(text: &str, name: &str, counter: bool, out: &mut Vec<u8>) {
    let family = if counter { counter_family(name) } else { name };
    let mut bounds = None;
    for line in text.lines() {
        let header = |what: &str| line.strip_prefix(what)?.strip_prefix(name)?.strip_prefix(' ');
        // Writing into memory cannot fail.
        let _ = if let Some(help) = header("# HELP ") {
            writeln!(out, "# HELP {family} {}", escape_help(&plain(help)))
        } else if let Some(kind) = header("# TYPE ") {
            bounds = match kind {
                "histogram" => Some("le=\""),
                "summary" => Some("quantile=\""),
                _ => None,
            };
            let kind = if kind == "counter" && !counter { "unknown" } else { kind };
            writeln!(out, "# TYPE {family} {kind}")
        } else {
            sample(line, bounds, out)
        };
    }
}

/// A help text without its quoting.
fn plain(help: &str) -> String {
    let (mut plain, mut chars) = (String::with_capacity(help.len()), help.chars());
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                other => other.unwrap_or('\\'),
            },
            c => c,
        });
    }
    plain
}

/// Writes one sample; `bounds` is the label whose values are numbers.
fn sample(line: &str, bounds: Option<&str>, out: &mut Vec<u8>) -> std::io::Result<()> {
    // Labels may hold spaces; what follows them does not.
    let end = line.rfind('}').map_or_else(|| line.find(' ').unwrap_or(line.len()), |brace| brace + 1);
    let (series, rest) = line.split_at_checked(end).unwrap_or((line, ""));
    match bounds.and_then(|label| bound(series, label)) {
        Some((before, bound)) => write!(out, "{before}{}\"}}", number(bound))?,
        None => out.write_all(series.as_bytes())?,
    }
    let mut words = rest.split_ascii_whitespace();
    write!(out, " {}", infinite(words.next().unwrap_or("NaN")))?;
    if let Some(Ok(at)) = words.next().map(str::parse::<i64>) {
        // Milliseconds there, seconds here.
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53 for 280,000 years")]
        write!(out, " {}", at as f64 / 1000.0)?;
    }
    writeln!(out)
}

/// What is before the bound, and the bound, where the last label of `series` is `label`.
fn bound<'a>(series: &'a str, label: &str) -> Option<(&'a str, &'a str)> {
    let inside = series.strip_suffix("\"}")?;
    // A quote in a label's value stands behind a backslash, so this cannot be in one.
    let start = inside.rfind(label)?;
    let (before, last) = inside.split_at_checked(start + label.len())?;
    let first = before.strip_suffix(label)?.ends_with(['{', ',']);
    (first && !last.contains('"')).then_some((before, last))
}

fn number(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => canonical(number),
        _ => infinite(text).to_owned(),
    }
}

fn infinite(text: &str) -> &str {
    match text {
        "inf" => "+Inf",
        "-inf" => "-Inf",
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str, name: &str, counter: bool) -> String {
        let mut out = Vec::new();
        rewrite(text, name, counter, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn headers_bounds_infinities_and_times_are_respelled() {
        let text = "# HELP a_total Say \"a\\\\b\\nc\"\n# TYPE a_total counter\na_total{x=\"} le=\\\"1\"} inf 1500\na_total 3\n";
        assert_eq!(
            rewritten(text, "a_total", true),
            "# HELP a Say \\\"a\\\\b\\nc\\\"\n# TYPE a counter\na_total{x=\"} le=\\\"1\"} +Inf 1.5\na_total 3\n"
        );
        assert_eq!(rewritten("# TYPE a counter\na 3\n", "a", false), "# TYPE a unknown\na 3\n");
        let histogram = "# TYPE h histogram\n";
        let text = "h_bucket{file=\"1\",le=\"1\"} 2\nh_bucket{le=\"inf\"} 3\nh_sum{file=\"1\"} -inf\n";
        assert_eq!(
            rewritten(&format!("{histogram}{text}"), "h", false),
            format!(
                "{histogram}h_bucket{{file=\"1\",le=\"1.0\"}} 2\nh_bucket{{le=\"+Inf\"}} 3\nh_sum{{file=\"1\"}} -Inf\n"
            )
        );
        let summary = "# TYPE s summary\n";
        assert_eq!(
            rewritten(&format!("{summary}s{{quantile=\"0.00001\"}} 7\n"), "s", false),
            format!("{summary}s{{quantile=\"1e-05\"}} 7\n")
        );
        let gauge = "# TYPE g gauge\ng{le=\"1\"} 7\n";
        assert_eq!(rewritten(gauge, "g", false), gauge, "a label of their own");
    }
}
