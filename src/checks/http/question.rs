//! One request, as it goes out over one version or the other, and the next one that a redirect leads to.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Uri};
use percent_encoding::percent_decode_str;
use url::Url;

/// Who asks.
pub(super) const AGENT: &str = concat!("vitalsign/", env!("CARGO_PKG_VERSION"));

/// What is asked.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) url: Url,
    pub(super) method: Method,
    /// What the configuration says to send, credentials of the URL included.
    headers: HeaderMap,
    body: Bytes,
}

impl Question {
    /// The first one. User and password of `url` become a header.
    pub(super) fn new(mut url: Url, method: Method, mut headers: HeaderMap, body: Bytes) -> Self {
        if let Some(value) = basic(&url).filter(|_| !headers.contains_key(AUTHORIZATION)) {
            headers.insert(AUTHORIZATION, value);
        }
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        Self { url, method, headers, body }
    }

    /// The request for a connection of this version; to a proxy that gets it itself with its whole address and
    /// `through`'s credentials. `None` where hyper cannot send it.
    pub(super) fn request(
        &self,
        second: bool,
        through: Option<Option<&HeaderValue>>,
    ) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        // What the configuration says takes the place of these.
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        let path: Uri = self.url[url::Position::BeforePath..url::Position::AfterQuery].parse().ok()?;
        let own = authority(&self.url)?;
        let host = headers.remove(HOST);
        if second {
            // Version 2 has a field of its own for it; a server that gets both may refuse them.
            let shown = host.and_then(|host| Authority::try_from(host.as_bytes()).ok()).unwrap_or(own);
            *request.uri_mut() = whole(&self.url, shown, path)?;
            return Some(request);
        }
        headers.insert(HOST, host.or_else(|| HeaderValue::try_from(own.as_str()).ok())?);
        *request.uri_mut() = match through {
            None => path,
            Some(authorization) => {
                if let Some(value) = authorization {
                    headers.insert(PROXY_AUTHORIZATION, value.clone());
                }
                whole(&self.url, own, path)?
            }
        };
        Some(request)
    }

    /// What a redirect with this status and these headers leads to, where it is followed: not to another host and not out
    /// of TLS, for a log-in page elsewhere must not make a broken service look well. To another origin nothing goes along
    /// that the configuration says, and no body.
    pub(super) fn redirected(&self, status: u16, headers: &HeaderMap) -> Option<Self> {
        let url = self.url.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
        let leaves =
            url.host_str() != self.url.host_str() || (self.url.scheme(), url.scheme()) == ("https", "http");
        if leaves || !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let same_origin = url.origin() == self.url.origin();
        let mut next = Self { url, ..self.clone() };
        // As every client has it, whatever the standard once said.
        let asks_anew = match status {
            301 | 302 => self.method == Method::POST,
            303 => self.method != Method::HEAD && self.method != Method::GET,
            307 | 308 => false,
            _ => return None,
        };
        if asks_anew {
            next.method = Method::GET;
            next.body = Bytes::new();
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                next.headers.remove(name);
            }
        }
        if !same_origin {
            if !next.body.is_empty() {
                return None;
            }
            next.headers.clear();
        }
        Some(Self::new(next.url, next.method, next.headers, next.body))
    }
}

/// User and password of `url`, as a header.
pub(super) fn basic(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut both: Vec<u8> = percent_decode_str(url.username()).collect();
    both.push(b':');
    both.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(both))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Host and port of `url`, the port where it is not the scheme's own.
fn authority(url: &Url) -> Option<Authority> {
    let host = url.host_str()?;
    let text = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Authority::try_from(text).ok()
}

fn whole(url: &Url, authority: Authority, path: Uri) -> Option<Uri> {
    let mut parts = path.into_parts();
    parts.scheme = Some(url.scheme().parse().ok()?);
    parts.authority = Some(authority);
    Uri::from_parts(parts).ok()
}
