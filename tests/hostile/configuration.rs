//! The configuration as input. The rule of every case: whatever stands in a configuration, in a file that it names or in a
//! variable of the environment, it is read or refused with a reason, in a time and with memory that have a bound.

use std::fs;

use tempfile::TempDir;

use crate::harness::agent::{Finished, Launch};

/// The exit code for a configuration that cannot be used.
const REFUSED: i32 = 78;
/// How much address space a look at a configuration may take, in KiB: the program itself has a tenth of it.
const MEMORY: u64 = 1 << 20;
/// After how many seconds one counts as hanging.
const PATIENCE: u32 = 180;

/// `config check` of these bytes, in bounds.
fn judged(config: impl AsRef<[u8]>) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vitalsign.yaml");
    fs::write(&file, config).unwrap();
    bounded(Launch::without_config().arg(format!("--config.file={}", file.display())), "exec")
}

/// The same for another launch; `how` begins the command, or is a pipe into it.
fn bounded(launch: Launch, how: &str) -> Finished {
    let binary = env!("CARGO_BIN_EXE_vitalsign");
    let command = format!("{how} timeout --signal=KILL {PATIENCE} {binary} config check \"$@\"");
    launch.stand_in(&format!("ulimit -v {MEMORY} -c 0\n{command}\n")).run()
}

/// What is said of a configuration that is refused.
#[track_caller]
fn refused(finished: &Finished) -> &str {
    let start: String = finished.stderr.chars().take(2_000).collect();
    assert_eq!(finished.status.code(), Some(REFUSED), "{:?}: {start}", finished.status);
    assert!(finished.stderr.len() < 400_000, "{} bytes are said, such as {start}", finished.stderr.len());
    let steers = |c: char| c.is_control() && c != '\n';
    assert!(!finished.stderr.contains(steers), "steers the terminal: {start:?}");
    &finished.stderr
}

#[track_caller]
fn refuses(config: impl AsRef<[u8]>, why: &str) {
    let finished = judged(config);
    let said = refused(&finished);
    assert!(said.contains(why), "wanted {why:?} in {said:.2000}");
}

fn pipe(folder: &TempDir) -> String {
    let path = folder.path().join("pipe");
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
    path.display().to_string()
}

/// Lines without end, from numbers.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// A parser must not descend as deep as a text asks for: the stack ends, and the process with it.
#[cfg(feature = "http")]
#[test]
fn a_deep_jsonpath_is_refused_and_ends_nothing() {
    let check = |path: &str| {
        format!("checks:\n  a: {{ kind: http, url: 'http://a/', expect: {{ json: {{ {path}: ok }} }} }}\n")
    };
    for length in [20_000, 1_000, 40] {
        let deep = format!("'$[?{}@.a{}]'", "(".repeat(length), ")".repeat(length));
        let why = if length > 40 { "is longer than 4 KiB" } else { "filters and parentheses" };
        refuses(check(&deep), if length > 1_000 { why } else { "has more than 16 filters and parentheses" });
        refuses(check(&format!("'$[?{}'", "length(".repeat(length))), why);
        refuses(check(&format!("'$[?{}'", "@[?".repeat(length))), "");
    }
    refuses(check("'$..*..*..*'"), "`..` more than once");
    refuses(check("'$[\"\\u'"), "a string in it has no closing quote");
}

/// A text to look for is compiled: that takes memory by its length.
#[cfg(feature = "http")]
#[test]
fn a_long_or_deep_pattern_is_refused() {
    let check = |pattern: &str| {
        format!("checks:\n  a: {{ kind: http, url: 'http://a/', expect: {{ body: '{pattern}' }} }}\n")
    };
    refuses(check(&"x".repeat(1 << 20)), "is longer than 16 KiB");
    refuses(check(&format!("/{}x{}/", "(".repeat(5_000), ")".repeat(5_000))), "not a regular expression");
    refuses(check("/((((a{1000}){1000}){1000}){1000})/"), "not a regular expression");
    let pattern = format!("checks:\n  a: {{ kind: process, pattern: '{}' }}\n", "x".repeat(1 << 20));
    refuses(pattern, "expected a regular expression");
}

