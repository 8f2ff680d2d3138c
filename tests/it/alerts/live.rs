//! From a real cause to whoever is told, and back: the demonstration's agent, Prometheus and Alertmanager with the
//! mounted files, and PostgreSQL, Redis, RabbitMQ, an HTTP service and a program that embeds the library, of which much
//! goes wrong.
//!
//! Takes eleven minutes, nearly all of them spent waiting: for ten a check may never have succeeded before anybody is told.

use std::{collections::BTreeSet, time::Duration};

use self::{fates::Fate, heard::is_as_its_rule_says, scene::Scene};
use super::rules;
use crate::harness::{
    alertmanager::is_held,
    eventually::{eventually, same},
    otlp::Step,
    rabbitmq::RabbitMq,
};

#[path = "live/fast.rs"]
mod fast;
#[path = "live/fates.rs"]
mod fates;
#[path = "live/heard.rs"]
mod heard;
#[path = "live/road.rs"]
mod road;
#[path = "live/scene.rs"]
mod scene;
#[path = "live/service.rs"]
mod service;

const SOON: Duration = Duration::from_secs(400);

#[test]
#[ignore = "takes minutes, nearly all of them spent waiting: run by tests/live"]
fn what_goes_wrong_is_heard_of_once_and_so_is_its_end() {
    let mut scene = Scene::start();
    let instance = scene.limits_instance();
    a_machine_gets_into_trouble(&scene);
    a_service_is_missing(&mut scene, &instance);
    certificates_are_renewed(&scene);
    a_machine_is_in_trouble(&scene);
    limits_are_met(&mut scene, &instance);
    requests_fail(&scene);
    an_agent_leaves_and_comes_back(&scene);
    a_critical_check_fails(&mut scene);
    what_takes_its_time(&scene, &instance);
    every_agent_hangs(&mut scene);

    scene.receivers.all_are_as_their_rules_say();
    let (heard, ended) = scene.receivers.summary();
    let unheard: Vec<_> =
        fates::with(|fate| matches!(fate, Fate::Told | Fate::Begun(_))).difference(&heard).cloned().collect();
    assert!(unheard.is_empty(), "nobody was told of {unheard:?}");
    let endless: Vec<_> = fates::with(|fate| fate == Fate::Told).difference(&ended).cloned().collect();
    assert!(endless.is_empty(), "nobody was told of the end of {endless:?}");
}

/// Waits until Alertmanager knows this alert of that instance and does not tell of it.
#[track_caller]
fn is_held_back(scene: &Scene, alert: &str, instance: &str, check: Option<&str>) {
    eventually(&format!("{alert} of {instance} held back"), SOON, || {
        let alerts = scene.alertmanager.alerts();
        let its = alerts.iter().find(|one| {
            let labels = &one["labels"];
            format!("{} {}", labels["alertname"], labels["severity"]).replace('"', "") == alert
                && labels["instance"] == instance
                && check.is_none_or(|check| labels["healthcheck_name"] == check)
        });
        match its {
            Some(its) if is_held(its) => {
                is_as_its_rule_says(&rules::alerts(), its);
                Ok(())
            }
            other => Err(format!("{other:?}")),
        }
    });
}

/// A machine is short of everything and loses a disk.
fn a_machine_gets_into_trouble(scene: &Scene) {
    let well = format!("cgroup_memory_events_total{{instance='{}'}}", scene.pusher.addr());
    eventually("the machine to be seen well", SOON, || {
        scene.prometheus.query(&well)?.first().map(drop).ok_or_else(|| "nothing".to_owned())
    });
    scene.machine.count(1);
    scene.machine.lose_disk();
}

/// Somebody hears of that, and of the road to an agent, which is slow.
fn a_machine_is_in_trouble(scene: &Scene) {
    let pusher = scene.pusher.addr().to_string();
    for (receiver, alert) in MACHINE.iter().chain(&[DISK_GONE, OUT_OF_MEMORY]) {
        scene.receivers.hear(receiver, alert, &[("instance", &pusher)]);
    }
    let far = scene.road.addr().to_string();
    let its = [("instance", &*far)];
    scene.receivers.hear("today", "VitalsignScrapeSlow warning", &its);
    scene.road.be_late(Duration::ZERO);
    scene.receivers.hear_the_end("VitalsignScrapeSlow warning", &its);
}

