//! What can be found out about this process, its machine, its container and its pod. What cannot be is left out.

use std::path::Path;

use sysinfo::System;

use crate::file;
use crate::metrics::AttributeValue;

use super::{HOST_NAME, container, text};

type Found = Vec<(&'static str, AttributeValue)>;

/// Everything that can be found out.
pub(super) fn all(root: &Path, env: &dyn Fn(&str) -> Option<String>) -> Found {
    let container = container::id(root);
    let mut found = about_host(root, container.is_some());
    found.extend(container.map(|id| ("container.id", text(&id))));
    found.extend(about_process());
    found.extend(about_pod(root, env));
    found.extend([
        ("telemetry.sdk.name", text("vitalsign")),
        ("telemetry.sdk.language", text("rust")),
        ("telemetry.sdk.version", text(env!("CARGO_PKG_VERSION"))),
    ]);
    found
}

/// The one line in a file.
fn short(path: &Path) -> Option<String> {
    const MOST: u64 = 4 << 10;
    let line = String::from_utf8(file::read(path, MOST).ok()?).ok()?;
    Some(line.trim().to_owned())
}

fn about_host(root: &Path, contained: bool) -> Found {
    // The machine's id is not that of a container, which often has none or that of its image.
    let id = short(&root.join("etc/machine-id")).filter(|id| !contained && id.len() == 32);
    let host = System::host_name().ok();
    let known = [
        (HOST_NAME, host),
        ("host.id", id),
        ("host.arch", Some(arch(std::env::consts::ARCH).to_owned())),
        ("os.type", Some(os(std::env::consts::OS).to_owned())),
        ("os.name", System::name().ok()),
        ("os.version", System::os_version().ok()),
        ("os.description", System::long_os_version().ok()),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, text(value?.trim())))).collect()
}

/// The convention's word for a processor.
fn arch(of_rust: &str) -> &str {
    match of_rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

/// The convention's word for an operating system.
fn os(of_rust: &str) -> &str {
    match of_rust {
        "macos" => "darwin",
        "dragonfly" => "dragonflybsd",
        other => other,
    }
}

fn about_process() -> Found {
    let executable = std::env::current_exe().ok();
    let name =
        executable.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let mut found = vec![
        ("process.pid", AttributeValue::Integer(i64::from(std::process::id()))),
        // Of a compiled program it is the compiler.
        ("process.runtime.name", text("rustc")),
        ("process.runtime.version", text(env!("VITALSIGN_RUSTC"))),
    ];
    found.extend(name.map(|name| ("process.executable.name", text(&name))));
    found
}

/// Attributes of Kubernetes and the variables that a pod's `fieldRef`s usually give them in. Those in the second place
/// have a meaning elsewhere too and count only within a cluster.
const POD: &[(&str, &str, &str)] = &[
    ("k8s.namespace.name", "K8S_NAMESPACE_NAME", "POD_NAMESPACE"),
    ("k8s.pod.name", "K8S_POD_NAME", "POD_NAME"),
    ("k8s.pod.uid", "K8S_POD_UID", "POD_UID"),
    ("k8s.pod.ip", "K8S_POD_IP", "POD_IP"),
    ("k8s.container.name", "K8S_CONTAINER_NAME", "CONTAINER_NAME"),
    ("k8s.node.name", "K8S_NODE_NAME", "NODE_NAME"),
    ("k8s.deployment.name", "K8S_DEPLOYMENT_NAME", "DEPLOYMENT_NAME"),
    ("k8s.cluster.name", "K8S_CLUSTER_NAME", "CLUSTER_NAME"),
];

fn about_pod(root: &Path, env: &dyn Fn(&str) -> Option<String>) -> Found {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let in_cluster = set("KUBERNETES_SERVICE_HOST").is_some();
    let of_account = || {
        let path = root.join("var/run/secrets/kubernetes.io/serviceaccount/namespace");
        short(&path)
    };
    let value = |(attribute, own, shared): &(&'static str, &str, &str)| {
        let shared = || set(shared).filter(|_| in_cluster);
        let file = || of_account().filter(|_| *attribute == "k8s.namespace.name");
        set(own).or_else(shared).or_else(file).map(|value| (*attribute, text(&value)))
    };
    POD.iter().filter_map(value).collect()
}
