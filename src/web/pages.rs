//! Makes pages of metrics for requests, on a thread of their own, all that wait together one page.
//!
//! That thread reads the machine's numbers itself, because every further thread that is woken for a page costs more than
//! most of what is read. What it reads may hang; so the thread can be relieved: a request that has waited for long
//! enough starts another one, which makes a page of what there is, and the first ends when it comes back.
//!
//! Who asks again within a second gets the page that there is, and the next one is made a moment after it has gone out:
//! many readers wait for none of each other, and a page is never older than its next expiry allows. Whoever comes later
//! waits for the next page, but not for ever: then the last one does if it is young still, and nothing if it is not,
//! because values of long ago look like those of now.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::metrics::{Format, Page, Pages, Refresh, Sources, Store};
use crate::supervisor;

/// How long the numbers may take to be read before the thread that reads them is relieved.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a request waits for a page: less than any scraper does.
const WAIT: Duration = Duration::from_secs(2);
/// How old a page may be that goes out because the next one is not there in time.
const OLDEST: Duration = Duration::from_secs(5);
/// How long the next page waits when nobody else does: a large one is still on its way when the system has taken it,
/// and making the next meanwhile doubled the slowest hundredth of its transfers.
const BREATH: Duration = Duration::from_millis(10);
/// How many threads may hang. With all of them hanging the last page is all there is.
const MOST_HANGING: usize = 16;

/// Pages, and the thread that makes them; it ends when this goes.
pub(super) struct PageWorker(Arc<Shared>);

struct Shared {
    desk: Mutex<Desk>,
    /// Told of orders and of the end.
    called: Condvar,
    pages: Mutex<Pages>,
    sources: Arc<Sources>,
    /// The last page of each format.
    last: [ArcSwapOption<Page>; Format::ALL.len()],
    store: Store,
}

/// What there is to do, and who does it.
#[derive(Default)]
struct Desk {
    orders: [Option<Order>; Format::ALL.len()],
    /// The number of the thread whose work it is.
    thread: u64,
    stage: Stage,
    /// How many threads were relieved and have not come back.
    hanging: usize,
    closed: bool,
}

/// A page of one format is to be made; nobody may be waiting for it.
#[derive(Default)]
struct Order {
    /// From when on, where that is not at once.
    due: Option<Instant>,
    compressed: bool,
    waiting: Vec<oneshot::Sender<Page>>,
}

/// What the thread is about.
#[derive(Clone, Copy, Default, PartialEq)]
enum Stage {
    #[default]
    Idle,
    /// Reading the numbers, since then.
    Reading(Instant),
    Rendering,
}

/// A page for one request.
pub(super) struct Handed {
    pub(super) page: Page,
    /// To be kept until the page has gone out.
    pub(super) next: Option<Next>,
}

/// Has the next page made when it goes.
pub(super) struct Next {
    shared: Arc<Shared>,
    format: Format,
    compressed: bool,
}

impl PageWorker {
    pub(super) fn start(store: &Store, refresh: Vec<Refresh>) -> io::Result<Self> {
        let pages = Pages::new(store.clone(), refresh);
        let shared = Arc::new(Shared {
            desk: Mutex::default(),
            called: Condvar::new(),
            sources: pages.sources(),
            pages: Mutex::new(pages),
            last: Default::default(),
            store: store.clone(),
        });
        start_thread(&shared, 0)?;
        Ok(Self(shared))
    }

    /// A page that is not old; none where there is no such page in time.
    pub(super) async fn page(&self, format: Format, compressed: bool) -> Option<Handed> {
        let shared = &self.0;
        let last = shared.last.get(format as usize)?;
        let fits = |page: &Arc<Page>| page.is_young(Instant::now()) && page.is_ready(compressed);
        if let Some(page) = last.load_full().filter(fits) {
            let newest = page.is_newest(&shared.store);
            let next = (!newest).then(|| Next { shared: Arc::clone(shared), format, compressed });
            return Some(Handed { page: Page::clone(&page), next });
        }
        let made = timeout(WAIT, shared.made(shared.order(format, compressed))).await;
        let page = match made {
            Ok(Some(page)) => page,
            _ => {
                let young = |page: &Arc<Page>| page.age(Instant::now()) <= OLDEST;
                Page::clone(&*last.load_full().filter(young)?)
            }
        };
        Some(Handed { page, next: None })
    }
}

