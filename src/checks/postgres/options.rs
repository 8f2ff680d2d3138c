//! From the URL in the configuration to what the driver connects with.
//!
//! Behind a connection pooler a session is the application's as well. A pooler refuses parameters of the start that it
//! does not know, and those that it knows may stay on the session; so the driver sends none that can be left out, and what
//! is needed is set for the length of the transaction.

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Secret, SecretUrl};

/// What PostgreSQL shows of us in its list of sessions.
const APPLICATION: &str = "vitalsign";

/// The parameters that the driver knows. It would write any other into the log, value and all; PostgreSQL's own library
/// has many, so they are left out rather than refused.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// What a connection needs.
pub(super) struct Server {
    /// Holds the password; the driver's type, so never shown.
    pub(super) connect: PgConnectOptions,
    /// The name that the server shows for the session.
    pub(super) application: String,
}

/// Reads the URL.
pub(super) fn read(url: &SecretUrl, password: Option<&Secret>) -> Result<Server, &'static str> {
    let mut url = url.expose().clone();
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("the URL begins with postgres:// or postgresql://");
    }
    if let Some(password) = password {
        // Also keeps the driver from looking for one elsewhere.
        let _ = url.set_password(Some(password.expose()));
    }
    let known: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| PARAMETERS.contains(&&**name) || name.starts_with("options["))
        .filter(|(name, _)| password.is_none() || name != "password")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(known);
    let mut options = PgConnectOptions::from_url(&url)
        .map_err(|_| "the URL is not understood: look at sslmode, port, and characters to be escaped")?
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
    Ok(Server { connect: options, application })
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgSslMode;

    use super::*;

    fn from(url: &str) -> Result<Server, &'static str> {
        read(&SecretUrl::new(url.parse().unwrap()), Some(&Secret::new("p@ss/word")))
    }

    #[test]
    fn reads_what_the_driver_knows_and_leaves_the_rest() {
        let url = "postgres://me@db:5433/shop?sslmode=require&channel_binding=require";
        let Server { connect: options, application } = from(url).unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("db", 5433));
        assert_eq!((options.get_username(), options.get_database()), ("me", Some("shop")));
        assert_eq!(application, "vitalsign");
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
        assert_eq!(from("postgresql://me@[::1]/shop").unwrap().connect.get_host(), "::1");
        let named = from("postgres://me@db/shop?application_name=own").unwrap();
        assert_eq!((named.application.as_str(), named.connect.get_application_name()), ("own", Some("")));
    }

    #[test]
    fn the_password_setting_wins() {
        for url in ["postgres://me:old@db/shop", "postgres://me@db/shop?password=old"] {
            let url_again = from(url).unwrap().connect.to_url_lossy();
            assert_eq!(url_again.password(), Some("p%40ss%2Fword"), "{url}");
        }
    }

    #[test]
    fn refuses_without_repeating_the_url() {
        for wrong in ["mysql://me:topsecret@db/shop", "postgres://me:topsecret@db/shop?sslmode=topsecret"] {
            assert!(!from(wrong).err().unwrap().contains("topsecret"));
        }
    }
}
