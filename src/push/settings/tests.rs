//! What leaves and where to, from files and from the environment.

use std::collections::HashMap;

use super::*;
use crate::config::{Document, Records, describe};

fn settings(text: &str, env: &[(&str, &str)]) -> Result<(Settings, Records), String> {
    let env: HashMap<_, _> = env.iter().copied().collect();
    let env = |name: &str| env.get(name).map(|&text| text.to_owned());
    let document = Document::parse("t", text, &env).with_environment(&VARIABLES, &env);
    document.read(Settings::read).map_err(|problems| problems.to_string())
}

fn read(text: &str, env: &[(&str, &str)]) -> Settings {
    settings(text, env).map(|(settings, _)| settings).unwrap()
}

fn wrong(text: &str, env: &[(&str, &str)]) -> String {
    settings(text, env).map(|_| ()).unwrap_err()
}

fn endpoint(settings: &Option<Exporter>) -> (&str, Protocol) {
    let exporter = settings.as_ref().unwrap();
    (exporter.endpoint.expose().as_str(), exporter.protocol)
}

const NOTHING: &str = "otlp: {}";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

#[test]
fn nothing_leaves_unless_an_endpoint_is_given() {
    let Settings { metrics, traces, logs, .. } = read(NOTHING, &[]);
    assert!(metrics.is_none() && traces.is_none() && logs.is_none());
    let Settings { metrics, traces, logs, .. } = read(NOTHING, &[(ENDPOINT, "http://c:4318")]);
    assert!(
        metrics.is_some() && traces.is_some() && logs.is_none(),
        "logs leave only when that is asked for"
    );
    assert!(read("otlp: {logs: {enabled: true}}", &[(ENDPOINT, "http://c:4318")]).logs.is_some());
    assert!(
        read(NOTHING, &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4318/v1/traces")]).metrics.is_none()
    );
}

#[test]
fn a_compression_that_is_not_built_in_is_refused_with_what_to_do() {
    let text = "otlp: {endpoint: 'http://c', compression: zstd}";
    if cfg!(feature = "zstd") {
        let exporter = read(text, &[]).metrics.unwrap().exporter;
        assert_eq!(exporter.compression.encoding(), Some("zstd"));
    } else {
        let said = wrong(text, &[]);
        assert!(said.contains("otlp.compression: this program was built without `zstd`"), "{said}");
        assert!(said.contains("write `gzip` or `none`, or build it with `--features zstd`"), "{said}");
    }
}

#[test]
fn the_environment_can_switch_it_off() {
    for (name, value) in [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_METRICS_EXPORTER", "none")] {
        assert!(read("otlp: {endpoint: 'http://c'}", &[(name, value)]).metrics.is_none(), "{name}");
    }
    for (name, value) in
        [("OTEL_SDK_DISABLED", "false"), ("OTEL_METRICS_EXPORTER", "otlp,prometheus"), (ENDPOINT, "")]
    {
        assert!(read("otlp: {endpoint: 'http://c'}", &[(name, value)]).metrics.is_some(), "{name}");
    }
    assert!(
        read("otlp: {endpoint: 'http://c', enabled: true}", &[("OTEL_SDK_DISABLED", "true")])
            .metrics
            .is_some()
    );
}

#[test]
fn a_general_endpoint_gets_the_path_of_each_signal() {
    let general = read(NOTHING, &[(ENDPOINT, "https://c/otlp/")]);
    let metrics = general.metrics.map(|metrics| metrics.exporter);
    assert_eq!(endpoint(&metrics), ("https://c/otlp/v1/metrics", Protocol::HttpProtobuf));
    assert_eq!(endpoint(&general.traces), ("https://c/otlp/v1/traces", Protocol::HttpProtobuf));
    let own = read(
        NOTHING,
        &[(ENDPOINT, "http://c:4318"), ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:9090/api")],
    );
    assert_eq!(endpoint(&own.metrics.map(|m| m.exporter)).0, "http://m:9090/api");
    assert_eq!(endpoint(&own.traces).0, "http://c:4318/v1/traces");
}

#[test]
fn grpc_is_at_its_port_and_needs_no_scheme() {
    let traces = |env: &[(&str, &str)]| {
        let settings = read(NOTHING, env);
        let (endpoint, protocol) = endpoint(&settings.traces);
        (endpoint.to_owned(), protocol)
    };
    let grpc = |endpoint: &str| (endpoint.to_owned(), Protocol::Grpc);
    assert_eq!(traces(&[(ENDPOINT, "http://c:4317")]), grpc("http://c:4317/"));
    assert_eq!(traces(&[(ENDPOINT, "c:5000")]), grpc("https://c:5000/"));
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "True");
    assert_eq!(traces(&[(ENDPOINT, "c:443"), insecure]), grpc("http://c:443/"));
    assert_eq!(traces(&[(ENDPOINT, "https://c:5000"), insecure]).0, "https://c:5000/v1/traces");
    let protocol = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_eq!(traces(&[(ENDPOINT, "http://c:5000/ignored"), protocol]), grpc("http://c:5000/"));
    let http = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
    assert_eq!(traces(&[(ENDPOINT, "http://c:4317"), http]).1, Protocol::HttpProtobuf);
}

#[test]
fn the_file_wins_over_the_environment_and_a_signal_over_all() {
    let timeout = |text: &str, env: &[(&str, &str)]| read(text, env).traces.unwrap().timeout.as_millis();
    let (all, own) = (("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1000"));
    assert_eq!(timeout("otlp: {endpoint: 'http://c'}", &[]), 10_000);
    assert_eq!(timeout("otlp: {endpoint: 'http://c'}", &[all]), 2_000);
    assert_eq!(timeout("otlp: {endpoint: 'http://c'}", &[all, own]), 1_000);
    assert_eq!(timeout("otlp: {endpoint: 'http://c', timeout: 3s}", &[all, own]), 3_000);
    assert_eq!(
        timeout("otlp: {endpoint: 'http://c', timeout: 3s, traces: {timeout: 4s}}", &[all, own]),
        4_000
    );
}

#[test]
fn metrics_have_settings_of_their_own() {
    let metrics = |text: &str, env: &[(&str, &str)]| read(text, env).metrics.unwrap();
    let default = metrics("otlp: {endpoint: 'http://c'}", &[]);
    assert_eq!((default.interval.as_secs(), default.batch_size), (15, BATCH_LIMIT));
    assert_eq!((default.spool.size, default.spool.age.as_secs()), (16 << 20, 86_400));
    let env = [
        (ENDPOINT, "http://c"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "60000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "500"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
    ];
    let given = metrics("otlp: {spool: {directory: /spool, age: 2h}}", &env);
    assert_eq!((given.interval.as_secs(), given.exporter.timeout.as_millis()), (60, 500));
    assert_eq!((given.temporality, given.exporter.compression), (Temporality::LowMemory, Compression::None));
    assert_eq!((given.spool.size, given.spool.age.as_secs()), (64 << 20, 7_200));
}

#[test]
fn headers_are_read_and_hidden() {
    let env = [(ENDPOINT, "http://c"), ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=canary%3D1, x=y")];
    let (settings, records) = settings(NOTHING, &env).unwrap();
    let headers = &settings.traces.unwrap().headers;
    assert_eq!((headers["api-key"].as_bytes(), headers["x"].as_bytes()), (&b"canary=1"[..], &b"y"[..]));
    assert!(!format!("{headers:?}").contains("canary"));
    assert!(!records.to_string().contains("canary"), "{records}");
    assert_eq!(records.scrub("what canary=1 is"), "what <secret> is");
}

#[test]
fn shows_where_a_value_came_from() {
    let env = [(ENDPOINT, "http://u:canary@c:4318"), ("OTEL_EXPORTER_OTLP_HEADERS", "a=canary")];
    let (_, records) = settings("otlp:\n  timeout: 3s", &env).unwrap();
    let shown = records.to_string();
    for line in [
        "  endpoint: http://<secret>:<secret>@c:4318/  # from the environment variable OTEL_EXPORTER_OTLP_ENDPOINT",
        "  headers: {a: <secret>}  # from the environment variable OTEL_EXPORTER_OTLP_HEADERS",
        "  timeout: 3s  # line 2",
        "    interval: 15s  # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
}

/// What is read although something is wrong with the environment, and the one warning about it.
fn warned(env: &[(&str, &str)]) -> (Settings, String) {
    let (settings, records) = settings(NOTHING, env).unwrap();
    let [warning] = records.warnings() else { panic!("{:?}", records.warnings()) };
    (settings, warning.clone())
}

#[test]
fn what_is_wrong_in_a_variable_is_ignored_with_a_warning() {
    for (name, value, message) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "http/json is not supported: use http/protobuf or grpc"),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "canary",
            "expected `http/protobuf` or `grpc`, found something else in ${OTEL_EXPORTER_OTLP_PROTOCOL}",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "expected a whole number of milliseconds, such as 10000"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "expected a whole number of milliseconds, such as 10000"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "brotli", "expected `gzip`"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "canary", "expected `name=value,name=value`"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=canary", "expected `name=value,name=value`"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=canary%", "expected `name=value,name=value`"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a(b=canary",
            "the name of a header holds characters that none may have",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=can%0Aary",
            "the value of a header holds characters that none may have",
        ),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://c", "must begin with http:// or https://"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "c", "is not an endpoint: write http://host:4318"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/none.pem", "cannot be read: entity not found"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1", "must be at least 100ms"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "must be longer than zero"),
        ("OTEL_METRICS_EXPORTER", "zipkin", "only otlp, prometheus and none are supported"),
        ("OTEL_METRICS_EXPORTER", "console", "only otlp, prometheus and none are supported"),
        ("OTEL_TRACES_EXPORTER", "console,zipkin", "only otlp and none are supported"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "expected `parentbased_always_on`, "),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "must be between 0 and 1"),
        ("OTEL_TRACES_SAMPLER_ARG", "half", "expected a number"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "must be between 1 and 1048576"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "soon", "expected a whole number of milliseconds"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "always", "expected `cumulative`, "),
    ] {
        let (settings, warning) = warned(&[(ENDPOINT, "http://c:4318"), (name, value)]);
        assert!(warning.starts_with(&format!("{name} is ignored: {message}")), "{warning}");
        assert!(!warning.contains("canary"), "{warning}");
        assert_eq!(
            format!("{settings:?}"),
            format!("{:?}", read(NOTHING, &[(ENDPOINT, "http://c:4318")])),
            "{name}"
        );
    }
    let (settings, warning) =
        warned(&[(ENDPOINT, "c:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]);
    assert!(settings.metrics.is_none());
    assert!(
        warning.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT is ignored: must begin with http://"),
        "{warning}"
    );
}

#[test]
fn what_stands_behind_an_ignored_variable_counts() {
    let own = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "soon");
    let (settings, _) = warned(&[(ENDPOINT, "http://c"), own, ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")]);
    assert_eq!(settings.metrics.unwrap().exporter.timeout.as_secs(), 2);
    let (_, records) = settings_with("otlp: {timeout: 3s}", &[(ENDPOINT, "http://c"), own]);
    assert!(records.warnings().is_empty(), "the file wins: {:?}", records.warnings());
    let said = wrong("otlp: {timeout: 0s}", &[(ENDPOINT, "http://c"), ("OTEL_BSP_SCHEDULE_DELAY", "soon")]);
    assert!(said.contains("t:1:17: otlp.timeout: must be longer than zero"), "{said}");
    assert!(said.contains("environment: OTEL_BSP_SCHEDULE_DELAY is ignored: expected a whole"), "{said}");
}

fn settings_with(text: &str, env: &[(&str, &str)]) -> (Settings, Records) {
    settings(text, env).unwrap()
}

#[test]
fn only_true_is_true_and_words_have_any_case() {
    for value in ["1", "yes", "on", "t", "truee"] {
        let (settings, warning) = warned(&[(ENDPOINT, "http://c"), ("OTEL_SDK_DISABLED", value)]);
        assert!(settings.metrics.is_some(), "{value}");
        assert_eq!(warning, "OTEL_SDK_DISABLED: expected true or false; it counts as false");
        let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", value);
        let (settings, warning) = warned(&[(ENDPOINT, "c:4317"), insecure]);
        assert_eq!(endpoint(&settings.traces).0, "https://c:4317/", "{value}");
        assert_eq!(warning, "OTEL_EXPORTER_OTLP_INSECURE: expected true or false; it counts as false");
    }
    for (disabled, pushes) in [("True", false), ("TRUE", false), ("False", true), ("FALSE", true)] {
        let (settings, records) =
            settings_with(NOTHING, &[(ENDPOINT, "http://c"), ("OTEL_SDK_DISABLED", disabled)]);
        assert_eq!((settings.metrics.is_some(), records.warnings()), (pushes, &[][..]), "{disabled}");
    }
    let given = read(
        NOTHING,
        &[
            (ENDPOINT, "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "None"),
            ("OTEL_TRACES_SAMPLER", "Always_Off"),
            ("OTEL_LOGS_EXPORTER", "OTLP"),
            ("OTEL_METRICS_EXPORTER", "None"),
        ],
    );
    let traces = given.traces.unwrap();
    assert_eq!((traces.protocol, traces.compression), (Protocol::Grpc, Compression::None));
    assert_eq!((given.spans.sampling, given.logs.is_some()), (Sampling::AlwaysOff, true));
    assert!(given.metrics.is_none());
}

#[test]
fn an_exporter_that_is_not_supported_leaves_the_others() {
    let (settings, warning) = warned(&[(ENDPOINT, "http://c"), ("OTEL_LOGS_EXPORTER", "console, otlp")]);
    assert!(settings.logs.is_some());
    assert_eq!(warning, "OTEL_LOGS_EXPORTER: only otlp and none are supported");
    let (settings, _) = warned(&[(ENDPOINT, "http://c"), ("OTEL_METRICS_EXPORTER", "console,prometheus")]);
    assert!(settings.metrics.is_none(), "what is left of the list does not name otlp");
    let (settings, _) = warned(&[(ENDPOINT, "http://c"), ("OTEL_TRACES_EXPORTER", "prometheus")]);
    assert!(settings.traces.is_some(), "only metrics have that one");
}

#[test]
fn a_timeout_of_zero_is_none() {
    const LONG: Duration = Duration::from_hours(24 * 365);
    let zero = [("OTEL_EXPORTER_OTLP_TIMEOUT", "0"), ("OTEL_METRIC_EXPORT_TIMEOUT", "0")];
    let settings = read(NOTHING, &[(ENDPOINT, "http://c"), zero[0], zero[1]]);
    assert!(settings.traces.unwrap().timeout >= LONG && settings.metrics.unwrap().exporter.timeout >= LONG);
    let settings = read(NOTHING, &[(ENDPOINT, "http://c"), zero[0]]);
    assert_eq!(settings.metrics.unwrap().exporter.timeout, EXPORT_TIMEOUT, "that of the metrics is left");
}

#[test]
fn says_what_is_wrong_and_at_which_line() {
    let said = wrong("otlp:\n  endpoint: c:4318\n  protocol: http/protobuf\n", &[]);
    assert!(said.contains("t:2:13: otlp.endpoint: must begin with http:// or https://"), "{said}");
    for (written, meant) in [
        ("collector:4318", "http://collector:4318"),
        ("collector", "http://collector:4318"),
        ("10.0.0.7:4317", "http://10.0.0.7:4317"),
        ("user:canary@collector", "http://collector:4318"),
    ] {
        let said = wrong(&format!("otlp: {{endpoint: '{written}'}}"), &[]);
        assert!(said.contains(&format!("help: write `{meant}`, or https://")), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
    let said = wrong("otlp: {enabled: true}", &[]);
    assert!(
        said.contains("there is no endpoint to push to") && said.contains("OTEL_EXPORTER_OTLP_ENDPOINT"),
        "{said}"
    );
    let said = wrong("otlp: {endpoint: 'http://c', spool: {size: 1}}", &[]);
    assert!(said.contains("otlp.spool.size: must be between 64Ki and 1Ti"), "{said}");
    let said = wrong("otlp: {endpoint: 'http://c', client_key_file: /none}", &[]);
    assert!(said.contains("client_key_file: cannot be read"), "{said}");
}

#[test]
fn takes_certificates_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["c".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) =
        (file("c.pem", made.cert.pem()), file("k.pem", made.signing_key.serialize_pem()));
    let all = [
        (ENDPOINT, "https://c"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate.as_str()),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key),
    ];
    let exporter = read(NOTHING, &all).traces.unwrap();
    assert_eq!((exporter.roots.len(), exporter.identity.unwrap().chain.len()), (1, 1));
    let (_, warning) = warned(&all[..3]);
    assert!(
        warning.contains("CLIENT_CERTIFICATE is ignored: needs `client_key_file` beside it"),
        "{warning}"
    );
    let swapped = [all[0], ("OTEL_EXPORTER_OTLP_CLIENT_KEY", certificate.as_str())];
    let (_, records) = settings(NOTHING, &swapped).unwrap();
    let warnings = records.warnings().join("\n");
    assert!(warnings.contains("CLIENT_KEY is ignored: the file has no private key in PEM"), "{warnings}");
}

#[test]
fn describes_the_settings_that_it_reads() {
    let names = |records: &Records| {
        let section = records.get(&["otlp"]).unwrap();
        section.inner().iter().map(|record| record.name.clone()).collect::<Vec<_>>()
    };
    let (_, records) = settings("otlp: {endpoint: 'http://c'}", &[]).unwrap();
    assert_eq!(names(&describe(Settings::read)), names(&records));
    for variable in VARIABLES {
        assert!(records.get(variable.setting).is_some(), "{variable:?}");
    }
}

#[test]
fn spans_are_sampled_as_the_variables_say() {
    use opentelemetry_sdk::trace::Sampler;

    let default = read(NOTHING, &[]).spans;
    assert_eq!((default, default.sampling), (Spans::default(), Sampling::ParentBasedAlwaysOn));
    let (sampler, share) = (("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25"));
    let spans = read(NOTHING, &[sampler, share, ("OTEL_BSP_SCHEDULE_DELAY", "100")]).spans;
    assert!(matches!(spans.sampler(), Sampler::TraceIdRatioBased(0.25)), "{spans:?}");
    assert_eq!(spans.queue.delay, Duration::from_millis(100));
    let spans = read("otlp: {traces: {sampler: always_off, queue_size: 7}}", &[sampler]).spans;
    assert_eq!((spans.sampling, spans.queue.size), (Sampling::AlwaysOff, 7));
}