impl Drop for PageWorker {
    fn drop(&mut self) {
        self.0.desk.lock().closed = true;
        self.0.called.notify_all();
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        let mut desk = self.shared.desk.lock();
        // One that is being made now is new enough.
        if desk.stage == Stage::Idle && desk.wanted().is_none() {
            if let Some(order) = desk.orders.get_mut(self.format as usize) {
                let due = Some(Instant::now() + BREATH);
                *order = Some(Order { due, compressed: self.compressed, waiting: Vec::new() });
            }
            self.shared.called.notify_all();
        }
    }
}

impl Desk {
    /// The format that is to be made next, and from when on.
    fn wanted(&self) -> Option<(Option<Instant>, Format)> {
        let orders = Format::ALL.into_iter().zip(&self.orders);
        orders.filter_map(|(format, order)| Some((order.as_ref()?.due, format))).min_by_key(|(due, _)| *due)
    }
}

impl Shared {
    fn order(&self, format: Format, compressed: bool) -> oneshot::Receiver<Page> {
        let (reply, answer) = oneshot::channel();
        let mut desk = self.desk.lock();
        if let Some(order) = desk.orders.get_mut(format as usize) {
            let order = order.get_or_insert_default();
            order.due = None;
            order.compressed |= compressed;
            order.waiting.push(reply);
        }
        self.called.notify_all();
        answer
    }

    /// The page that was ordered. Has a thread relieved that hangs, whenever it begins to.
    async fn made(self: &Arc<Self>, mut answer: oneshot::Receiver<Page>) -> Option<Page> {
        loop {
            match timeout(PATIENCE, &mut answer).await {
                Ok(page) => return page.ok(),
                Err(_) => self.relieve(),
            }
        }
    }

    /// Starts another thread in place of one that has been reading for too long.
    fn relieve(self: &Arc<Self>) {
        let mut desk = self.desk.lock();
        let hangs = matches!(desk.stage, Stage::Reading(since) if since.elapsed() >= PATIENCE);
        if hangs && desk.hanging < MOST_HANGING && start_thread(self, desk.thread + 1).is_ok() {
            desk.thread += 1;
            desk.hanging += 1;
            desk.stage = Stage::Idle;
        }
    }

    fn work(&self, thread: u64) {
        let mut desk = self.desk.lock();
        loop {
            if desk.closed {
                return;
            }
            let Some((due, format)) = desk.wanted() else {
                self.called.wait(&mut desk);
                continue;
            };
            let now = Instant::now();
            if let Some(due) = due.filter(|due| *due > now) {
                self.called.wait_for(&mut desk, due - now);
                continue;
            }
            desk.stage = Stage::Reading(now);
            drop(desk);
            let stands = self.pages.lock().stands(now, format);
            let fresh = (!stands).then(|| self.sources.refresh(now));
            desk = self.desk.lock();
            if desk.thread != thread {
                desk.hanging -= 1;
                return;
            }
            // Only now, so that whoever relieves this thread finds the order.
            let order = desk.orders.get_mut(format as usize).and_then(Option::take);
            let Order { compressed, waiting, .. } = order.unwrap_or_default();
            desk.stage = Stage::Rendering;
            drop(desk);
            let page = self.pages.lock().make(fresh, format, compressed);
            if let Some(last) = self.last.get(format as usize) {
                last.store(Some(Arc::new(page.clone())));
            }
            for reply in waiting {
                // Whoever asked may have left; the page is kept for the next one.
                let _ = reply.send(page.clone());
            }
            desk = self.desk.lock();
            desk.stage = Stage::Idle;
        }
    }
}

