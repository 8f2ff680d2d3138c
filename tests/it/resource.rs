//! What an agent says of itself on the page, and who decides it.

use crate::harness::agent::Launch;

const CONFIG: &str = "resource: { deployment.environment.name: test, team: of the file }\nchecks: {}\n";

#[test]
fn the_page_says_what_the_process_is() {
    let agent = Launch::new(CONFIG)
        .env("OTEL_SERVICE_NAME", "orders")
        .env("OTEL_RESOURCE_ATTRIBUTES", "team=of%20the%20environment,service.namespace=shop")
        .start();
    let page = agent.scrape();
    let [target] = &*page.values("target_info") else { panic!("one target_info") };
    assert!((target.value - 1.0).abs() < f64::EPSILON);
    let (address, pid) = (agent.addr().to_string(), agent.pid().to_string());
    for (label, value) in [
        ("service_name", "orders"),
        ("service_namespace", "shop"),
        ("service_instance_id", address.as_str()),
        ("deployment_environment_name", "test"),
        ("team", "of the file"),
        ("process_pid", pid.as_str()),
        ("process_executable_name", "vitalsign"),
        ("telemetry_sdk_name", "vitalsign"),
    ] {
        assert_eq!(target.labels.get(label).map(String::as_str), Some(value), "{label}: {target:?}");
    }
    for label in ["host_name", "host_arch", "os_type", "service_version"] {
        assert!(target.labels.contains_key(label), "{label}: {target:?}");
    }
    for label in ["job", "instance"] {
        assert!(!target.labels.contains_key(label), "{label} is for the scraper to say");
    }
}

#[test]
fn each_attribute_says_where_it_comes_from_and_the_configuration_wins() {
    let shown = Launch::new(CONFIG)
        .env("OTEL_RESOURCE_ATTRIBUTES", "team=of%20the%20environment,service.namespace=shop")
        .arg("config")
        .arg("show")
        .run();
    let lines = "resource:\n  deployment.environment.name: test  # line 1\n  team: \"of the file\"  # line 1\n  \
                 service.namespace: shop  # from the environment variable OTEL_RESOURCE_ATTRIBUTES\n";
    assert!(shown.status.success() && shown.stdout.contains(lines), "{}{}", shown.stdout, shown.stderr);
}

#[test]
fn the_configuration_names_the_service_before_the_environment_does() {
    for config in ["service: billing\n", "resource: { service.name: billing }\n"] {
        let agent =
            Launch::new(&format!("{config}checks: {{}}\n")).env("OTEL_SERVICE_NAME", "orders").start();
        assert_eq!(agent.scrape().values("target_info")[0].labels["service_name"], "billing", "{config}");
    }
}

#[test]
fn bad_attributes_in_the_environment_are_reported_and_stop_nothing() {
    let agent = Launch::new(CONFIG).env("OTEL_RESOURCE_ATTRIBUTES", "oops").start();
    let log = agent.log();
    assert!(log.contains("OTEL_RESOURCE_ATTRIBUTES is ignored: in its pair 1 there is no `=`"), "{log}");
    assert_eq!(agent.scrape().values("target_info").len(), 1);
}
