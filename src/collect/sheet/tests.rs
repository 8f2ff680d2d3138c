//! Many series that come, move and go; and what a reader sees while they do.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::metrics::render;
use crate::model::Instrument;

thread_local! {
    /// How often a slot was compared with what was looked for.
    pub(in crate::collect) static LOOKS: Cell<usize> = const { Cell::new(0) };
}

static IO: Definition = Definition {
    name: "test.io",
    instrument: Instrument::Counter,
    unit: "By",
    attributes: &["name", "direction"],
    help: "Bytes",
};

struct Filled {
    store: Store,
    sheet: Sheet,
}

impl Filled {
    fn new() -> Self {
        let store = Store::new();
        let sheet = Sheet::new(&store, "test", Counts::OfThings);
        Self { store, sheet }
    }

    /// One reading of these interfaces; gives how often something was compared.
    fn read(&mut self, names: impl IntoIterator<Item = usize>) -> usize {
        let before = LOOKS.with(Cell::get);
        self.sheet.begin();
        for name in names {
            self.sheet.set(&IO, &[&name.to_string(), "receive"], name as f64);
        }
        self.sheet.end();
        LOOKS.with(Cell::get) - before
    }

    fn lines(&self) -> usize {
        let mut page = Vec::new();
        render(&self.store.snapshot(), &mut page);
        String::from_utf8(page).unwrap().matches("test_io_bytes_total{").count()
    }
}

#[test]
fn each_of_many_new_series_costs_the_same_however_many_there_are() {
    for many in [500, 5_000, 50_000] {
        let mut filled = Filled::new();
        assert!(filled.read(0..many) <= many, "all are new");
        assert_eq!(filled.lines(), many);
        assert_eq!(filled.read(0..many), many, "all are where they were");
        assert!(filled.read((0..many).rev()) <= 2 * many, "the other way round");
        assert_eq!(filled.read((0..many).rev()), many, "which is the order from now on");
        let one_more = || (0..many).rev().chain([many]);
        assert!(filled.read(one_more().skip(1)) <= 2 * many, "the first is gone and one is new");
        assert_eq!(filled.lines(), many);
        let merged = (0..many).chain(many..2 * many);
        assert!(filled.read(merged) <= 4 * many);
        assert_eq!(filled.lines(), 2 * many);
    }
}

#[test]
fn series_that_went_take_no_room() {
    let mut filled = Filled::new();
    let series = |filled: &Filled| filled.store.snapshot().series();
    filled.read(0..10);
    let before = series(&filled);
    for start in 0..1_000 {
        filled.read(start * 10..start * 10 + 10);
    }
    assert_eq!((series(&filled), filled.lines()), (before, 10));
    assert_eq!(filled.sheet.slots.lock().len(), 10);
}

#[test]
fn a_reading_that_goes_on_shows_nothing_of_itself() {
    let mut filled = Filled::new();
    filled.read([1, 2]);
    let page = |filled: &Filled| {
        let mut page = Vec::new();
        filled.store.whole(|snapshot| render(snapshot, &mut page));
        String::from_utf8(page).unwrap()
    };
    let before = page(&filled);
    filled.sheet.begin();
    filled.sheet.set(&IO, &["1", "receive"], 10.0);
    filled.sheet.set(&IO, &["3", "receive"], 30.0);
    assert_eq!(page(&filled), before);
    filled.sheet.end();
    let after = page(&filled);
    let shows = |name: &str, value: u32| {
        after.contains(&format!("{{name=\"{name}\",direction=\"receive\"}} {value}\n"))
    };
    assert!(shows("1", 10) && shows("3", 30) && !after.contains("name=\"2\""), "{after}");
}

#[test]
fn a_page_has_all_of_a_reading_or_nothing_whoever_is_at_it() {
    const MANY: usize = 300;
    let mut filled = Filled::new();
    filled.read(0..MANY);
    let store = filled.store.clone();
    let done = Arc::new(AtomicBool::new(false));
    let reads = {
        let done = Arc::clone(&done);
        crate::supervisor::thread("reads", move || {
            let mut pages = 0_usize;
            while pages < 20 || !done.load(Ordering::Relaxed) {
                let mut page = Vec::new();
                store.whole(|snapshot| render(snapshot, &mut page));
                let page = String::from_utf8(page).unwrap();
                let values = page.lines().filter(|line| line.starts_with("test_io_bytes_total{"));
                let values: Vec<_> = values.map(|line| line.rsplit_once(' ').unwrap().1).collect();
                assert_eq!(values.len(), MANY);
                assert!(pages == 0 || values.iter().all(|value| *value == values[0]) || values[0] == "0");
                pages += 1;
            }
        })
        .unwrap()
    };
    // The same series in another order, others in their place, and each time all of one value.
    for round in 1..200 {
        filled.sheet.begin();
        for name in 0..MANY {
            let name = if round % 3 == 0 { name + MANY } else { name };
            filled.sheet.set(&IO, &[&name.to_string(), "receive"], round as f64);
        }
        filled.sheet.end();
    }
    done.store(true, Ordering::Relaxed);
    reads.join().unwrap();
}

#[test]
fn things_that_an_error_hides_are_not_new_afterwards() {
    let mut filled = Filled::new();
    filled.read([1]);
    let of = |filled: &Filled| {
        filled.sheet.slots.lock()[0].series.as_ref().map(|series| format!("{:p}", &raw const **series))
    };
    let first = of(&filled);
    filled.sheet.begin();
    filled.sheet.fail(Reason::Denied, "hidden");
    filled.sheet.end();
    assert_eq!(filled.lines(), 0);
    filled.read([1]);
    assert_eq!((of(&filled), filled.lines()), (first, 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_there_counts_since_boot_and_what_came_since_the_reading_before() {
    let mut filled = Filled::new();
    let boot = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    filled.store.tell_starts(crate::metrics::Starts { boot: Some(boot), process: None });
    filled.read([1]);
    tokio::time::advance(std::time::Duration::from_secs(64)).await;
    filled.read([1, 2]);
    let mut page = Vec::new();
    crate::metrics::render_openmetrics(&filled.store.snapshot(), &mut page);
    let page = String::from_utf8(page).unwrap();
    let created = |name: &str| {
        let line = format!("test_io_bytes_created{{name=\"{name}\",direction=\"receive\"}} ");
        page.lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(created("1"), 1.0);
    let ago = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() - created("2");
    assert!((0.0..30.0).contains(&ago), "at the first reading, {ago} ago");
}
