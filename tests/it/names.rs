//! Host names: one with several addresses of which the first is bad, and name servers that answer for some names only.

#[path = "names/addresses.rs"]
mod addresses;
#[path = "names/servers.rs"]
mod servers;
