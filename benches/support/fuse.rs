//! A file system behind a program that can be told to keep silent. For tests of the crate and for benchmarks, both in a
//! namespace in which anybody may mount: this file is included where it is needed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};

/// Mounts something at `path`.
pub(crate) fn mount(args: &[&str], path: &Path, device: Option<File>) {
    let mut command = Command::new("mount");
    // Without its helpers: /dev/fuse is handed over as its standard input.
    command.arg("-i").args(args).arg(path);
    if let Some(device) = device {
        command.stdin(device);
    }
    assert!(command.status().unwrap().success());
}

/// The program behind the file system, which answers nothing but how full it is.
pub(crate) struct Program(Arc<State>);

#[derive(Default)]
struct State {
    frozen: Mutex<bool>,
    changed: Condvar,
    asked: AtomicUsize,
    /// The number of the error that it answers with; 0 for none.
    refuses: AtomicI32,
}

impl Program {
    /// Mounts it on `path`; `start` runs the program on a thread of its own.
    pub(crate) fn mounted_on(path: &Path, start: impl FnOnce(Box<dyn FnOnce() + Send>)) -> Self {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
        let options = "fd=0,rootmode=40000,user_id=0,group_id=0";
        mount(&["-t", "fuse", "-o", options, "frozen"], path, Some(device.try_clone().unwrap()));
        let state = Arc::<State>::default();
        let program = Self(Arc::clone(&state));
        start(Box::new(move || state.serve(device)));
        program
    }

    /// Whether it keeps silent from now on.
    pub(crate) fn freeze(&self, frozen: bool) {
        *self.0.frozen.lock() = frozen;
        self.0.changed.notify_all();
    }

    /// Answers with this error from now on, or as it should for 0.
    pub(crate) fn refuse(&self, error: i32) {
        self.0.refuses.store(error, Ordering::SeqCst);
    }

    /// How often it was asked how full it is.
    pub(crate) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, mut device: File) {
        const FORGET: u32 = 2;
        const STATFS: u32 = 17;
        const INIT: u32 = 26;
        const NOT_IMPLEMENTED: i32 = -38;
        let mut request = vec![0; 1 << 17];
        while device.read(&mut request).is_ok_and(|length| length >= 16) {
            let (operation, unique) = (&request[4..8], &request[8..16]);
            let operation = u32::from_ne_bytes(operation.try_into().unwrap());
            let (error, body): (i32, Vec<u8>) = match operation {
                FORGET => continue,
                // Version 7.31, no options, writes of 4096 bytes.
                INIT => (
                    0,
                    [7_u32, 31, 0, 0, 0, 4096, 1]
                        .into_iter()
                        .chain([0; 9])
                        .flat_map(u32::to_ne_bytes)
                        .collect(),
                ),
                STATFS => {
                    self.asked.fetch_add(1, Ordering::SeqCst);
                    let mut frozen = self.frozen.lock();
                    while *frozen {
                        self.changed.wait(&mut frozen);
                    }
                    let refuses = self.refuses.load(Ordering::SeqCst);
                    // Blocks, free, available, files, free; sizes of a block, a name and a fragment; the rest is zero.
                    let counts = [1000_u64, 700, 600, 50, 20].into_iter().flat_map(u64::to_ne_bytes);
                    let sizes = [512_u32, 255, 512].into_iter().chain([0; 7]).flat_map(u32::to_ne_bytes);
                    let told = if refuses == 0 { counts.chain(sizes).collect() } else { Vec::new() };
                    (-refuses, told)
                }
                _ => (NOT_IMPLEMENTED, Vec::new()),
            };
            let length = u32::try_from(16 + body.len()).unwrap();
            let answer = [&length.to_ne_bytes()[..], &error.to_ne_bytes(), unique, &body].concat();
            device.write_all(&answer).unwrap();
        }
    }
}