fn start_thread(shared: &Arc<Shared>, thread: u64) -> io::Result<()> {
    let shared = Arc::clone(shared);
    supervisor::thread("vitalsign-page", move || shared.work(thread)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::model::{Definition, Instrument};

    static VALUE: Definition = Definition {
        name: "value",
        instrument: Instrument::Gauge,
        unit: "",
        attributes: &[],
        help: "A value",
    };
    /// However long a slow machine takes.
    const LONG: Duration = Duration::from_secs(60);

    fn text(handed: &Handed) -> String {
        String::from_utf8(handed.page.text().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn who_asks_again_at_once_gets_the_last_page_and_has_the_next_one_made() {
        let store = Store::new();
        let value = store.gauge(&VALUE, &[]);
        value.set(1.0);
        let worker = PageWorker::start(&store, Vec::new()).unwrap();
        let first = worker.page(Format::Text, false).await.unwrap();
        value.set(2.0);
        store.touch();
        let second = worker.page(Format::Text, false).await.unwrap();
        assert!(second.page.text() == first.page.text() || !first.page.is_young(Instant::now()));
        drop(second);
        let newest = async {
            while !text(&worker.page(Format::Text, false).await.unwrap()).contains("\nvalue 2\n") {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, newest).await.unwrap();
    }

    /// Numbers that are read only when told to, once for each message.
    fn held(orders: Receiver<()>) -> Vec<Refresh> {
        let orders = Mutex::new(orders);
        vec![Box::new(move |_| {
            // One at a time, as with whatever hangs; who comes meanwhile goes on without.
            if let Some(orders) = orders.try_lock() {
                let _ = orders.recv();
            }
            None
        })]
    }

    #[tokio::test]
    async fn a_thread_that_hangs_is_relieved_and_comes_back() {
        let store = Store::new();
        let value = store.gauge(&VALUE, &[]);
        value.set(1.0);
        let (told, orders) = channel();
        let worker = PageWorker::start(&store, held(orders)).unwrap();
        let page = async {
            loop {
                // None while nobody has made a page yet, however long that takes.
                if let Some(handed) = worker.page(Format::Text, false).await {
                    return text(&handed);
                }
            }
        };
        assert!(timeout(LONG, page).await.unwrap().contains("\nvalue 1\n"), "made without what hangs");
        assert_eq!(worker.0.desk.lock().hanging, 1);
        drop(told);
        let back = async {
            while worker.0.desk.lock().hanging > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, back).await.unwrap();
        value.set(2.0);
        store.touch();
        let newest = async {
            loop {
                if text(&worker.page(Format::Text, false).await.unwrap()).contains("\nvalue 2\n") {
                    return;
                }
            }
        };
        timeout(LONG, newest).await.unwrap();
    }

    /// Numbers that nobody can read while it is closed.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Mutex<bool>, Condvar)>);

    impl Gate {
        fn set_closed(&self, closed: bool) {
            *self.0.0.lock() = closed;
            self.0.1.notify_all();
        }

        fn refresh(&self) -> Vec<Refresh> {
            let gate = self.clone();
            vec![Box::new(move |_| {
                let (closed, changed) = &*gate.0;
                changed.wait_while(&mut closed.lock(), |closed| *closed);
                None
            })]
        }
    }

    /// A worker whose only page says 1 and is that old, and the gate before the next one, which will say 2. Time is paused
    /// here; the threads do not know what time it is here.
    async fn with_an_old_page(age: Duration) -> (PageWorker, Gate) {
        let (store, gate) = (Store::new(), Gate::default());
        let value = store.gauge(&VALUE, &[]);
        value.set(1.0);
        let worker = PageWorker::start(&store, gate.refresh()).unwrap();
        worker.page(Format::Text, false).await.unwrap();
        gate.set_closed(true);
        value.set(2.0);
        store.touch();
        tokio::time::pause();
        tokio::time::advance(age).await;
        (worker, gate)
    }

    #[tokio::test]
    async fn a_page_that_is_being_made_is_waited_for() {
        let (worker, gate) = with_an_old_page(Duration::from_secs(1)).await;
        tokio::time::resume();
        let opened = async {
            // The second thread is given up after twice the patience.
            while worker.0.desk.lock().hanging < 2 {
                tokio::task::yield_now().await;
            }
            gate.set_closed(false);
        };
        let (page, ()) = tokio::join!(worker.page(Format::Text, false), opened);
        assert!(text(&page.unwrap()).contains("\nvalue 2\n"));
    }

    #[tokio::test]
    async fn the_last_page_is_shown_while_it_is_young_and_then_none() {
        let (worker, gate) = with_an_old_page(Duration::from_secs(2)).await;
        let page = worker.page(Format::Text, false).await.expect("one of four seconds ago");
        assert!(text(&page).contains("\nvalue 1\n") && page.page.age(Instant::now()) >= WAIT);
        assert!(worker.page(Format::Text, false).await.is_none(), "it is six seconds old");
        tokio::time::resume();
        gate.set_closed(false);
        let page = async {
            loop {
                if let Some(page) = worker.page(Format::Text, false).await {
                    return page;
                }
            }
        };
        assert!(text(&timeout(LONG, page).await.unwrap()).contains("\nvalue 2\n"));
    }
}