/// Nobody waits for what a pipe or a device may never give: a value, a secret and a certificate come out of regular files.
#[test]
fn a_file_that_is_none_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe(&folder);
    for path in [pipe.as_str(), "/dev/zero", "/dev/stdin", "/dev/tty"] {
        let config = format!("service: '${{file:{path}}}'\n");
        let said = judged(config);
        let said = refused(&said);
        assert!(said.contains("is not a regular file") || said.contains("cannot be read"), "{said}");
    }
    refuses(format!("service: '${{file:{}}}'\n", folder.path().display()), "is a folder");
    let certificate = |setting: &str, path: &str| {
        format!("checks:\n  a: {{ kind: redis, url: 'rediss://a', {setting}: '{path}' }}\n")
    };
    if cfg!(feature = "redis") {
        for path in [pipe.as_str(), "/dev/zero"] {
            for setting in ["ca_file", "cert_file", "key_file", "password_file"] {
                refuses(certificate(setting, path), "is not a regular file");
            }
        }
        let large = folder.path().join("large.pem");
        fs::write(&large, vec![b'\n'; 2 << 20]).unwrap();
        refuses(certificate("ca_file", large.to_str().unwrap()), "is larger than 1 MiB");
        refuses(certificate("password_file", large.to_str().unwrap()), "is larger than 64 KiB");
    }
    if cfg!(feature = "postgres") {
        for parameter in ["sslrootcert", "sslcert", "sslkey"] {
            let url = format!("postgres://a/b?sslmode=verify-full&{parameter}={pipe}");
            refuses(format!("checks: {{ a: {{ kind: postgres, url: '{url}' }} }}\n"), "not a regular file");
        }
    }
    if cfg!(feature = "otlp") {
        let config = format!("otlp: {{ endpoint: 'http://a:4318', ca_file: '{pipe}' }}\n");
        refuses(config, "is not a regular file");
    }
}

/// The configuration itself may come through a pipe; no more of it is read than a configuration may have.
#[test]
fn a_configuration_through_a_pipe_is_read_and_an_endless_one_refused() {
    let through =
        |how: &str, file: &str| bounded(Launch::without_config().arg(format!("--config.file={file}")), how);
    let finished = through("printf 'checks: { a: { kind: cpu } }' |", "/dev/stdin");
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!(finished.stdout, "the configuration is good: 1 check\n");
    let slow = "{ printf 'checks:\\n'; sleep 0.3; printf '  a: { kind: cpu }\\n'; } |";
    assert!(through(slow, "/dev/stdin").status.success());

    let finished = through("yes |", "/dev/stdin");
    assert_eq!(refused(&finished), "/dev/stdin: is larger than 16 MiB\n");
    let finished = through("exec", "/dev/zero");
    assert_eq!(refused(&finished), "/dev/zero: is not a regular file or pipe\n");
    let finished = through("exec", "/");
    assert!(refused(&finished).starts_with("/: cannot be read: "), "{}", finished.stderr);

    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.yaml");
    // Larger than memory, and none of it on the disk.
    fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    let finished = through("exec", large.to_str().unwrap());
    assert!(refused(&finished).ends_with(": is larger than 16 MiB\n"), "{}", finished.stderr);
}

/// However much is wrong, the first problems are told, the others counted, and neither takes long.
#[test]
fn a_million_problems_are_a_hundred_and_a_number() {
    let finished = judged(lines(1_000_000, |n| format!("k{n}: 1\n")));
    let said = refused(&finished);
    let unknown = said.matches(": unknown key\n").count();
    assert_eq!(unknown, 100, "{said:.2000}");
    assert!(said.ends_with(": and 999900 more\n"), "{}", said.lines().last().unwrap_or_default());

    let finished =
        judged(format!("checks:\n{}", lines(20_000, |n| format!(" c{n}: {{ kind: cpu, k: 1 }}\n"))));
    let said = refused(&finished);
    assert_eq!(said.matches(": unknown key\n").count(), 100, "{said:.2000}");
    assert!(said.ends_with(": and 19900 more\n"), "{}", said.lines().last().unwrap_or_default());
}

/// What is longer than anybody writes is refused before it takes memory and time.
#[test]
fn size_has_a_bound_wherever_there_is_room() {
    refuses(
        format!("checks:\n{}", lines(110_000, |n| format!(" c{n}: {{ kind: cpu }}\n"))),
        "more than 100000 entries",
    );
    refuses(
        format!("checks: {{ a: {{ kind: cpu, groups: [{}] }} }}", "a,".repeat(1 << 17)),
        "more than 1000 entries",
    );
    refuses(format!("resource: {{ {} }}", lines(50_000, |n| format!("k{n}: v, "))), "more than 1000 entries");
    let many = lines(90_000, |n| format!(" c{n}: {{ kind: cpu, affects: [a,a,a,a,a,a,a,a,a,a] }}\n"));
    refuses(format!("checks:\n{many}"), "more than 1000000 values");
    refuses(format!("service: {}", "x".repeat(2 << 20)), "service: is longer than 1 MiB");
    refuses(format!("{}: 1", "x".repeat(1 << 20)), "");
    refuses(format!("? {}\n: 1", "x".repeat(2 << 20)), "is longer than 1 MiB");
    refuses(format!("service: {}", "${A:-xxxxxxxx}".repeat(70_000)), "has more than 100 references");
    refuses(format!("service: '{}'", "$$".repeat(8 << 20)), "larger than 16 MiB");
    let both = format!(
        "defaults: {{ affects: [{}] }}\nchecks:\n{}",
        "a,".repeat(100),
        lines(20_000, |n| format!(" c{n}: {{ kind: cpu }}\n"))
    );
    refuses(both, "too much to stand in every check");
}

