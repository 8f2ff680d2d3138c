//! How many look-ups are in flight, in fair shares: names whose server hangs do not keep out those whose server answers.
//!
//! There are as many places for look-ups that hang as for others. A look-up that takes long moves there, and one for a
//! name that was not answered the last time begins there, until it is answered again.

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How long a name server may take until the look-up counts as hanging.
const LONG: Duration = Duration::from_secs(1);
/// Names that hang and are remembered as such; more than any configuration has.
const MOST_NAMES: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Places {
    quick: Semaphore,
    hanging: Semaphore,
    /// Names that were not answered the last time.
    unanswered: Mutex<HashSet<Box<str>>>,
    waiting: AtomicUsize,
    active: AtomicUsize,
}

impl Places {
    /// So many of each sort.
    pub(super) fn new(each: usize) -> Self {
        Self {
            quick: Semaphore::new(each),
            hanging: Semaphore::new(each),
            unanswered: Mutex::default(),
            waiting: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
        }
    }

    /// Does `work`, which looks up `name` and says whether somebody answered, when there is a place for it.
    pub(super) async fn take<T>(&self, name: &str, work: impl Future<Output = (T, bool)>) -> T {
        let mut mark = Mark { places: self, name, answered: false };
        let mut work = pin!(work);
        let (output, answered) = if self.unanswered.lock().contains(name) {
            let _place = self.wait(&self.hanging).await;
            work.await
        } else {
            let place = self.wait(&self.quick).await;
            match timeout(LONG, &mut work).await {
                Ok(done) => done,
                Err(_) => {
                    drop(place);
                    let _place = self.wait(&self.hanging).await;
                    work.await
                }
            }
        };
        mark.answered = answered;
        output
    }

    /// How many look-ups are in flight.
    pub(super) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// How many wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    async fn wait<'a>(&'a self, places: &'a Semaphore) -> (Option<SemaphorePermit<'a>>, Counted<'a>) {
        let waits = Counted::in_(&self.waiting);
        // Never closed.
        let place = places.acquire().await.ok();
        drop(waits);
        (place, Counted::in_(&self.active))
    }
}

/// One more, for as long as it is there.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn in_(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Remembers how a look-up ended, also when it was dropped because the run's time was over.
struct Mark<'a> {
    places: &'a Places,
    name: &'a str,
    answered: bool,
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        let mut unanswered = self.places.unanswered.lock();
        if self.answered {
            unanswered.remove(self.name);
        } else if unanswered.len() < MOST_NAMES {
            unanswered.insert(self.name.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::{Instant, sleep};

    use super::*;

    /// Asks for `name` of a server that hangs, for five seconds.
    async fn hang(places: &Places, name: &str) {
        let _ = timeout(5 * LONG, places.take(name, pending::<((), bool)>())).await;
    }

    #[tokio::test(start_paused = true)]
    async fn names_that_hang_leave_room_for_those_that_are_answered() {
        let places = Places::new(2);
        let names = ["a", "b", "c", "d", "e", "f"];
        let hanging = async {
            tokio::join!(
                hang(&places, "a"),
                hang(&places, "b"),
                hang(&places, "c"),
                hang(&places, "d"),
                hang(&places, "e"),
                hang(&places, "f")
            )
        };
        let answered = async {
            tokio::task::yield_now().await;
            assert_eq!((places.active(), places.waiting()), (2, 4));
            let begun = Instant::now();
            places.take("good", ready(((), true))).await;
            // Two at a time move away, each after a second.
            assert!(begun.elapsed() <= 3 * LONG, "{:?}", begun.elapsed());
            sleep(LONG).await;
            assert!(places.waiting() >= 2, "{}", places.waiting());
        };
        tokio::join!(hanging, answered);
        assert_eq!((places.active(), places.waiting()), (0, 0));
        assert_eq!(places.unanswered.lock().len(), names.len());

        // From now on not even the first second is taken.
        let again = async { tokio::join!(hang(&places, "a"), hang(&places, "b"), hang(&places, "c")) };
        let answered = async {
            tokio::task::yield_now().await;
            assert_eq!((places.active(), places.waiting()), (2, 1));
            let begun = Instant::now();
            places.take("good", ready(((), true))).await;
            assert_eq!(begun.elapsed(), Duration::ZERO);
        };
        tokio::join!(again, answered);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_answered_again_is_like_any_other() {
        let places = Places::new(1);
        hang(&places, "a").await;
        assert!(places.unanswered.lock().contains("a"));
        places.take("a", ready(((), true))).await;
        assert!(places.unanswered.lock().is_empty());
        places.take("a", ready(((), false))).await;
        assert!(places.unanswered.lock().contains("a"));
    }
}
