//! Where to connect to, as it is written.

use std::net::Ipv6Addr;

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checks) struct Address {
    /// A host name, or an IP address without brackets.
    pub(in crate::checks) host: String,
    pub(in crate::checks) port: u16,
}

impl Address {
    /// Reads `host:port`; an IPv6 address stands in brackets.
    pub(in crate::checks) fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = text.rsplit_once(':').ok_or("write it as host:port")?;
        let port =
            port.parse().ok().filter(|port| *port != 0).ok_or("the port is a number from 1 to 65535")?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match bracketed {
            Some(inside) if inside.parse::<Ipv6Addr>().is_ok() => Ok(Self { host: inside.to_owned(), port }),
            Some(_) => Err("only an IPv6 address stands in brackets"),
            None if host.contains(':') => Err("an IPv6 address stands in brackets: [::1]:80"),
            None if host.is_empty() => Err("the host is missing"),
            None if host.contains(|c: char| c.is_whitespace() || "/@?#[]".contains(c)) => {
                Err("write it as host:port, without scheme or path")
            }
            None => Ok(Self { host: host.to_owned(), port }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        let address = |host: &str, port| Ok(Address { host: host.to_owned(), port });
        assert_eq!(Address::parse("db.internal:5432"), address("db.internal", 5432));
        assert_eq!(Address::parse("127.0.0.1:80"), address("127.0.0.1", 80));
        assert_eq!(Address::parse("[::1]:80"), address("::1", 80));
        for wrong in ["db", "db:", "db:0", "db:70000", ":80", "::1:80", "[db]:80", "http://db:80", "a b:80"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
