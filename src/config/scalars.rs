//! Texts, truth values, numbers, names, paths and addresses as settings.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::node::Node;
use super::setting::{Reading, Schema, Setting, Word};
use super::show::yaml;
use crate::model::{Bound, Criticality, Name};

impl Setting for String {
    const SHAPE: &'static str = "text";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        reading.text(node, "a text").map(str::to_owned)
    }

    fn show(&self) -> String {
        yaml(self)
    }
}

impl Setting for bool {
    const SHAPE: &'static str = "truth value";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        reading.parsed(node, "true or false", |text| match text {
            "true" | "True" | "TRUE" | "yes" | "on" => Some(true),
            "false" | "False" | "FALSE" | "no" | "off" => Some(false),
            _ => None,
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn schema() -> Schema {
        Schema::Bool
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => { $(
        impl Setting for $type {
            const SHAPE: &'static str = "whole number";

            fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
                let expected = format!("a whole number from 0 to {}", Self::MAX);
                reading.parsed(node, &expected, |text| text.trim().parse().ok())
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn schema() -> Schema {
                Schema::Integer { least: 0, most: Self::MAX.into() }
            }
        }
    )* };
}
whole_numbers!(u16, u32, u64);

impl Setting for f64 {
    const SHAPE: &'static str = "number";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        reading.parsed(node, "a number", |text| {
            text.trim().parse().ok().filter(|number: &Self| number.is_finite())
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn schema() -> Schema {
        Schema::Number
    }
}

impl Setting for Name {
    const SHAPE: &'static str = "name";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let text = reading.text(node, "a name")?;
        match (Self::new(text), node.written()) {
            (Ok(name), _) => Some(name),
            (Err(error), Some(_)) => {
                reading.wrong(node, error.to_string());
                None
            }
            (Err(_), None) => {
                let help = "a name has 1 to 63 characters out of a-z, 0-9, '_', '.' and '-'";
                reading.wrong_with_help(
                    node,
                    format!("expected a name, found {}", node.found()),
                    Some(help.into()),
                );
                None
            }
        }
    }

    fn show(&self) -> String {
        yaml(self.as_str())
    }
}

impl Setting for PathBuf {
    const SHAPE: &'static str = "path";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        reading.parsed(node, "a path", |text| (!text.is_empty()).then(|| Self::from(text)))
    }

    fn show(&self) -> String {
        yaml(&self.to_string_lossy())
    }
}

/// `text` as an address to listen on: `:port` stands for every interface.
#[must_use]
pub fn listen_address(text: &str) -> Option<SocketAddr> {
    let every = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    text.strip_prefix(':').and_then(port).map(every).or_else(|| text.parse().ok())
}

fn port(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Setting for SocketAddr {
    const SHAPE: &'static str = "listen address";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let expected = "an address such as :10464, 127.0.0.1:10464 or [::1]:10464";
        let text = reading.text(node, expected)?.trim();
        let address = listen_address(text);
        if address.is_none() {
            let help =
                node.written().and_then(port).map(|port| format!("write `:{port}` for every interface"));
            reading.wrong_with_help(node, format!("expected {expected}, found {}", node.found()), help);
        }
        address
    }

    fn show(&self) -> String {
        yaml(&self.to_string())
    }
}

impl Word for Criticality {
    const MEANING: &'static str = "criticality";
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Word for Bound {
    const MEANING: &'static str = "bound";
    const ALL: &'static [Self] = &[Self::Upper, Self::Lower];

    fn word(self) -> &'static str {
        self.as_str()
    }
}
