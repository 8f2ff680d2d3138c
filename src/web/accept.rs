//! Which format of the page of metrics a reader wants, and whether compressed, by its `Accept` and `Accept-Encoding`
//! (RFC 9110, section 12.5).
//!
//! OpenMetrics only for clients that name it: a browser or curl gets the text. Never 406: a client that accepts neither
//! gets the text too.

use axum::http::{HeaderMap, header};

use crate::metrics::Format;

/// The format that `headers` ask for.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut open, mut text) = (0, Weight::default());
    for range in accepted.flat_map(|value| value.split(',')).map(Range::new) {
        match range.media.as_str() {
            "application/openmetrics-text" if matches!(range.version, None | Some("1.0.0")) => {
                open = open.max(range.weight);
            }
            "text/plain" if matches!(range.version, None | Some("0.0.4")) => text.set(3, range.weight),
            "text/*" => text.set(2, range.weight),
            "*/*" => text.set(1, range.weight),
            _ => {}
        }
    }
    if open > 0 && open >= text.weight { Format::OpenMetrics } else { Format::Text }
}

/// Whether a page is to be compressed by gzip. A client that accepts no coding at all gets the page as it is.
pub(super) fn gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let (mut gzip, mut plain, mut others) = (None, None, None);
    for Range { media: coding, weight, .. } in accepted.flat_map(|value| value.split(',')).map(Range::new) {
        match coding.as_str() {
            "gzip" | "x-gzip" => gzip = gzip.max(Some(weight)),
            "identity" => plain = plain.max(Some(weight)),
            "*" => others = others.max(Some(weight)),
            _ => {}
        }
    }
    match (gzip.or(others), plain) {
        (Some(weight), plain) => weight > 0 && weight >= plain.unwrap_or(0),
        // Gzip is not named, but the only other way is refused.
        (None, plain) => plain == Some(0),
    }
}

/// The weight that the closest of the ranges that fit gives.
#[derive(Default)]
struct Weight {
    closeness: u8,
    weight: u16,
}

impl Weight {
    fn set(&mut self, closeness: u8, weight: u16) {
        if (closeness, weight) > (self.closeness, self.weight) {
            *self = Self { closeness, weight };
        }
    }
}

/// One range of media types, or a coding, as far as it matters here.
struct Range<'a> {
    /// In lower case.
    media: String,
    version: Option<&'a str>,
    /// In thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    fn new(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut range = Self { media, version: None, weight: 1000 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "q" | "Q" => range.weight = weight(value),
                name if name.eq_ignore_ascii_case("version") => range.version = Some(value),
                _ => {}
            }
        }
        range
    }
}

/// `0`, `0.75`, `1.000` in thousandths; what is none of these is not wanted.
fn weight(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    match whole {
        "1" => 1000,
        "0" => format!("{part:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(accept: &str) -> Format {
        format(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]))
    }

    #[test]
    fn who_names_openmetrics_gets_it_unless_text_weighs_more() {
        let two = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                   text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let three = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                     application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;\
                     q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for accept in [
            two,
            three,
            "application/openmetrics-text",
            "text/plain;q=0.5, application/OpenMetrics-text; Version=\"1.0.0\"; q=0.5",
            "*/*;q=1, text/plain;q=0.1, application/openmetrics-text;q=0.2",
        ] {
            assert_eq!(of(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/plain;version=0.0.4;q=1,*/*;q=0.1",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.75,text/plain",
            "application/openmetrics-text;q=high",
            "application/openmetrics-text;q=0.4999, text/plain;q=0.1",
        ] {
            assert_eq!(of(accept), Format::Text, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn gzip_only_where_it_is_wanted() {
        let gzip_for = |codings: &str| {
            gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, codings.parse().unwrap())]))
        };
        for codings in [
            "gzip",
            "GZIP",
            "Gzip;Q=1.0",
            "x-gzip",
            "br, gzip;q=0.5",
            "gzip ; q=0.001",
            "*",
            "*;q=0.1",
            "*;q=0, gzip",
            "identity;q=0",
            "identity;q=0.5, gzip;q=0.5",
            "identity;q=0.5, *",
        ] {
            assert!(gzip_for(codings), "{codings}");
        }
        for codings in [
            "",
            "br",
            "identity",
            "gzip;q=0",
            "gzip;q=0.0",
            "gzip; q=0.00",
            "GZIP; Q=0.000",
            "gzip;q=0, *",
            "*;q=0",
            "*;q=0.0",
            "gzip;q=high",
            "identity;q=0, gzip;q=0",
            "identity, gzip;q=0.5",
            "gzipped",
        ] {
            assert!(!gzip_for(codings), "{codings}");
        }
        let mut both = HeaderMap::new();
        assert!(!gzip(&both));
        for coding in ["br", "gzip"] {
            both.append(header::ACCEPT_ENCODING, coding.parse().unwrap());
        }
        assert!(gzip(&both));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_gets_a_format(accept in "[ -~]{0,200}") {
            of(&accept);
        }

        #[test]
        fn the_heavier_one_wins(open in 1_u16..=1000, text in 0_u16..=1000) {
            let weight = |weight: u16| format!("{}.{:03}", weight / 1000, weight % 1000);
            let accept = format!("text/plain;q={},application/openmetrics-text;q={}", weight(text), weight(open));
            prop_assert_eq!(of(&accept) == Format::OpenMetrics, open >= text);
        }
    }
}
