//! How far each alert is provoked live, as data: who is not heard of has a reason here.

use std::collections::BTreeSet;

use super::heard::key_of;
use crate::alerts::rules;

/// What becomes of an alert in the live test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    /// Its receiver hears of it and of its end.
    Told,
    /// Its receiver hears of it; its end is not waited for, or not told.
    Begun(&'static str),
    /// Alertmanager holds it back, as it should.
    Held,
    /// It is not provoked; the tests of the rules fire it.
    Not(&'static str),
}
use Fate::{Begun, Held, Not, Told};

const SILENT: &str = "the receiver of what is for information is not told of ends";

/// Every alert, by its name, severity and window.
pub(super) const FATES: &[(&str, Fate)] = &[
    ("VitalsignWatchdog none", Begun("never ends")),
    ("VitalsignInfoInhibitor none", Held),
    ("VitalsignAgentDown critical", Told),
    ("VitalsignAgentAbsent critical", Told),
    ("VitalsignAgentStoppedReporting warning", Told),
    ("VitalsignAgentRestarting warning", Begun("its window is half an hour")),
    ("VitalsignCollectorFailing warning", Told),
    ("VitalsignScrapeSlow warning", Told),
    ("VitalsignSeriesDropped warning", Begun("its window is a quarter of an hour")),
    ("VitalsignVersionSkew info", Not("needs another release")),
    ("VitalsignServiceNotReady critical", Told),
    ("VitalsignCheckFailing critical", Told),
    ("VitalsignCheckFailing warning", Told),
    ("VitalsignCheckDegraded warning", Told),
    ("VitalsignCheckFlapping warning", Begun("its window is half an hour")),
    ("VitalsignCheckSlow warning", Begun("its window is a quarter of an hour")),
    ("VitalsignCheckStale warning", Not("needs a scheduler that is stuck: a fault of ours")),
    ("VitalsignCheckNeverSucceeded warning", Told),
    ("VitalsignCircuitOpen warning", Held),
    ("VitalsignCircuitFlapping warning", Begun("its window is an hour")),
    ("VitalsignCheckRemoved info", Begun(SILENT)),
    ("VitalsignQueueBacklog warning", Told),
    ("VitalsignQueueGrowing info", Not("needs three quarters of an hour of history")),
    ("VitalsignCertificateExpiring critical", Told),
    ("VitalsignCertificateExpiring warning", Told),
    ("VitalsignHostCpuHigh info", Begun(SILENT)),
    ("VitalsignHostCpuPressure warning", Told),
    ("VitalsignHostMemoryHigh warning", Told),
    ("VitalsignHostMemoryPressure critical", Told),
    ("VitalsignHostDiskAlmostFull critical", Told),
    ("VitalsignHostDiskAlmostFull warning", Told),
    ("VitalsignHostDiskFillingUp warning", Not("needs three hours of history")),
    ("VitalsignFilesystemUnresponsive warning", Told),
    ("VitalsignHostNetworkErrors warning", Told),
    ("VitalsignContainerThrottled warning", Told),
    ("VitalsignContainerOutOfMemory warning", Begun("its window is a quarter of an hour")),
    ("VitalsignHttpErrorBudgetBurn critical 1h", Told),
    ("VitalsignHttpErrorBudgetBurn critical 6h", Told),
    ("VitalsignHttpErrorBudgetBurn warning 1d", Told),
    ("VitalsignHttpErrorBudgetBurn warning 3d", Told),
    ("VitalsignHttpLatencyHigh warning", Told),
    (
        "VitalsignHealthEndpointSlow warning",
        Not("needs a process that gets no processor for half a second, often"),
    ),
    ("VitalsignHealthEndpointErroring warning", Not("needs a fault of ours")),
    ("VitalsignOtlpExportFailing warning", Told),
    ("VitalsignOtlpDataLost warning", Begun("its window is a quarter of an hour")),
    ("VitalsignCheckErrorBudgetBurn critical 1h", Told),
    ("VitalsignCheckErrorBudgetBurn critical 6h", Begun("its windows are half an hour and more")),
    ("VitalsignCheckErrorBudgetBurn warning 1d", Begun("its windows are two hours and more")),
    ("VitalsignCheckErrorBudgetBurn warning 3d", Begun("its windows are six hours and more")),
    ("VitalsignTasksSaturated warning", Told),
    ("VitalsignTasksLeaking info", Not("needs seven hours of history")),
    ("VitalsignRuntimeBusy warning", Told),
];

/// The alerts with these fates.
pub(super) fn with(wanted: impl Fn(Fate) -> bool) -> BTreeSet<String> {
    FATES.iter().filter(|(_, fate)| wanted(*fate)).map(|(key, _)| (*key).to_owned()).collect()
}

#[test]
fn every_alert_is_provoked_live_or_has_a_reason() {
    let (listed, there) = (with(|_| true), rules::alerts().iter().map(key_of).collect::<BTreeSet<_>>());
    assert_eq!(listed.len(), FATES.len(), "an alert is listed twice");
    let missing: Vec<_> = there.difference(&listed).collect();
    assert!(missing.is_empty(), "provoke these live, or say why not: {missing:?}");
    let unknown: Vec<_> = listed.difference(&there).collect();
    assert!(unknown.is_empty(), "listed, and no alert: {unknown:?}");
}
