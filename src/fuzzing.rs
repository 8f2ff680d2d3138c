//! Every parser of what comes from outside, as functions over any bytes: for `fuzz/`, and for the tests below, which give
//! them seeds and mutations of these. Not in an ordinary build.
//!
//! A target must neither panic nor hang, whatever it is given; what it gives is thrown away.

use crate::{agent, checks, collect, config, metrics, model, resolver, resource, web};

/// The name of a target, which is that of its folder of seeds, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub fn targets() -> Vec<Target> {
    let parts: &[&[Target]] = &[
        &OWN,
        config::fuzzing::TARGETS,
        checks::fuzzing::TARGETS,
        collect::fuzzing::TARGETS,
        resolver::fuzzing::TARGETS,
        web::fuzzing::TARGETS,
        #[cfg(feature = "prometheus-interop")]
        metrics::fuzzing::TARGETS,
        #[cfg(feature = "otlp")]
        crate::push::fuzzing::TARGETS,
    ];
    parts.concat()
}

/// Runs the target called `name` on `bytes`.
#[cfg(fuzzing)]
pub fn run(name: &str, bytes: &[u8]) {
    for (_, target) in targets().into_iter().filter(|(known, _)| *known == name) {
        target(bytes);
    }
}

const OWN: [Target; 4] = [
    ("configuration", |bytes| {
        let env = |name: &str| (name.len() < 3).then(|| name.to_owned());
        let document = config::Document::parse("fuzz.yaml", bytes, &env);
        let read = agent::Plan::read(document);
        // What is said of it must be printable as well.
        let _ = read.map(|(_, records)| records.to_string()).map_err(|problems| problems.to_string());
    }),
    ("pairs", |bytes| drop(resource::pairs(&String::from_utf8_lossy(bytes)))),
    ("words", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (model::Name::new(&text), model::Cause::sql_state(&text));
        let _ = (model::printable(&text, 80), metrics::prometheus_label(&text));
    }),
    ("certificates", |bytes| {
        #[cfg(feature = "_tls")]
        let _ = crate::tls::trusted(bytes);
        #[cfg(not(feature = "_tls"))]
        let _ = bytes;
    }),
];

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::{Duration, Instant};

    use fastrand::Rng;

    use super::*;

    /// How many mutations each target gets.
    const MUTATIONS: usize = 2_000;
    /// The longest input.
    const LONGEST: usize = 64 << 10;
    /// No input takes so long, even where the machine has much else to do.
    const LONG: Duration = Duration::from_secs(20);
    /// What all of them together may take of address space, in KiB, the program itself included.
    const MEMORY: usize = 2 << 20;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    /// The seeds of a target, in the order of their names.
    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(folder().join("corpus").join(name)).expect("a folder of seeds");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).unwrap()).collect()
    }

    /// Somewhere in `0..=length`, and how far from there.
    fn part(random: &mut Rng, length: usize) -> std::ops::Range<usize> {
        let start = random.usize(0..=length);
        start..(start + random.usize(0..=20)).min(length)
    }

    /// One of `seeds` with a few changes: of bits, of bytes that mean something to many parsers, of numbers; with parts
    /// left out, repeated, or taken from another one.
    fn mutated(random: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
        const TELLING: &[u8] = b"\0\n\r\t \"'$%&()*,./:;<=>?@[\\]{}|~\x7f\x80\xff0129AZaz";
        const NUMBERS: [&[u8]; 6] =
            [b"0", b"-1", b"18446744073709551616", b"1e999", b"0.00000000000000000001", b"NaN"];
        let mut bytes = random.choice(seeds).cloned().unwrap_or_default();
        for _ in 0..random.usize(1..=4) {
            let length = bytes.len();
            let at = part(random, length);
            match random.u8(0..8) {
                0 if length > 0 => bytes[at.start.min(length - 1)] ^= 1 << random.u8(0..8),
                1 => bytes.insert(at.start, *random.choice(TELLING).unwrap()),
                2 if length > 0 => bytes[at.start.min(length - 1)] = random.u8(..),
                3 => drop(bytes.drain(at)),
                4 => {
                    let times = if random.u8(0..4) == 0 { random.usize(..3_000) } else { 3 };
                    let repeated = bytes[at.clone()].repeat(times);
                    bytes.splice(at, repeated);
                }
                5 => bytes.truncate(at.start),
                6 => {
                    let other = random.choice(seeds).unwrap();
                    let from = part(random, other.len());
                    bytes.splice(at, other[from.start..].iter().copied());
                }
                _ => drop(bytes.splice(at, random.choice(NUMBERS).unwrap().iter().copied())),
            }
            bytes.truncate(LONGEST);
        }
        bytes
    }

    /// Only in a process of its own: see the next one.
    #[test]
    #[ignore = "run by the next one, within bounds"]
    fn every_target_takes_anything() {
        for (name, target) in targets() {
            println!("{name}");
            let (seeds, mut random) = (seeds(name), Rng::with_seed(7));
            for number in 0..seeds.len() + MUTATIONS {
                let input = seeds.get(number).cloned().unwrap_or_else(|| mutated(&mut random, &seeds));
                let started = Instant::now();
                let done = catch_unwind(AssertUnwindSafe(|| target(&input)));
                assert!(done.is_ok(), "{name}, input {number}: {:?}", input.escape_ascii().to_string());
                let took = started.elapsed();
                assert!(
                    took < LONG,
                    "{name}, input {number} took {took:?}: {:?}",
                    input.escape_ascii().to_string()
                );
            }
        }
    }

    /// Nothing that comes from outside may end this process, hold it up, or take its memory.
    #[test]
    fn no_input_ends_or_delays_a_parser() {
        let run = format!(
            "ulimit -v {MEMORY} -c 0; exec timeout --signal=KILL 500 \"$0\" --exact --ignored --nocapture \
             fuzzing::tests::every_target_takes_anything"
        );
        let this = std::env::current_exe().unwrap();
        let done = Command::new("bash").arg("-c").arg(run).arg(this).output().unwrap();
        let (said, complained) =
            (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success() && said.contains("1 passed"), "{}\n{said}\n{complained}", done.status);
    }

    /// `fuzz/` has what the list has.
    #[test]
    fn every_target_has_seeds_and_a_program() {
        let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        let mut known: Vec<&str> = targets().iter().map(|(name, _)| *name).collect();
        for name in &known {
            let program = folder().join(format!("fuzz_targets/{name}.rs"));
            let program = std::fs::read_to_string(program).unwrap_or_default();
            assert!(program.contains(&format!("run(\"{name}\", ")), "fuzz/fuzz_targets/{name}.rs");
            assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml has no {name}");
            assert!(!seeds(name).is_empty(), "{name} has no seeds");
        }
        known.sort_unstable();
        let count = std::fs::read_dir(folder().join("fuzz_targets")).unwrap().count();
        // A build with fewer features has fewer.
        assert!(!cfg!(feature = "full") || known.len() == count, "{count} programs for {known:?}");
    }
}
