//! Brings the machine's numbers up to date for a reader that must not hang with them: on a thread of their own, which is
//! left behind when it takes too long. Costs that thread at each reading, some 50 µs; whoever makes pages has one already
//! and calls what is [shared](Readings::shared).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Refresh;
use crate::supervisor;

/// How long a reader waits before it takes the numbers that there are.
const PATIENCE: Duration = Duration::from_millis(200);
/// How many threads may hang; with all of them hanging there is nothing new to read.
const MOST_HANGING: usize = 4;

/// What is brought up to date before anybody reads.
pub(super) struct Readings {
    refresh: Arc<Vec<Refresh>>,
    under_way: Arc<AtomicUsize>,
}

/// One thread that reads; goes with it, however it ends.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Readings {
    pub(super) fn new(refresh: Vec<Refresh>) -> Self {
        Self { refresh: Arc::new(refresh), under_way: Arc::default() }
    }

    /// The same for a reader with a thread that may hang.
    pub(super) fn shared(&self) -> Refresh {
        let refresh = Arc::clone(&self.refresh);
        Box::new(move |at| refresh.iter().filter_map(|refresh| refresh(at)).min())
    }

    /// Brings everything up to date, as far as that is done soon.
    pub(super) fn bring(&self) {
        let under_way = UnderWay(Arc::clone(&self.under_way));
        if self.under_way.fetch_add(1, Ordering::Relaxed) >= MOST_HANGING {
            return;
        }
        let (done, read) = mpsc::channel::<()>();
        let refresh = self.shared();
        let reading = supervisor::thread("vitalsign-read", move || {
            refresh(Instant::now());
            drop((under_way, done));
        });
        if reading.is_ok() {
            // The other end is dropped when all is read.
            let _ = read.recv_timeout(PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[test]
    fn what_hangs_is_left_behind_and_does_not_pile_up() {
        let (told, orders) = mpsc::channel::<()>();
        let (orders, read) = (Mutex::new(orders), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&read);
        let readings = Readings::new(vec![Box::new(move |_| {
            let _ = orders.lock().recv();
            counted.fetch_add(1, Ordering::Relaxed);
            None
        })]);
        for _ in 0..MOST_HANGING + 3 {
            readings.bring();
        }
        assert_eq!(readings.under_way.load(Ordering::Relaxed), MOST_HANGING);
        assert_eq!(read.load(Ordering::Relaxed), 0);
        drop(told);
        while readings.under_way.load(Ordering::Relaxed) > 0 {
            std::thread::yield_now();
        }
        readings.bring();
        assert!(read.load(Ordering::Relaxed) >= MOST_HANGING);
    }
}
