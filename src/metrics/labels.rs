//! Label sets, rendered once when a series is made, so that a page only copies them.

use super::names::prometheus_label;

/// A rendered label set, without braces: `a="x",b="y"`.
///
/// An empty value is left out: to Prometheus an empty label and an absent one are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Box<[u8]>);

impl Labels {
    /// Renders `values` as the labels of `attributes`, pair by pair.
    #[must_use]
    pub fn new(attributes: &[&str], values: &[&str]) -> Self {
        debug_assert_eq!(attributes.len(), values.len(), "one value for each attribute of {attributes:?}");
        let mut rendered = Vec::with_capacity(64);
        for (attribute, value) in attributes.iter().zip(values).filter(|(_, value)| !value.is_empty()) {
            if !rendered.is_empty() {
                rendered.push(b',');
            }
            rendered.extend_from_slice(prometheus_label(attribute).as_bytes());
            rendered.extend_from_slice(b"=\"");
            escape(value, &mut rendered);
            rendered.push(b'"');
        }
        Self(rendered.into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn escape(value: &str, out: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_escapes_and_leaves_out_what_is_empty() {
        let labels = Labels::new(&["healthcheck.name", "b", "c"], &["a\"b\\c\nd", "", "ü"]);
        assert_eq!(labels.as_bytes(), "healthcheck_name=\"a\\\"b\\\\c\\nd\",c=\"ü\"".as_bytes());
        assert_eq!(Labels::new(&[], &[]).as_bytes(), b"");
    }
}
