//! From the URL in the configuration to what the driver connects with.
//!
//! Behind a connection pooler a session is the application's as well. A pooler refuses parameters of the start that it
//! does not know, and those that it knows may stay on the session; so the driver sends none that can be left out, and what
//! is needed is set for the length of the transaction.

use std::net::IpAddr;
use std::path::Path;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::encryption::Encryption;
use crate::checks::parameters::{self, Means};
use crate::config::{Secret, SecretUrl};
use crate::file::{self, Unreadable};

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
    /// Holds the password; the driver's type, so never shown.
    pub(super) connect: PgConnectOptions,
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
    for (name, path) in [
        ("sslrootcert", roots.clone()),
        ("sslcert", given(&["sslcert", "ssl-cert"])),
        ("sslkey", given(&["sslkey", "ssl-key"])),
    ] {
        // The driver reads each of them whole, whatever it is. It takes certificates themselves too.
        if let Some(path) =
            path.filter(|path| path != "system" && !path.trim_start().starts_with("-----BEGIN"))
            && let Err(problem @ (Unreadable::NotAFile | Unreadable::TooLarge(_))) =
                file::read(Path::new(&path), MOST)
        {
            return Err(format!("the file that the parameter `{name}` names {problem}"));
        }
    }
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
    let mut options = PgConnectOptions::from_url(&url)
        .map_err(|_| "cannot be understood: look at sslmode, port, and characters to be percent-encoded")?
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    let bare =
        options.get_host().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::to_owned);
    if let Some(address) = bare {
        options = options.host(&address);
    }
    if let Some(password) = password {
        options = options.password(password.expose());
    }
    let application = options.get_application_name().unwrap_or(APPLICATION).to_owned();
    if options.get_application_name().is_some() {
        // It came from the URL or from PGAPPNAME. Empty, it counts as not given.
        options = options.application_name("");
    }
    let here = options.get_socket().is_some();
    let mode = match options.get_ssl_mode() {
        // A socket of this machine is never encrypted.
        _ if here => PgSslMode::Disable,
        _ if of_system => PgSslMode::VerifyFull,
        mode => mode,
    };
    let unsaid =
        mode_is_unsaid && matches!(mode, PgSslMode::Prefer) && protect && !is_loopback(options.get_host());
    let encryption = Encryption::new(mode, roots.is_some() && !of_system, unsaid);
    Ok(Server { connect: options, application, encryption })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(url: &str) -> Result<Server, String> {
        read(&SecretUrl::new(url.parse().unwrap()), Some(&Secret::new("p@ss/word")))
    }

    #[test]
    fn reads_where_the_server_is_and_who_logs_in() {
        let url =
            "postgres://me@db:5433/shop?sslmode=require&channel_binding=prefer&target_session_attrs=any";
        let Server { connect: options, application, .. } = from(url).ok().unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("db", 5433));
        assert_eq!((options.get_username(), options.get_database()), ("me", Some("shop")));
        assert_eq!(application, "vitalsign");
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
        assert_eq!(from("postgresql://me@[::1]/shop").ok().unwrap().connect.get_host(), "::1");
        let named = from("postgres://me@db/shop?application_name=own").ok().unwrap();
        assert_eq!((named.application.as_str(), named.connect.get_application_name()), ("own", Some("")));
    }

    #[test]
    fn the_password_setting_wins() {
        for url in ["postgres://me:old@db/shop", "postgres://me@db/shop?password=old"] {
            let url_again = from(url).ok().unwrap().connect.to_url_lossy();
            assert_eq!(url_again.password(), Some("p%40ss%2Fword"), "{url}");
        }
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
        ] {
            let problem = from(wrong).err().unwrap_or_default();
            assert!(problem.contains(hint), "{wrong}: {problem}");
        }
        let system = from("postgres://me@db/shop?sslrootcert=system").ok().unwrap();
        assert!(matches!(system.encryption.first(), PgSslMode::VerifyFull));
        assert!(from("postgres://me@db/shop?options[search_path]=sales&options=-cgeqo%3Doff").is_ok());
    }

    #[test]
    fn a_password_that_may_be_read_on_its_way_is_told_unless_that_was_said() {
        // Nothing is told before the first attempt, which is to find it out.
        let told = |url: &str| matches!(from(url).ok().unwrap().encryption.first(), PgSslMode::Require);
        assert!(told("postgres://me@db/shop"));
        for said in [
            "postgres://me@db/shop?sslmode=prefer",
            "postgres://me@localhost/shop",
            "postgres://me@[::1]/shop",
            "postgres://me@%2Frun%2Fpostgresql/shop",
        ] {
            assert!(!told(said), "{said}");
        }
        let without = read(&SecretUrl::new("postgres://me@db/shop".parse().unwrap()), None).ok().unwrap();
        assert!(!matches!(without.encryption.first(), PgSslMode::Require));
    }
}
