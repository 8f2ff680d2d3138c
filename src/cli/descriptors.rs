//! Takes the file descriptors that the process may have.
//!
//! Most systems give fewer than they allow, for programs that use select(2), which this one does not. Here rather than in
//! the library: the limit is that of the whole process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one.
pub(super) fn take_all() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused, the limit stays as it was, and the listener keeps to it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