/// Nesting and repetition have a bound: neither the stack nor memory ends.
#[test]
fn what_is_nested_or_repeated_without_end_is_refused() {
    for open in ["[", "{a: ", "[{a: "] {
        refuses(open.repeat(1 << 18), "nested");
        refuses(open.repeat(100), "nested");
    }
    refuses(lines(5_000, |n| format!("{}a:\n", " ".repeat(n))), "is nested deeper than 64 levels");
    refuses("- ".repeat(1 << 20), "is nested deeper than 64 levels");
    refuses("? ".repeat(1 << 20), "");
    refuses(format!("service: {}", "${A:-".repeat(200_000)), "");
    let mut laughs = "a0: &a0 [lol]\n".to_owned();
    laughs.extend((1..40).map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(10))));
    refuses(laughs, "anchors and aliases repeat too much");
    let large = format!("a: &a \"{}\"\nb: [{}]", "x".repeat(1 << 19), "*a,".repeat(100_000));
    refuses(large, "anchors and aliases repeat too much");
    refuses("a: &a [*a]", "an alias cannot stand inside the value that it repeats");
}

/// Bytes that are no text are told where they are; what other systems make of a text is read.
#[test]
fn texts_of_any_encoding_are_read_or_refused() {
    refuses(b"service: \xff\xfe", "1:10: is not UTF-8 text");
    refuses(b"\xff\xfec\0h\0e\0c\0k\0s\0:\0", "is not UTF-8 text");
    refuses(b"service: a\0b", "1:11: has a NUL character");
    refuses("service: '${file:a\0b}'", "has a NUL character");
    refuses("service: \"${file:a\\0b}\"", "cannot be read");
    let good = judged("\u{feff}checks:\r\n  a: { kind: cpu }\r\n");
    assert!(good.status.success(), "{}", good.stderr);
}

/// A message is one that a terminal shows, whatever somebody put into the file, its name or a variable.
#[test]
fn no_message_steers_the_terminal() {
    let steer = "\\e]0;owned\\a\\e[31m\u{202e}";
    for config in [
        format!("\"{steer}\": 1"),
        format!("listen: \"{steer}\""),
        format!("log: {{ level: \"{steer}\" }}"),
        format!("checks: {{ \"{steer}\": {{ kind: \"{steer}\" }} }}"),
        format!("service: \"${{file:{steer}}}\""),
        format!("service: \"${{{steer}}}\""),
        format!("service: \"${{A:-{steer}${{\""),
        format!("checks: {{ a: {{ kind: http, url: \"{steer}\", expect: {{ body: \"/{steer}(/\" }} }} }}"),
        format!(
            "checks: {{ a: {{ kind: http, url: 'http://a', expect: {{ json: {{ \"$.{steer}(\": 1 }} }} }} }}"
        ),
        format!("checks: {{ a: {{ kind: postgres, url: 'postgres://a/b', \"x{steer}\": 1 }} }}"),
        "service: \u{1b}]0;owned\u{7}".to_owned(),
        "service: \u{9b}31m".to_owned(),
        "\u{1b}[2J: [".to_owned(),
    ] {
        let finished = judged(&config);
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!finished.stderr.contains(steers), "{config:?}: {:?}", finished.stderr);
    }
    let finished = bounded(Launch::without_config().arg("--config.file=/none/\u{1b}[2J\n\u{1b}[31m"), "exec");
    assert!(refused(&finished).contains("\\u{1b}[2J"), "{}", finished.stderr);
}

/// A machine's variables are ignored where they are wrong, however long they are.
#[cfg(feature = "otlp")]
#[test]
fn long_lists_in_the_environment_are_ignored() {
    let long: String = lines(12_000, |n| format!("k{n}=v,"));
    for name in ["OTEL_RESOURCE_ATTRIBUTES", "OTEL_EXPORTER_OTLP_HEADERS"] {
        let launch = Launch::new("checks: { a: { kind: cpu } }").env(name, &long);
        let launch = launch.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
        let finished = bounded(launch, "exec");
        assert!(finished.status.success(), "{}", finished.stderr);
        assert!(finished.stderr.contains(name) && finished.stderr.len() < 2_000, "{}", finished.stderr);
    }
}
