//! Values that must not be shown: they print as `<secret>`, and messages about them never repeat them.

use std::fmt;

use url::Url;

use super::node::Node;
use super::setting::{Reading, Setting};
use super::show::yaml;

const HIDDEN: &str = "<secret>";
const ENCODE: &str = "percent-encode `/` as %2F, `@` as %40, `?` as %3F, `#` as %23, `:` as %3A and `%` as %25 in a user \
                      name or password; `@` in a path as %40";

/// A text that prints as `<secret>` everywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one who must send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Setting for Secret {
    const SHAPE: &'static str = "secret";
    const SECRET: bool = true;
    const TWIN: bool = true;

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        reading.text(node, "a text").map(Self::new)
    }

    fn show(&self) -> String {
        HIDDEN.to_owned()
    }

    fn secrets(&self, keep: &mut dyn FnMut(&str)) {
        keep(&self.0);
    }
}

/// A URL whose password, user name and query print as `<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Hides what is private in `url`.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// The URL itself, for the one who must connect.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Whether it cannot be told which part is private: there is no `//`, or an `@` far behind hints at a password
    /// that holds a `/`, `?` or `#` and was not percent-encoded.
    fn is_opaque(&self) -> bool {
        let url = &self.0;
        let behind = [Some(url.path()), url.query(), url.fragment()];
        url.cannot_be_a_base() || behind.into_iter().flatten().any(|part| part.contains('@'))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.0;
        write!(f, "{}:", url.scheme())?;
        if self.is_opaque() {
            return f.write_str(HIDDEN);
        }
        if url.has_authority() {
            f.write_str("//")?;
            match (url.username(), url.password()) {
                ("", None) => {}
                (_, None) => write!(f, "{HIDDEN}@")?,
                ("", Some(_)) => write!(f, ":{HIDDEN}@")?,
                (_, Some(_)) => write!(f, "{HIDDEN}:{HIDDEN}@")?,
            }
            f.write_str(url.host_str().unwrap_or_default())?;
            if let Some(port) = url.port() {
                write!(f, ":{port}")?;
            }
        }
        f.write_str(url.path())?;
        for (index, pair) in url.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            match pair.split_once('=') {
                Some((key, _)) => write!(f, "{key}={HIDDEN}")?,
                None => f.write_str(HIDDEN)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Setting for SecretUrl {
    const SHAPE: &'static str = "url";
    const SECRET: bool = true;
    const TWIN: bool = true;

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let text = reading.text(node, "a url")?;
        let message = match Url::parse(text) {
            Ok(_) if is_ambiguous(text) => {
                "cannot tell where the password ends and the host begins".to_owned()
            }
            Ok(url) => return Some(Self(url)),
            Err(url::ParseError::RelativeUrlWithoutBase) => {
                "is not a url: it must begin like `scheme://`".to_owned()
            }
            Err(error) => format!("is not a url: {error}"),
        };
        let help = text.contains('@').then(|| ENCODE.to_owned());
        reading.wrong_with_help(node, message, help);
        None
    }

    fn show(&self) -> String {
        yaml(&self.to_string())
    }

    fn secrets(&self, keep: &mut dyn FnMut(&str)) {
        /// Shorter values of a query (`sslmode=require`) are words that any text may hold.
        const TELLING: usize = 8;
        let url = &self.0;
        if self.is_opaque() {
            keep(url.as_str());
        }
        let mut both = |text: &str| {
            keep(text);
            let decoded = percent_decoded(text);
            if decoded != text {
                keep(&decoded);
            }
        };
        both(url.username());
        both(url.password().unwrap_or_default());
        for (_, value) in url.query_pairs().filter(|(_, value)| value.len() >= TELLING) {
            keep(&value);
        }
        for value in url.query().into_iter().flat_map(|query| query.split('&')) {
            let value = value.split_once('=').map_or(value, |(_, value)| value);
            if value.len() >= TELLING {
                keep(value);
            }
        }
    }
}

/// Whether an `@` stands where it may be the end of a password that holds `/`, `?`, `#` or `@`. The host would then be a
/// part of the password, and hosts are shown. A port has to be there for that, or a user: `https://host/@name` is well.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let web = matches!(scheme.trim_start().to_ascii_lowercase().as_str(), "http" | "https");
    // A browser's URL takes `\\` for `/`.
    let (authority, behind) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    // Addresses are common in the query of a web page, and a password there ends in a digit before the `?`.
    let behind = match behind.find(['?', '#']) {
        Some(end) if web && user.is_empty() => behind.get(..end).unwrap_or_default(),
        _ => behind,
    };
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let tellable = web && user.is_empty() && !has_port;
    user.contains('@') || (behind.contains('@') && !tellable)
}

