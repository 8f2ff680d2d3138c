//! The control group that this process is in now. Looked for anew when `/proc/self/cgroup` says that it has changed.

use std::io;

use super::files::{Cpu, Memory, Pids, Pressure};
use super::{parse, place};
use crate::collect::filesystem::mountinfo;
use crate::collect::{KernelFile, Root, memory};

/// This process' control group.
#[derive(Debug)]
pub(super) struct Own {
    root: Root,
    membership: KernelFile,
    /// What the files below were found with.
    content: Option<String>,
    files: Files,
}

/// Its files; those that do not exist here are left out.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) pids: Pids,
    pub(super) pressure: Vec<Pressure>,
    /// How many processors the machine has.
    pub(super) processors: Option<u64>,
}

impl Own {
    pub(super) fn new(root: &Root) -> Self {
        let membership = root.file("proc/self/cgroup").of_long_lines();
        Self { root: root.clone(), membership, content: None, files: Files::default() }
    }

    /// The files of the group that the process is in now.
    pub(super) fn files(&mut self) -> io::Result<&mut Files> {
        let content = match self.membership.text() {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => "",
            Err(error) => return Err(error),
        };
        if self.content.as_deref() != Some(content) {
            self.files = Files::default();
            self.content = None;
            self.files = Files::find(content, &self.root)?;
            self.content = Some(content.to_owned());
        }
        Ok(&mut self.files)
    }
}

impl Files {
    fn find(memberships: &str, root: &Root) -> io::Result<Self> {
        let memberships = place::memberships(memberships).ok_or(io::ErrorKind::InvalidData)?;
        if memberships.is_empty() {
            return Ok(Self::default());
        }
        let mut mountinfo = root.file("proc/self/mountinfo").of_long_lines();
        let mounts = match mountinfo.read() {
            Ok(content) => mountinfo::parse(content).0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let place = |controller| place::find(controller, &memberships, &mounts, root);
        let machine = root.file("proc/meminfo").text().ok().and_then(memory::total);
        let processors =
            root.file("sys/devices/system/cpu/online").text().ok().and_then(parse::processors_online);
        // The topmost group of all has no such file; what its pressure files tell is the machine's.
        let mut unified = place::unified(&memberships, &mounts, root).unwrap_or_default();
        unified.pop_if(|topmost| !topmost.join("cgroup.events").exists());
        Ok(Self {
            cpu: Cpu::new(place("cpu"), place("cpuacct")),
            memory: Memory::new(place("memory"), machine),
            pids: Pids::new(place("pids")),
            pressure: Pressure::all(&unified, |controller| place::is_unified(controller, &memberships)),
            processors,
        })
    }
}
