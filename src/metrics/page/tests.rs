//! When a page is made anew, what it says of itself, and what it costs to keep.

use super::*;
use crate::metrics::gzip;

static VALUE: Definition =
    Definition { name: "value", instrument: Instrument::Gauge, unit: "", attributes: &[], help: "A value" };

#[test]
fn a_page_stands_until_values_change_or_it_expires() {
    let store = Store::new();
    let value = store.gauge(&VALUE, &[]);
    value.set(1.0);
    let expiry = Duration::from_millis(300);
    let mut pages = Pages::new(store.clone(), vec![Box::new(move |now| Some(now + expiry))]);
    let now = Instant::now();
    let first = pages.page(now, Format::Text, false);
    value.set(2.0);
    let again = pages.page(now, Format::Text, true);
    assert_eq!(first.text(), again.text(), "nobody said that values changed");
    assert_eq!(again.gzip.as_ref().unwrap().uncompress(), first.text());
    let shows = |page: Page, line: &str| String::from_utf8_lossy(&page.text()).contains(line);
    assert!(shows(pages.page(now + expiry, Format::Text, false), "\nvalue 2\n"), "the page had expired");
    value.set(3.0);
    store.touch();
    assert!(shows(pages.page(now + expiry, Format::Text, false), "\nvalue 3\n"), "values had changed");
}

#[test]
fn each_format_has_its_own_page() {
    let store = Store::new();
    store.gauge(&VALUE, &[]).set(1.0);
    let mut pages = Pages::new(store, Vec::new());
    let now = Instant::now();
    let text = pages.page(now, Format::Text, false);
    let open = pages.page(now, Format::OpenMetrics, false);
    let ends = |page: &Page| page.text_at(now).concat().ends_with(b"# EOF\n");
    assert!(ends(&open) && !ends(&text));
    let again = pages.page(now, Format::OpenMetrics, false);
    assert_eq!(again.text().as_ptr(), open.text().as_ptr(), "nothing changed, so nothing was made");
    assert!(!text.is_young(now), "another one was made since");
}

#[test]
fn a_page_tells_how_old_it_is_when_it_goes_out() {
    let store = Store::new();
    store.gauge(&VALUE, &[]).set(1.0);
    let (mut pages, made) = (Pages::new(store, Vec::new()), Instant::now());
    for format in Format::ALL {
        let page = pages.page(made, format, true);
        for (milliseconds, age) in [(0, "0"), (250, "0.25"), (2_000, "2")] {
            let now = made + Duration::from_millis(milliseconds);
            let texts = [page.text_at(now).concat(), gzip::uncompress(&page.gzip_at(now).unwrap().concat())];
            let line = format!("\nvitalsign_page_age_seconds {age}\n");
            for text in texts {
                let text = String::from_utf8(text).unwrap();
                assert_eq!(text.matches(&line).count(), 1, "{text}");
                assert!(text.starts_with("# HELP value A value\n") && text.contains("\nvalue 1\n"), "{text}");
            }
            let chosen = page.select(&["vitalsign_page_age_seconds"].into_iter().collect(), now);
            assert!(String::from_utf8(chosen).unwrap().contains(&line));
        }
    }
}

#[test]
fn no_page_is_older_than_one_that_somebody_has_seen() {
    let store = Store::new();
    let value = store.gauge(&VALUE, &[]);
    let mut pages = Pages::new(store.clone(), Vec::new());
    let now = Instant::now();
    let orders = Format::ALL.into_iter().flat_map(|format| [(format, false), (format, true)]);
    // Every order of two and three.
    let orders: Vec<_> = orders.collect();
    let mut seen = 0.0;
    for first in &orders {
        for second in &orders {
            for (format, compressed) in [first, second, first] {
                value.add(1.0);
                let text = pages.page(now, *format, *compressed).text();
                let text = String::from_utf8(text.to_vec()).unwrap();
                let line = text.lines().find_map(|line| line.strip_prefix("value ")).unwrap();
                let shown: f64 = line.parse().unwrap();
                assert!(shown >= seen, "{shown} after {seen}: {format:?} {compressed}");
                seen = shown;
            }
        }
    }
}

#[test]
fn what_was_compressed_alone_is_not_written_anew() {
    let store = Store::new();
    let value = store.gauge(&VALUE, &[]);
    value.set(1.0);
    let (mut pages, now) = (Pages::new(store.clone(), Vec::new()), Instant::now());
    let packed = pages.page(now, Format::Text, true);
    value.set(2.0);
    assert_eq!(pages.page(now, Format::Text, false).text(), packed.text());
}

#[test]
fn where_nobody_asks_for_text_there_is_none() {
    static MANY: Definition = Definition { name: "many", attributes: &["index"], ..VALUE };
    let store = Store::new();
    for index in 0..50_000 {
        store.gauge(&MANY, &[&format!("{index:05}")]).set(0.1);
    }
    for format in Format::ALL {
        let (mut pages, now) = (Pages::new(store.clone(), Vec::new()), Instant::now());
        let packed = pages.page(now, format, true);
        assert!(packed.text.is_none() && pages.piece.capacity() < PIECE * 4);
        let page = pages.page(now, format, false);
        assert!(page.is_ready(true) && page.is_ready(false));
        assert!(page.text().len() > PIECE * 8 && page.text() == packed.text(), "the same page");
        store.touch();
        assert!(pages.page(now, format, true).is_ready(false), "somebody may ask again");
        store.touch();
        assert!(!pages.page(now + TEXT_FOR, format, true).is_ready(false), "nobody did");
    }
}

#[test]
fn buffers_come_back() {
    let store = Store::new();
    let mut pages = Pages::new(store.clone(), Vec::new());
    let mut text = || {
        store.touch();
        pages.page(Instant::now(), Format::Text, false).text()
    };
    let (first, second) = (text(), text().as_ptr());
    assert_ne!(first.as_ptr(), second, "the first page was still held");
    assert_eq!(text().as_ptr(), second);
    let held = first.as_ptr();
    drop(first);
    assert!([held, second].contains(&text().as_ptr()));
}
