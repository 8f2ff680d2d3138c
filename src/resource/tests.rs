//! Who wins, and what is found out.

use super::*;

/// A machine with these files.
fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    root
}

fn resource(
    files: &[(&str, &str)],
    configured: &[(&str, &str)],
    env: &[(&str, &str)],
) -> (Resource, Vec<String>) {
    let look_up =
        |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let mut resource = Resource::new(configured.iter().copied());
    let problems = resource.find_out_below(machine(files).path(), &look_up);
    (resource, problems)
}

fn shown(resource: &Resource, name: &str) -> Option<String> {
    resource.get(name).map(ToString::to_string)
}

#[test]
fn the_configuration_wins_over_the_environment_and_that_over_what_is_found() {
    let attributes =
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=c,service.version=c,os.type=c,team=first,team=last");
    let env = [attributes, ("OTEL_SERVICE_NAME", "b")];
    let (found, problems) = resource(&[], &[("service.name", "a")], &env);
    assert_eq!(shown(&found, "service.name").as_deref(), Some("a"));
    assert_eq!(shown(&found, "service.version").as_deref(), Some("c"));
    assert_eq!(shown(&found, "os.type").as_deref(), Some("c"));
    assert_eq!(shown(&found, "team").as_deref(), Some("last"));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(shown(&resource(&[], &[], &env).0, "service.name").as_deref(), Some("b"));
    let (only_attributes, _) = resource(&[], &[], &[attributes, ("OTEL_SERVICE_NAME", "")]);
    let completed = only_attributes.of_service("default", "1", None);
    assert_eq!(shown(&completed, "service.name").as_deref(), Some("c"));
    assert_eq!(shown(&completed, "service.version").as_deref(), Some("c"));
}

#[test]
fn a_bad_variable_is_reported_and_ignored() {
    let (found, problems) = resource(&[], &[], &[("OTEL_RESOURCE_ATTRIBUTES", "team=orders,oops")]);
    assert_eq!(shown(&found, "team"), None);
    let [problem] = &*problems else { panic!("{problems:?}") };
    assert!(problem.starts_with("OTEL_RESOURCE_ATTRIBUTES is ignored: in its pair 2"), "{problem}");
}

#[test]
fn finds_out_what_this_is() {
    let mut found = Resource::default();
    found.find_out(&|_| None);
    assert_eq!(found.get("process.pid"), Some(&AttributeValue::Integer(i64::from(std::process::id()))));
    let executable = shown(&found, "process.executable.name").unwrap();
    assert!(executable.starts_with("vitalsign-"), "{executable}");
    for name in ["host.name", "host.arch", "os.type", "process.runtime.version", "telemetry.sdk.version"] {
        assert!(shown(&found, name).is_some_and(|value| !value.is_empty()), "{name}: {found:?}");
    }
    assert_eq!(shown(&found, "telemetry.sdk.language").as_deref(), Some("rust"));
    assert!(found.attributes().is_sorted_by(|a, b| a.name < b.name), "each name once: {found:?}");
}

#[test]
fn a_container_has_an_id_and_not_that_of_the_machine() {
    let id = "0123456789abcdef".repeat(4);
    let machine_id = ("etc/machine-id", "00112233445566778899aabbccddeeff\n");
    let (bare, _) = resource(&[machine_id, ("proc/self/cgroup", "0::/\n")], &[], &[]);
    assert_eq!(shown(&bare, "host.id").as_deref(), Some("00112233445566778899aabbccddeeff"));
    assert_eq!(shown(&bare, "container.id"), None);
    let cgroup = format!("0::/docker/{id}\n");
    let (contained, _) = resource(&[machine_id, ("proc/self/cgroup", &cgroup)], &[], &[]);
    assert_eq!(shown(&contained, "host.id"), None);
    assert_eq!(shown(&contained, "container.id"), Some(id));
}

#[test]
fn a_pod_is_what_the_downward_api_says() {
    let env = [("K8S_POD_NAME", "orders-1"), ("POD_NAME", "other"), ("NODE_NAME", "node-7"), ("POD_UID", "")];
    let (outside, _) = resource(&[], &[], &env);
    assert_eq!(shown(&outside, "k8s.pod.name").as_deref(), Some("orders-1"));
    assert_eq!(shown(&outside, "k8s.node.name"), None, "outside a cluster it may be anybody's");
    let inside = [&env[..], &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]].concat();
    let account = ("var/run/secrets/kubernetes.io/serviceaccount/namespace", "shop\n");
    let (inside, _) = resource(&[account], &[], &inside);
    assert_eq!(shown(&inside, "k8s.node.name").as_deref(), Some("node-7"));
    assert_eq!(shown(&inside, "k8s.namespace.name").as_deref(), Some("shop"));
    assert_eq!(shown(&inside, "k8s.pod.uid"), None);
}

#[test]
fn the_instance_is_where_it_is_scraped() {
    let instance = |configured: &[(&str, &str)], listen: &str| {
        let (resource, _) = resource(&[], configured, &[]);
        shown(&resource.of_service("orders", "1", Some(listen.parse().unwrap())), "service.instance.id")
            .unwrap()
    };
    assert_eq!(instance(&[], "10.0.0.7:10464"), "10.0.0.7:10464");
    assert_eq!(instance(&[], "[::1]:10464"), "[::1]:10464");
    assert_eq!(instance(&[("host.name", "web-3")], "0.0.0.0:10464"), "web-3:10464");
    assert_eq!(instance(&[("host.name", "web-3")], "[::]:10464"), "web-3:10464");
    assert_eq!(instance(&[("service.instance.id", "seven")], "10.0.0.7:10464"), "seven");
}
