//! The parsers of this part, for [`crate::fuzzing`].

use super::filesystem::mountinfo;
use super::{cgroup, cpu, filter, memory, pressure};

type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: &[Target] = &[
    ("mountinfo", |bytes| {
        let (mounts, _) = mountinfo::parse(bytes);
        let paths = ["/", "/data", ""].map(std::path::Path::new);
        let _ = (mounts.len(), paths);
    }),
    ("cgroup", |bytes| cgroup::fuzzing::files(&String::from_utf8_lossy(bytes))),
    ("proc", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (cpu::stat::parse(&text).is_some(), memory::total(&text), pressure::parse(&text).is_some());
    }),
    ("filter", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (pattern, name) = text.split_once('\n').unwrap_or((&text, "/var/lib/docker/overlay2"));
        let _ = filter::matches(pattern, name);
    }),
];
