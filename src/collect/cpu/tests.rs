//! Times that stand, fall and go with their processor.

use super::*;
use crate::collect::trial::{Page, Trial, survives};
use crate::model::Reason;

const SAMPLE: &str = "cpu  284644 10649 76716 494671 2566 10 2078 239 100 49
cpu0 137992 5165 36608 254218 638 5 990 119 50 25
cpu1 146651 5484 40108 240452 1928 5 1088 119 50 24
intr 7342774 0 0 0
ctxt 18537133
btime 1795222559
processes 140955
procs_running 1
procs_blocked 0
";

fn time(page: &Page, mode: &str) -> Option<f64> {
    page.value(&format!("system_cpu_time_seconds_total{{cpu_mode=\"{mode}\"}}"))
}

fn time_of(page: &Page, cpu: u64, mode: &str) -> Option<f64> {
    page.value(&format!("system_cpu_time_seconds_total{{cpu_mode=\"{mode}\",cpu_logical_number=\"{cpu}\"}}"))
}

fn share(page: &Page, mode: &str) -> Option<f64> {
    page.value(&format!("system_cpu_utilization_ratio{{cpu_mode=\"{mode}\"}}"))
}

#[test]
fn shows_times_in_seconds_without_guests() {
    let mut trial = Trial::new(&Cpu, "{}");
    trial.write(STAT, SAMPLE);
    let page = trial.read();
    let expected = [
        ("user", 284_544),
        ("nice", 10_600),
        ("system", 76_716),
        ("idle", 494_671),
        ("iowait", 2566),
        ("interrupt", 2088),
        ("steal", 239),
    ];
    for (mode, ticks) in expected {
        assert_eq!(time(&page, mode), Some(f64::from(ticks) / ticks_per_second() as f64), "{mode}");
    }
    assert_eq!(page.value("system_cpu_logical_count"), Some(2.0));
    assert_eq!(page.value("system_process_created_total"), Some(140_955.0));
    assert_eq!((page.len(), page.errors), (9, vec![]));
}

#[test]
fn utilization_is_of_the_time_between_two_readings() {
    let mut trial = Trial::new(&Cpu, "{}");
    trial.write(STAT, "cpu 100 0 0 100 0 0 0 0 0 0\n");
    assert_eq!(share(&trial.read(), "user"), None);
    trial.write(STAT, "cpu 130 0 10 140 10 0 0 0 10 0\n");
    let page = trial.read();
    assert_eq!(share(&page, "user"), Some(20.0 / 90.0));
    assert_eq!(share(&page, "idle"), Some(40.0 / 90.0));
    assert_eq!(share(&page, "steal"), Some(0.0));
    trial.write(STAT, "cpu 130 0 10 140 10 0 0 0 10 0\n");
    assert_eq!(share(&trial.read(), "user"), None, "no time has passed");
}

#[test]
fn what_is_taken_back_is_held() {
    let mut trial = Trial::new(&Cpu, "{}");
    let mut shown = Vec::new();
    // idle, iowait: jitter; user: it and the guests' time round at different moments.
    for (user, idle, iowait, guest) in [(100, 5000, 70, 50), (101, 4990, 65, 52), (102, 5001, 71, 52)] {
        trial.write(STAT, format!("cpu {user} 0 0 {idle} {iowait} 0 0 0 {guest} 0\n"));
        let page = trial.read();
        shown.push(["user", "idle", "iowait"].map(|mode| (time(&page, mode).unwrap() * 100.0).round()));
    }
    assert_eq!(shown, [[50.0, 5000.0, 70.0], [50.0, 5000.0, 70.0], [50.0, 5001.0, 71.0]]);
}

#[test]
fn what_falls_by_three_seconds_is_counted_anew() {
    let most = most_taken_back();
    let mut trial = Trial::new(&Cpu, "{}");
    trial.write(STAT, format!("cpu 10 0 0 {} 0 0 0 0 0 0\n", 10 * most));
    trial.read();
    trial.write(STAT, format!("cpu 20 0 0 {} 0 0 0 0 0 0\n", 9 * most));
    let page = trial.read();
    assert_eq!(time(&page, "idle"), Some(seconds(9 * most)));
    assert_eq!(time(&page, "user"), Some(seconds(20)));
    assert_eq!(share(&page, "user"), None, "the two readings have nothing in common");
    trial.write(STAT, format!("cpu 30 0 0 {} 0 0 0 0 0 0\n", 9 * most + 10));
    assert_eq!(share(&trial.read(), "user"), Some(0.5));
}

#[test]
fn a_processor_that_is_taken_out_goes_with_its_series() {
    let mut trial = Trial::new(&Cpu, "per_cpu: true\n");
    trial.write(STAT, SAMPLE);
    let page = trial.read();
    assert_eq!(time_of(&page, 0, "idle"), Some(seconds(254_218)));
    assert_eq!(time_of(&page, 1, "user"), Some(seconds(146_601)));
    assert_eq!((time(&page, "idle"), page.len()), (None, 16));

    let without = SAMPLE.replace("cpu1 146651 5484 40108 240452 1928 5 1088 119 50 24\n", "");
    trial.write(STAT, &without);
    let page = trial.read();
    assert_eq!(time_of(&page, 0, "idle"), Some(seconds(254_218)));
    assert_eq!(page.starting_with("system_cpu_time"), 7);
    assert_eq!(page.value("system_cpu_logical_count"), Some(1.0));

    // Back again, its times may have been counted anew: there is nothing to hold them at.
    trial.write(STAT, without.replace("intr", "cpu1 1 0 0 2 0 0 0 0 0 0\nintr"));
    assert_eq!(time_of(&trial.read(), 1, "idle"), Some(seconds(2)));
}

#[test]
fn each_processor_is_held_for_itself() {
    let mut trial = Trial::new(&Cpu, "per_cpu: true\n");
    trial.write(STAT, "cpu 0 0 0 200 0\ncpu0 0 0 0 100 0\ncpu1 0 0 0 100 0\n");
    trial.read();
    trial.write(STAT, "cpu 0 0 0 210 0\ncpu0 0 0 0 90 0\ncpu1 0 0 0 120 0\n");
    let page = trial.read();
    assert_eq!(time_of(&page, 0, "idle"), Some(seconds(100)));
    assert_eq!(time_of(&page, 1, "idle"), Some(seconds(120)));
}

#[test]
fn what_is_no_reading_shows_nothing_and_is_forgotten() {
    let mut trial = Trial::new(&Cpu, "{}");
    trial.write(STAT, "cpu 100 0 0 100\n");
    trial.read();
    for garbled in ["", "intr 5\n", "cpu 1 2\n", "cpu 1 2 3 4\ncpu0 1 2\n"] {
        trial.write(STAT, garbled);
        let page = trial.read();
        assert_eq!((page.len(), page.errors), (0, vec![Reason::Protocol]), "{garbled}");
    }
    trial.write(STAT, "cpu 110 0 0 110\n");
    assert_eq!(share(&trial.read(), "user"), Some(0.5));
    survives(&Cpu, "{}", &[(STAT, SAMPLE)]);
    survives(&Cpu, "per_cpu: true\n", &[(STAT, SAMPLE)]);
}