/// What the machine is short of, and who is told; it ends when that is five minutes ago.
const MACHINE: &[(&str, &str)] = &[
    ("today", "VitalsignHostCpuPressure warning"),
    ("pager", "VitalsignHostMemoryPressure critical"),
    ("today", "VitalsignHostNetworkErrors warning"),
    ("today", "VitalsignContainerThrottled warning"),
];
const DISK_GONE: (&str, &str) = ("today", "VitalsignFilesystemUnresponsive warning");
const OUT_OF_MEMORY: (&str, &str) = ("today", "VitalsignContainerOutOfMemory warning");

/// A service that is not there and a collector that refuses all from the start; then both work, and the checks have used
/// up what they may.
fn a_service_is_missing(scene: &mut Scene, instance: &str) {
    let of = |check| [("instance", instance), ("healthcheck_name", check)];
    scene.receivers.hear("alive", "VitalsignWatchdog none", &[]);
    scene.receivers.hear("pager", "VitalsignCheckFailing critical", &of("payments"));
    scene.receivers.hear("today", "VitalsignCheckFailing warning", &of("search"));
    is_held_back(scene, "VitalsignCheckErrorBudgetBurn critical", instance, Some("payments"));
    let failures = "healthcheck_failures_total{healthcheck_name=~'payments|search'}[1d]";
    let failed = format!("sum by (healthcheck_name) (increase({failures})) > 6");
    eventually("enough failures", SOON, || match scene.prometheus.query(&failed)?.len() {
        2 => Ok(()),
        fewer => Err(format!("{fewer} of 2")),
    });

    scene.start_service();
    let pusher = scene.pusher.addr().to_string();
    scene.receivers.hear("today", "VitalsignOtlpExportFailing warning", &[("instance", &pusher)]);
    scene.receivers.hear("today", "VitalsignOtlpDataLost warning", &[("instance", &pusher)]);
    scene.collector.otherwise(Step::Take);
    scene.receivers.hear_the_end("VitalsignCheckFailing critical", &of("payments"));
    scene.receivers.hear_the_end("VitalsignCheckFailing warning", &of("search"));
    scene.receivers.hear("pager", "VitalsignCheckErrorBudgetBurn critical 1h", &of("payments"));
    scene.receivers.hear("pager", "VitalsignCheckErrorBudgetBurn critical 6h", &of("payments"));
    scene.receivers.hear("today", "VitalsignCheckErrorBudgetBurn warning 1d", &of("search"));
    for well in [false, true].repeat(5) {
        scene.service().be_well(well);
        let state = if well { "healthy" } else { "unhealthy" };
        eventually("the answer to be seen", SOON, || scene::are(&scene.limits, state, &["ping"]));
        eventually("the circuit breaker to follow", SOON, || {
            let labels = [("healthcheck_name", "shaky"), ("healthcheck_circuit_breaker_state", "closed")];
            let closed = scene.limits.scrape().value("healthcheck_circuit_breaker_status", &labels);
            same(closed, &Some(f64::from(u8::from(well))))
        });
    }
    scene.receivers.hear("today", "VitalsignCheckFlapping warning", &of("ping"));
    scene.receivers.hear("today", "VitalsignCircuitFlapping warning", &of("shaky"));
    scene.receivers.hear("today", "VitalsignCheckSlow warning", &of("late"));
}

/// Certificates that end within days are renewed.
fn certificates_are_renewed(scene: &Scene) {
    let pusher = scene.pusher.addr().to_string();
    let alerts = [
        ("pager", "VitalsignCertificateExpiring critical", "certificate"),
        ("today", "VitalsignCertificateExpiring warning", "next_certificate"),
    ];
    let of = |check| [("instance", &*pusher), ("healthcheck_name", check)];
    for (receiver, alert, check) in alerts {
        scene.receivers.hear(receiver, alert, &of(check));
    }
    scene.renew_certificates();
    for (_, alert, check) in alerts {
        scene.receivers.hear_the_end(alert, &of(check));
    }
}

