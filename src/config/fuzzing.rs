//! The parsers of this part, for [`crate::fuzzing`].

use std::path::PathBuf;
use std::time::Duration;

use super::interpolate::{Sources, resolve};
use super::node::{Content, Node, Path, Scalar};
use super::problem::{Place, Problems};
use super::setting::{Reading, Setting};
use super::shared::Shared;
use super::{OneOrMany, Quantity, Secret, SecretUrl};

type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: &[Target] = &[
    ("interpolation", |bytes| {
        let env = |name: &str| (name.len() < 3).then(|| name.repeat(100));
        let sources = Sources { env: &env, base: PathBuf::new() };
        resolve(&mut node(bytes), &sources, &mut Problems::new("fuzz"));
    }),
    ("units", |bytes| {
        let node = node(bytes);
        let mut shared = Shared::default();
        let mut reading = Reading { shared: &mut shared, path: Path::default() };
        let _ = Quantity::read(&node, &mut reading).map(|value| value.show());
        let _ = Duration::read(&node, &mut reading).map(|value| value.show());
        let _ = u32::read(&node, &mut reading);
        let _ = serde_json::Value::read(&node, &mut reading);
        let _ = OneOrMany::<std::net::SocketAddr>::read(&node, &mut reading).map(|value| value.show());
    }),
    ("url", |bytes| {
        let node = node(bytes);
        let mut shared = Shared::default();
        let url = SecretUrl::read(&node, &mut Reading { shared: &mut shared, path: Path::default() });
        if let Some(url) = url {
            let mut secrets = Vec::new();
            url.secrets(&mut |secret| secrets.push(Secret::new(secret)));
            let _ = url.show();
        }
    }),
];

fn node(bytes: &[u8]) -> Node {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let content = Content::Scalar(Scalar { text, quoted: false, references: Vec::new() });
    Node { place: Place::START, content }
}
