//! The collector over made-up lists of interfaces, and over five thousand real ones.

use super::*;
use crate::collect::trial::{Trial, survives};
use crate::model::Reason;

const DEV: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 11185693580 5023283    0    0    0     0          0         0 11185693580 5023283    0    0    0     0       0          0
  eth0: 286541493   11799    3    4    0     0          0         0   794906    7721    5    6    0     0       0          0
eth1:7:4294967296 1 0 0 0 0 0 0 18446744073709551615 1 0 0 0 0 0 0
vethab12: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
";
const PATH: &str = "proc/1/net/dev";

#[test]
fn shows_real_interfaces() {
    let mut trial = Trial::new(&Network, "{}");
    trial.write(PATH, DEV);
    let page = trial.read();
    let eth0 = |name: &str, direction: &str| {
        page.value(&format!(
            "system_network_{name}_total{{network_interface_name=\"eth0\",network_io_direction=\"{direction}\"}}"
        ))
    };
    assert_eq!(eth0("io_bytes", "receive"), Some(286_541_493.0));
    assert_eq!(eth0("io_bytes", "transmit"), Some(794_906.0));
    assert_eq!(eth0("errors", "receive"), Some(3.0));
    assert_eq!(eth0("errors", "transmit"), Some(5.0));
    assert_eq!(eth0("packet_dropped", "receive"), Some(4.0));
    assert_eq!(eth0("packet_dropped", "transmit"), Some(6.0));
    let odd =
        "system_network_io_bytes_total{network_interface_name=\"eth1:7\",network_io_direction=\"receive\"}";
    assert_eq!(page.value(odd), Some(4_294_967_296.0));
    assert_eq!((page.len(), page.errors), (12, vec![]));
}

#[test]
fn shows_what_is_asked_for() {
    let mut trial = Trial::new(&Network, "include: [lo, eth*]\nexclude: ['eth1:*']\n");
    trial.write(PATH, DEV);
    let page = trial.read();
    assert_eq!(page.len(), 12);
    assert_eq!(page.starting_with("system_network_io_bytes_total{network_interface_name=\"lo\""), 2);
}

#[test]
fn a_name_that_is_no_text_is_shown_as_far_as_it_is() {
    let mut trial = Trial::new(&Network, "{}");
    let mut dev = DEV.as_bytes().to_vec();
    dev.extend_from_slice(b"  x\xff\"\\: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n");
    trial.write(PATH, dev);
    let page = trial.read();
    assert_eq!(
        page.starting_with("system_network_errors_total{network_interface_name=\"x\u{fffd}\\\"\\\\\""),
        2
    );
    assert_eq!((page.len(), page.errors), (18, vec![]));
}

#[test]
fn one_wrong_line_makes_all_doubtful() {
    let mut trial = Trial::new(&Network, "{}");
    for wrong in [
        "eth9: 1 2 3\n",
        ": 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n",
        "eth9 1\n",
        "eth9: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 -1\n",
    ] {
        trial.write(PATH, format!("{DEV}{wrong}"));
        let page = trial.read();
        assert_eq!((page.len(), page.errors), (0, vec![Reason::Protocol]), "{wrong}");
    }
    survives(&Network, "{}", &[(PATH, DEV)]);
}

/// In the working folder of the inner test.
#[cfg(target_os = "linux")]
const FOLDER: &str = "interfaces-in-a-namespace";

/// How often a series was looked for among others.
#[cfg(target_os = "linux")]
fn looks() -> usize {
    crate::collect::sheet::tests::LOOKS.with(std::cell::Cell::get)
}

#[cfg(target_os = "linux")]
#[test]
fn five_thousand_interfaces_that_come_at_once_are_all_there_and_none_is_searched_for() {
    let name = "collect::network::tests::in_a_namespace";
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
    let mut command = std::process::Command::new("unshare");
    command.current_dir(folder.path());
    command.args(["-rn", "--"]).arg(std::env::current_exe().unwrap());
    let output = command.args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("all of them were there"),
        "needs network namespaces: run as root, or as a user who may `unshare -rn`\n{text}{errors}"
    );
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "runs in a namespace, which the test above makes"]
fn in_a_namespace() {
    use std::io::Write;
    const MANY: usize = 5_000;
    // Nobody makes interfaces outside of a namespace by accident.
    if !Path::new(FOLDER).is_dir() {
        return;
    }
    let ip = |commands: String| {
        let mut ip = std::process::Command::new("ip");
        let mut ip = ip.args(["-batch", "-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        ip.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        assert!(ip.wait().unwrap().success());
    };
    let mut trial = Trial::on_this_machine(&Network, "include: ['many*']\n");
    let nothing = trial.read();
    assert_eq!((nothing.len(), nothing.errors), (0, vec![]));
    // As containers make them, in pairs.
    let pairs = |first: usize, last: usize| (first..last).step_by(2);
    ip(pairs(0, MANY).fold(String::new(), |all, one| {
        all + &format!("link add many{one} type veth peer name many{}\n", one + 1)
    }));
    for most in [2 * 6 * MANY, 6 * MANY] {
        let before = looks();
        let page = trial.read();
        assert_eq!((page.len(), page.errors), (6 * MANY, vec![]));
        assert!(looks() - before <= most, "{} looks", looks() - before);
    }
    ip(pairs(0, 20).fold(String::new(), |all, one| all + &format!("link del many{one}\n")));
    let before = looks();
    assert_eq!(trial.read().len(), 6 * (MANY - 20));
    assert!(looks() - before <= 2 * 6 * MANY);
    println!("all of them were there");
}
