//! Local numbers: what this machine, its container and this process say of themselves.
//!
//! What an embedding program hands over (its runtimes, its groups of tasks, its pools) shows itself in the store that it
//! was registered in, and goes with the guard that it got.
//!
//! A collector reads and fills its metrics, nothing else: the [sampler](sampler::Sampler) decides when, at most once a
//! second, holds each to its time limit, and counts what went wrong. Readings that checks use are here too, as plain
//! numbers. Everything is cheap and comes from the kernel's memory, save [`disk`], which can hang with the file system
//! that it asks. Knows nothing of checks, health or HTTP.

mod boot;
pub(crate) mod cgroup;
mod clock;
mod collector;
pub(crate) mod cpu;
pub(crate) mod disk;
mod disk_io;
mod elsewhere;
mod file_descriptors;
pub(crate) mod filesystem;
mod filter;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod kernel_file;
mod load;
pub(crate) mod memory;
mod network;
mod numbers;
mod paging;
pub(crate) mod pids;
mod place;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod pool;
mod pressure;
mod proc_file;
pub(crate) mod process;
mod processes;
mod sampler;
mod sheet;
pub(crate) mod taskgroup;
pub(crate) mod tokio_runtime;
#[cfg(test)]
mod trial;
mod uptime;

pub(crate) use boot::starts;
pub use collector::Collectors;
pub(crate) use collector::{Collector, PERIOD, Source};
pub(crate) use kernel_file::{KernelFile, Root};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use pool::PoolMetrics;
pub(crate) use sampler::{DEFINITIONS, Limits, Sampler};
pub(crate) use sheet::Sheet;
pub use taskgroup::{InFlight, TaskGroup, TaskResult};
pub use tokio_runtime::RuntimeMetrics;

/// Every collector, in the order in which documents list them and in which they are read.
pub(crate) static SOURCES: &[&dyn Source] = &[
    &cpu::Cpu,
    &load::Load,
    &memory::MemorySource,
    &paging::Paging,
    &filesystem::Filesystem,
    &disk_io::Disks,
    &network::Network,
    &pressure::Pressure,
    &uptime::Uptime,
    &clock::Clock,
    &processes::Processes,
    &cgroup::Cgroup,
    &file_descriptors::FileDescriptors,
    &process::Process,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::describe;
    use crate::metrics::violations;

    #[test]
    fn definitions_keep_the_rules_and_are_there_once() {
        let definitions: Vec<_> =
            SOURCES.iter().flat_map(|source| source.definitions()).chain(DEFINITIONS).collect();
        let wrong: Vec<_> = definitions.iter().flat_map(|definition| violations(definition)).collect();
        assert_eq!(wrong, Vec::<String>::new());
        let names: BTreeSet<_> = definitions.iter().map(|definition| definition.name).collect();
        assert_eq!(names.len(), definitions.len());
    }

    #[test]
    fn a_collector_is_called_like_its_source_and_needs_no_settings() {
        let names: BTreeSet<_> = SOURCES.iter().map(|source| source.name()).collect();
        assert_eq!(names.len(), SOURCES.len());
        for source in SOURCES {
            let mut name = None;
            let _ = describe(|fields| {
                name = source.build(&Root::default(), fields).map(|collector| collector.name());
            });
            assert_eq!(name, Some(source.name()));
            let about = source.about();
            assert!(about.starts_with(char::is_uppercase) && about.ends_with('.'), "{about}");
        }
    }
}
