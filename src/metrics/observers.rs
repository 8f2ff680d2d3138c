//! Numbers that nobody records because they only need to be looked at, such as the tasks of a runtime: read when a page
//! is made, at most once a second, for all readers alike.
//!
//! Whoever has such numbers is asked for as long as it lives; the store keeps nobody alive.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long numbers stand before they are read again.
const PERIOD: Duration = Duration::from_secs(1);

/// Has numbers that are read when somebody looks.
pub(crate) trait Observe: Send + Sync {
    /// Reads the numbers and sets them. Takes microseconds and never waits.
    fn observe(&self);
}

impl fmt::Debug for dyn Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("observer")
    }
}

/// All that are asked.
#[derive(Default)]
pub(super) struct Observers(Mutex<State>);

#[derive(Default)]
struct State {
    all: Vec<Weak<dyn Observe>>,
    asked: Option<Instant>,
}

impl Observers {
    /// Asks `observer` from now on, and once at once.
    pub(super) fn add(&self, observer: &Arc<dyn Observe>) {
        observer.observe();
        let mut state = self.0.lock();
        state.all.retain(|known| known.strong_count() > 0);
        state.all.push(Arc::downgrade(observer));
    }

    /// Asks all, unless that was less than a second ago.
    pub(super) fn ask(&self, now: Instant) {
        let mut state = self.0.lock();
        if state.asked.is_some_and(|asked| now.duration_since(asked) < PERIOD) {
            return;
        }
        state.asked = Some(now);
        let all: Vec<_> = state.all.iter().filter_map(Weak::upgrade).collect();
        // Outside the lock: the last owner of one may let go of it while it is asked, so that it ends here.
        drop(state);
        for observer in all {
            observer.observe();
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.lock().all.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Counted(AtomicU32);

    impl Observe for Counted {
        fn observe(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn asks_at_most_once_a_second_and_only_who_is_there() {
        let observers = Observers::default();
        let counted = Arc::new(Counted(AtomicU32::new(0)));
        let erased: Arc<dyn Observe> = Arc::clone(&counted) as _;
        observers.add(&erased);
        let now = Instant::now();
        for after in [0, 500, 999, 1000, 1500] {
            observers.ask(now + Duration::from_millis(after));
        }
        assert_eq!(counted.0.load(Ordering::Relaxed), 3, "when it was added, at 0 ms and at 1000 ms");
        drop(erased);
        assert_eq!(Arc::strong_count(&counted), 1, "it is not kept alive");
    }
}
