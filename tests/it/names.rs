//! Host names: one with several addresses of which the first is bad, and name servers that answer for some names only.

use serde_json::Value;

use crate::harness::agent::Launch;

#[path = "names/addresses.rs"]
mod addresses;
#[path = "names/servers.rs"]
mod servers;

/// Runs all checks once and gives what `check --format=json` says of them.
#[track_caller]
fn checked(launch: Launch) -> Value {
    let done = launch.arg("check").arg("--format=json").run();
    let document: Value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", done.stdout, done.stderr));
    document["checks"].clone()
}
