//! The few numbers that sysinfo has on systems other than Linux. Called from places that a Linux build compiles too, so
//! that they do not rot.

use std::io;

use sysinfo::{MemoryRefreshKind, System};

use super::memory::Memory;

/// The load averages over 1, 5 and 15 minutes.
pub(super) fn load() -> io::Result<[f64; 3]> {
    let load = System::load_average().map_err(io::Error::other)?;
    Ok([load.one, load.five, load.fifteen])
}

/// Time since the start of the machine, in whole seconds.
pub(super) fn uptime() -> io::Result<f64> {
    System::uptime().map(|seconds| seconds as f64).map_err(io::Error::other)
}

/// Unix time of the start of the machine, if it is known.
pub(super) fn boot() -> Option<u64> {
    System::boot_time().ok().filter(|seconds| *seconds > 0)
}

/// The memory now.
pub(super) fn memory() -> io::Result<Memory> {
    let mut system = System::new().map_err(io::Error::other)?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let memory = Memory { total: system.total_memory(), available: system.available_memory() };
    // sysinfo does not tell when it could not read, it leaves its zeros.
    if memory.total == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no amount of memory"));
    }
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_kernel_says() {
        assert!(load().unwrap().iter().all(|load| *load >= 0.0));
        assert!(uptime().unwrap() > 0.0 && boot() > Some(0));
        let memory = memory().unwrap();
        assert!(memory.available <= memory.total);
    }
}
