//! What a driver does inside one call, told to the run that made the call.
//!
//! A driver that looks up, connects and shakes hands by itself lets us in only through callbacks, which belong to the
//! process or to a client, not to a run. The run is therefore kept beside the task that the callbacks happen in. A
//! callback in another task finds nothing and says nothing.

use std::cell::Cell;
use std::future::Future;

use rustls::pki_types::CertificateDer;
use tokio::task_local;
use x509_parser::parse_x509_certificate;

use crate::checks::Run;
use crate::model::Phase;

task_local! {
    static WATCH: Watch;
}

struct Watch {
    run: Run,
    expiry: Cell<Option<i64>>,
}

/// Does `work` with callbacks going to `run`; also answers the earliest end of validity among the certificates that the
/// peer of the last TLS handshake showed, in Unix seconds, whether they were accepted or not.
pub(in crate::checks) async fn watched<F: Future>(run: &Run, work: F) -> (F::Output, Option<i64>) {
    let watch = Watch { run: run.clone(), expiry: Cell::new(None) };
    let work = async {
        let output = work.await;
        (output, WATCH.try_with(|watch| watch.expiry.get()).ok().flatten())
    };
    WATCH.scope(watch, work).await
}

/// Says that `phase` begins.
pub(in crate::checks) fn begins(phase: Phase) {
    let _ = WATCH.try_with(|watch| watch.run.begin_phase(phase));
}

/// Says that a TLS handshake begins.
pub(super) fn handshake_begins() {
    let _ = WATCH.try_with(|watch| {
        watch.run.begin_phase(Phase::Tls);
        watch.expiry.set(None);
    });
}

/// Shows the peer's certificates.
pub(super) fn certificates<'a>(chain: impl Iterator<Item = &'a CertificateDer<'a>>) {
    let _ = WATCH.try_with(|watch| watch.expiry.set(chain.filter_map(not_after).min()));
}

fn not_after(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}
