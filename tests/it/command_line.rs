//! What can be done on the command line beside running: check once, look at a configuration, ask an endpoint.

use std::net::TcpListener;

use serde_json::Value;
use vitalsign::checks;

use crate::harness::{
    agent::{Agent, Finished, Launch},
    eventually::eventually,
    ports,
};

const SOON: std::time::Duration = std::time::Duration::from_secs(60);

/// A port that is listened on and one that is not, and a configuration with a check of each criticality.
fn configuration() -> (TcpListener, String) {
    let up = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (open, closed) = (up.local_addr().unwrap(), ports::free());
    let config = format!(
        "service: orders\nchecks:\n  db: {{ kind: tcp, address: '{open}', criticality: critical }}\n  cache: {{ kind: \
         tcp, address: '127.0.0.1:{closed}' }}\n  mail: {{ kind: tcp, address: '127.0.0.1:{closed}', criticality: \
         critical }}\n"
    );
    (up, config)
}

fn check(config: &str, args: &[&str]) -> Finished {
    args.iter().fold(Launch::new(config).arg("check"), |launch, arg| launch.arg(*arg)).run()
}

#[test]
fn check_tells_by_its_exit_code_how_things_stand() {
    let (_up, config) = configuration();
    for (names, code) in [
        (&["db"][..], 0),
        (&["cache"], 2),
        (&["mail"], 2),
        (&["db", "cache"], 2),
        (&[], 2),
        (&["none"], 3),
        (&["db", "none"], 3),
    ] {
        let finished = check(&config, names);
        assert_eq!(finished.status.code(), Some(code), "{names:?}: {finished:?}");
    }
    let degraded = config.replace("criticality: critical", "criticality: degrading");
    assert_eq!(check(&degraded, &[]).status.code(), Some(1));
    let nothing = config.replace("criticality: critical", "criticality: informational");
    assert_eq!(check(&nothing, &["db"]).status.code(), Some(0));
    assert_eq!(check("checks: {}", &[]).status.code(), Some(0));
    assert_eq!(check("checks: [", &[]).status.code(), Some(3));
}

#[test]
fn check_prints_a_table_for_people() {
    let (_up, config) = configuration();
    let finished = check(&config, &[]);
    assert_eq!(finished.stderr, "");
    let rows: Vec<Vec<&str>> =
        finished.stdout.lines().map(|line| line.split_ascii_whitespace().collect()).collect();
    let [header, cache, db, mail] = rows.as_slice() else { panic!("{}", finished.stdout) };
    assert_eq!(header, &["CHECK", "KIND", "STATUS", "LATENCY", "DETAILS"]);
    assert_eq!(cache[..3], ["cache", "tcp", "unhealthy"]);
    assert_eq!(cache[5..], ["connection", "refused"]);
    assert_eq!(db[..3], ["db", "tcp", "healthy"]);
    assert_eq!((db[4], db.len()), ("ms", 5));
    assert_eq!(mail[2], "unhealthy");
    let column = |line: &str, word: &str| line.find(word).unwrap();
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(column(lines[0], "STATUS"), column(lines[1], "unhealthy"));
    assert_eq!(column(lines[0], "STATUS"), column(lines[2], "healthy"));

    let named = check(&config, &["db"]);
    assert_eq!(named.stdout.lines().count(), 2, "{}", named.stdout);
}

#[test]
fn check_prints_json_for_programs() {
    let (_up, config) = configuration();
    let finished = check(&config, &["--format=json", "db", "mail"]);
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&document["status"], &document["service"]), (&"unhealthy".into(), &"orders".into()));
    assert_eq!(document["checks"]["db"]["status"], "healthy");
    assert_eq!(document["checks"]["mail"]["reason"], "connection_refused");
    assert!(document["checks"].get("cache").is_none());
}

#[test]
fn check_knows_no_hysteresis_and_names_what_is_unknown() {
    let (_up, config) = configuration();
    assert_eq!(
        check(&config.replace("kind: tcp", "fail_after: 100, kind: tcp"), &["mail"]).status.code(),
        Some(2)
    );
    let finished = check(&config, &["dbx"]);
    assert!(finished.stderr.contains("no check is called \"dbx\""), "{}", finished.stderr);
    assert_eq!(finished.stdout, "");
}

