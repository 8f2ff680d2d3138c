//! The settings of kind `amqp`: read from the configuration, every problem noted at its place.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::checks::net::Address;
use crate::checks::parameters::{self, Means};
use crate::checks::tls::client::Client;
use crate::checks::tls::settings::Settings as Tls;
use crate::config::{Fields, Secret, SecretUrl};

/// A user, password, virtual host or queue is sent as a text of at most so many bytes.
const LONGEST: usize = 255;
/// The user that RabbitMQ makes, whom it lets in only from its own machine.
const GUEST: &str = "guest";

/// The parameters that RabbitMQ's own clients know.
const PARAMETERS: [(&str, Means); 6] = [
    ("auth_mechanism", Means::Same(&["plain"])),
    ("cacertfile", Means::Instead("use the setting `ca_file`")),
    ("connection_timeout", Means::Instead("use the setting `timeout`")),
    ("heartbeat", Means::Instead("a connection ends with its run, which `timeout` limits")),
    ("server_name_indication", Means::Instead("see the settings for TLS")),
    ("verify", Means::Same(&["verify_peer"])),
];

/// Everything that is to be known before a connection.
pub(super) struct Settings {
    pub(super) address: Address,
    pub(super) tls: Option<Client>,
    /// User and password as the mechanism PLAIN wants them.
    pub(super) response: Secret,
    pub(super) vhost: String,
    pub(super) queue: Option<String>,
}

impl Settings {
    /// Reads all settings; `None` where there is nothing to connect to.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let url: Option<SecretUrl> = fields.required(
            "url",
            "where the broker is: amqp://user@host:port/virtual-host, amqps:// with TLS; without a virtual host /",
        );
        let password: Option<Secret> = fields.optional("password", "password, instead of one in the URL");
        let queue: Option<String> =
            fields.optional("queue", "queue that must exist, and whose messages and consumers are measured");
        if queue.as_ref().is_some_and(|queue| queue.is_empty() || queue.len() > LONGEST) {
            fields.problem("queue", format!("a name of 1 to {LONGEST} bytes"));
        }
        let tls = Tls::take(fields);
        let url = url?;
        parameters::look(url.expose().query_pairs(), &PARAMETERS)
            .map_err(|problem| fields.problem("url", problem))
            .ok()?;
        let mut settings = Self::from_url(url.expose(), password.as_ref(), &tls)
            .map_err(|problem| fields.problem("url", problem))
            .ok()?;
        if settings.tls.is_none() {
            Tls::refuse(fields, "begin `url` with amqps://");
        }
        settings.queue = queue;
        Some(settings)
    }

    /// What the URL says, with no queue.
    pub(super) fn from_url(url: &Url, password: Option<&Secret>, tls: &Tls) -> Result<Self, &'static str> {
        let (secure, port) = match url.scheme() {
            "amqp" => (false, 5672),
            "amqps" => (true, 5671),
            _ => return Err("must begin with amqp:// or amqps://"),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing")?;
        let host = decoded(host.trim_matches(['[', ']']))?;
        let port = url.port().unwrap_or(port);
        if port == 0 {
            return Err("the port is a number from 1 to 65535");
        }
        let tls = if secure { Some(tls.client(&host, &[])?) } else { None };
        let vhost = match url.path().strip_prefix('/').unwrap_or_default() {
            "" => "/".to_owned(),
            vhost => decoded(vhost)?,
        };
        if vhost.len() > LONGEST {
            return Err("the virtual host is longer than 255 bytes");
        }
        let named = !url.username().is_empty();
        let user = if named { decoded(url.username())? } else { GUEST.to_owned() };
        let password = match (password, url.password()) {
            (Some(password), _) => password.expose().to_owned(),
            (None, Some(password)) => decoded(password)?,
            (None, None) if named => return Err("the password is missing: write it there or in `password`"),
            (None, None) => GUEST.to_owned(),
        };
        let response = Secret::new(format!("\0{user}\0{password}"));
        Ok(Self { address: Address { host, port }, tls, response, vhost, queue: None })
    }
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "holds bytes that are not UTF-8")?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, password: Option<&str>) -> Result<Settings, &'static str> {
        let password = password.map(Secret::new);
        Settings::from_url(&Url::parse(url).unwrap(), password.as_ref(), &Tls::default())
    }

    fn address(url: &str) -> (String, u16) {
        let address = read(url, None).ok().unwrap().address;
        (address.host, address.port)
    }

    fn login(url: &str, password: Option<&str>) -> String {
        read(url, password).ok().unwrap().response.expose().to_owned()
    }

    fn vhost(url: &str) -> String {
        read(url, None).ok().unwrap().vhost
    }

    #[test]
    fn reads_where_the_broker_is() {
        assert_eq!(address("amqp://mq.internal"), ("mq.internal".to_owned(), 5672));
        assert_eq!(address("amqps://mq.internal/shop"), ("mq.internal".to_owned(), 5671));
        assert_eq!(address("amqp://[::1]:5673/"), ("::1".to_owned(), 5673));
        assert!(read("amqp://mq.internal", None).unwrap().tls.is_none());
        assert!(read("amqps://[::1]", None).unwrap().tls.is_some());
    }

    #[test]
    fn reads_who_logs_in() {
        assert_eq!(login("amqp://mq", None), "\0guest\0guest");
        assert_eq!(login("amqp://a%40b:p%2Fw@mq", None), "\0a@b\0p/w");
        assert_eq!(login("amqp://me:old@mq", Some("p%2Fw")), "\0me\0p%2Fw");
    }

    #[test]
    fn reads_the_virtual_host() {
        for default in ["amqp://mq", "amqp://mq/", "amqp://mq/%2f", "amqp://mq//", "amqp://mq?heartbeat=5"] {
            assert_eq!(vhost(default), "/", "{default}");
        }
        assert_eq!(vhost("amqp://mq/a%2Fb%20c"), "a/b c");
    }

    #[test]
    fn each_parameter_is_honoured_or_refused_by_name() {
        parameters::each_is_honoured_or_refused(&PARAMETERS, |query| {
            let url = Url::parse(&format!("amqps://mq?{query}")).unwrap();
            let looked = parameters::look(url.query_pairs(), &PARAMETERS);
            looked.err().or_else(|| read(url.as_str(), None).err().map(str::to_owned))
        });
    }

    #[test]
    fn refuses_what_cannot_be_connected_to() {
        let long = format!("amqp://mq/{}", "v".repeat(256));
        let wrong =
            ["http://mq", "amqp:mq", "amqp:///shop", "amqp://me@mq", "amqp://mq:0", "amqp://mq/%ff", &long];
        for url in wrong {
            assert!(read(url, None).is_err(), "{url}");
        }
    }
}
