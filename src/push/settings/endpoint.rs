//! The address of a collector, as OpenTelemetry has it: a URL, or host and port alone for gRPC.

use url::Url;

use super::exporter::Protocol;
use crate::config::{Node, Place, Reading, SecretUrl, Setting, is_ambiguous};
use crate::push::signal::Signal;

/// The setting `endpoint`.
#[derive(Clone)]
pub(super) struct Endpoint {
    /// With `https` where it was given without a scheme.
    url: SecretUrl,
    has_scheme: bool,
}

/// The port that collectors have for gRPC.
const GRPC_PORT: u16 = 4317;
/// And for HTTP.
const HTTP_PORT: u16 = 4318;

impl Endpoint {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str =
            "is not an endpoint: write http://host:4318, https://host/path, or host:4317 for gRPC";
        let has_scheme = text.contains("://");
        let parsed = if has_scheme { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
        let url = parsed.map_err(|_| WANTED)?;
        if is_ambiguous(if has_scheme { text } else { url.as_str() }) {
            return Err("cannot tell where the password ends: percent-encode `/` as %2F and `@` as %40");
        }
        // Neither port that a scheme stands for is one of OTLP, so none is guessed.
        let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !has_scheme && !has_port {
            return Err(WANTED);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must begin with http:// or https://");
        }
        if url.fragment().is_some() || !url.has_host() {
            return Err(WANTED);
        }
        Ok(Self { url: SecretUrl::new(url), has_scheme })
    }

    /// What is spoken there unless it is said: gRPC at the port that stands for it.
    pub(super) fn protocol(&self) -> Protocol {
        let grpc = !self.has_scheme || self.url.expose().port() == Some(GRPC_PORT);
        if grpc { Protocol::Grpc } else { Protocol::HttpProtobuf }
    }

    /// Where requests for `signal` go. One that is `general` serves all signals, so HTTP adds the signal's path.
    pub(super) fn url(
        &self,
        protocol: Protocol,
        signal: Signal,
        general: bool,
        insecure: bool,
    ) -> Result<SecretUrl, &'static str> {
        let mut url = self.url.expose().clone();
        if !self.has_scheme && protocol != Protocol::Grpc {
            return Err("must begin with http:// or https://: only gRPC takes host and port alone");
        }
        if !self.has_scheme && insecure {
            // As text, because the port that https goes without is not http's.
            let port = url.port_or_known_default();
            url.set_scheme("http")
                .and_then(|()| url.set_port(port))
                .map_err(|()| "cannot be used without TLS")?;
        }
        match protocol {
            Protocol::Grpc => url.set_path(""),
            Protocol::HttpProtobuf if general => {
                let path = format!("{}/{}", url.path().trim_end_matches('/'), signal.path());
                url.set_path(&path);
            }
            Protocol::HttpProtobuf => {}
        }
        Ok(SecretUrl::new(url))
    }
}

/// The host and port that `written` holds, where it holds nothing else, for a hint.
fn with_port(written: Option<&str>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    match written.map(str::trim).filter(|text| !text.is_empty() && text.chars().all(plain)) {
        Some(text) if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
            text.to_owned()
        }
        Some(text) if !text.contains(':') => format!("{text}:{HTTP_PORT}"),
        _ => format!("collector:{HTTP_PORT}"),
    }
}

impl Setting for Endpoint {
    const SHAPE: &'static str = "url";
    const SECRET: bool = true;

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let text = reading.text(node, "a url such as http://collector:4318")?;
        // What stands in a variable may be anything that clients of gRPC take, as the specification has it.
        if node.place() != Place::ENVIRONMENT && !text.contains("://") {
            let help = format!("write `http://{}`, or https://", with_port(node.written()));
            reading.wrong_with_help(node, "must begin with http:// or https://", Some(help));
            return None;
        }
        Self::parse(text.trim()).map_err(|message| reading.wrong(node, message)).ok()
    }

    fn show(&self) -> String {
        let shown = self.url.show();
        match shown.strip_prefix("https://").filter(|_| !self.has_scheme) {
            Some(rest) => rest.trim_end_matches('/').to_owned(),
            None => shown,
        }
    }

    fn secrets(&self, keep: &mut dyn FnMut(&str)) {
        self.url.secrets(keep);
    }
}
