//! The tree as it grows: duplicate keys; size, aliases and depth with bounds; what YAML offers beyond that is refused.

use std::collections::HashMap;

use saphyr_parser::{Event, ScalarStyle, Tag};

use crate::config::node::{Content, Entry, MAX_TEXT, Node, Path, Scalar};
use crate::config::problem::{Place, Problems};

/// How deep lists and mappings may be nested.
const MAX_DEPTH: usize = 64;
/// How many values there may be in all.
const MAX_NODES: usize = 1_000_000;
/// How many entries a mapping or list at the top may have, one in it (that of the checks), and one in those: with more in
/// them than anybody writes, readers that compare each with each would take minutes.
const MAX_ENTRIES: [usize; 3] = [1_000, 100_000, 1_000];
/// How many values aliases may copy, and how many bytes of text.
const MAX_COPIED: Size = Size { nodes: 100_000, bytes: 4 << 20, depth: MAX_DEPTH };

/// How much there is of something.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Size {
    const NONE: Self = Self { nodes: 0, bytes: 0, depth: 0 };

    fn beside(self, other: Self) -> Self {
        Self {
            nodes: self.nodes + other.nodes,
            bytes: self.bytes + other.bytes,
            depth: self.depth.max(other.depth),
        }
    }

    fn of(node: &Node) -> Self {
        let inner = match &node.content {
            Content::Scalar(scalar) => Self { nodes: 0, bytes: scalar.text.len(), depth: 0 },
            Content::List(items) => items.iter().fold(Self::NONE, |sum, item| sum.beside(Self::of(item))),
            Content::Mapping(entries) => entries.iter().fold(Self::NONE, |sum, entry| {
                sum.beside(Self { nodes: 0, bytes: entry.key.len(), depth: 0 }).beside(Self::of(&entry.value))
            }),
            Content::Null | Content::Unresolved => Self::NONE,
        };
        Self { nodes: inner.nodes + 1, bytes: inner.bytes, depth: inner.depth + 1 }
    }
}

/// A list or mapping that has not ended.
struct Frame {
    anchor: usize,
    place: Place,
    holding: Holding,
    /// Whether it has more entries than it may, which has been told.
    overfull: bool,
}

enum Holding {
    List(Vec<Node>),
    Mapping { entries: Vec<Entry>, seen: HashMap<String, Place>, key: Key },
}

/// The key whose value comes next.
enum Key {
    /// The key itself comes next.
    Next,
    /// It cannot be a key; its value is left out.
    Refused,
    Of(String, Place),
}

/// Takes the events of the YAML library one by one.
pub(super) struct Builder<'p> {
    problems: &'p mut Problems,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, Size)>,
    copied: Size,
    nodes: usize,
}

impl<'p> Builder<'p> {
    pub(super) fn new(problems: &'p mut Problems) -> Self {
        Self {
            problems,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            copied: Size::NONE,
            nodes: 0,
        }
    }

    /// The tree; `None` where there was nothing.
    pub(super) fn into_root(self) -> Option<Node> {
        self.root
    }

    /// Notes a problem with the text as a whole.
    pub(super) fn note(&mut self, place: Place, message: &str, help: Option<String>) {
        self.problems.note(place, "", message, help);
    }

