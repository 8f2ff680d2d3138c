//! From the URL in the configuration to where the server is, who logs in, and how it is encrypted. The URL, the variables
//! PGHOST and so on, and the file .pgpass are read by sqlx, as for every program that uses it.
//!
//! Behind a connection pooler a session is the application's as well. A pooler refuses parameters of the start that it
//! does not know, and those that it knows may stay on the session; so none is sent that can be left out, and what is needed
//! is set for the length of the transaction.

use std::net::IpAddr;
use std::path::Path;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::encryption::Encryption;
use super::login::Login;
use super::session::Place;
use crate::checks::net::Address;
use crate::checks::parameters::{self, Means};
use crate::config::{Secret, SecretUrl};
use crate::file::{self, Unreadable};
use crate::tls::{self, Identity};

/// The largest file of certificates.
const MOST: u64 = 1 << 20;

/// What PostgreSQL shows of us in its list of sessions.
const APPLICATION: &str = "vitalsign";

/// The parameters of PostgreSQL's own library. The driver would write one that it does not know into the log, value and
/// all, and go on without.
const PARAMETERS: [(&str, Means); 35] = [
    ("sslmode", Means::Used),
    ("ssl-mode", Means::Used),
    ("sslrootcert", Means::Used),
    ("ssl-root-cert", Means::Used),
    ("ssl-ca", Means::Used),
    ("sslcert", Means::Used),
    ("ssl-cert", Means::Used),
    ("sslkey", Means::Used),
    ("ssl-key", Means::Used),
    ("host", Means::Used),
    ("hostaddr", Means::Used),
    ("port", Means::Used),
    ("dbname", Means::Used),
    ("user", Means::Used),
    ("password", Means::Used),
    ("application_name", Means::Used),
    ("options", Means::Used),
    ("channel_binding", Means::Same(&["disable", "prefer"])),
    ("client_encoding", Means::Same(&["auto", "utf8", "utf-8", "unicode"])),
    ("gssencmode", Means::Same(&["disable", "prefer"])),
    ("load_balance_hosts", Means::Same(&["disable"])),
    ("replication", Means::Same(&["false", "off", "no", "0"])),
    ("ssl_min_protocol_version", Means::Same(&["TLSv1", "TLSv1.1", "TLSv1.2"])),
    ("ssl_max_protocol_version", Means::Same(&["TLSv1.3"])),
    ("sslcertmode", Means::Same(&["allow"])),
    ("sslcompression", Means::Same(&["0"])),
    ("sslnegotiation", Means::Same(&["postgres"])),
    ("sslsni", Means::Same(&["1"])),
    ("target_session_attrs", Means::Same(&["any"])),
    ("connect_timeout", Means::Instead("use the setting `timeout`")),
    ("fallback_application_name", Means::Instead("use application_name")),
    ("passfile", Means::Instead("use the setting `password_file`, or the variable PGPASSFILE")),
    ("service", Means::Instead("write host, port and database")),
    ("ssl", Means::Instead("use sslmode")),
    ("sslpassword", Means::Instead("use a key without a password")),
];
/// How parameters of the server are given one by one: `options[search_path]=sales`.
const OPTION: &str = "options[";
const SEVERAL: &str = "names several hosts: write a check for each, so that each is seen";

/// What a connection needs.
pub(super) struct Server {
    pub(super) place: Place,
    pub(super) login: Login,
    /// The name that the server shows for the session.
    pub(super) application: String,
    pub(super) encryption: Encryption,
}