#[test]
fn check_ends_although_a_dependency_hangs() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let config = format!(
        "checks: {{ mail: {{ kind: tcp, address: '{}', expect: '220', timeout: 200ms }} }}",
        silent.local_addr().unwrap()
    );
    let finished = check(&config, &[]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stdout.contains("no answer within the time limit"), "{}", finished.stdout);
}

/// What no part of a command catches is told before it ends. A thread that asks for more memory than there is makes the
/// runtime panic, in every command that has one.
#[test]
fn a_panic_that_ends_a_command_prints_its_message() {
    let with = |more: &str, action: &str| {
        let config = format!("checks: {{}}\n{more}");
        let finished = Launch::new(&config).env("RUST_MIN_STACK", "70368744177664").arg(action).run();
        assert_eq!(finished.status.code(), Some(101), "{finished:?}");
        assert_eq!(finished.stdout, "");
        finished.stderr
    };
    let said = with("", "check");
    assert!(said.starts_with("a panic at ") && said.ends_with(": this is a defect, report it\n"), "{said}");
    assert!(said.contains(".rs:") && said.contains("spawn worker thread"), "{said}");
    let said = with("", "run");
    assert!(said.contains(" level=error ") && said.contains("spawn worker thread"), "{said}");
    let said = with("log: { format: json }", "run");
    let line: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(line["message"], "a panic ends this process: this is a defect, report it");
    assert!(line["error"].as_str().unwrap().contains("spawn worker thread"), "{said}");
}

#[test]
fn config_check_says_yes_or_what_is_wrong() {
    let finished = Launch::new("checks: { full: { kind: disk } }").arg("config").arg("check").run();
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""));
    assert_eq!(finished.stdout, "the configuration is good: 1 check\n");
    let finished = Launch::new("checks: { full: { kind: disc } }").arg("config").arg("check").run();
    assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(78), ""));
    assert!(finished.stderr.contains("did you mean `disk`?"), "{}", finished.stderr);
}

#[test]
fn config_show_prints_what_is_in_effect_and_no_secret() {
    let config = "checks:\n  mail: { kind: tcp, address: '${MAIL}', send: '${SEND}', expect: ok }\n";
    let show =
        Launch::new(config).env("MAIL", "mail:25").env("SEND", "canary").arg("config").arg("show").run();
    assert_eq!(show.status.code(), Some(0), "{}", show.stderr);
    for wanted in ["address: mail:25  # line 2, from ${MAIL}", "send: <secret>", "timeout: 5s  # default"] {
        assert!(show.stdout.contains(wanted), "{wanted}: {}", show.stdout);
    }
    assert!(!show.stdout.contains("canary"), "{}", show.stdout);
}

/// What it prints is where people begin, so it is a good configuration, with every kind.
#[test]
fn config_example_is_a_good_configuration() {
    let example = Launch::without_config().arg("config").arg("example").run();
    assert_eq!((example.status.code(), example.stderr.as_str()), (Some(0), ""));
    for kind in checks::KINDS {
        assert!(example.stdout.contains(&format!("kind: {}\n", kind.name())), "{}", example.stdout);
    }
    let mut launch = Launch::new(&example.stdout).arg("config").arg("check");
    for name in variables(&example.stdout) {
        launch = launch.env(&name, "postgres://orders:secret@db.internal/orders");
    }
    let good = launch.run();
    assert_eq!(good.status.code(), Some(0), "{}\n{}", good.stderr, example.stdout);
}

