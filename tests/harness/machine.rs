//! A machine and a container as files: what an agent reads that takes this folder for its root. For what no test may do
//! to a real machine, let it thrash, fill its disks, break its network; and for what a machine may not have.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{FileExt, MetadataExt, symlink},
    path::Path,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{scratch::Scratch, user::User};

/// The control group of the agent.
const GROUP: &str = "sys/fs/cgroup/shop.service";
const MOUNTS: &str =
    "24 1 0:22 / /sys rw - sysfs sysfs rw\n31 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
/// Where its disk is mounted.
const DATA: &str = "data";
/// Where a file system is mounted whose program has ended, for an agent that runs as [`Machine::script`] says.
const LOST: &str = "lost";
const INTERFACES: &str =
    "Inter-|   Receive                  |  Transmit\n face |bytes packets errs drop ...\n";

/// The machine. Much that a machine has is missing, its load for one: collectors that read it fail.
pub(crate) struct Machine(Scratch);

impl Machine {
    /// One that is well, with a disk.
    pub(crate) fn new() -> Self {
        let machine = Self(Scratch::new("machine", User::oneself()));
        // Its disk is the one that the folder is on, or nobody would believe that it is there.
        let device = fs::metadata(machine.path()).expect("the folder").dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let mounts = format!("{MOUNTS}40 1 {major}:{minor} / /data rw - ext4 /dev/sdb1 rw\n");
        machine.write("proc/1/mountinfo", &mounts);
        machine.write("proc/self/mountinfo", &mounts);
        machine.write("proc/self/cgroup", "0::/shop.service\n");
        for (file, text) in [
            ("cgroup.events", "populated 1\nfrozen 0\n"),
            ("cpu.max", "50000 100000\n"),
            ("memory.max", "1073741824\n"),
            ("memory.current", "805306368\n"),
            ("memory.swap.current", "1048576\n"),
            ("memory.stat", "anon 536870912\nfile 268435456\ninactive_file 134217728\n"),
            ("pids.max", "512\n"),
            ("pids.current", "17\n"),
        ] {
            machine.write(&format!("{GROUP}/{file}"), text);
        }
        machine.count(0);
        fs::create_dir(machine.0.join(LOST)).expect("a folder");
        fs::create_dir(machine.0.join(DATA)).expect("a folder");
        machine
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What it has counted after so many troubles: of each, minutes of waiting, broken packets, a process that was ended.
    pub(crate) fn count(&self, troubles: u64) {
        let stalled =
            |kind| format!("{kind} avg10=0.00 avg60=0.00 avg300=0.00 total={:020}\n", troubles * 200_000_000);
        let both = stalled("some") + &stalled("full");
        for resource in ["cpu", "memory", "io"] {
            self.write(&format!("proc/pressure/{resource}"), &both);
            self.write(&format!("{GROUP}/{resource}.pressure"), &both);
        }
        let (bytes, broken) = (troubles * 200_000_000, troubles * 50_000);
        let direction = format!("{bytes:020} 0 {broken:020} {broken:020} 0 0 0 0");
        self.write("proc/1/net/dev", &format!("{INTERFACES}  eth0: {direction} {direction}\n"));
        let direction = format!("{0:020} 0 {0:020} {0:020}", troubles * 1_000);
        self.write(
            "proc/diskstats",
            &format!("8 16 sdb {direction} {direction} 0 {:020} 0\n", troubles * 900),
        );
        let (periods, throttled) = (1_000 + troubles * 3_000, troubles * 2_500);
        self.write(
            &format!("{GROUP}/cpu.stat"),
            &format!(
                "usage_usec {0:020}\nuser_usec {0:020}\nsystem_usec 0\nnr_periods {periods:020}\nnr_throttled \
                 {throttled:020}\nthrottled_usec {0:020}\n",
                troubles * 100_000_000
            ),
        );
        self.write(
            &format!("{GROUP}/memory.events"),
            &format!(
                "low 0\nhigh 0\nmax {troubles:020}\noom {troubles:020}\noom_kill {troubles:020}\noom_group_kill 0\n"
            ),
        );
    }

    /// How an agent is started that can [lose](Self::lose_disk) the disk: in a namespace of mounts of its own.
    pub(crate) fn script(&self) -> String {
        let (agent, lost) = (env!("CARGO_BIN_EXE_vitalsign"), self.0.join(LOST));
        format!(
            "exec unshare -rm --propagation private -- bash -c 'exec 3<>/dev/fuse && mount -i -t fuse -o \
             fd=3,rootmode=40000,user_id=0,group_id=0 lost {} && exec 3>&- && exec \"$0\" \"$@\"' {agent} \"$@\"\n",
            lost.display()
        )
    }

    /// Takes its disk away: it is mounted still, and whoever was behind it is gone.
    pub(crate) fn lose_disk(&self) {
        fs::remove_dir(self.0.join(DATA)).expect("the disk was there");
        symlink(LOST, self.0.join(DATA)).expect("the disk is gone");
    }

    /// Gives the disk back.
    pub(crate) fn find_disk(&self) {
        fs::remove_file(self.0.join(DATA)).expect("the disk was gone");
        fs::create_dir(self.0.join(DATA)).expect("the disk was gone");
    }

    /// Tells its load from now on.
    pub(crate) fn tell_load(&self) {
        self.write("proc/loadavg", "0.50 0.40 0.30 1/100 4242\n");
    }

    /// Lets whoever asks for its load wait for ever.
    pub(crate) fn hide_load(&self) {
        let path = self.0.join("proc/loadavg");
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe without a writer");
    }

    /// Writes a file as a whole over one of the same length: who has it open sees the old or the new.
    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).expect("a file");
        file.write_all_at(text.as_bytes(), 0).expect("room for a file");
    }
}
