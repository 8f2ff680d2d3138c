//! The processes below a process, read from /proc: servers fork, and their children make sessions of their own
//! (PostgreSQL's backends, Erlang's helpers), so neither process group nor session finds them all.

use std::collections::BTreeSet;

use rustix::process::{Pid, Signal};

/// One line of /proc/PID/stat, as far as it is needed.
#[derive(Debug, Clone, Copy)]
struct Stat {
    pid: i32,
    state: char,
    parent: i32,
    group: i32,
}

/// The living processes that `root` started, or its children did, and those in its process group; `root` first.
pub(crate) fn tree(root: i32) -> Vec<i32> {
    let all = all();
    let mut found: BTreeSet<i32> = BTreeSet::from([root]);
    loop {
        let before = found.len();
        found.extend(
            all.iter()
                .filter(|p| p.group == root || found.contains(&p.parent))
                .map(|p| p.pid)
                .collect::<Vec<_>>(),
        );
        if found.len() == before {
            break;
        }
    }
    let mut tree: Vec<i32> = all.iter().map(|p| p.pid).filter(|pid| found.contains(pid)).collect();
    tree.sort_unstable_by_key(|&pid| (pid != root, pid));
    tree
}

/// Whether the process is there and is no zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|p| !is_dead(p.state))
}

/// Whether the process is stopped, or gone.
pub(crate) fn is_stopped(pid: i32) -> bool {
    stat(pid).is_none_or(|p| matches!(p.state, 'T' | 't') || is_dead(p.state))
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn all() -> Vec<Stat> {
    let entries = std::fs::read_dir("/proc").expect("read /proc");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .filter(|p| !is_dead(p.state))
        .collect()
}

fn stat(pid: i32) -> Option<Stat> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also a parenthesis.
    let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace();
    Some(Stat {
        pid,
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

fn is_dead(state: char) -> bool {
    matches!(state, 'Z' | 'X')
}
