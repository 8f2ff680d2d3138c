//! No secret comes out anywhere: the agent gets secrets in every place that can hold one, has every reason to talk about
//! them (servers refuse them or send them back), and all that it logs, prints and serves is searched for them.
//!
//! That this can fail is proven too: servers accept the secrets that are right, a server of ours receives the others,
//! and a panic that nothing hides does print its message.

use std::{process::Command, time::Duration};

use vitalsign::{Agent as Engine, Plan, check, metrics::Store, telemetry};

use crate::harness::{
    agent::{Agent, Launch},
    eventually::eventually,
    http,
    otlp::{Collector, Protocol},
    ports,
    process::output,
};

#[path = "canary/cage.rs"]
mod cage;
#[path = "canary/echo.rs"]
mod echo;

use cage::{CANARIES, Cage};
use echo::Echo;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn no_secret_is_logged_or_served() {
    let cage = Cage::new();
    for format in ["logfmt", "json"] {
        let collector = Collector::start(Protocol::Http);
        let agent = cage
            .launch()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.addr))
            .env("OTEL_LOGS_EXPORTER", "otlp")
            .arg(format!("--log.format={format}"))
            .start();
        settled(&agent, &cage);
        for path in [
            "/",
            "/metrics",
            "/health",
            "/health?verbose",
            "/health/live",
            "/health/ready",
            "/health/startup",
            "/health/groups/health",
            "/nowhere?token=canary-x",
            "/health/groups/nothing",
            "/health/checks/nothing",
        ] {
            serve(&cage, &agent, path);
        }
        for (name, ..) in cage.checks() {
            serve(&cage, &agent, &format!("/health/checks/{name}"));
        }
        let failed = agent.log().lines().filter(|line| line.contains("run failed")).count();
        assert!(failed >= 10, "the log does not tell why runs failed:\n{}", agent.log());
        agent.signal(rustix::process::Signal::TERM);
        assert!(agent.wait_exit().success());
        cage.search(&format!("the log as {format}"), &agent.log());
        let sent = collector.lines();
        let failed_too = sent.iter().filter(|line| line.body() == "run failed").count();
        assert_eq!(failed_too, agent.log().lines().filter(|line| line.contains("run failed")).count());
        cage.search("the log over OTLP", &format!("{sent:#?}"));
        cage.search("spans", &format!("{:#?}", collector.spans()));
    }
    // What nobody was sent could not come back.
    let sent = cage.echo.seen();
    for canary in [
        "canary-http-header",
        "canary-env-header",
        "canary-http-query",
        "canary-http-body",
        "canary-http-answer",
        "canary-tcp-send",
        &base64("canary-http-user:canary-http-password"),
    ] {
        assert!(sent.contains(canary), "{canary} never reached the server:\n{sent}");
    }
}

#[test]
fn no_secret_is_printed() {
    let cage = Cage::new();
    for args in [
        &["config", "show"][..],
        &["config", "check"],
        &["check"],
        &["check", "--format", "json"],
        &["check", "pg_url", "http_user"],
    ] {
        let done = args.iter().fold(cage.launch(), |launch, arg| launch.arg(*arg)).run();
        assert!(!done.stdout.is_empty(), "{args:?}: {}", done.stderr);
        cage.search(&format!("{args:?}"), &(done.stdout + &done.stderr));
    }
}

