//! Texts of real kernels, old and new, and of none.

use super::*;
use crate::collect::trial::{Trial, survives};

const SAMPLE: &str = "MemTotal:       24684092 kB
MemFree:        21148148 kB
MemAvailable:   24078168 kB
Buffers:          109236 kB
Cached:          2856572 kB
SwapCached:            0 kB
SwapTotal:       1000000 kB
SwapFree:         600000 kB
SReclaimable:     331884 kB
SUnreclaim:        44020 kB
VmallocTotal:   34359738367 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
";

#[test]
fn reads_the_machine() {
    assert_eq!(total("MemTotal:       24684092 kB\nMemFree: 1 kB\n"), Some(24_684_092 * 1024));
    assert_eq!(total("MemFree: 1 kB\n"), None);
    assert_eq!(total("MemTotal: 1 MB\n"), None);
}

#[test]
fn shows_what_the_kernel_says() {
    let mut trial = Trial::new(&MemorySource, "{}");
    trial.write(MEMINFO, SAMPLE);
    let page = trial.read();
    let expected = [
        ("system_memory_usage_bytes{system_memory_state=\"used\"}", 605_924),
        ("system_memory_usage_bytes{system_memory_state=\"free\"}", 21_148_148),
        ("system_memory_usage_bytes{system_memory_state=\"cached\"}", 2_856_572),
        ("system_memory_usage_bytes{system_memory_state=\"buffers\"}", 109_236),
        ("system_memory_limit_bytes", 24_684_092),
        ("system_memory_linux_available_bytes", 24_078_168),
        ("system_memory_linux_slab_usage_bytes{system_memory_linux_slab_state=\"reclaimable\"}", 331_884),
        ("system_memory_linux_slab_usage_bytes{system_memory_linux_slab_state=\"unreclaimable\"}", 44_020),
        ("system_paging_usage_bytes{system_paging_state=\"used\"}", 400_000),
        ("system_paging_usage_bytes{system_paging_state=\"free\"}", 600_000),
    ];
    for (series, kib) in expected {
        assert_eq!(page.value(series), Some(f64::from(kib) * 1024.0), "{series}");
    }
    let share = page.value("system_memory_utilization_ratio{system_memory_state=\"used\"}").unwrap();
    assert!((share - 605_924.0 / 24_684_092.0).abs() < 1e-12, "{share}");
    assert_eq!((page.len(), page.errors), (11, vec![]));
}

#[test]
fn an_old_kernel_does_not_say_what_is_available() {
    let mut trial = Trial::new(&MemorySource, "{}");
    trial.write(MEMINFO, "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 250 kB\n");
    let page = trial.read();
    assert_eq!(page.value("system_memory_usage_bytes{system_memory_state=\"used\"}"), Some(600.0 * 1024.0));
    assert_eq!(page.value("system_memory_linux_available_bytes"), None);
    assert_eq!(page.starting_with("system_paging"), 0);
}

#[test]
fn what_makes_no_sense_is_not_shown() {
    for text in [
        "",
        "MemFree: 1 kB\n",
        "MemTotal: 0 kB\nMemFree: 0 kB\n",
        "MemTotal: 1 MB\nMemFree: 0 kB\n",
        "MemTotal: 18446744073709551615 kB\nMemFree: 0 kB\n",
        "MemTotal: -1 kB\nMemFree: 0 kB\n",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
    survives(&MemorySource, "{}", &[(MEMINFO, SAMPLE)]);
}

#[test]
fn usage_is_what_is_not_available() {
    assert_eq!(Memory { total: 1000, available: 250 }.usage(), 0.75);
    assert_eq!(Memory { total: 1000, available: 1001 }.usage(), 0.0);
    assert_eq!(Memory { total: 0, available: 0 }.usage(), 0.0);
}

#[cfg(target_os = "linux")]
#[test]
fn agrees_with_another_reader() {
    let (ours, theirs) = (MemoryReader::new(&Root::default()).read().unwrap(), elsewhere::memory().unwrap());
    assert_eq!(ours.total, theirs.total);
    let differs = ours.available.abs_diff(theirs.available) as f64 / ours.total as f64;
    assert!(differs < 0.1, "{ours:?} {theirs:?}");
}
