//! A real name server (unbound) that answers for one zone and hangs for another, in a network namespace where it has
//! port 53.

use crate::harness::{agent::Launch, process::installed};

/// The server of the zone `hang.test` swallows what it is asked, so unbound goes on waiting.
const UNBOUND: &str = r#"server:
  interface: 127.0.0.1
  port: 53
  access-control: 127.0.0.0/8 allow
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  directory: "."
  pidfile: ""
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
  local-zone: "good.test." static
  local-data: "web.good.test. A 127.0.0.1"
  local-data: "text.good.test. TXT here"
forward-zone:
  name: "hang.test."
  forward-addr: 127.0.0.1@5399
remote-control:
  control-enable: no
"#;

/// Runs what it is given beside two name servers; the checks connect to the TCP port of the first. The second, to which
/// it forwards, is stopped when it listens.
const AROUND: &str = r#"
cat >unbound.conf <<'END'
@UNBOUND
END
sed 's/port: 53/port: 5399/' unbound.conf >silent.conf
printf 'nameserver 127.0.0.1\nsearch good.test\n' >resolv.conf
cat >around <<'END'
set -eu
ip link set lo up
mount --bind resolv.conf /etc/resolv.conf
listens() { for _ in $(seq 300); do (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.1; done; }
/usr/sbin/unbound -c silent.conf & silent=$!
listens 5399
kill -STOP $silent
/usr/sbin/unbound -c unbound.conf & answers=$!
listens 53
code=0
"$@" || code=$?
kill -KILL $silent $answers
exit $code
END
exec unshare -rmn --propagation private -- bash around @BINARY "$@"
"#;

#[test]
fn a_name_server_that_hangs_for_one_zone_fails_no_check_of_another() {
    installed("/usr/sbin/unbound", "unbound");
    let mut config = "checks:\n".to_owned();
    // More than there are threads for look-ups in any runtime of ours.
    for number in 0..600 {
        config +=
            &format!("  hang{number}: {{ kind: tcp, address: 'db{number}.hang.test:53', timeout: 3s }}\n");
    }
    for (name, host) in [("full", "web.good.test"), ("searched", "web"), ("local", "localhost")] {
        config += &format!("  {name}: {{ kind: tcp, address: '{host}:53', timeout: 3s }}\n");
    }
    for (name, host) in [("missing", "no.good.test."), ("empty", "text.good.test.")] {
        config += &format!("  {name}: {{ kind: tcp, address: '{host}:53', timeout: 3s }}\n");
    }
    let script = AROUND.replace("@UNBOUND", UNBOUND).replace("@BINARY", env!("CARGO_BIN_EXE_vitalsign"));
    let document = Launch::new(&config).stand_in(&script).check();
    for name in ["full", "searched", "local"] {
        assert_eq!(document[name]["status"], "healthy", "{name}: {}", document[name]);
    }
    let why = |name: &str| (document[name]["reason"].clone(), document[name]["cause"].clone());
    assert_eq!(why("missing"), ("dns".into(), "no_such_host".into()));
    assert_eq!(why("empty"), ("dns".into(), "no_address".into()));
    // On a slow machine the runner may be before some of them.
    let hanging: Vec<_> = (0..600).map(|number| why(&format!("hang{number}"))).collect();
    assert!(hanging.contains(&("dns".into(), "name_server_silent".into())), "{hanging:?}");
    assert!(hanging.iter().all(|(reason, _)| reason == "dns" || reason == "timeout"), "{hanging:?}");
}
