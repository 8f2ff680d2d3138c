//! How a log line looks: as the formatters of others write it, with the ids of the span that it was written in.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Format;
use crate::trace;

/// Lines of `inner`, which writes one whole line in the form of `format`, with the ids at their end. Costs a copy of the
/// line where there are any, nothing where there are none.
pub(super) struct WithIds<F> {
    pub(super) inner: F,
    pub(super) format: Format,
}

impl<S, N, F> FormatEvent<S, N> for WithIds<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(ids) = trace::current() else { return self.inner.format_event(context, writer, event) };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        let (trace, span) = (ids.trace_hex(), ids.span_hex());
        let line = line.trim_end();
        match self.format {
            Format::Logfmt => writeln!(writer, "{line} trace_id={trace} span_id={span}"),
            Format::Json => {
                let object = line.strip_suffix('}').unwrap_or(line);
                writeln!(writer, "{object},\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"}}")
            }
        }
    }
}
