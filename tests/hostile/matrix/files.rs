//! Hostile files in the place of a SQLite database.

use std::{
    any::Any,
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::attack::{Attack, Hostile};
use crate::{
    harness::{
        process::{installed, output},
        scratch::Scratch,
        user::User,
    },
    peers::Behaviour::{self, Endless, Huge, Lying, Random, Silent},
};

/// How often a good database is damaged at random.
const DAMAGED: u64 = 12;

/// See the module.
pub(crate) struct Files {
    scratch: Scratch,
    checks: Vec<Hostile>,
}

/// What becomes a file, from a good database.
type Make = fn(&Path, &[u8]);

const FILES: &[(&str, Behaviour, Make)] = &[
    ("fifo", Silent, |path, _| drop(output(command("mkfifo", path)))),
    ("zero", Endless, |path, _| symlink("/dev/zero", path).unwrap()),
    ("random_device", Endless, |path, _| symlink("/dev/urandom", path).unwrap()),
    ("loop", Endless, |path, _| symlink(path, path).unwrap()),
    ("folder", Lying, |path, _| fs::create_dir(path).unwrap()),
    ("empty", Lying, |path, _| fs::write(path, b"").unwrap()),
    ("cut", Lying, |path, good| fs::write(path, &good[..good.len() / 2]).unwrap()),
    ("header_alone", Lying, |path, good| fs::write(path, &good[..100]).unwrap()),
    ("page_size_1", Lying, |path, good| changed(path, good, 16, &[0, 1])),
    ("page_size_0", Lying, |path, good| changed(path, good, 16, &[0, 0])),
    ("many_pages", Lying, |path, good| changed(path, good, 28, &[0xff; 4])),
    ("cells", Lying, |path, good| changed(path, good, 103, &[0xff; 2])),
    ("noise", Random, |path, _| {
        let mut noise = vec![0; 1 << 20];
        fastrand::Rng::with_seed(7).fill(&mut noise);
        fs::write(path, noise).unwrap();
    }),
    ("noise_after_a_header", Random, |path, good| {
        let mut noise = vec![0; 1 << 20];
        fastrand::Rng::with_seed(8).fill(&mut noise);
        noise[..100].copy_from_slice(&good[..100]);
        fs::write(path, noise).unwrap();
    }),
    ("sparse", Huge, |path, good| {
        let mut file = File::create(path).unwrap();
        file.write_all(&good[..100]).unwrap();
        file.seek(SeekFrom::Start(1 << 40)).unwrap();
        file.write_all(b"end").unwrap();
    }),
];

fn changed(path: &Path, good: &[u8], at: usize, bytes: &[u8]) {
    let mut whole = good.to_vec();
    whole[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(path, whole).unwrap();
}

fn command(program: &str, path: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(path);
    command
}

impl Files {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new("files", User::oneself());
        let check = |name: &str, behaviour| Hostile {
            name: format!("file_{name}"),
            behaviour,
            settings: format!(
                "kind: sqlite, path: '{}', query: 'select sum(n) as n from numbers'",
                scratch.join("attack").join(name).display()
            ),
            may_pass: false,
        };
        let mut checks: Vec<_> = FILES.iter().map(|(name, behaviour, _)| check(name, *behaviour)).collect();
        // Some damage is not where the query looks.
        checks.extend(
            (0..DAMAGED).map(|seed| Hostile { may_pass: true, ..check(&format!("damaged_{seed}"), Random) }),
        );
        Self { scratch, checks }
    }

    fn folder(&self) -> PathBuf {
        self.scratch.join("attack")
    }
}

impl Attack for Files {
    fn checks(&self) -> &[Hostile] {
        &self.checks
    }

    fn begin(&self) -> Box<dyn Any> {
        let good = self.scratch.join("good.db");
        if !good.exists() {
            let mut sqlite = command(installed("/usr/bin/sqlite3", "sqlite3").to_str().unwrap(), &good);
            sqlite.arg(
                "create table numbers(n, t); with recursive c(x) as (select 1 union all select x + 1 from c where x < 999) \
                 insert into numbers select x, 'text ' || x from c;",
            );
            output(sqlite);
        }
        let (good, folder) = (fs::read(good).unwrap(), self.folder());
        fs::create_dir(&folder).unwrap();
        for (name, _, make) in FILES {
            make(&folder.join(name), &good);
        }
        for seed in 0..DAMAGED {
            let (mut random, mut damaged) = (fastrand::Rng::with_seed(seed), good.clone());
            for _ in 0..50 {
                let at = random.usize(100..damaged.len());
                damaged[at] = random.u8(..);
            }
            fs::write(folder.join(format!("damaged_{seed}")), damaged).unwrap();
        }
        Box::new(Gone(folder))
    }
}

/// Removes the folder on drop.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
