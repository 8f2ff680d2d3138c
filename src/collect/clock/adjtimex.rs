//! What the kernel knows of its clock, by adjtimex(2).
//!
//! The one file with `unsafe`: the number is nowhere in `/proc` or `/sys`, and neither rustix nor nix wraps the call.

#![expect(unsafe_code, reason = "a call that only reads, with a structure of plain numbers")]

use std::io;

use libc::timex;

/// How the clock stands.
#[derive(Debug, PartialEq)]
pub(super) struct Discipline {
    pub(super) synchronized: bool,
    /// Seconds.
    pub(super) offset: f64,
    /// Seconds.
    pub(super) max_error: f64,
}

/// Asks the kernel.
///
/// # Errors
/// Where the call is not permitted, as in some containers.
pub(super) fn read() -> io::Result<Discipline> {
    // SAFETY: it holds integers only, for which zero is a value; `modes` 0 asks for no change.
    let mut asked: timex = unsafe { std::mem::zeroed() };
    // SAFETY: it points to a whole `timex` that nobody else has.
    if unsafe { libc::adjtimex(&raw mut asked) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(discipline(&asked))
}

fn discipline(told: &timex) -> Discipline {
    let offset_per_second = if told.status & libc::STA_NANO == 0 { 1e6 } else { 1e9 };
    Discipline {
        synchronized: told.status & libc::STA_UNSYNC == 0,
        offset: told.offset as f64 / offset_per_second,
        max_error: told.maxerror as f64 / 1e6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_the_offset_is_told_by_the_status() {
        // SAFETY: integers only.
        let mut told: timex = unsafe { std::mem::zeroed() };
        (told.offset, told.maxerror) = (-1_500, 16_000_000);
        told.status = libc::STA_UNSYNC;
        assert_eq!(discipline(&told), Discipline { synchronized: false, offset: -0.0015, max_error: 16.0 });
        told.status = libc::STA_NANO;
        assert_eq!(discipline(&told), Discipline { synchronized: true, offset: -1.5e-6, max_error: 16.0 });
    }
}