    /// Takes the next event; `None` where reading on makes no sense.
    pub(super) fn event(&mut self, event: Event<'_>, place: Place) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text_tag = self.tag(tag.as_deref(), place);
                let plain = style == ScalarStyle::Plain && !text_tag;
                let content = if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
                    Content::Null
                } else if text.len() > MAX_TEXT {
                    let message = format!("is longer than {} MiB", MAX_TEXT >> 20);
                    self.problems.note(place, self.path(), message, None);
                    Content::Unresolved
                } else {
                    Content::Scalar(Scalar {
                        text: text.into_owned(),
                        quoted: !plain,
                        references: Vec::new(),
                    })
                };
                self.add(Node { place, content }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), place);
                self.open(anchor, place, Holding::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), place);
                let holding = Holding::Mapping { entries: Vec::new(), seen: HashMap::new(), key: Key::Next };
                self.open(anchor, place, holding)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let frame = self.stack.pop()?;
                let content = match frame.holding {
                    Holding::List(items) => Content::List(items),
                    Holding::Mapping { entries, .. } => Content::Mapping(entries),
                };
                self.add(Node { place: frame.place, content }, frame.anchor)?;
            }
            Event::Alias(anchor) => self.alias(anchor, place)?,
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Some(())
    }

    /// Whether `tag` says that the value is a text. Any other tag says nothing that the reader does not know better.
    fn tag(&mut self, tag: Option<&Tag>, place: Place) -> bool {
        let Some(tag) = tag else { return false };
        let text = tag.is_yaml_core_schema() && tag.suffix == "str";
        if !text {
            let message = "has a YAML tag (`!…`); remove it, or put the text in quotes";
            self.problems.note(place, self.path(), message, None);
        }
        text
    }

    fn open(&mut self, anchor: usize, place: Place, holding: Holding) -> Option<()> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("is nested deeper than {MAX_DEPTH} levels");
            self.problems.note(place, self.path(), message, None);
            return None;
        }
        self.stack.push(Frame { anchor, place, holding, overfull: false });
        Some(())
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Option<()> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            self.problems.note(
                place,
                self.path(),
                "an alias cannot stand inside the value that it repeats",
                None,
            );
            return self.add(Node { place, content: Content::Unresolved }, 0);
        };
        let (node, size) = (Node { place, content: node.content.clone() }, *size);
        self.copy(size, place)?;
        self.add(node, 0)
    }

    /// Counts what is copied; `None` where it is too much.
    fn copy(&mut self, size: Size, place: Place) -> Option<()> {
        self.copied = self.copied.beside(Size { depth: self.stack.len() + size.depth, ..size });
        let Size { nodes, bytes, depth } = self.copied;
        if nodes <= MAX_COPIED.nodes && bytes <= MAX_COPIED.bytes && depth <= MAX_COPIED.depth {
            return Some(());
        }
        let message = "anchors and aliases repeat too much; write the values out";
        self.problems.note(place, self.path(), message, None);
        None
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Option<()> {
        if anchor != 0 {
            let size = Size::of(&node);
            self.copy(size, node.place)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        if self.is_overfull(node.place) {
            return Some(());
        }
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            self.problems.note(node.place, "", format!("has more than {MAX_NODES} values"), None);
            return None;
        }
        let wrong = match self.stack.last_mut().map(|frame| &mut frame.holding) {
            None => {
                self.root = Some(node);
                None
            }
            Some(Holding::List(items)) => {
                items.push(node);
                None
            }
            Some(Holding::Mapping { entries, seen, key }) => match std::mem::replace(key, Key::Next) {
                Key::Next => {
                    let place = node.place;
                    let (next, wrong) = match key_of(node) {
                        Ok(text) => (Key::Of(text, place), None),
                        Err(message) => (Key::Refused, Some((place, None, message))),
                    };
                    *key = next;
                    wrong
                }
                Key::Refused => None,
                Key::Of(key, place) => {
                    if let Some(Place { line, column }) = seen.get(&key) {
                        let message =
                            format!("is given twice, first at {line}:{column}; remove one of the two");
                        Some((place, Some(key), message))
                    } else {
                        seen.insert(key.clone(), place);
                        entries.push(Entry { key, place, value: node, inherited: false });
                        None
                    }
                }
            },
        };
        if let Some((place, key, message)) = wrong {
            let path = self.path();
            let path = key.map_or_else(|| path.clone(), |key| path.key(&key));
            self.problems.note(place, path, message, None);
        }
        Some(())
    }

    /// Whether the innermost mapping or list has all the entries that it may have; the next one is then left out, which
    /// is told once.
    fn is_overfull(&mut self, place: Place) -> bool {
        let level = self.stack.len().saturating_sub(1).min(MAX_ENTRIES.len() - 1);
        let most = MAX_ENTRIES.get(level).copied().unwrap_or(usize::MAX);
        let Some(frame) = self.stack.last_mut() else { return false };
        let (full, is_key) = match &mut frame.holding {
            Holding::List(items) => (items.len() >= most, false),
            Holding::Mapping { entries, key, .. } if entries.len() >= most => {
                let is_key = matches!(key, Key::Next);
                *key = if is_key { Key::Refused } else { Key::Next };
                (true, is_key)
            }
            Holding::Mapping { .. } => (false, false),
        };
        if full && !std::mem::replace(&mut frame.overfull, true) {
            let path = self.path();
            self.problems.note(place, path, format!("has more than {most} entries"), None);
        } else if full && is_key {
            self.problems.count_more();
        }
        full
    }

    /// The way to the value that comes next.
    fn path(&self) -> Path {
        self.stack.iter().fold(Path::default(), |path, frame| match &frame.holding {
            Holding::List(items) => path.item(items.len()),
            Holding::Mapping { key: Key::Of(key, _), .. } => path.key(key),
            Holding::Mapping { .. } => path,
        })
    }
}

/// `node` as a key. Any plain value is taken as the text that it is: no setting asks for another type of key.
fn key_of(node: Node) -> Result<String, String> {
    match node.content {
        Content::Scalar(Scalar { text, quoted: false, .. }) if text == "<<" => {
            Err("merge keys (`<<`) are not supported; write the settings out".to_owned())
        }
        Content::Scalar(scalar) => Ok(scalar.text),
        _ => Err(format!("a key must be a text, found {}", node.found())),
    }
}