/// What is over its limit, or refused, from the start; then it is not.
fn limits_are_met(scene: &mut Scene, instance: &str) {
    let of = |check| [("instance", instance), ("healthcheck_name", check)];
    let (program, pusher) = (scene.program.addr().to_string(), scene.pusher.addr().to_string());
    let load = [("instance", &*pusher), ("collector_name", "load")];
    let ending = [
        ("pager", "VitalsignHostDiskAlmostFull critical", of("disk_full").to_vec()),
        ("today", "VitalsignHostDiskAlmostFull warning", of("disk_filling").to_vec()),
        ("today", "VitalsignHostMemoryHigh warning", of("memory").to_vec()),
        ("today", "VitalsignCheckDegraded warning", of("jobs").to_vec()),
        ("today", "VitalsignQueueBacklog warning", of("jobs").to_vec()),
        ("today", "VitalsignTasksSaturated warning", vec![("instance", &*program)]),
        ("today", "VitalsignCollectorFailing warning", load.to_vec()),
        (DISK_GONE.0, DISK_GONE.1, vec![("instance", &*pusher)]),
    ];
    for (receiver, alert, with) in &ending {
        scene.receivers.hear(receiver, alert, with);
    }
    scene.receivers.hear("log", "VitalsignHostCpuHigh info", &of("cpu"));
    is_held_back(scene, "VitalsignCheckFailing warning", instance, Some("disk_full"));
    // Of a busy processor alone nobody hears.
    let idle = scene.idle.addr().to_string();
    is_held_back(scene, "VitalsignHostCpuHigh info", &idle, Some("cpu"));
    eventually("what holds it back", SOON, || {
        let alerts = scene.alertmanager.alerts();
        let inhibitor = alerts.iter().find(|one| {
            one["labels"]["alertname"] == "VitalsignInfoInhibitor" && one["labels"]["instance"] == *idle
        });
        inhibitor.map(|its| is_as_its_rule_says(&rules::alerts(), its))
    });

    RabbitMq::shared().ctl(&["purge_queue", scene::QUEUE]);
    scene.program.rest();
    scene.program.make_too_many_series();
    scene.machine.find_disk();
    scene.machine.tell_load();
    scene.restart_limits("");
    scene.receivers.hear("log", "VitalsignCheckRemoved info", &of("given_up"));
    while scene.restarts_of_limits() <= 3.0 {
        scene.restart_limits(scene::GIVEN_UP);
    }
    scene.receivers.hear("today", "VitalsignAgentRestarting warning", &[("instance", instance)]);
    scene.receivers.hear("today", "VitalsignSeriesDropped warning", &[("instance", &program)]);
    for (_, alert, with) in &ending {
        scene.receivers.hear_the_end(alert, with);
    }
}

/// Requests to the service fail and are late; then most are well.
fn requests_fail(scene: &Scene) {
    scene.scrape(&[scene.idle.addr()]);
    let counted = "http_server_request_duration_seconds_count{http_route='/orders/{id}'}";
    eventually("the service to be scraped", SOON, || {
        scene.prometheus.query(counted)?.first().map(drop).ok_or_else(|| "nothing".to_owned())
    });
    let service = scene.service();
    let hear = |receiver: &str, alert: &str| scene.receivers.hear(receiver, alert, &[]);
    service.orders("fails", 30);
    service.orders("late", 3);
    service.orders("1", 90);
    let (late, burns) = ("VitalsignHttpLatencyHigh warning", "VitalsignHttpErrorBudgetBurn");
    hear("today", late);
    hear("pager", &format!("{burns} critical 1h"));
    hear("pager", &format!("{burns} critical 6h"));
    service.orders("2", 600);
    hear("today", &format!("{burns} warning 1d"));
    hear("today", &format!("{burns} warning 3d"));
    service.orders("3", 3_000);
    for end in ["critical 1h", "critical 6h", "warning 1d", "warning 3d"] {
        scene.receivers.hear_the_end(&format!("{burns} {end}"), &[]);
    }
    scene.receivers.hear_the_end(late, &[]);
}

/// An agent is no target any more, then it is one again, and hangs.
fn an_agent_leaves_and_comes_back(scene: &Scene) {
    let idle = scene.idle.addr().to_string();
    let its = [("instance", &*idle)];
    scene.scrape(&[]);
    scene.receivers.hear("today", "VitalsignAgentStoppedReporting warning", &its);
    scene.scrape(&[scene.idle.addr()]);
    scene.receivers.hear_the_end("VitalsignAgentStoppedReporting warning", &its);
    scene.idle.freeze();
    scene.receivers.hear("pager", "VitalsignAgentDown critical", &its);
    scene.idle.thaw();
    scene.receivers.hear_the_end("VitalsignAgentDown critical", &its);
}