#[test]
fn no_secret_is_quoted_out_of_a_configuration_that_is_wrong() {
    let postgres = "kind: postgres, url: 'postgres://u@h/db'";
    for config in [
        format!("checks: {{ a: {{ {postgres}, password: [canary-x] }} }}"),
        format!("checks: {{ a: {{ {postgres}, password: {{ x: canary-x }} }} }}"),
        format!("checks: {{ a: {{ {postgres}, password: '${{SECRET}}-${{UNSET}}' }} }}"),
        format!("checks: {{ a: {{ {postgres}, password_file: '${{SECRET}}' }} }}"),
        format!("checks: {{ a: {{ {postgres}, pasword: canary-x }} }}"),
        "checks:\n  a:\n    kind: postgres\n    password: canary-x\n    password: canary-x\n".to_owned(),
        format!("checks: {{ a: {{ {postgres}, interval: '${{SECRET}}', groups: ['${{SECRET}}'] }} }}"),
        format!("checks: {{ a: {{ {postgres}, criticality: '${{SECRET}}', breaker: '${{SECRET}}' }} }}"),
        format!("checks: {{ a: {{ {postgres}, timeout: 'postgres://u:canary-x@h/db' }} }}"),
        "checks: { a: { kind: postgres, url: canary-x } }".to_owned(),
        "checks: { a: { kind: postgres, url: 'mysql://u:canary-x@h/db' } }".to_owned(),
        "checks: { a: { kind: postgres, url: 'postgres://u:canary-x@h:port/db' } }".to_owned(),
        "checks: { a: { kind: postgres, url: 'postgres://u:canary-x@h/db?sslmode=canary-x' } }".to_owned(),
        "checks: { a: { kind: postgres, url: 'postgres://u:ca/canary-x@h/db' } }".to_owned(),
        "checks: { a: { kind: postgres, url: ['postgres://u:canary-x@h/db'] } }".to_owned(),
        "checks: { a: { kind: http, url: 'ftp://u:canary-x@h/' } }".to_owned(),
        "checks: { a: { kind: http, url: 'http://h/', headers: canary-x } }".to_owned(),
        "checks: { a: { kind: http, url: 'http://h/', headers: [canary-x] } }".to_owned(),
        "checks: { a: { kind: http, url: 'http://h/', headers: { a: [canary-x] } } }".to_owned(),
        "checks: { a: { kind: http, url: 'http://h/', headers: { a: \"canary-x\\n\" } } }".to_owned(),
        "checks: { a: { kind: http, url: 'http://h/', body: { a: canary-x } } }".to_owned(),
        "checks: { a: { kind: http, url: 'http://h/', proxy: 'socks9://u:canary-x@h/' } }".to_owned(),
        "checks: { a: { kind: tcp, address: 'u:canary-x@h:1' } }".to_owned(),
        "checks: { a: { kind: tcp, address: 'h:1', send: [canary-x] } }".to_owned(),
        "checks: { a: 'postgres://u:canary-x@h/db' }".to_owned(),
        "checks: { a: { kind: 'postgres://u:canary-x@h/db' } }".to_owned(),
        "checks: 'postgres://u:canary-x@h/db'".to_owned(),
        "'postgres://u:canary-x@h/db'".to_owned(),
        "checks: { a: { kind: '${SECRET}' } }".to_owned(),
        "listen: '${SECRET}'\nlog: { level: '${SECRET}' }\nstop: '${SECRET}'\n".to_owned(),
        "checks: { a: { kind: postgres, url: 'postgres://u:canary-x@h/db } }".to_owned(),
        "checks:\n  a:\n    password: \"canary-x\n".to_owned(),
        "checks:\n  a:\n    password: canary-x: canary-x\n".to_owned(),
        "checks:\n  a:\n    password: @canary-x\n".to_owned(),
        "checks:\n  a:\n    password: *canary-x\n".to_owned(),
        "checks:\n  a:\n    password: !canary-x x\n".to_owned(),
        "checks:\n  a:\n\tpassword: canary-x\n".to_owned(),
    ] {
        let done = Launch::new(&config).env("SECRET", "canary-x").arg("config").arg("check").run();
        assert!(!done.status.success(), "this should be wrong: {config}");
        assert!(done.stderr.contains("vitalsign.yaml:"), "{config}\n{}", done.stderr);
        assert!(!(done.stdout + &done.stderr).contains(CANARIES), "{config}\n{}", done.stderr);
    }
}