/// Reads the URL.
pub(super) fn read(url: &SecretUrl, password: Option<&Secret>) -> Result<Server, String> {
    let mut url = url.expose().clone();
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("must begin with postgres:// or postgresql://".to_owned());
    }
    parameters::look(url.query_pairs().filter(|(name, _)| !name.starts_with(OPTION)), &PARAMETERS)?;
    let given = |names: &[&str]| {
        let pairs = url.query_pairs().filter(|(name, _)| names.contains(&&**name));
        pairs.last().map(|(_, value)| value.into_owned())
    };
    let host = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned).or_else(|| given(&["host"]));
    let hosts = [host.clone(), given(&["host"]), given(&["hostaddr"]), given(&["port"])];
    if hosts.iter().flatten().any(|hosts| hosts.contains(',') || hosts.to_ascii_lowercase().contains("%2c")) {
        return Err(SEVERAL.to_owned());
    }
    if host.is_some() && given(&["hostaddr"]).is_some() {
        return Err("has a host and a `hostaddr`: write one of them".to_owned());
    }
    let mode = given(&["sslmode", "ssl-mode"]);
    let mode_is_unsaid = mode.is_none();
    let roots = given(&["sslrootcert", "ssl-root-cert", "ssl-ca"]);
    // The roots of the system are what the driver has anyway.
    let of_system = roots.as_deref() == Some("system");
    if of_system && mode.as_deref().is_some_and(|mode| mode != "verify-full") {
        return Err("sslrootcert=system goes with sslmode=verify-full only".to_owned());
    }
    let protect = password.is_some() || url.password().is_some() || given(&["password"]).is_some();
    let left_out = |name: &str, value: &str| {
        (password.is_some() && name == "password")
            || (of_system && value == "system" && name.starts_with("ssl"))
    };
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| {
            PARAMETERS.iter().any(|(known, means)| known == name && matches!(means, Means::Used))
                || name.starts_with(OPTION)
        })
        .filter(|(name, value)| !left_out(name, value))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    if let Some(password) = password {
        // Also keeps the driver from looking for one elsewhere.
        let _ = url.set_password(Some(password.expose()));
    }
    url.query_pairs_mut().clear().extend_pairs(kept);
    let options = PgConnectOptions::from_url(&url)
        .map_err(|_| "cannot be understood: look at sslmode, port, and characters to be percent-encoded")?;
    let hidden = Hidden::of(&options);
    let host = options.get_host();
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    // Without a host it is looked for where Debian has its sockets.
    let directory = options.get_socket().cloned().or_else(|| host.starts_with('/').then(|| host.into()));
    let port = options.get_port();
    let place = match directory {
        Some(directory) => Place::Socket(directory.join(format!(".s.PGSQL.{port}")).into()),
        None => Place::Port(Address { host: host.to_owned(), port }),
    };
    let mode = match options.get_ssl_mode() {
        // A socket of this machine is never encrypted.
        _ if matches!(place, Place::Socket(_)) => PgSslMode::Disable,
        _ if of_system => PgSslMode::VerifyFull,
        mode => mode,
    };
    let unsaid = mode_is_unsaid && matches!(mode, PgSslMode::Prefer) && protect && !is_loopback(host);
    let encryption = if matches!(mode, PgSslMode::Disable) {
        Encryption::new(mode, host, None, None, unsaid)?
    } else {
        let roots = hidden.roots.as_deref().filter(|_| !of_system);
        let roots = roots
            .map(|file| pem("sslrootcert", file).and_then(|pem| told("sslrootcert", tls::trusted(&pem))));
        let identity = hidden.identity()?;
        Encryption::new(mode, host, roots.transpose()?, identity.as_ref(), unsaid)?
    };
    Ok(Server {
        place,
        application: options
            .get_application_name()
            .filter(|name| !name.is_empty())
            .unwrap_or(APPLICATION)
            .to_owned(),
        login: Login {
            user: options.get_username().to_owned(),
            password: password.cloned().or(hidden.password),
            database: options.get_database().map(str::to_owned),
            options: options.get_options().map(str::to_owned),
        },
        encryption,
    })
}

/// What sqlx tells of its options only as a URL.
struct Hidden {
    password: Option<Secret>,
    roots: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Hidden {
    fn of(options: &PgConnectOptions) -> Self {
        // What is in front of the path must not keep it from being one.
        let url = options.clone().username("me").host("localhost").to_url_lossy();
        let given = |wanted: &str| {
            let mut pairs = url.query_pairs();
            let (_, value) = pairs.find(|(name, _)| name == wanted)?;
            // How it shows a path, beside PEM in a variable.
            Some(value.strip_prefix("file: ").unwrap_or(&value).to_owned())
        };
        let password = url.password().map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned());
        Self {
            password: password.map(Secret::new),
            roots: given("sslrootcert"),
            certificate: given("sslcert"),
            key: given("sslkey"),
        }
    }

    fn identity(&self) -> Result<Option<Identity>, String> {
        match (&self.certificate, &self.key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let (chain, key) = (pem("sslcert", certificate)?, pem("sslkey", key)?);
                told("sslcert or sslkey", Identity::read(&chain, &key)).map(Some)
            }
            (Some(file), None) => {
                pem("sslcert", file).and(Err("`sslcert` needs `sslkey` beside it".to_owned()))
            }
            (None, Some(file)) => {
                pem("sslkey", file).and(Err("`sslkey` needs `sslcert` beside it".to_owned()))
            }
        }
    }
}

/// What a file holds; or the text itself, as an environment variable may have it.
fn pem(name: &str, given: &str) -> Result<Vec<u8>, String> {
    if given.trim_start().starts_with("-----BEGIN") {
        return Ok(given.into());
    }
    file::read(Path::new(given), MOST).map_err(|problem| match problem {
        Unreadable::System(error) => format!("the file that the parameter `{name}` names: {}", error.kind()),
        other => format!("the file that the parameter `{name}` names {other}"),
    })
}

