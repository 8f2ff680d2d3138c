//! The variables of OpenTelemetry, and which setting each of them stands for.
//!
//! The file wins over them, and a variable for one signal over the one for all, except that a general setting of the
//! file wins over both.

use crate::config::{Given, Variable};
use crate::resource::pairs;

/// A setting of the way to a collector: the variable for all signals, and those for one.
macro_rules! way {
    ($( $setting:literal $variable:literal $means:expr; )* and $( $other:expr, )*) => { [ $(
        way!(@ "METRICS_" "metrics" $setting $variable $means),
        way!(@ "TRACES_" "traces" $setting $variable $means),
        way!(@ "LOGS_" "logs" $setting $variable $means),
        Variable {
            name: concat!("OTEL_EXPORTER_OTLP_", $variable),
            setting: &["otlp", $setting],
            below: None,
            each: false,
            means: $means,
        },
    )* $( $other, )* ] };
    (@ $signal:literal $section:literal $setting:literal $variable:literal $means:expr) => {
        Variable {
            name: concat!("OTEL_EXPORTER_OTLP_", $signal, $variable),
            setting: &["otlp", $section, $setting],
            below: Some(&["otlp", $setting]),
            each: false,
            means: $means,
        }
    };
}

const fn own(
    name: &'static str,
    setting: &'static [&'static str],
    means: fn(&str) -> Result<Given, &'static str>,
) -> Variable {
    Variable { name, setting, below: None, each: false, means }
}

/// Every variable that stands for a setting of the section `otlp`.
pub(crate) static VARIABLES: [Variable; 51] = way! {
    "endpoint" "ENDPOINT" Given::as_is;
    "headers" "HEADERS" headers;
    "timeout" "TIMEOUT" milliseconds;
    "compression" "COMPRESSION" Given::as_is;
    "protocol" "PROTOCOL" Given::as_is;
    "insecure" "INSECURE" lower_case;
    "ca_file" "CERTIFICATE" Given::as_is;
    "client_certificate_file" "CLIENT_CERTIFICATE" Given::as_is;
    "client_key_file" "CLIENT_KEY" Given::as_is;
    and
    own("OTEL_METRIC_EXPORT_INTERVAL", &["otlp", "metrics", "interval"], milliseconds),
    own("OTEL_METRIC_EXPORT_TIMEOUT", &["otlp", "metrics", "export_timeout"], milliseconds),
    own("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", &["otlp", "metrics", "temporality"], lower_case),
    own("OTEL_SDK_DISABLED", &["otlp", "enabled"], disabled),
    own("OTEL_METRICS_EXPORTER", &["otlp", "metrics", "enabled"], exporter),
    own("OTEL_TRACES_EXPORTER", &["otlp", "traces", "enabled"], exporter),
    own("OTEL_LOGS_EXPORTER", &["otlp", "logs", "enabled"], exporter),
    own("OTEL_TRACES_SAMPLER", &["otlp", "traces", "sampler"], Given::as_is),
    own("OTEL_TRACES_SAMPLER_ARG", &["otlp", "traces", "sampler_arg"], Given::as_is),
    own("OTEL_BSP_SCHEDULE_DELAY", &["otlp", "traces", "delay"], milliseconds),
    own("OTEL_BSP_MAX_QUEUE_SIZE", &["otlp", "traces", "queue_size"], Given::as_is),
    own("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &["otlp", "traces", "batch_size"], Given::as_is),
    own("OTEL_BLRP_SCHEDULE_DELAY", &["otlp", "logs", "delay"], milliseconds),
    own("OTEL_BLRP_MAX_QUEUE_SIZE", &["otlp", "logs", "queue_size"], Given::as_is),
    own("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", &["otlp", "logs", "batch_size"], Given::as_is),
};

#[expect(clippy::unnecessary_wraps, reason = "the form of all meanings")]
fn lower_case(text: &str) -> Result<Given, &'static str> {
    Ok(Given::Value(text.to_lowercase()))
}

fn milliseconds(text: &str) -> Result<Given, &'static str> {
    match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(Given::Value(format!("{number}ms"))),
        _ => Err("expected a whole number of milliseconds above zero, such as 10000"),
    }
}

/// Names of headers mean the same in any case.
fn headers(text: &str) -> Result<Given, &'static str> {
    let wanted = |_| "expected `name=value,name=value`, with other characters and `%` itself percent-encoded";
    let pairs = pairs(text).map_err(wanted)?;
    let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
    Ok(Given::Mapping(pairs.into_iter().map(lower).collect()))
}

/// Only `true` disables, in any case.
fn disabled(text: &str) -> Result<Given, &'static str> {
    match text.to_lowercase().as_str() {
        "true" => Ok(Given::Value("false".to_owned())),
        "false" => Ok(Given::Nothing),
        _ => Err("expected true or false"),
    }
}

/// A list of exporters: whether OTLP is among them.
fn exporter(text: &str) -> Result<Given, &'static str> {
    let mut otlp = false;
    for name in text.split(',') {
        match name.trim() {
            "otlp" => otlp = true,
            // Metrics are always there to be scraped.
            "none" | "prometheus" => {}
            _ => return Err("expected otlp, prometheus or none"),
        }
    }
    Ok(Given::Value(otlp.to_string()))
}
