//! The way to a collector: the settings that each signal has, and what all of them share.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::endpoint::Endpoint;
use crate::config::{Fields, Secret, SecretUrl, Word};
use crate::push::signal::Signal;
use crate::tls::{self, Certificates, Identity};

/// How long a request may take unless told otherwise, as OpenTelemetry has it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a signal goes, and how.
#[derive(Clone, Debug)]
pub struct Exporter {
    /// Where requests go: for HTTP the whole URL, for gRPC scheme, host and port.
    pub endpoint: SecretUrl,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What every request carries; print as hidden.
    pub headers: HeaderMap,
    /// How long one request may take.
    pub timeout: Duration,
    /// How requests are compressed.
    pub compression: Compression,
    /// Whom to trust beside the system's authorities.
    pub(crate) roots: Certificates,
    /// Who we are, where the collector asks.
    pub(crate) identity: Option<Identity>,
}

/// What OTLP is spoken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf in HTTP requests.
    HttpProtobuf,
    /// gRPC.
    Grpc,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// By gzip.
    Gzip,
    /// By zstd, in less time and space than gzip.
    #[cfg(feature = "zstd")]
    Zstd,
    /// Not at all.
    None,
}

impl Word for Protocol {
    const MEANING: &'static str = "protocol";
    const ALL: &'static [Self] = &[Self::HttpProtobuf, Self::Grpc];

    fn word(self) -> &'static str {
        match self {
            Self::HttpProtobuf => "http/protobuf",
            Self::Grpc => "grpc",
        }
    }
}

impl Word for Compression {
    const MEANING: &'static str = "compression";
    const ALL: &'static [Self] = &[
        Self::Gzip,
        #[cfg(feature = "zstd")]
        Self::Zstd,
        Self::None,
    ];
    #[cfg(not(feature = "zstd"))]
    const LEFT_OUT: &'static [&'static str] = &["zstd"];

    fn word(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
            Self::None => "none",
        }
    }
}

impl Compression {
    /// What a request says of it; nothing where it is not compressed.
    pub(in crate::push) fn encoding(self) -> Option<&'static str> {
        (self != Self::None).then(|| self.word())
    }
}

/// The settings of a way as they are given in one place; what is not given there comes from the general one.
pub(super) struct Way {
    endpoint: Option<Endpoint>,
    protocol: Option<Protocol>,
    headers: Option<HeaderMap>,
    timeout: Option<Duration>,
    compression: Option<Compression>,
    insecure: Option<bool>,
    roots: Option<Certificates>,
    identity: Option<Identity>,
    /// What a signal found wrong with the endpoint of all signals; for whoever reads the place where it stands.
    pub(super) wrong_endpoint: Cell<Option<&'static str>>,
}

impl Way {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            endpoint: fields.optional(
                "endpoint",
                "where the collector is: http://host:4318, or http://host:4317 for gRPC; in `otlp` the path of each \
                 signal is added, in a signal's own section it is used as it is",
            ),
            protocol: fields.optional(
                "protocol",
                "what is spoken there (default: grpc for port 4317, else http/protobuf)",
            ),
            headers: fields
                .optional::<BTreeMap<String, Secret>>("headers", "what every request carries, such as a token")
                .and_then(|pairs| headers(fields, &pairs)),
            timeout: fields.optional("timeout", "how long a request may take (default 10s)"),
            compression: fields.optional("compression", "how requests are compressed (default gzip)"),
            insecure: fields
                .optional("insecure", "whether gRPC to an endpoint without http:// or https:// goes without TLS"),
            roots: tls::file(fields, "ca_file", "certificates to trust beside the system's", tls::trusted),
            identity: tls::identity(
                fields,
                ("client_certificate_file", "the certificate to show"),
                ("client_key_file", "the key of that certificate"),
            ),
            wrong_endpoint: Cell::new(None),
        }
    }

    /// Everything together for `signal`; `None` where there is no endpoint, or something is wrong, which is noted.
    pub(super) fn exporter(
        self,
        general: &Self,
        signal: Signal,
        fields: &mut Fields<'_>,
    ) -> Option<Exporter> {
        let (endpoint, is_general) = match (&self.endpoint, &general.endpoint) {
            (Some(own), _) => (own, false),
            (None, Some(general)) => (general, true),
            (None, None) => return None,
        };
        let protocol = self.protocol.or(general.protocol).unwrap_or_else(|| endpoint.protocol());
        let insecure = self.insecure.or(general.insecure).unwrap_or(false);
        let url = endpoint.url(protocol, signal, is_general, insecure);
        let endpoint = match url {
            Ok(url) => url,
            Err(message) if is_general => {
                general.wrong_endpoint.set(Some(message));
                return None;
            }
            Err(message) => {
                fields.problem("endpoint", message);
                return None;
            }
        };
        Some(Exporter {
            endpoint,
            protocol,
            headers: self.headers.or_else(|| general.headers.clone()).unwrap_or_default(),
            timeout: self.timeout.or(general.timeout).unwrap_or(TIMEOUT),
            compression: self.compression.or(general.compression).unwrap_or(Compression::Gzip),
            roots: self.roots.or_else(|| general.roots.clone()).unwrap_or_default(),
            identity: self.identity.or_else(|| general.identity.clone()),
        })
    }
}

/// `pairs` as headers; `None` where one cannot be one, which is noted.
fn headers(fields: &mut Fields<'_>, pairs: &BTreeMap<String, Secret>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes());
        match (name, HeaderValue::from_str(value.expose())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            (Err(_), _) => {
                fields.problem("headers", "the name of a header holds characters that none may have");
                return None;
            }
            (_, Err(_)) => {
                fields.problem("headers", "the value of a header holds characters that none may have");
                return None;
            }
        }
    }
    Some(headers)
}
