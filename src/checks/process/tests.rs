//! Processes of a made-up machine, and of this one.

use super::*;
use crate::model::Verdict;

fn check(root: Root, name: Option<&str>, pattern: Option<&str>, least: u32) -> ProcessCheck {
    ProcessCheck {
        root,
        wanted: Wanted {
            name: name.map(str::to_owned),
            pattern: pattern.map(|pattern| Regex::new(pattern).unwrap()),
        },
        least,
        measurement: Name::new("count").unwrap(),
        last: Mutex::default(),
    }
}

fn ask(check: &ProcessCheck) -> (Verdict, f64) {
    let outcome = check.run(&Run::new(Duration::from_secs(20)));
    let shown = format!("{:?} {:?} {:?}", outcome.message, outcome.details, outcome.driver);
    assert!(!shown.contains("topsecret"), "{shown}");
    (outcome.verdict, outcome.measurements[0].1)
}

fn machine(processes: &[(u32, &str, char, &str)]) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    for (pid, name, state, line) in processes {
        let home = folder.path().join("proc").join(pid.to_string());
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("stat"), format!("{pid} ({name}) {state} 1 2 3")).unwrap();
        fs::write(home.join("cmdline"), line.replace(' ', "\0")).unwrap();
    }
    // Has ended between being listed and being read.
    fs::create_dir_all(folder.path().join("proc/99999")).unwrap();
    fs::create_dir_all(folder.path().join("proc/sys")).unwrap();
    let root = Root::new(folder.path());
    (folder, root)
}

const MACHINE: &[(u32, &str, char, &str)] = &[
    (2, "kthreadd", 'S', ""),
    (10, "nginx", 'S', "nginx: master"),
    (11, "nginx", 'R', "nginx: worker"),
    (12, "nginx", 'Z', ""),
    (13, "odd) S (name", 'S', "/usr/bin/odd"),
    (14, "a-name-of-fiftee", 'S', "/opt/a-name-of-fifteen --password=topsecret"),
    (15, "java", 'S', "/usr/bin/java -jar orders.jar --token topsecret"),
    (16, "java", 'S', "/usr/bin/java -jar mail.jar"),
];

#[test]
fn finds_by_name_and_by_command_line() {
    let (_folder, root) = machine(MACHINE);
    for (name, pattern, count) in [
        (Some("nginx"), None, 2.0),
        (Some("odd) S (name"), None, 1.0),
        (Some("odd"), None, 1.0),
        (Some("a-name-of-fifteen"), None, 1.0),
        (Some("java"), Some("orders"), 1.0),
        (None, Some("-jar (orders|mail)\\.jar"), 2.0),
        (None, Some("^/usr/bin/java -jar mail.jar$"), 1.0),
        (None, Some(".*"), 6.0),
        (Some("kthreadd"), None, 1.0),
        (Some("kthreadd"), Some(".*"), 0.0),
        (Some("ngin"), None, 0.0),
    ] {
        let (_, counted) = ask(&check(root.clone(), name, pattern, 1));
        assert_eq!(counted, count, "{name:?} {pattern:?}");
    }
}

#[test]
fn fewer_than_there_should_be_are_a_failure() {
    let (_folder, root) = machine(MACHINE);
    let verdict = |name, least| ask(&check(root.clone(), Some(name), None, least)).0;
    assert_eq!(verdict("nginx", 2), Verdict::Pass);
    assert_eq!(verdict("nginx", 3), Verdict::Fail(Reason::NotFound));
    assert_eq!(verdict("apache", 1), Verdict::Fail(Reason::NotFound));
    assert_eq!(verdict("apache", 0), Verdict::Pass);
}

#[test]
fn walks_at_most_every_two_seconds() {
    let (folder, root) = machine(MACHINE);
    let check = check(root, Some("nginx"), None, 1);
    assert_eq!(ask(&check).1, 2.0);
    fs::remove_dir_all(folder.path().join("proc/10")).unwrap();
    assert_eq!(ask(&check).1, 2.0);
    let (at, _) = check.last.lock().unwrap();
    *check.last.lock() = at.checked_sub(STANDS).map(|at| (at, 2));
    assert_eq!(ask(&check).1, 1.0);
}

#[test]
fn a_machine_without_proc_is_not_one_without_processes() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = check(Root::new(folder.path()), Some("nginx"), None, 1).run(&Run::new(STANDS));
    assert_eq!(outcome.verdict, Verdict::Fail(Reason::Other));
}

/// Asks until the answer is `wanted`, and says what the last one was: what was started shows its own name and arguments
/// only a moment after it began, and what was killed goes only a moment later.
#[cfg(target_os = "linux")]
fn ask_until(wanted: (Verdict, f64), name: &str, pattern: &str) -> (Verdict, f64) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = ask(&check(Root::default(), Some(name), Some(pattern), 1));
        if answer == wanted || Instant::now() > until {
            return answer;
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn finds_a_process_of_this_machine_and_not_itself() {
    // No other run of this test has these arguments.
    let argument = format!("1000.{}", std::process::id());
    let pattern = format!("^sleep {}$", regex::escape(&argument));
    let (one, none) = ((Verdict::Pass, 1.0), (Verdict::Fail(Reason::NotFound), 0.0));
    let mut sleep = std::process::Command::new("sleep").arg(argument).spawn().unwrap();
    let found = ask_until(one, "sleep", &pattern);
    sleep.kill().unwrap();
    // Dead, but nobody has waited for it.
    let dead = ask_until(none, "sleep", &pattern);
    sleep.wait().unwrap();
    assert_eq!(found, one);
    assert_eq!(dead, none);
    // Another test runs this program once more, with other arguments; and what a test starts looks like this process
    // until it has become its own program.
    let own: Vec<String> = std::env::args().collect();
    let name = Path::new(&own[0]).file_name().unwrap().to_str().unwrap();
    let pattern = format!("^{}$", regex::escape(&own.join(" ")));
    assert_eq!(ask_until(none, name, &pattern), none);
}
