//! The ids of a span, as W3C trace context, OTLP, log lines and exemplars write them.

use std::fmt;

/// Which span of which trace something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanIds {
    /// The trace.
    pub trace: [u8; 16],
    /// The span within it.
    pub span: [u8; 8],
}

impl SpanIds {
    /// The trace's id in hexadecimal.
    #[must_use]
    pub fn trace_hex(&self) -> Hex<'_> {
        Hex(&self.trace)
    }

    /// The span's id in hexadecimal.
    #[must_use]
    pub fn span_hex(&self) -> Hex<'_> {
        Hex(&self.span)
    }
}

/// Bytes that show as lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