/// `text` without percent-encoding, bytes that are not UTF-8 replaced.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |b: Option<u8>| {
            b.and_then(|b| char::from(b).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
        };
        let mut ahead = rest.clone();
        match (byte, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        SecretUrl::new(Url::parse(url).unwrap()).to_string()
    }

    fn secrets(url: &str) -> Vec<String> {
        let mut all = Vec::new();
        SecretUrl::new(Url::parse(url).unwrap()).secrets(&mut |secret| all.push(secret.to_owned()));
        all.retain(|secret| !secret.is_empty());
        all
    }

    #[test]
    fn shows_only_where_a_url_leads() {
        assert_eq!(shown("postgres://u:p@db:5432/orders"), "postgres://<secret>:<secret>@db:5432/orders");
        assert_eq!(shown("redis://:p@cache/0"), "redis://:<secret>@cache/0");
        assert_eq!(shown("amqp://token@mq"), "amqp://<secret>@mq");
        assert_eq!(shown("https://h/p?token=abc&flag#frag"), "https://h/p?token=<secret>&<secret>");
        assert_eq!(shown("http://[::1]:80/"), "http://[::1]/");
        assert_eq!(shown("sqlite:///var/db"), "sqlite:///var/db");
        assert_eq!(shown("http://B\u{fc}cher.example/"), "http://xn--bcher-kva.example/");
    }

    #[test]
    fn hides_everything_where_parts_cannot_be_told_apart() {
        assert_eq!(shown("redis:u:p@host"), "redis:<secret>");
        assert_eq!(shown("postgres://u:12/34@host/db"), "postgres:<secret>");
        assert_eq!(shown("postgres://u:12?34@host/db"), "postgres:<secret>");
        assert_eq!(shown("postgres://u:12#34@host/db"), "postgres:<secret>");
    }

    #[test]
    fn a_password_that_may_go_on_behind_the_host_is_refused() {
        for url in [
            "postgres://u:12/34@host/db",
            "postgres://u:p@12/34@host/db",
            "postgres://u:pa@ss@host/db",
            "postgres://u:12?34@host/db",
            "redis://:12#34@cache",
            "amqp://12/34@mq/shop",
            "https://u:12/34@host/",
            "https://u:p@12/34@host/",
            "https://u:p@12?34@host/",
            "https://u:12\\34@host/",
        ] {
            assert!(is_ambiguous(url), "{url}");
        }
        for url in [
            "postgres://u:pa%2Fs%40s@host/db",
            "postgres://u:p@[::1]:5432/db?sslmode=require",
            "https://host/@name?of=a@b",
            "https://host:8443/sign-in?of=a@b",
            "https://[::1]/@name",
            "http://u:p@host/",
        ] {
            assert!(!is_ambiguous(url), "{url}");
        }
    }

    #[test]
    fn knows_every_text_that_is_private() {
        assert_eq!(
            secrets("postgres://us%65r:p%2Fw@db/?sslmode=require"),
            ["us%65r", "user", "p%2Fw", "p/w"]
        );
        assert_eq!(secrets("https://h/?key=long%20secret"), ["long secret", "long%20secret"]);
        assert_eq!(secrets("redis:u:p@host"), ["redis:u:p@host"]);
    }
}
