//! What serving metrics allocates: nothing for the page once its buffers are there, and for a request the same whatever
//! the number of series. Apart from the other tests, because it counts for the whole process.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets something unexpected fails there and then"
)]

use std::alloc::System;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::time::Instant;
use tower::ServiceExt;
use vitalsign::health::Board;
use vitalsign::metrics::{Format, Pages, Snapshot, Store, render, render_openmetrics};
use vitalsign::model::{Definition, Instrument, SpanIds};
use vitalsign::web::Faces;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static VALUE: Definition = Definition {
    name: "test.value",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &["index"],
    help: "A value",
};
static TOOK: Definition = Definition {
    name: "test.took",
    instrument: Instrument::Histogram(&[0.1, 1.0, 10.0]),
    unit: "s",
    attributes: &["index"],
    help: "A distribution",
};

fn filled(series: usize) -> Store {
    let store = Store::new();
    for index in 0..series / 2 {
        let index = index.to_string();
        store.gauge(&VALUE, &[&index]).set(1.0 / 3.0);
        let span = SpanIds { trace: [7; 16], span: [7; 8] };
        store.histogram(&TOOK, &[&index]).observe_in(0.7, Some(span));
    }
    store
}

/// How many allocations `work` makes: the fewest of several times, because other threads of the process (the test
/// runner's) are counted too.
fn allocations(mut work: impl FnMut()) -> usize {
    let counts = (0..20).map(|_| {
        let region = Region::new(COUNTED);
        work();
        let change = region.change();
        change.allocations + change.reallocations
    });
    counts.min().unwrap()
}

fn of_render(series: usize, render: fn(&Snapshot, &mut Vec<u8>)) -> usize {
    let (store, mut page) = (filled(series), Vec::new());
    render(&store.snapshot(), &mut page);
    allocations(|| {
        page.clear();
        render(&store.snapshot(), &mut page);
    })
}

fn of_observations() -> usize {
    let took = Store::new().histogram(&TOOK, &["a"]);
    allocations(|| took.observe_in(0.7, None))
}

fn of_page(series: usize, format: Format) -> usize {
    let store = filled(series);
    let mut pages = Pages::new(store.clone(), Vec::new());
    allocations(|| {
        // Without it the last page would simply be given again.
        store.touch();
        assert!(!pages.page(Instant::now(), format, false).text().is_empty());
    })
}

fn of_request(series: usize) -> usize {
    let store = filled(series);
    let faces = Faces::new(&Board::new(store.clone()), &store, "test", "1", Vec::new()).unwrap();
    let router = faces.router();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    allocations(|| {
        store.touch();
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let response = runtime.block_on(router.clone().oneshot(request)).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    })
}

#[test]
fn serving_metrics_allocates_nothing_that_grows_with_them() {
    assert_eq!(of_render(10_000, render), 0, "a page into a buffer that is large enough");
    assert_eq!(of_render(10_000, render_openmetrics), 0, "the same with exemplars");
    assert_eq!(of_observations(), 0, "an observation without a span");
    for format in Format::ALL {
        let (few, many) = (of_page(100, format), of_page(10_000, format));
        assert_eq!(many, few, "a page in a buffer that is used again");
    }
    let (few, many) = (of_request(100), of_request(10_000));
    assert_eq!(many, few, "a request for the page");
    assert!(few < 200, "{few} allocations for one request");
}