fn told<T>(name: &str, read: Result<T, &'static str>) -> Result<T, String> {
    read.map_err(|problem| format!("`{name}`: {problem}"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::checks::postgres::encryption::Attempt;

    fn shown(place: &Place) -> String {
        match place {
            Place::Port(Address { host, port }) => format!("{host} {port}"),
            Place::Socket(path) => path.display().to_string(),
        }
    }

    fn from(url: &str) -> Result<Server, String> {
        read(&SecretUrl::new(url.parse().unwrap()), Some(&Secret::new("p@ss/word")))
    }

    #[test]
    fn reads_where_the_server_is_and_who_logs_in() {
        let url =
            "postgres://me@db:5433/shop?sslmode=require&channel_binding=prefer&target_session_attrs=any";
        let Server { place, login, application, encryption } = from(url).ok().unwrap();
        assert_eq!(shown(&place), "db 5433");
        assert_eq!((login.user.as_str(), login.database.as_deref()), ("me", Some("shop")));
        assert_eq!(application, "vitalsign");
        assert_eq!(encryption.first, Attempt::Encrypted);
        assert_eq!(shown(&from("postgresql://me@[::1]/shop").ok().unwrap().place), "::1 5432");
        let socket = from("postgres://me@%2Frun%2Fpostgresql:5433/shop").ok().unwrap();
        assert_eq!(shown(&socket.place), "/run/postgresql/.s.PGSQL.5433");
        let named = from("postgres://me@db/shop?application_name=own").ok().unwrap();
        assert_eq!(named.application, "own");
    }

    #[test]
    fn the_password_setting_wins() {
        for url in ["postgres://me:old@db/shop", "postgres://me@db/shop?password=old"] {
            let password = from(url).ok().unwrap().login.password;
            assert_eq!(password.as_ref().map(Secret::expose), Some("p@ss/word"), "{url}");
        }
        let url = "postgres://m%2Fe%40:p%40ss%25%2Fw%C3%B6rd@[::1]/shop";
        let login = read(&SecretUrl::new(url.parse().unwrap()), None).ok().unwrap().login;
        let password = login.password.as_ref().map(Secret::expose);
        assert_eq!((login.user.as_str(), password), ("m/e@", Some("p@ss%/wörd")));
    }

    #[test]
    fn refuses_without_repeating_the_url() {
        for wrong in ["mysql://me:topsecret@db/shop", "postgres://me:topsecret@db/shop?sslmode=topsecret"] {
            assert!(!from(wrong).err().unwrap().contains("topsecret"));
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        for (wrong, hint) in [
            (
                "postgres://me@db/shop?target_session_attrs=read-write",
                "`target_session_attrs` can only be any",
            ),
            ("postgres://me@db/shop?channel_binding=require", "`channel_binding` can only be"),
            ("postgres://me@db/shop?connect_timeout=3", "use the setting `timeout`"),
            ("postgres://me@db/shop?schema=sales", "`schema` is not known"),
            ("postgres://me@one,two/shop", "several hosts"),
            ("postgres://me@one%2Ctwo/shop", "several hosts"),
            ("postgres:///shop?host=one,two", "several hosts"),
            ("postgres:///shop?host=one&port=1,2", "several hosts"),
            ("postgres://me@db/shop?hostaddr=192.0.2.1", "write one of them"),
            ("postgres://me@db/shop?sslrootcert=system&sslmode=require", "verify-full only"),
            ("postgres://me@db/shop?sslrootcert=/no/such/file", "`sslrootcert` names: entity not found"),
            ("postgres://me@db/shop?sslcert=/no/such/file", "`sslcert` names: entity not found"),
        ] {
            let problem = from(wrong).err().unwrap_or_default();
            assert!(problem.contains(hint), "{wrong}: {problem}");
        }
        let system = from("postgres://me@db/shop?sslrootcert=system").ok().unwrap();
        assert_eq!(system.encryption.first, Attempt::Encrypted);
        assert!(from("postgres://me@db/shop?options[search_path]=sales&options=-cgeqo%3Doff").is_ok());
    }

    #[test]
    fn a_password_that_may_be_read_on_its_way_is_told_unless_that_was_said() {
        let told =
            |server: Result<Server, String>| server.ok().unwrap().encryption.advice(Some(false)).is_some();
        assert!(told(from("postgres://me@db/shop")));
        for said in [
            "postgres://me@db/shop?sslmode=prefer",
            "postgres://me@localhost/shop",
            "postgres://me@[::1]/shop",
            "postgres://me@%2Frun%2Fpostgresql/shop",
        ] {
            assert!(!told(from(said)), "{said}");
        }
        assert!(!told(read(&SecretUrl::new("postgres://me@db/shop".parse().unwrap()), None)));
    }
}
