//! What the agent says of itself: its build, and a clock that shows how old a pushed page is.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::health::Board;
use crate::metrics::{Refresh, Store};
use crate::model::{Definition, Instrument};

static BUILD_INFO: Definition = Definition {
    name: "vitalsign.build_info",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &["version", "revision", "branch", "rustc.version", "target"],
    help: "What this process was built from; always 1",
};
static HEARTBEAT: Definition = Definition {
    name: "vitalsign.heartbeat.timestamp",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &[],
    help: "Unix time at which these values were collected",
};
static UPTIME: Definition = Definition {
    name: "process.uptime",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &[],
    help: "Time since this process started",
};

/// The metrics that this part fills.
pub(super) static DEFINITIONS: &[&Definition] = &[&BUILD_INFO, &HEARTBEAT, &UPTIME];

/// Shows the build, and gives what keeps the clocks up to date.
pub(super) fn show(store: &Store, board: &Board) -> Refresh {
    let built = [
        env!("CARGO_PKG_VERSION"),
        env!("VITALSIGN_REVISION"),
        env!("VITALSIGN_BRANCH"),
        env!("VITALSIGN_RUSTC"),
        env!("VITALSIGN_TARGET"),
    ];
    store.gauge(&BUILD_INFO, &built).set(1.0);
    let (heartbeat, uptime, board) = (store.gauge(&HEARTBEAT, &[]), store.gauge(&UPTIME, &[]), board.clone());
    Box::new(move |now: Instant| {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        heartbeat.set(since_epoch.as_secs_f64());
        uptime.set(board.uptime(now));
        None
    })
}