#[test]
fn no_secret_is_quoted_out_of_the_environment() {
    for (name, value) in [
        ("DATABASE_URL", "canary-x"),
        ("DATABASE_URL", "user:canary-x@host/db"),
        ("DATABASE_URL", "mysql://user:canary-x@host/db"),
        ("DATABASE_URL", "postgres://user:canary-x@host:port/db"),
        ("REDIS_URL", "canary-x@host:6379"),
        ("REDIS_URL", "redis://:canary-x@host:port"),
        ("AMQP_URL", "canary-x:canary-x@host"),
        ("DATABASE_URL", "postgres://user:12/canary-x@host/db"),
        ("DATABASE_URL", "postgres://user:p@canary-x/34@host/db"),
        ("REDIS_URL", "redis://:1@canary-x/34@cache/0"),
        ("AMQP_URL", "amqp://user:12@canary-x/34@mq/shop"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:p@canary-x/34@collector:4318"),
    ] {
        for action in ["check", "show"] {
            let done = Launch::without_config().env(name, value).arg("config").arg(action).run();
            let said = done.stdout + &done.stderr;
            assert!(!said.is_empty(), "{name}={value}");
            assert!(!said.contains(CANARIES), "{name}={value}: {said}");
        }
    }
}

#[test]
fn a_password_that_looks_like_a_host_is_refused_with_a_hint() {
    for config in [
        "checks: { a: { kind: postgres, url: 'postgres://u:p@canary-x/34@h/db' } }",
        "checks: { a: { kind: redis, url: 'redis://:p@canary-x/34@h/0' } }",
        "checks: { a: { kind: amqp, url: 'amqp://u:p@canary-x/34@h/shop' } }",
        "checks: { a: { kind: http, url: 'https://u:p@canary-x/34@h/' } }",
        "checks: { a: { kind: http, url: 'https://h/', proxy: 'http://u:p@canary-x/34@h/' } }",
    ] {
        let done = Launch::new(config).arg("config").arg("check").run();
        assert!(!done.status.success(), "{config}");
        assert!(done.stderr.contains("percent-encode"), "{config}\n{}", done.stderr);
        assert!(!(done.stdout + &done.stderr).contains(CANARIES), "{config}");
    }
}

#[test]
fn a_user_whose_name_is_a_word_of_ours_leaves_no_gap_in_our_sentences() {
    let port = Echo::start().port();
    let config =
        format!("checks: {{ a: {{ kind: http, url: 'http://status:expected@127.0.0.1:{port}/500' }} }}");
    let done = Launch::new(&config).arg("check").arg("--format=json").run();
    assert!(done.stdout.contains("\"status 500, expected 2xx\""), "{}{}", done.stdout, done.stderr);
}

#[test]
fn the_message_of_a_panic_is_not_printed() {
    let open = child("panics_in_the_open");
    assert!(open.contains("canary-panic"), "without the hook the message is printed:\n{open}");
    let hidden = child("panics_in_hiding");
    assert!(!hidden.contains(CANARIES), "{hidden}");
    assert!(hidden.contains("a panic was caught") && hidden.contains("canary.rs"), "{hidden}");
    assert!(hidden.contains("the check panicked"), "{hidden}");
}

#[test]
#[ignore = "run by the_message_of_a_panic_is_not_printed"]
fn panics_in_the_open() {
    panics();
}

#[test]
#[ignore = "run by the_message_of_a_panic_is_not_printed"]
fn panics_in_hiding() {
    telemetry::report_panics(|_| {});
    panics();
}

/// An agent with a check that panics over a secret; prints what it serves.
fn panics() {
    let store = Store::new();
    let queue = telemetry::Queue::to_standard_error(&store).unwrap();
    telemetry::init(
        tracing::level_filters::LevelFilter::TRACE,
        telemetry::Format::Logfmt,
        queue.clone(),
        &store,
        telemetry::Listeners::default(),
    )
    .unwrap();
    let mut plan = Plan { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Plan::default() };
    plan.add(check("panics", async || assert!(ports::free() == 0, "canary-{}", "panic"))).unwrap();
    let engine = Engine::start(plan, &store).unwrap();
    let page = eventually("the panic", SOON, || {
        let page = http::get(engine.addresses()[0], "/health?verbose").text().to_owned();
        if page.contains("panicked") { Ok(page) } else { Err(page) }
    });
    #[expect(clippy::print_stdout, reason = "for the test that runs this one")]
    {
        println!("{page}{}", http::get(engine.addresses()[0], "/metrics").text());
    }
    queue.flush(None);
}

/// Everything that one of the tests above prints, run in a process of its own.
fn child(test: &str) -> String {
    let mut command = Command::new("/bin/sh");
    let itself = std::env::current_exe().unwrap();
    command
        .args(["-c", r#""$0" --ignored --exact --nocapture "$1" 2>&1"#])
        .arg(itself)
        .arg(format!("canary::{test}"));
    output(command)
}

/// Waits until every check has the reason that it should have.
fn settled(agent: &Agent, cage: &Cage) {
    let expected = cage.checks();
    eventually("the expected reasons", SOON, || {
        let health = agent.health();
        for (name, reason, _) in &expected {
            let check = &health["checks"][name];
            if check["reason"].as_str() != *reason || check["latency_ms"].is_null() {
                return Err(format!("{name}: {check:#}"));
            }
        }
        Ok(())
    });
}

/// Searches the answer in each of its forms.
fn serve(cage: &Cage, agent: &Agent, path: &str) {
    for accept in ["application/json", "application/health+json", "text/plain"] {
        let answer = http::get_with(agent.addr(), path, &[("accept", accept)]);
        let head: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        cage.search(&format!("{path} as {accept}"), &(head + answer.text()));
    }
}

/// As HTTP sends user name and password.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in (3 - chunk.len()..4).rev().take(chunk.len() + 1) {
            out.push(char::from(DIGITS[bits >> (6 * place) & 63]));
        }
    }
    out
}
