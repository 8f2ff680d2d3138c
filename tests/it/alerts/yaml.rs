//! YAML files of other programs as JSON values: mappings, lists, texts. Every scalar is a text, which is enough to compare.

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// A list or mapping that has not ended, with the key whose value comes next.
enum Open {
    List(Vec<Value>),
    Mapping(Map<String, Value>, Option<String>),
}

/// The document in `text`; fails the test where it is none.
#[track_caller]
pub(super) fn parse(name: &str, text: &str) -> Value {
    let mut open: Vec<Open> = Vec::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, _) = event.unwrap_or_else(|error| panic!("{name}: {error}"));
        let done = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Mapping(entries, _)) => Value::Object(entries),
                None => panic!("{name}: something ends that did not begin"),
            },
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::Alias(_) => panic!("{name}: has an alias"),
            _ => continue,
        };
        match open.last_mut() {
            None => return done,
            Some(Open::List(items)) => items.push(done),
            Some(Open::Mapping(entries, key)) => match key.take() {
                Some(key) => {
                    assert!(entries.insert(key.clone(), done).is_none(), "{name}: {key} comes twice");
                }
                None => *key = Some(done.as_str().expect("a key that is a text").to_owned()),
            },
        }
    }
    panic!("{name}: is empty")
}
