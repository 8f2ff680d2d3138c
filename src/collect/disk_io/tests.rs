//! Disks of real machines, and what looks like disks.

use super::*;
use crate::collect::trial::{Trial, survives};
use crate::model::Reason;

const SAMPLE: &str = "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 934986 50765 43293490 1081591 72413 141066 54144480 183123 0 57316 1274026 70110 36 29073880 9048 5745 263
 254       1 vda1 900000 50000 43000000 1000000 70000 140000 54000000 180000 0 50000 1200000 0 0 0 0 0 0
 253       0 zram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
";

#[test]
fn shows_disks_in_bytes_and_seconds() {
    let mut trial = Trial::new(&Disks, "{}");
    trial.write("proc/diskstats", SAMPLE);
    let page = trial.read();
    let vda = |name: &str, direction: &str| {
        page.value(&format!(
            "system_disk_{name}_total{{system_device=\"vda\",disk_io_direction=\"{direction}\"}}"
        ))
    };
    assert_eq!(vda("io_bytes", "read"), Some(43_293_490.0 * 512.0));
    assert_eq!(vda("io_bytes", "write"), Some(54_144_480.0 * 512.0));
    assert_eq!(vda("operations", "read"), Some(934_986.0));
    assert_eq!(vda("operations", "write"), Some(72_413.0));
    assert_eq!(vda("operation_time_seconds", "read"), Some(1081.591));
    assert_eq!(vda("operation_time_seconds", "write"), Some(183.123));
    assert_eq!(page.value("system_disk_io_time_seconds_total{system_device=\"vda\"}"), Some(57.316));
    assert_eq!((page.len(), page.errors), (7, vec![]));
}

#[test]
fn shows_what_is_asked_for() {
    let mut trial = Trial::new(&Disks, "include: [vda1, zram*]\nexclude: [zram7]\n");
    trial.write("proc/diskstats", SAMPLE);
    let page = trial.read();
    assert!(page.value("system_disk_io_time_seconds_total{system_device=\"vda1\"}").is_some());
    assert!(page.value("system_disk_io_time_seconds_total{system_device=\"zram0\"}").is_some());
    assert_eq!(page.len(), 14);
}

#[test]
fn knows_disks_by_their_names() {
    for disk in
        ["sda", "sdaa", "xvdb", "nvme0n1", "mmcblk0", "dm-0", "md127", "nbd0", "vda", "zd16", "p1", "sd"]
    {
        assert!(is_disk(disk), "{disk}");
    }
    for other in [
        "sda1",
        "sdaa12",
        "xvda1",
        "nvme0n1p2",
        "mmcblk0p1",
        "md0p1",
        "nbd0p3",
        "loop0",
        "ram1",
        "zram0",
        "fd0",
        "sr0",
    ] {
        assert!(!is_disk(other), "{other}");
    }
}

#[test]
fn a_disk_that_is_unplugged_or_counts_anew() {
    let mut trial = Trial::new(&Disks, "{}");
    let two = "8 0 sda 1 0 8 4294967295 1 0 8 5 0 5 5\n8 16 sdb 1 0 8 5 1 0 8 5 0 5 5\n";
    trial.write("proc/diskstats", two);
    assert_eq!(trial.read().len(), 14);
    trial.write("proc/diskstats", "8 0 sda 2 0 16 3 2 0 8 5 0 5 5\n");
    let page = trial.read();
    assert_eq!(page.len(), 7);
    let time = "system_disk_operation_time_seconds_total{system_device=\"sda\",disk_io_direction=\"read\"}";
    assert_eq!(page.value(time), Some(0.003));
    trial.write("proc/diskstats", "");
    let page = trial.read();
    assert_eq!((page.len(), page.errors), (0, vec![]));
}

#[test]
fn one_wrong_line_makes_all_doubtful() {
    let mut trial = Trial::new(&Disks, "{}");
    for wrong in [
        "8 0 sdb 1 0 8 5\n",
        "8 0 sdb 1 0 8 5 1 0 8 5 0 -5 5\n",
        "8 0\n",
        "\n",
        "x y sdb 1 0 8 5 1 0 8 5 0 5 5\n",
    ] {
        trial.write("proc/diskstats", format!("{SAMPLE}{wrong}"));
        let page = trial.read();
        assert_eq!((page.len(), page.errors), (0, vec![Reason::Protocol]), "{wrong}");
    }
    survives(&Disks, "{}", &[("proc/diskstats", SAMPLE)]);
}
