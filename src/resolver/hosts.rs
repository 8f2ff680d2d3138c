//! The names that need no name server: those in /etc/hosts, addresses, and `localhost`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Names in lower case, with their addresses (without a port) in the order of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts(HashMap<Box<str>, Vec<SocketAddr>>);

impl Hosts {
    /// Reads the file; lines that are not understood count for nothing.
    pub(super) fn read(file: &str) -> Self {
        let mut names: HashMap<Box<str>, Vec<SocketAddr>> = HashMap::new();
        for line in file.trim_start_matches('\u{feff}').lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(address) else { continue };
            for name in words {
                let addresses = names.entry(name.to_ascii_lowercase().into()).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Self(names)
    }

    /// The addresses of `name`, where no name server has to be asked: none of the other family either, which would bring
    /// back the wait that the file spares.
    pub(super) fn find(&self, name: &str) -> Option<Vec<SocketAddr>> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if let Some(found) = self.0.get(name.as_str()) {
            return Some(found.clone());
        }
        // RFC 6761: never asked of a name server.
        let local = name == "localhost" || name.ends_with(".localhost");
        let loopback: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        local.then(|| loopback.map(|ip| SocketAddr::new(ip, 0)).to_vec())
    }
}

/// An address as it is written, which may have a scope: `fe80::1%eth0`.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let Some((ip, scope)) = text.split_once('%') else {
        return text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 0));
    };
    let ip: Ipv6Addr = ip.parse().ok()?;
    let scope = scope.parse().ok().or_else(|| index(scope))?;
    Some(SocketAddrV6::new(ip, 0, 0, scope).into())
}

/// The number of an interface.
fn index(interface: &str) -> Option<u32> {
    if interface.contains(['/', '.']) {
        return None;
    }
    std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addresses: &[&str]) -> Option<Vec<SocketAddr>> {
        Some(addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect())
    }

    #[test]
    fn reads_names_with_all_their_addresses() {
        let hosts = Hosts::read(
            "127.0.0.1 localhost\n192.168.65.254\thost.docker.internal # written by Docker\n# 10.0.0.9 no\n\
             nonsense name\n10.0.0.1 db DB.shop.test\n10.0.0.2 db\nfd00::1 db\n10.0.0.1 db\n",
        );
        assert_eq!(hosts.find("host.docker.internal"), at(&["192.168.65.254"]));
        assert_eq!(hosts.find("db"), at(&["10.0.0.1", "10.0.0.2", "fd00::1"]));
        assert_eq!(hosts.find("Db.Shop.Test."), at(&["10.0.0.1"]));
        assert_eq!(hosts.find("localhost"), at(&["127.0.0.1"]));
        assert_eq!((hosts.find("name"), hosts.find("no")), (None, None));
    }

    #[test]
    fn localhost_is_this_machine_also_without_a_file() {
        assert_eq!(Hosts::default().find("localhost"), at(&["::1", "127.0.0.1"]));
        assert_eq!(Hosts::default().find("App.LOCALHOST."), at(&["::1", "127.0.0.1"]));
        assert_eq!(Hosts::default().find("notlocalhost"), None);
    }

    #[test]
    fn an_address_may_have_a_scope() {
        assert_eq!(address("10.0.0.1"), at(&["10.0.0.1"]).map(|all| all[0]));
        assert_eq!(address("fe80::1%3"), Some(SocketAddrV6::new("fe80::1".parse().unwrap(), 0, 0, 3).into()));
        assert_eq!(
            address("fe80::1%lo"),
            Some(SocketAddrV6::new("fe80::1".parse().unwrap(), 0, 0, 1).into())
        );
        for wrong in ["fe80::1%no-such", "fe80::1%../lo", "10.0.0.1%lo", "db", ""] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
