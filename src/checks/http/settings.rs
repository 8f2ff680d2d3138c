//! The settings of kind `http`: read from the configuration, every problem noted at its place.

use std::collections::BTreeMap;

use hyper::Method;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use url::Url;

use super::expect::{Expect, Expected};
use super::pattern::{Pattern, Place};
use super::status::Statuses;
use crate::checks::tls::settings::Settings as Tls;
use crate::config::{Fields, Quantity, Secret, SecretUrl, Word, quoted};
use crate::model::Name;

const REDIRECTS: u32 = 5;
const CERTIFICATE_DAYS: u32 = 14;
const MAX_BODY: u32 = 1 << 20;

/// Everything that is to be known before the first request.
pub(super) struct Settings {
    pub(super) url: Url,
    pub(super) method: Verb,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Secret>,
    pub(super) redirects: u32,
    pub(super) proxy: Option<SecretUrl>,
    pub(super) tls: Tls,
    pub(super) version: Version,
    pub(super) reuse: bool,
    pub(super) max_body: usize,
    pub(super) expect: Expect,
    pub(super) certificate_days: u32,
}

/// A method that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Verb {
    /// The method, as the client wants it.
    pub(super) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
            Self::Options => Method::OPTIONS,
        }
    }
}

impl Word for Verb {
    const MEANING: &'static str = "method";
    const ALL: &'static [Self] =
        &[Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

/// The version of HTTP to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// What the server and we agree on; without TLS 1.1.
    Auto,
    Http1,
    Http2,
}

impl Word for Version {
    const MEANING: &'static str = "version";
    const ALL: &'static [Self] = &[Self::Auto, Self::Http1, Self::Http2];

    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Http1 => "1.1",
            Self::Http2 => "2",
        }
    }
}

impl Settings {
    /// The defaults, for `url`.
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            method: Verb::Get,
            headers: HeaderMap::new(),
            body: None,
            redirects: REDIRECTS,
            proxy: None,
            tls: Tls::default(),
            version: Version::Auto,
            reuse: false,
            max_body: size(Quantity(MAX_BODY.into())),
            expect: Expect::default(),
            certificate_days: CERTIFICATE_DAYS,
        }
    }

    /// Reads all settings; `None` where there is nothing to ask.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let url: Option<SecretUrl> = fields.required("url", "what to ask for, http or https");
        let url = url.and_then(|url| web_address(fields, "url", &url));
        let known = url.is_some();
        // Something in the place of a missing address, so that the other settings are looked at too.
        let mut settings = Self::new(url.or_else(|| Url::parse("http://localhost/").ok())?);
        settings.read_request(fields);
        settings.read_connection(fields);
        let proxy = settings.proxy.as_ref().map(|proxy| proxy.expose().scheme());
        if known && settings.url.scheme() == "http" && settings.redirects == 0 && proxy != Some("https") {
            Tls::refuse(fields, "begin `url` with https://");
        }
        fields.section("expect", "what the answer must be", |fields| settings.read_expect(fields));
        settings.expect.measure = read_measure(fields);
        if settings.method == Verb::Head && settings.expect.looks_at_body() {
            let message =
                "an answer to HEAD has no body: use GET, or expect nothing of the body and measure nothing";
            fields.problem("method", message);
        }
        known.then_some(settings)
    }

    fn read_request(&mut self, fields: &mut Fields<'_>) {
        self.method = fields.or("method", self.method, "what to do with the address");
        let headers: BTreeMap<String, Secret> = fields.or("headers", BTreeMap::new(), "headers to send");
        for (name, value) in headers {
            match (HeaderName::try_from(&name), HeaderValue::try_from(value.expose())) {
                (Ok(HOST), Ok(value)) if Authority::try_from(value.as_bytes()).is_err() => {
                    fields.problem(
                        "headers",
                        "the value of \"host\" is not a host name with or without a port",
                    );
                }
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    self.headers.append(name, value);
                }
                (Err(_), _) => {
                    fields.problem("headers", format!("{} cannot be the name of a header", quoted(&name)));
                }
                (_, Err(_)) => fields.problem("headers", format!("the value of {name:?} cannot be sent")),
            }
        }
        self.body = fields.optional("body", "body to send");
    }

    fn read_connection(&mut self, fields: &mut Fields<'_>) {
        self.redirects = fields.or(
            "redirects",
            self.redirects,
            "how many redirects to follow; one that is expected, or leads to another host or from https to http, is an \
             answer like any other; headers go only where scheme, host and port stay the same",
        );
        let proxy: Option<SecretUrl> =
            fields.optional("proxy", "proxy to go through; the environment names none");
        self.proxy = proxy.and_then(|proxy| web_address(fields, "proxy", &proxy)).map(SecretUrl::new);
        self.tls = Tls::take(fields);
        self.version =
            fields.or("http_version", self.version, "the version to speak; auto is 1.1 without TLS");
        self.reuse = fields.or(
            "reuse",
            self.reuse,
            "whether to keep the connection for the next run; a fresh one tests look-up, connecting and TLS too",
        );
        let most = Quantity(MAX_BODY.into());
        let most =
            fields.or("max_body", most, "the most bytes of the body to read; a longer one is a failure");
        if most.0 < 0.0 {
            fields.problem("max_body", "a number of bytes");
        }
        self.max_body = size(most);
    }

    fn read_expect(&mut self, fields: &mut Fields<'_>) {
        let doc = "status codes, classes or ranges";
        self.expect.status = Statuses(fields.or("status", Statuses::default().0, doc));
        if self.expect.status.0.0.is_empty() {
            fields.problem("status", "at least one status");
        }
        self.expect.body = fields.optional("body", "what the body must contain");
        self.expect.not_body = fields.optional("not_body", "what the body must not contain");
        let doc = "headers that must be there, and what they must contain";
        let header: BTreeMap<String, Pattern> = fields.or("header", BTreeMap::new(), doc);
        for (name, pattern) in header {
            match HeaderName::try_from(&name) {
                Ok(name) => self.expect.header.push((name, pattern)),
                Err(_) => fields.problem("header", format!("{name:?} cannot be the name of a header")),
            }
        }
        let doc = "JSONPaths and the value that must be there; one that finds several wants it of all";
        let json: BTreeMap<String, Expected> = fields.or("json", BTreeMap::new(), doc);
        for (path, expected) in json {
            match Place::parse(&path) {
                Ok(place) => self.expect.json.push((place, expected)),
                Err(problem) => fields.problem("json", format!("{}: {problem}", quoted(&path))),
            }
        }
        self.certificate_days = fields.or(
            "certificate_days",
            self.certificate_days,
            "warn when a certificate of the server expires in fewer days; to fail, limit the measurement \
             certificate_days",
        );
    }
}

fn web_address(fields: &mut Fields<'_>, name: &str, url: &SecretUrl) -> Option<Url> {
    let url = url.expose();
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        return Some(url.clone());
    }
    fields.problem(name, "expected an http or https address");
    None
}

fn read_measure(fields: &mut Fields<'_>) -> Vec<(Name, Place)> {
    let doc = "measurements, and the JSONPath of the number that each is; thresholds apply to them";
    let measure: BTreeMap<String, Place> = fields.or("measure", BTreeMap::new(), doc);
    let mut places = Vec::new();
    for (name, place) in measure {
        match Name::new(&name) {
            Ok(name) => places.push((name, place)),
            Err(problem) => fields.problem("measure", format!("{}: {problem}", quoted(&name))),
        }
    }
    places
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn size(bytes: Quantity) -> usize {
    bytes.0 as usize
}
