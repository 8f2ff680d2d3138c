//! What OpenTelemetry's semantic conventions say beyond names: their version, and the types of attributes.
//!
//! A type belongs to the attribute, wherever it stands, as in the conventions' registry; so it is declared here, once, for
//! metrics and spans alike. The page for Prometheus knows only texts.

/// The version of the conventions that the names of metrics and attributes are of: the first one that has all of them
/// (`process.unix.file_descriptor.count`, `system.memory.linux.slab.state`, `process.state`); until 1.44.0 none of them
/// was renamed since.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.39.0";

/// The attributes that are whole numbers; all others are texts.
const INTEGERS: &[&str] = &[
    "client.port",
    "cpu.logical_number",
    "http.response.status_code",
    "network.peer.port",
    "process.pid",
    "server.port",
    "tokio.worker.index",
];

/// Whether the attribute `name` is a whole number.
#[must_use]
pub fn is_integer(name: &str) -> bool {
    INTEGERS.contains(&name)
}
