//! The word behind `kind:`: one that this program knows, else what to write or to build instead.

use crate::checks::{self, Kind};
use crate::config::{Node, Reading, Schema, Setting};

/// The name of a kind.
#[derive(Clone, Copy)]
pub(super) struct KindWord(pub(super) &'static dyn Kind);

impl Setting for KindWord {
    const SHAPE: &'static str = "kind";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let text = reading.text(node, "the kind of the check")?;
        let kind = checks::kind(text);
        match (kind, checks::left_out(text)) {
            (Some(_), _) => {}
            (None, Some((kind, feature))) => {
                let help = format!("build it with `--features {feature}`, or with `full` for every kind");
                let message = format!("this program was built without the kind `{kind}`");
                reading.wrong_with_help(node, message, Some(help));
            }
            (None, None) => {
                let meant = node.written().and_then(checks::kind_meant_by).map(Kind::name);
                reading.unknown_word_for(node, checks::KINDS.iter().map(|kind| kind.name()), meant);
            }
        }
        kind.map(Self)
    }

    fn show(&self) -> String {
        self.0.name().to_owned()
    }

    fn schema() -> Schema {
        Schema::Words(checks::KINDS.iter().map(|kind| kind.name()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Plan, from_environment};
    use crate::config::Document;

    #[test]
    fn a_kind_that_was_left_out_names_its_feature() {
        for (name, feature) in checks::OPTIONAL {
            let config = format!("checks: {{ a: {{ kind: {name} }} }}");
            let read = Plan::read(Document::parse("t", config, &|_| None));
            let problems = read.map(drop).unwrap_err().to_string();
            let without = format!("this program was built without the kind `{name}`");
            assert_eq!(problems.contains(&without), checks::kind(name).is_none(), "{problems}");
            assert_eq!(problems.contains(&format!("`--features {feature}`")), checks::kind(name).is_none());

            let variables = |variable: &str| (variable == "DATABASE_URL").then(|| format!("{name}://h/db"));
            let (_, not_checked) = from_environment(&variables);
            let told = not_checked.iter().any(|message| message.contains(&without));
            assert_eq!(told, checks::kind(name).is_none(), "{not_checked:?}");
        }
    }
}
