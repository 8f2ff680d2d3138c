//! Somebody who asks for live all the time, each time over a connection of its own, as a kubelet does.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::harness::http;

/// The probes so far.
pub(super) struct Probes {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Vec<Duration>>>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    answered: AtomicUsize,
}

/// How long they took.
pub(super) struct Times {
    asked: usize,
    /// How many had no answer.
    pub(super) lost: usize,
    pub(super) median: Duration,
    /// The fastest of the slowest hundredth.
    pub(super) hundredth: Duration,
    slowest: Duration,
}

impl Probes {
    /// Begins to ask.
    #[expect(clippy::disallowed_methods, reason = "a client of the tests")]
    pub(super) fn of(address: SocketAddr) -> Self {
        let shared = Arc::<Shared>::default();
        let asking = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let mut times = Vec::new();
            while !asking.ended.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let answer = http::send(
                    address,
                    b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
                );
                let answered = answer.is_ok_and(|answer| answer.status == 200);
                // One without an answer took for ever.
                times.push(if answered { begun.elapsed() } else { Duration::MAX });
                asking.answered.fetch_add(usize::from(answered), Ordering::Relaxed);
            }
            times
        });
        Self { shared, thread: Some(thread) }
    }

    /// How many were answered.
    #[track_caller]
    pub(super) fn answered(&self) -> usize {
        assert!(!self.thread.as_ref().unwrap().is_finished(), "the prober has ended");
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Asks no more.
    #[track_caller]
    pub(super) fn end(mut self) -> Times {
        self.shared.ended.store(true, Ordering::Relaxed);
        let mut times = self.thread.take().unwrap().join().expect("the prober");
        times.sort();
        let lost = times.iter().filter(|time| **time == Duration::MAX).count();
        let at = |hundredths: usize| times[(times.len() * hundredths / 100).min(times.len() - 1)];
        Times { asked: times.len(), lost, median: at(50), hundredth: at(99), slowest: at(100) }
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, lost, median, hundredth, slowest } = self;
        write!(
            f,
            "p50 {median:.1?}, p99 {hundredth:.1?}, slowest {slowest:.1?} of {asked}, {lost} without an answer"
        )
    }
}
