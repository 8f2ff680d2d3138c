//! The variables of OpenTelemetry, and which setting each of them stands for.
//!
//! The file wins over them, and a variable for one signal over the one for all, except that a general setting of the
//! file wins over both. Values are read as the specification has it
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>): words in any case, only `true`
//! is true, a timeout of 0 is none, and what is wrong is ignored with a warning.

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
    "timeout" "TIMEOUT" timeout;
    "compression" "COMPRESSION" lower_case;
    "protocol" "PROTOCOL" protocol;
    "insecure" "INSECURE" truth;
    "ca_file" "CERTIFICATE" Given::as_is;
    "client_certificate_file" "CLIENT_CERTIFICATE" Given::as_is;
    "client_key_file" "CLIENT_KEY" Given::as_is;
    and
    own("OTEL_METRIC_EXPORT_INTERVAL", &["otlp", "metrics", "interval"], milliseconds),
    own("OTEL_METRIC_EXPORT_TIMEOUT", &["otlp", "metrics", "export_timeout"], timeout),
    own("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", &["otlp", "metrics", "temporality"], lower_case),
    own("OTEL_SDK_DISABLED", &["otlp", "enabled"], disabled),
    own("OTEL_METRICS_EXPORTER", &["otlp", "metrics", "enabled"], metrics_exporter),
    own("OTEL_TRACES_EXPORTER", &["otlp", "traces", "enabled"], exporter),
    own("OTEL_LOGS_EXPORTER", &["otlp", "logs", "enabled"], exporter),
    own("OTEL_TRACES_SAMPLER", &["otlp", "traces", "sampler"], lower_case),
    own("OTEL_TRACES_SAMPLER_ARG", &["otlp", "traces", "sampler_arg"], Given::as_is),
    own("OTEL_BSP_SCHEDULE_DELAY", &["otlp", "traces", "delay"], milliseconds),
    own("OTEL_BSP_MAX_QUEUE_SIZE", &["otlp", "traces", "queue_size"], Given::as_is),
    own("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &["otlp", "traces", "batch_size"], Given::as_is),
    own("OTEL_BLRP_SCHEDULE_DELAY", &["otlp", "logs", "delay"], milliseconds),
    own("OTEL_BLRP_MAX_QUEUE_SIZE", &["otlp", "logs", "queue_size"], Given::as_is),
    own("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", &["otlp", "logs", "batch_size"], Given::as_is),
};

/// What a timeout of 0 stands for: no limit that anybody would see.
const NO_TIMEOUT: &str = "1year";

#[expect(clippy::unnecessary_wraps, reason = "the form of all meanings")]
fn lower_case(text: &str) -> Result<Given, &'static str> {
    Ok(Given::Value(text.to_lowercase()))
}

fn milliseconds(text: &str) -> Result<Given, &'static str> {
    let number: u32 = text.parse().map_err(|_| "expected a whole number of milliseconds, such as 10000")?;
    Ok(Given::Value(format!("{number}ms")))
}

fn timeout(text: &str) -> Result<Given, &'static str> {
    let given = milliseconds(text)?;
    Ok(if given == Given::Value("0ms".to_owned()) { Given::Value(NO_TIMEOUT.to_owned()) } else { given })
}

fn protocol(text: &str) -> Result<Given, &'static str> {
    match text.to_lowercase().as_str() {
        "http/json" => Err("http/json is not supported: use http/protobuf or grpc"),
        word => Ok(Given::Value(word.to_owned())),
    }
}

/// Names of headers mean the same in any case.
fn headers(text: &str) -> Result<Given, &'static str> {
    let wanted = |_| "expected `name=value,name=value`, with other characters and `%` itself percent-encoded";
    let pairs = pairs(text).map_err(wanted)?;
    let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
    Ok(Given::Mapping(pairs.into_iter().map(lower).collect()))
}

/// Only `true` is true; whatever else there is counts as false.
#[expect(clippy::unnecessary_wraps, reason = "the form of all meanings")]
fn truth(text: &str) -> Result<Given, &'static str> {
    let given = |value: bool| Given::Value(value.to_string());
    Ok(match text.to_lowercase().as_str() {
        "true" => given(true),
        "false" => given(false),
        _ => Given::Partly(Box::new(given(false)), "expected true or false; it counts as false"),
    })
}

/// Disables where it is true.
fn disabled(text: &str) -> Result<Given, &'static str> {
    let enabled = |given| {
        if given == Given::Value("true".to_owned()) {
            Given::Value("false".to_owned())
        } else {
            Given::Nothing
        }
    };
    Ok(match truth(text)? {
        Given::Partly(given, why) => Given::Partly(Box::new(enabled(*given)), why),
        given => enabled(given),
    })
}

/// What metrics leave by: they are always there to be scraped.
fn metrics_exporter(text: &str) -> Result<Given, &'static str> {
    exporters(text, &["otlp", "none", "prometheus"], "only otlp, prometheus and none are supported")
}

fn exporter(text: &str) -> Result<Given, &'static str> {
    exporters(text, &["otlp", "none"], "only otlp and none are supported")
}

/// A list of exporters: whether OTLP is among them. Others than those that are `known` are left out.
fn exporters(text: &str, known: &[&str], supported: &'static str) -> Result<Given, &'static str> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_lowercase()).collect();
    let taken = names.iter().filter(|name| known.contains(&name.as_str()));
    let (count, otlp) = (taken.clone().count(), taken.clone().any(|name| name == "otlp"));
    let given = Given::Value(otlp.to_string());
    match count {
        0 => Err(supported),
        all if all == names.len() => Ok(given),
        _ => Ok(Given::Partly(Box::new(given), supported)),
    }
}
