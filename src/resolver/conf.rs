//! What /etc/resolv.conf says, with glibc's limits and defaults.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use resolv_conf::{Config, ScopedIp};

use super::hosts;

/// glibc asks no more servers than these.
const MOST_SERVERS: usize = 3;
const MOST_DOTS: u32 = 15;
const MOST_ATTEMPTS: u32 = 5;
const MOST_SECONDS: u32 = 30;

/// How to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conf {
    /// Where; without a port.
    pub(super) servers: Vec<SocketAddr>,
    pub(super) search: Vec<String>,
    pub(super) ndots: usize,
    pub(super) attempts: u32,
    /// For one server's answer.
    pub(super) timeout: Duration,
    /// Each look-up begins with another server.
    pub(super) rotate: bool,
    pub(super) tcp: bool,
    pub(super) ipv6: bool,
}

impl Default for Conf {
    fn default() -> Self {
        Self::read(b"", "")
    }
}

impl Conf {
    /// Reads the file; what is not understood is left out, as everybody does. `hostname` has the domain that is searched
    /// where the file names none.
    pub(super) fn read(file: &[u8], hostname: &str) -> Self {
        let (config, _) = Config::parse_with_errors(file);
        let mut servers: Vec<_> = config.nameservers.iter().take(MOST_SERVERS).filter_map(server).collect();
        if servers.is_empty() {
            servers.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
        }
        let mut search: Vec<_> = config.get_last_search_or_domain().map(|own| domain(own)).collect();
        if search.is_empty()
            && let Some((_, own)) = hostname.trim().split_once('.')
        {
            search.push(domain(own));
        }
        search.retain(|domain| !domain.is_empty());
        Self {
            servers,
            search,
            ndots: usize::try_from(config.ndots.min(MOST_DOTS)).unwrap_or_default(),
            attempts: config.attempts.clamp(1, MOST_ATTEMPTS),
            timeout: Duration::from_secs(config.timeout.clamp(1, MOST_SECONDS).into()),
            rotate: config.rotate,
            tcp: config.use_vc,
            ipv6: !config.no_aaaa,
        }
    }
}

fn server(written: &ScopedIp) -> Option<SocketAddr> {
    match written {
        ScopedIp::V6(ip, Some(scope)) => hosts::address(&format!("{ip}%{scope}")),
        other => Some(SocketAddr::new(other.into(), 0)),
    }
}

fn domain(written: &str) -> String {
    written.trim_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_cluster_has() {
        let file = "search shop.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\n\
                    nameserver fd00::a\noptions ndots:5 timeout:2 attempts:3 rotate\n";
        let conf = Conf::read(file.as_bytes(), "pod.elsewhere.test");
        assert_eq!(conf.servers, ["10.96.0.10:0".parse().unwrap(), "[fd00::a]:0".parse().unwrap()]);
        assert_eq!(conf.search, ["shop.svc.cluster.local", "svc.cluster.local"]);
        assert_eq!((conf.ndots, conf.attempts, conf.timeout), (5, 3, Duration::from_secs(2)));
        assert!(conf.rotate && conf.ipv6 && !conf.tcp);
    }

    #[test]
    fn without_a_file_there_are_defaults() {
        let conf = Conf::read(b"", "host.corp.test\n");
        assert_eq!(conf.servers, ["127.0.0.1:0".parse().unwrap()]);
        assert_eq!((conf.search, conf.ndots), (vec!["corp.test".to_owned()], 1));
        assert_eq!((conf.attempts, conf.timeout), (2, Duration::from_secs(5)));
    }

    #[test]
    fn nonsense_is_bounded_and_the_rest_still_read() {
        let file = "nameserver nowhere\nnameserver 192.0.2.1\nsearch .\n\
                    options ndots:4000 attempts:0 timeout:900 use-vc no-aaaa\n\u{0}\n";
        let conf = Conf::read(file.as_bytes(), "host");
        assert_eq!(conf.servers, ["192.0.2.1:0".parse().unwrap()]);
        assert!(conf.search.is_empty() && conf.tcp && !conf.ipv6);
        assert_eq!((conf.ndots, conf.attempts, conf.timeout), (15, 1, Duration::from_secs(30)));
    }
}
