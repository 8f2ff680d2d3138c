//! The bounds of a histogram as its lines show them, in each of the two text formats.

/// How a bucket's line goes on after its other labels: copied as a whole, which takes two instructions, where a copy
/// whose length is known only at run time is a call.
#[derive(Debug)]
pub(super) struct Bound {
    bytes: [u8; 32],
    len: usize,
}

impl Bound {
    /// As the text format shows it.
    pub(super) fn new(bound: f64) -> Self {
        let number = match format!("{bound}") {
            number if number.len() <= 24 => number,
            // With an exponent no number is longer than that.
            _ => zmij::Buffer::new().format(bound).to_owned(),
        };
        Self::of(&number)
    }

    /// As OpenMetrics shows it.
    fn canonical(bound: f64) -> Self {
        Self::of(&canonical(bound))
    }

    fn of(number: &str) -> Self {
        let text = format!("le=\"{number}\"}} ");
        let mut bytes = [0; 32];
        let len = bytes.iter_mut().zip(text.bytes()).map(|(place, byte)| *place = byte).count();
        Self { bytes, len }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

/// `le="…"} ` of each bucket, the last one without end.
#[derive(Debug)]
pub(super) struct Bounds {
    /// For the text format.
    pub(super) text: Box<[Bound]>,
    /// For OpenMetrics.
    pub(super) canonical: Box<[Bound]>,
}

impl Bounds {
    pub(super) fn new(bounds: &[f64]) -> Self {
        let all = |each: fn(f64) -> Bound| {
            bounds.iter().map(|bound| each(*bound)).chain([Bound::of("+Inf")]).collect()
        };
        Self { text: all(Bound::new), canonical: all(Bound::canonical) }
    }
}

/// A finite number in the one spelling that OpenMetrics gives it as a label value: Go's shortest, always with a point or
/// an exponent, so that `1` and `1.0` are not two series.
pub(super) fn canonical(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent @ (..-4 | 6..)) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => format!("{number:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_has_one_spelling_for_a_number() {
        // The examples of the specification, and what Go makes of others.
        let written = [
            "0.0",
            "0.001",
            "0.002",
            "0.01",
            "0.1",
            "0.9",
            "0.95",
            "0.99",
            "0.999",
            "1.0",
            "1.7",
            "10.0",
            "1e-10",
            "1e-09",
            "1e-05",
            "0.0001",
            "100000.0",
            "1e+06",
            "1e+10",
            "2.5",
            "-3.0",
            "1.234567e+06",
            "1e+100",
        ];
        for text in written {
            assert_eq!(canonical(text.parse().unwrap()), text);
        }
    }

    #[test]
    fn every_bound_fits() {
        for bound in [0.005, 10.0, 1e21, 5e-324, -2.2250738585072014e-308, 0.30000000000000004, f64::MAX] {
            for made in [Bound::new(bound), Bound::canonical(bound)] {
                let mut text = Vec::new();
                made.write(&mut text);
                let text = String::from_utf8(text).unwrap();
                let number = text.strip_prefix("le=\"").and_then(|rest| rest.strip_suffix("\"} ")).unwrap();
                assert_eq!(number.parse(), Ok(bound), "{text}");
            }
        }
    }
}
