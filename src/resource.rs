//! What this process is and where it runs, as OpenTelemetry's resource attributes
//! (<https://opentelemetry.io/docs/specs/semconv/resource/>): on every request over OTLP, and as `target_info` on the page.
//!
//! The configuration wins over `OTEL_SERVICE_NAME`, that over `OTEL_RESOURCE_ATTRIBUTES`, that over what is found out
//! here. Made once, at start: a handful of small files and system calls. Knows nothing of who sends it.

mod container;
mod detect;
mod pairs;

use std::net::SocketAddr;
use std::path::Path;

use crate::metrics::{Attribute, AttributeValue};

/// The attributes, each name once, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource(Vec<Attribute>);

pub(crate) use pairs::pairs;

/// The name of the service, which is also the last part of Prometheus' `job`.
pub(crate) const SERVICE_NAME: &str = "service.name";
/// The variable for it.
pub(crate) const SERVICE_NAME_VARIABLE: &str = "OTEL_SERVICE_NAME";
/// The variable for all attributes.
pub(crate) const ATTRIBUTES_VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";
/// The version of the service.
pub(crate) const SERVICE_VERSION: &str = "service.version";
/// Which one of the service's processes this is, Prometheus' `instance`.
const SERVICE_INSTANCE: &str = "service.instance.id";
const HOST_NAME: &str = "host.name";

impl Resource {
    /// What is said of this process, and nothing else yet. An attribute with an empty value is none.
    pub fn new<N: Into<String>, V: Into<String>>(said: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut resource = Self::default();
        for (name, value) in said {
            resource.set_default(&name.into(), AttributeValue::Text(value.into()));
        }
        resource
    }

    /// Adds what the environment says and then what can be found out, where nothing is said yet; gives what is wrong
    /// with the environment, which then counts as not set.
    pub fn find_out(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        self.find_out_below(Path::new("/"), env)
    }

    /// As [`Resource::find_out`], with the files of the system below `root`.
    fn find_out_below(&mut self, root: &Path, env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        if let Some(name) = env(SERVICE_NAME_VARIABLE) {
            self.set_default(SERVICE_NAME, AttributeValue::Text(name));
        }
        let mut problems = Vec::new();
        match env(ATTRIBUTES_VARIABLE).map_or(Ok(Vec::new()), |text| pairs(&text)) {
            // Of two values for one name the last one counts.
            Ok(pairs) => pairs
                .into_iter()
                .rev()
                .for_each(|(name, value)| self.set_default(&name, AttributeValue::Text(value))),
            Err(problem) => problems.push(format!("{ATTRIBUTES_VARIABLE} is ignored: {problem}")),
        }
        for (name, value) in detect::all(root, env) {
            self.set_default(name, value);
        }
        problems
    }

    /// The attributes, sorted by name.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.0
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.iter().find(|attribute| attribute.name == name).map(|attribute| &attribute.value)
    }

    /// With these of the service where nobody said otherwise: its instance is the host and port that `listen` stands
    /// for, as Prometheus calls it when it scrapes.
    #[must_use]
    pub(crate) fn of_service(mut self, name: &str, version: &str, listen: Option<SocketAddr>) -> Self {
        self.set_default(SERVICE_NAME, text(name));
        self.set_default(SERVICE_VERSION, text(version));
        if let Some(address) = listen {
            let instance = match self.get(HOST_NAME) {
                Some(host) if address.ip().is_unspecified() => format!("{host}:{}", address.port()),
                _ => address.to_string(),
            };
            self.set_default(SERVICE_INSTANCE, AttributeValue::Text(instance));
        }
        self
    }

    fn set_default(&mut self, name: &str, value: AttributeValue) {
        let is_empty = matches!(&value, AttributeValue::Text(text) if text.is_empty());
        let place = self.0.binary_search_by(|attribute| attribute.name.as_str().cmp(name));
        if let (Err(place), false) = (place, is_empty) {
            self.0.insert(place, Attribute { name: name.to_owned(), value });
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::Text(value.to_owned())
}

#[cfg(test)]
mod tests;
