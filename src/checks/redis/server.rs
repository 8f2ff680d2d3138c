//! The settings that say where the server is and who logs in.

use std::path::PathBuf;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

use crate::checks::Target;
use crate::checks::net::Address;
use crate::checks::parameters::{self, Means};
use crate::checks::tls::client::Client;
use crate::checks::tls::settings::Settings as Tls;
use crate::config::{Fields, Secret, SecretUrl};

/// The parameters of a URL that leads to a port, and of one that leads to a socket.
const PARAMETERS: [(&str, Means); 3] = [
    ("protocol", Means::Same(&["2", "resp2"])),
    ("db", Means::Instead("write the number as the path: redis://host/1")),
    ("ssl_cert_reqs", Means::Instead("see the settings for TLS")),
];
const SOCKET_PARAMETERS: [(&str, Means); 4] = [
    ("protocol", Means::Same(&["2", "resp2"])),
    ("db", Means::Used),
    ("user", Means::Used),
    ("pass", Means::Used),
];

/// Everything that is to be known before a connection.
pub(super) struct Server {
    pub(super) place: Place,
    pub(super) tls: Option<Client>,
    /// Holds the password; the driver's type, so never shown.
    pub(super) login: RedisConnectionInfo,
}

/// Where the server is.
pub(super) enum Place {
    Port(Address),
    Socket(PathBuf),
}

impl Server {
    /// Takes the settings; `None` where there is nothing to connect to.
    pub(super) fn take(fields: &mut Fields<'_>) -> Option<Self> {
        let url: Option<SecretUrl> = fields.required(
            "url",
            "where the server is: redis://user@host:port/database, rediss:// with TLS, redis+unix:///path for a socket",
        );
        let password: Option<Secret> = fields.optional("password", "password, instead of one in the URL");
        let tls = Tls::take(fields);
        let url = url?;
        let known =
            if url.expose().scheme().ends_with("unix") { &SOCKET_PARAMETERS[..] } else { &PARAMETERS };
        if let Err(problem) = parameters::look(url.expose().query_pairs(), known) {
            fields.problem("url", problem);
            return None;
        }
        let found = read(&url, password.as_ref()).and_then(|(place, secure, login)| {
            let tls = match &place {
                Place::Port(address) if secure => Some(tls.client(&address.host, &[])?),
                _ => {
                    Tls::refuse(fields, "begin `url` with rediss://");
                    None
                }
            };
            Ok(Self { place, tls, login })
        });
        found.map_err(|problem| fields.problem("url", problem)).ok()
    }

    /// What is public of it.
    pub(super) fn target(&self) -> Target {
        let (address, port) = match &self.place {
            Place::Port(address) => (address.host.clone(), Some(address.port)),
            Place::Socket(path) => (path.display().to_string(), None),
        };
        Target { address: Some(address), port, db_system: Some("redis"), messaging_system: None }
    }
}

/// Reads the URL: where, whether with TLS, and as whom.
fn read(
    url: &SecretUrl,
    password: Option<&Secret>,
) -> Result<(Place, bool, RedisConnectionInfo), &'static str> {
    const SCHEMES: [&str; 7] = ["redis", "rediss", "valkey", "valkeys", "redis+unix", "valkey+unix", "unix"];
    let mut url = url.expose().clone();
    if !SCHEMES.contains(&url.scheme()) {
        return Err("must begin with redis://, rediss:// or redis+unix://");
    }
    let secure = matches!(url.scheme(), "rediss" | "valkeys");
    // The handshake is ours: the driver, built without TLS, would refuse it.
    if secure && url.set_scheme("redis").is_err() {
        return Err("cannot be used with TLS");
    }
    if url.fragment().is_some() {
        return Err("cannot have a part after #; see `ca_file` and `insecure_skip_verify`");
    }
    let info = url.into_connection_info();
    let info = info.map_err(|_| "cannot be understood: write redis://user@host:port/database number")?;
    let mut login = info.redis_settings().clone();
    if let Some(password) = password {
        login = login.set_password(password.expose());
    }
    match info.addr() {
        ConnectionAddr::Tcp(_, 0) => Err("the port is a number from 1 to 65535"),
        ConnectionAddr::Tcp(host, port) => {
            Ok((Place::Port(Address { host: host.clone(), port: *port }), secure, login))
        }
        ConnectionAddr::Unix(path) => Ok((Place::Socket(path.clone()), false, login)),
        _ => Err("cannot be used: write redis://host:port/database"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(url: &str) -> Result<(Place, bool, RedisConnectionInfo), &'static str> {
        read(&SecretUrl::new(url.parse().unwrap()), None)
    }

    fn port(url: &str) -> (String, u16, bool) {
        match from(url) {
            Ok((Place::Port(address), secure, _)) => (address.host, address.port, secure),
            _ => panic!("{url}"),
        }
    }

    #[test]
    fn reads_where_the_server_is() {
        assert_eq!(port("redis://cache.internal"), ("cache.internal".to_owned(), 6379, false));
        assert_eq!(port("rediss://cache.internal:1/3"), ("cache.internal".to_owned(), 1, true));
        assert_eq!(port("valkeys://[::1]:7000"), ("::1".to_owned(), 7000, true));
        assert!(matches!(from("redis+unix:///run/redis.sock?db=2"), Ok((Place::Socket(_), false, _))));
    }

    #[test]
    fn reads_who_logs_in() {
        let (_, _, login) = from("rediss://me:p%40ss@cache/3").ok().unwrap();
        assert_eq!((login.username(), login.password(), login.db()), (Some("me"), Some("p@ss"), 3));
        let url = SecretUrl::new("redis://me:old@cache".parse().unwrap());
        let (_, _, login) = read(&url, Some(&Secret::new("p%40ss"))).ok().unwrap();
        assert_eq!((login.username(), login.password()), (Some("me"), Some("p%40ss")));
    }

    #[test]
    fn each_parameter_is_honoured_or_refused_by_name() {
        for (url, known) in [("rediss://cache", &PARAMETERS[..]), ("redis+unix:///run/s", &SOCKET_PARAMETERS)]
        {
            parameters::each_is_honoured_or_refused(known, |query| {
                let url = SecretUrl::new(format!("{url}?{query}").parse().unwrap());
                let looked = parameters::look(url.expose().query_pairs(), known);
                looked.err().or_else(|| read(&url, None).err().map(str::to_owned))
            });
        }
        let (_, _, login) = from("redis+unix:///run/s?db=2&user=me&pass=p&protocol=resp2").ok().unwrap();
        assert_eq!((login.username(), login.password(), login.db()), (Some("me"), Some("p"), 2));
    }

    #[test]
    fn refuses_without_repeating_the_url() {
        for wrong in [
            "http://topsecret@cache",
            "redis://:topsecret@cache/x",
            "rediss://:topsecret@cache#insecure",
            "redis://:topsecret@cache:0",
        ] {
            let problem = from(wrong).err().unwrap();
            assert!(!problem.contains("topsecret"), "{problem}");
        }
    }
}