/// Every key of a kind or a section, with what it means; what it prints for a kind can be run.
#[test]
fn config_example_explains_a_kind_or_a_section() {
    let example = |topic: &str| Launch::without_config().arg("config").arg("example").arg(topic).run();
    let disk = example("disk");
    assert_eq!((disk.status.code(), disk.stderr.as_str()), (Some(0), ""));
    for wanted in [
        "    # a path on the file system to measure (path; default /)\n    path: /var/lib\n",
        "    # time from one planned run to the next (duration; default 15s)\n    #interval: 15s\n",
        "    thresholds: { usage_ratio: { warn: 0.9, fail: 0.97 } }\n",
        "      # measured: `usage_ratio`\n",
    ] {
        assert!(disk.stdout.contains(wanted), "{wanted}{}", disk.stdout);
    }
    let good = Launch::new(&disk.stdout).arg("config").arg("check").run();
    assert_eq!(good.stdout, "the configuration is good: 1 check\n", "{}", good.stderr);
    let section = example("collectors");
    assert!(section.stdout.contains("#root_path: /"), "{}", section.stdout);
    let none = example("ram");
    assert_eq!((none.status.code(), none.stdout.as_str()), (Some(64), ""));
    assert!(none.stderr.contains("did you mean \"memory\"?"), "{}", none.stderr);
}

#[test]
fn what_holds_for_all_checks_is_said_once() {
    let config = "defaults: { interval: 30s, kinds: { cpu: { timeout: 2s, thresholds: { usage_ratio: { fail: 99% } } } } }\n\
                  checks:\n  a: { kind: cpu }\n  b: { kind: memory, interval: 1m }\n";
    let (_, shown) = shown(Launch::new(config));
    let of = |check: &str| {
        let lines = shown.stdout.lines().skip_while(|line| line.trim_end() != format!("  {check}:"));
        lines.skip(1).take_while(|line| line.starts_with("    ")).collect::<Vec<_>>().join("\n")
    };
    let (a, b) = (of("a"), of("b"));
    for wanted in ["interval: 30s  # line 1", "timeout: 2s  # line 1", "fail: 0.99  # line 1"] {
        assert!(a.contains(wanted), "{wanted}: {a}");
    }
    assert!(b.contains("interval: 1m  # line 4") && b.contains("timeout: 5s  # default"), "{b}");
}

/// The environment variables that a configuration names, its comments left out.
fn variables(config: &str) -> Vec<String> {
    let lines = config.lines().filter(|line| !line.trim_start().starts_with('#'));
    let begun = lines.flat_map(|line| line.split("${").skip(1));
    begun
        .filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()))
        .filter(|name| !name.contains(':'))
        .collect()
}

#[test]
fn healthcheck_asks_an_endpoint() {
    let (_up, config) = configuration();
    let agent = Agent::start(&config);
    eventually("a verdict", SOON, || agent.health()["checks"]["mail"]["status"] == "unhealthy");
    let ask = |url: String| Launch::without_config().arg("healthcheck").arg(url).run();
    let live = ask(format!("http://{}/health/live", agent.addr()));
    assert_eq!((live.status.code(), live.stderr.as_str()), (Some(0), ""));
    assert!(live.stdout.contains("\"status\": \"healthy\""), "{}", live.stdout);
    let ready = ask(format!("http://{}/health/ready?verbose", agent.addr()));
    assert_eq!(ready.status.code(), Some(1));
    assert!(ready.stderr.contains("status 503") && ready.stderr.contains("[-] mail"), "{}", ready.stderr);

    for (url, code, wanted) in [
        (format!("http://127.0.0.1:{}/", ports::free()), 1, "no answer from 127.0.0.1:"),
        ("https://127.0.0.1/".to_owned(), 64, "cannot ask over https"),
        ("nowhere".to_owned(), 64, "not a url"),
    ] {
        let refused = ask(url);
        assert_eq!(refused.status.code(), Some(code));
        assert!(refused.stderr.contains(wanted), "{wanted}: {}", refused.stderr);
    }
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let late = Launch::without_config().arg("healthcheck").arg("--timeout=1").arg(url).run();
    assert_eq!(late.status.code(), Some(1), "{late:?}");
}