/// The database of the demonstration is gone and its cache hangs; one page says so.
fn a_critical_check_fails(scene: &mut Scene) {
    // Somebody who has just started may be not ready.
    eventually("an agent that has run for a while", SOON, || {
        scene.shop.scrape().value("process_uptime_seconds", &[]).is_some_and(|uptime| uptime > 181.0)
    });
    let shop = scene.shop.addr().to_string();
    let of = |check| [("instance", &*shop), ("healthcheck_name", check)];
    scene.scrape(&[scene.idle.addr(), scene.shop.addr()]);
    scene.receivers.hear("pager", "VitalsignServiceNotReady critical", &[("instance", &shop)]);
    scene.receivers.hear("today", "VitalsignCheckFailing warning", &of("cache"));
    for (alert, check) in [
        ("VitalsignCheckFailing critical", "orders_db"),
        ("VitalsignCircuitOpen warning", "orders_db"),
        ("VitalsignCircuitOpen warning", "cache"),
    ] {
        is_held_back(scene, alert, &shop, Some(check));
    }
    let about_checks = |one: &heard::Heard| {
        let name = one.label("alertname").unwrap_or_default();
        let checks = ["VitalsignService", "VitalsignCheck", "VitalsignCircuit"];
        one.label("instance") == Some(&*shop)
            && checks.iter().any(|start| name.starts_with(start))
            // A machine may be too busy to run a check in time, whatever else is the matter.
            && name != "VitalsignCheckStale"
            && matches!(one.label("healthcheck_name"), None | Some("orders_db" | "cache"))
    };
    let told: BTreeSet<String> =
        scene.receivers.all().iter().filter(|one| about_checks(one)).map(heard::Heard::key).collect();
    assert!(
        told.iter().eq(["VitalsignCheckFailing warning", "VitalsignServiceNotReady critical"]),
        "{told:?}"
    );

    scene.postgres.restart();
    scene.redis.thaw();
    scene.receivers.hear_the_end("VitalsignServiceNotReady critical", &[("instance", &shop)]);
    scene.receivers.hear_the_end("VitalsignCheckFailing warning", &of("cache"));
}

/// What needs minutes of history, or as long to end.
fn what_takes_its_time(scene: &Scene, instance: &str) {
    let (program, pusher) = (scene.program.addr().to_string(), scene.pusher.addr().to_string());
    let its = [("instance", &*program)];
    scene.receivers.hear("today", "VitalsignRuntimeBusy warning", &its);
    scene.program.unblock();
    scene.receivers.hear_the_end("VitalsignRuntimeBusy warning", &its);
    for (_, alert) in MACHINE {
        scene.receivers.hear_the_end(alert, &[("instance", &pusher)]);
    }
    scene.receivers.hear_the_end("VitalsignOtlpExportFailing warning", &[("instance", &pusher)]);
    let of = |check| [("instance", instance), ("healthcheck_name", check)];
    scene.receivers.hear("today", "VitalsignCheckErrorBudgetBurn warning 3d", &of("search"));
    scene.receivers.hear_the_end("VitalsignCheckErrorBudgetBurn critical 1h", &of("payments"));
    // A check that never succeeds may need ten minutes to start with; then its service has what it asks for.
    let new = [("instance", &*pusher), ("healthcheck_name", "new")];
    scene.receivers.hear("today", "VitalsignCheckNeverSucceeded warning", &new);
    is_held_back(scene, "VitalsignCheckFailing warning", &pusher, Some("new"));
    scene.service().be_complete();
    scene.receivers.hear_the_end("VitalsignCheckNeverSucceeded warning", &new);
}

/// Nothing reports any more: one page, and it ends.
fn every_agent_hangs(scene: &mut Scene) {
    scene.program.stop();
    let agents = [&scene.shop, &scene.limits, &scene.idle, &scene.pusher];
    agents.iter().for_each(|agent| agent.freeze());
    scene.receivers.hear("pager", "VitalsignAgentAbsent critical", &[]);
    for instance in [scene.shop.addr().to_string(), scene.limits_instance(), scene.idle.addr().to_string()] {
        is_held_back(scene, "VitalsignAgentDown critical", &instance, None);
    }
    agents.iter().for_each(|agent| agent.thaw());
    scene.receivers.hear_the_end("VitalsignAgentAbsent critical", &[]);
}
