//! The demonstration, `docker-compose.yml` and what it mounts from `deploy/`: as far as it can be told without an engine
//! that runs containers. The compose file is read by docker-compose itself, every mounted configuration by the program
//! that it is for, where Debian packages that program.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::harness::agent::Launch;

/// Services whose image has no program to ask them with.
const WITHOUT_HEALTH_CHECK: &[&str] = &["otel-collector"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a program says when all is well; it fails otherwise.
fn passes(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: tests/run installs it"));
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {args:?}: {text}");
    text
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn file(path: &str) -> Value {
    yaml(&fs::read_to_string(root().join(path)).unwrap())
}

/// The services as docker-compose understands them: anchors resolved, variables put in.
fn services() -> BTreeMap<String, Value> {
    let config = yaml(&passes("docker-compose", &["config"]));
    config["services"].as_object().unwrap().clone().into_iter().collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn docker_compose_takes_the_file_and_each_profile_is_whole() {
    passes("docker-compose", &["config", "--quiet"]);
    let services = services();
    let started_with = |profile: &str| -> BTreeSet<&str> {
        let with = |service: &Value| {
            let profiles = strings(&service["profiles"]);
            profiles.is_empty() || profiles.contains(&profile)
        };
        services.iter().filter(|(_, service)| with(service)).map(|(name, _)| name.as_str()).collect()
    };
    let common = ["alertmanager", "grafana", "postgres", "rabbitmq", "redis"];
    assert_eq!(started_with("scrape"), common.into_iter().chain(["agent", "prometheus"]).collect());
    let pushed = ["agent-otlp", "otel-collector", "prometheus-otlp"];
    assert_eq!(started_with("otlp"), common.into_iter().chain(pushed).collect());
    let chosen = fs::read_to_string(root().join(".env")).unwrap();
    assert!(chosen.lines().any(|line| line == "COMPOSE_PROFILES=scrape"), "{chosen}");
}

#[test]
fn services_are_pinned_watched_and_open_to_this_machine_only() {
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap();
        let (_, version) = image.rsplit_once(':').unwrap_or_default();
        assert!(version.split('.').count() >= 2, "{name}: {image} names no release");
        assert_eq!(
            service["healthcheck"]["test"].is_null(),
            WITHOUT_HEALTH_CHECK.contains(&name.as_str()),
            "{name}"
        );
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
    let dockerfile = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    assert!(dockerfile.contains(&format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"))), "{dockerfile}");
}

#[test]
fn what_is_mounted_exists() {
    let mut mounted = 0;
    for (name, service) in services() {
        for volume in strings(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            if Path::new(source).is_absolute() {
                assert!(Path::new(source).exists(), "{name}: {volume}");
                assert!(volume.ends_with(":ro"), "{name}: {volume} need not be written");
                mounted += 1;
            }
        }
    }
    assert!(mounted > 5, "{mounted}");
}

#[test]
fn the_agent_takes_its_file() {
    let config = fs::read_to_string(root().join("deploy/vitalsign/vitalsign.yaml")).unwrap();
    let services = services();
    let environment = services["agent"]["environment"].as_object().unwrap();
    let launch = environment
        .iter()
        .fold(Launch::new(&config), |launch, (name, value)| launch.env(name, value.as_str().unwrap()));
    let finished = launch.arg("config").arg("check").run();
    assert!(finished.status.success(), "{finished:?}");
    // Every server that is asked is a service.
    for check in file("deploy/vitalsign/vitalsign.yaml")["checks"].as_object().unwrap().values() {
        if let Some(url) = check["url"].as_str() {
            let url: url::Url = url.parse().unwrap();
            assert!(services.contains_key(url.host_str().unwrap()), "{url}");
        }
    }
}

/// The rule files that a Prometheus loads, as paths in its container.
fn rule_files(config: &str) -> BTreeSet<String> {
    strings(&file(config)["rule_files"]).into_iter().map(str::to_owned).collect()
}

#[test]
fn prometheus_takes_its_files_and_loads_every_rule_file() {
    let configs = ["deploy/prometheus/prometheus.yml", "deploy/prometheus/prometheus-otlp.yml"];
    for config in configs {
        passes("promtool", &["check", "config", "--syntax-only", config]);
    }
    // Rules for others' names are for those who replace others' exporters; they are not loaded here.
    let rules: BTreeSet<String> = fs::read_dir(root().join("alerts"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yml") && !name.ends_with("_test.yml"))
        .filter(|name| !name.starts_with("alertmanager") && !name.starts_with("compat"))
        .map(|name| format!("/etc/prometheus/alerts/{name}"))
        .collect();
    assert!(!rules.is_empty());
    for config in configs {
        assert_eq!(rule_files(config), rules, "{config}");
    }
}

#[test]
fn alertmanager_takes_its_file() {
    passes("amtool", &["check-config", "alerts/alertmanager.example.yml"]);
}

#[test]
fn grafana_finds_prometheus_and_the_dashboards() {
    let scraped = &file("deploy/prometheus/prometheus.yml")["global"]["scrape_interval"];
    let sources = file("deploy/grafana/provisioning/datasources/prometheus.yaml");
    let source = &sources["datasources"][0];
    assert_eq!(&source["jsonData"]["timeInterval"], scraped, "rates are taken over it");
    assert_eq!(source["url"], "http://prometheus:9090");
    let folders = file("deploy/grafana/provisioning/dashboards/vitalsign.yaml");
    let folder = folders["providers"][0]["options"]["path"].as_str().unwrap().to_owned();
    let services = services();
    let grafana = &services["grafana"];
    assert!(
        strings(&grafana["volumes"]).iter().any(|volume| volume.contains(&format!("/dashboards:{folder}:")))
    );
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    let home = home.strip_prefix(&format!("{folder}/")).unwrap();
    assert!(root().join("dashboards").join(home).exists(), "{home}");
}

#[test]
fn the_collector_hands_over_what_the_agent_sends() {
    let config = file("deploy/otel-collector/config.yaml");
    let part = |kind: &str| config[kind].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let (receivers, processors, exporters) = (part("receivers"), part("processors"), part("exporters"));
    for (name, pipeline) in config["service"]["pipelines"].as_object().unwrap() {
        for (of, known) in [("receivers", &receivers), ("processors", &processors), ("exporters", &exporters)]
        {
            for used in strings(&pipeline[of]) {
                assert!(known.contains(used), "{name}: {used}");
            }
        }
    }
    let endpoint = services()["agent-otlp"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"].clone();
    let (_, port) = endpoint.as_str().unwrap().rsplit_once(':').unwrap();
    let listens = config["receivers"]["otlp"]["protocols"]["http"]["endpoint"].as_str().unwrap();
    assert!(listens.ends_with(&format!(":{port}")), "{listens}");
}
