//! The settings of TLS, the same for every kind.

use super::client::Client;
use crate::config::Fields;
use crate::tls::{self, Certificates, Identity, Trust};

const CA_FILE: &str = "ca_file";
const CERT_FILE: &str = "cert_file";
const KEY_FILE: &str = "key_file";
const SERVER_NAME: &str = "server_name";
const INSECURE: &str = "insecure_skip_verify";

/// Whom to believe, who we are, and whom we expect.
#[derive(Clone, Debug)]
pub(in crate::checks) struct Settings {
    pub(in crate::checks) trust: Trust,
    pub(in crate::checks) identity: Option<Identity>,
    /// The name that the server must prove to have, where it is not the host's.
    pub(in crate::checks) server_name: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { trust: Trust::Known(Certificates::new()), identity: None, server_name: None }
    }
}

impl Settings {
    /// Takes all settings; what is wrong is noted.
    pub(in crate::checks) fn take(fields: &mut Fields<'_>) -> Self {
        let known = tls::file(
            fields,
            CA_FILE,
            "TLS: PEM file of certificates to trust beside the system's: authorities, or the server's own one",
            tls::trusted,
        );
        let identity = tls::identity(
            fields,
            (CERT_FILE, "TLS: PEM file of the client certificate to show"),
            (KEY_FILE, "TLS: PEM file of its private key, not encrypted"),
        );
        let server_name: Option<String> = fields.optional(
            SERVER_NAME,
            "TLS: the name that the server's certificate must be for (default: the host)",
        );
        if server_name.as_deref().is_some_and(|name| Client::name(name).is_err()) {
            fields.problem(SERVER_NAME, "is not a host name or an address");
        }
        let insecure = fields.or(
            INSECURE,
            false,
            "TLS: whether to accept any certificate: anybody in between can then read and answer",
        );
        if insecure && fields.is_set(CA_FILE) {
            fields
                .problem(CA_FILE, format!("has no effect beside `{INSECURE}: true`: remove one of the two"));
        }
        if insecure {
            let help = "trust the server's own certificate by `ca_file` instead";
            fields.warn(
                INSECURE,
                "any certificate is accepted: the check cannot tell the server from another",
                Some(help.to_owned()),
            );
        }
        let trust = if insecure { Trust::Anyone } else { Trust::Known(known.unwrap_or_default()) };
        Self { trust, identity, server_name }
    }

    /// Notes the settings that have no effect because the check speaks no TLS; `instead` says how it would.
    pub(in crate::checks) fn refuse(fields: &mut Fields<'_>, instead: &str) {
        for name in [CA_FILE, CERT_FILE, KEY_FILE, SERVER_NAME, INSECURE] {
            let off = name == INSECURE && fields.text(name) == Some("false");
            if fields.is_set(name) && !fields.is_wrong(name) && !off {
                fields.problem(name, format!("has no effect without TLS: {instead}"));
            }
        }
    }

    /// A client for `host`.
    pub(in crate::checks) fn client(&self, host: &str, protocols: &[&[u8]]) -> Result<Client, &'static str> {
        let name = self.server_name.as_deref().unwrap_or(host);
        Client::new(name, &self.trust, self.identity.as_ref(), protocols)
    }

    /// A client for another server on the way, which is not the one that the name and our certificate are for.
    #[cfg(feature = "http")]
    pub(in crate::checks) fn client_on_the_way(&self, host: &str) -> Result<Client, &'static str> {
        Client::new(host, &self.trust, None, &[])
    }
}