#[test]
fn healthcheck_asks_where_the_configuration_says_that_the_agent_listens() {
    let port = ports::free();
    let config = |port: u16| format!("listen: ':{port}'\nchecks: {{ full: {{ kind: disk }} }}\n");
    let agent = Launch::new(&config(port)).listening_as_configured().start();
    let ask = |launch: Launch| launch.arg("healthcheck").run();
    let live = ask(Launch::new(&config(port)).listening_as_configured());
    assert_eq!((live.status.code(), live.stderr.as_str()), (Some(0), ""));
    // A file that was spoiled while the agent runs makes the agent no worse.
    let spoiled = ask(Launch::new(&config(port).replace("disk", "disc")).listening_as_configured());
    assert_eq!(spoiled.status.code(), Some(0), "{spoiled:?}");
    let flag = Launch::new(&config(1)).listening_as_configured();
    assert_eq!(ask(flag.arg(format!("--web.listen-address={}", agent.addr()))).status.code(), Some(0));

    let elsewhere = ask(Launch::new(&config(ports::free())).listening_as_configured());
    assert_eq!(elsewhere.status.code(), Some(1), "{elsewhere:?}");
    let unusable = ask(Launch::new("listen: nowhere\n").listening_as_configured());
    assert_eq!(unusable.status.code(), Some(78), "{unusable:?}");
    let any = ask(Launch::new("listen: '127.0.0.1:0'\n").listening_as_configured());
    assert_eq!(any.status.code(), Some(64), "{any:?}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let finished = Launch::without_config().arg("--version").run();
    assert_eq!(finished.status.code(), Some(0));
    assert_eq!(finished.stdout, format!("vitalsign {}\n", env!("CARGO_PKG_VERSION")));
}

/// The names of the checks in `config show`, with what is said about them.
fn shown(launch: Launch) -> (Vec<String>, Finished) {
    let finished = launch.arg("config").arg("show").run();
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    let checks = finished.stdout.lines().skip_while(|line| *line != "checks:");
    let names = checks.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let names = names.filter(|name| !name.starts_with(' ')).map(str::to_owned).collect();
    (names, finished)
}

#[test]
fn without_a_file_it_checks_this_machine() {
    let (mut names, _) = shown(Launch::without_config());
    names.sort();
    assert_eq!(names, ["cpu", "disk", "memory"]);
    let finished = Launch::without_config().arg("check").arg("--format=json").run();
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    for name in ["cpu", "disk", "memory"] {
        assert_eq!(document["checks"][name]["criticality"], "degrading", "{document}");
        assert!(document["checks"][name]["details"]["usage_ratio"].is_number(), "{document}");
    }
}

#[test]
fn and_what_the_environment_names() {
    let port = ports::free();
    let all = [
        ("DATABASE_URL", "postgres", "database"),
        ("REDIS_URL", "redis", "redis"),
        ("AMQP_URL", "amqp", "amqp"),
    ];
    let known: Vec<_> = all.into_iter().filter(|(_, kind, _)| checks::kind(kind).is_some()).collect();
    assert!(!known.is_empty() || cfg!(not(feature = "postgres")));
    for (variable, kind, name) in known {
        let url = format!("{kind}://user:canary@127.0.0.1:{port}/0");
        let launch = || Launch::without_config().env(variable, &url);
        assert!(shown(launch()).0.contains(&name.to_owned()), "{variable}");
        let finished = launch().arg("check").arg("--format=json").arg(name).run();
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        let document: Value = serde_json::from_str(&finished.stdout).unwrap();
        let check = &document["checks"][name];
        assert_eq!((&check["kind"], &check["criticality"]), (&kind.into(), &"critical".into()));
        assert_eq!(check["reason"], "connection_refused", "{check}");
        assert!(!finished.stdout.contains("canary") && !finished.stderr.contains("canary"), "{finished:?}");
    }
    let (names, finished) =
        shown(Launch::without_config().env("DATABASE_URL", "oracle://user:canary@db/orders"));
    assert!(!names.contains(&"database".to_owned()));
    assert!(finished.stderr.contains("there is no kind for \"oracle\""), "{}", finished.stderr);
    assert!(!finished.stderr.contains("canary"), "{}", finished.stderr);
}
