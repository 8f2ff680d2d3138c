//! When this machine and this process started: since then count the numbers that the kernel keeps of them.
//!
//! Two small reads, once. The machine's start is what `/proc/stat` says in whole seconds, which stays the same while
//! nobody sets the clock; so a restart of the agent tells no other start. Elsewhere than on Linux it is sysinfo's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::metrics::Starts;

use super::numbers::{seconds, whole};
use super::{Root, elsewhere};

/// What is known of when they started; what is not is left out.
pub(crate) fn starts() -> Starts {
    read(&Root::default())
}

fn read(root: &Root) -> Starts {
    let text = |path| root.file(path).of_long_lines().text().map(str::to_owned).ok();
    let boot = match text("proc/stat").and_then(|text| boot(&text)) {
        None if !cfg!(target_os = "linux") => elsewhere::boot(),
        boot => boot,
    };
    let now = SystemTime::now();
    let boot = boot.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)).filter(|boot| *boot <= now);
    let process = text("proc/self/stat").and_then(|text| process(&text));
    let process = boot.zip(process).map(|(boot, after)| boot + after).filter(|process| *process <= now);
    Starts { boot, process }
}

/// Unix time of the machine's start.
fn boot(stat: &str) -> Option<u64> {
    whole(stat.lines().find_map(|line| line.strip_prefix("btime ")))
}

/// How long after the machine the process started: field 22, of which the second may hold anything.
fn process(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = whole(fields.split_ascii_whitespace().nth(22 - 3))?;
    Duration::try_from_secs_f64(seconds(ticks)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_the_kernel_says() {
        assert_eq!(boot("cpu 1 2 3 4\nbtime 1795222559\nprocesses 3\n"), Some(1_795_222_559));
        assert_eq!(boot("cpu 1 2 3 4\n"), None);
        let stat =
            "15071 (c a) t) R 15065 15065 8592 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 7 0 442749 3133440 394\n";
        assert_eq!(process(stat), Some(Duration::from_secs_f64(4427.49)));
        assert_eq!(process("15071 (c"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_started_after_its_machine_and_before_now() {
        let Starts { boot, process } = starts();
        let (boot, process) = (boot.unwrap(), process.unwrap());
        assert!(boot < process && process <= SystemTime::now(), "{boot:?} {process:?}");
        let uptime: f64 =
            std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
        let ours = boot.elapsed().unwrap().as_secs_f64();
        assert!((ours - uptime).abs() < 5.0, "{ours} {uptime}");
    }

    proptest! {
        #[test]
        fn garbage_is_nothing(text in "(btime )?\\PC{0,60}") {
            let _ = (boot(&text), process(&text));
        }
    }
}
