//! Waiting for a condition: the only place in the tests that sleeps.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(10);

/// What one look at the world may answer: it holds, with a value, or it does not yet, in words.
pub(crate) trait Look {
    /// What the wait returns.
    type Value;

    /// The value, or what was seen instead.
    fn settle(self) -> Result<Self::Value, String>;
}

impl Look for bool {
    type Value = ();

    fn settle(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".to_owned()) }
    }
}

impl<T> Look for Option<T> {
    type Value = T;

    fn settle(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, E: Display> Look for Result<T, E> {
    type Value = T;

    fn settle(self) -> Result<T, String> {
        self.map_err(|seen| seen.to_string())
    }
}

/// Looks until it holds; fails the test after `limit`, with `what` was waited for and what was seen last.
/// A look that answers `Err(what it saw)` makes the best message.
#[track_caller]
pub(crate) fn eventually<L: Look>(what: &str, limit: Duration, look: impl FnMut() -> L) -> L::Value {
    match within(limit, look) {
        Ok(value) => value,
        Err(seen) => panic!("waited {limit:?} for {what}, last seen: {seen}"),
    }
}

/// As [`eventually`], but hands back what was seen last.
#[expect(clippy::disallowed_methods, reason = "the one place that polls")]
pub(crate) fn within<L: Look>(limit: Duration, mut look: impl FnMut() -> L) -> Result<L::Value, String> {
    let end = Instant::now() + limit;
    loop {
        let seen = match look().settle() {
            Ok(value) => return Ok(value),
            Err(seen) => seen,
        };
        if Instant::now() >= end {
            return Err(seen);
        }
        std::thread::sleep(POLL);
    }
}

/// As [`eventually`], for a look that is itself asynchronous.
pub(crate) async fn eventually_async<L: Look>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> L,
) -> L::Value {
    let end = Instant::now() + limit;
    loop {
        let seen = match look().await.settle() {
            Ok(value) => return value,
            Err(seen) => seen,
        };
        assert!(Instant::now() < end, "waited {limit:?} for {what}, last seen: {seen}");
        tokio::time::sleep(POLL).await;
    }
}

/// Holds when the two are equal, else says what was seen.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(seen: T, wanted: &T) -> Result<T, String> {
    if seen == *wanted { Ok(seen) } else { Err(format!("{seen:?} instead of {wanted:?}")) }
}
