//! What YAML becomes, and what of it is refused.

use super::*;
use proptest::prelude::*;

fn read(text: impl AsRef<[u8]>) -> (Option<Node>, Problems) {
    let mut problems = Problems::new("t");
    let node = parse(text.as_ref(), &mut problems);
    (node, problems)
}

fn tree(text: &str) -> Node {
    let (node, problems) = read(text);
    assert!(problems.is_empty(), "{problems}");
    node.unwrap()
}

fn wrong(text: impl AsRef<[u8]>) -> String {
    let (_, problems) = read(text);
    problems.to_string()
}

fn get<'n>(node: &'n Node, key: &str) -> &'n Node {
    node.entries().unwrap().find(|(k, _)| *k == key).unwrap().1
}

#[test]
fn knows_where_everything_stands() {
    let root = tree("# top\na: 1\nb:\n  - x\n  - {c: 'y'}\n");
    let Content::Mapping(entries) = &root.content else { panic!("a mapping") };
    assert_eq!(entries[1].place, Place { line: 3, column: 1 });
    assert_eq!(get(&root, "a").place(), Place { line: 2, column: 4 });
    let items = get(&root, "b").items().unwrap();
    assert_eq!(items[1].place(), Place { line: 5, column: 5 });
    assert_eq!(get(&items[1], "c").place(), Place { line: 5, column: 9 });
}

#[test]
fn an_empty_text_is_an_empty_mapping() {
    for text in ["", "\n\n", "# only a comment", "---\n", "\u{feff}", "~", "---\n...\n"] {
        assert_eq!(tree(text).entries().unwrap().count(), 0, "{text:?}");
    }
    assert_eq!(get(&tree("\u{feff}a: 1"), "a").place(), Place { line: 1, column: 4 });
}

#[test]
fn tells_nothing_from_an_empty_text() {
    let root = tree("a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: !!str null\ng: !!str\n");
    let nulls: Vec<bool> = root.entries().unwrap().map(|(_, value)| value.content == Content::Null).collect();
    assert_eq!(nulls, [true, true, true, false, false, false, false]);
}

#[test]
fn refuses_what_is_ambiguous() {
    assert_eq!(
        wrong("a:\n  b: 1\n  b: 2"),
        "t:3:3: a.b: is given twice, first at 2:3; remove one of the two"
    );
    assert_eq!(
        wrong("b: &x {c: 1}\na:\n  <<: *x"),
        "t:3:3: a: merge keys (`<<`) are not supported; write the settings out"
    );
    assert_eq!(
        wrong("a: 1\n---\nb: 2"),
        "t:2:1: a second document begins here; keep one and remove the line `---`"
    );
    assert_eq!(
        wrong("[1]: 2\n~: 3"),
        "t:1:1: a key must be a text, found a list\nt:2:1: a key must be a text, found nothing"
    );
    assert_eq!(wrong("- a"), "t:1:1: expected a mapping of settings, found a list");
    assert_eq!(
        wrong("a: [x, !env y]"),
        "t:1:8: a[1]: has a YAML tag (`!…`); remove it, or put the text in quotes"
    );
}

#[test]
fn a_quote_that_is_not_closed_is_found_where_it_begins() {
    let help = "help: a text in quotes ends with the quote that it begins with: close the one that begins here, or the \
                one before";
    for (text, place) in
        [("a: 1\nb: \"c\n", "2:4"), ("a:\n  b: 'c\nd: 1\n", "2:6"), ("a: 'b\nc: 'd'\n", "1:4")]
    {
        let said = wrong(text);
        assert!(said.starts_with(&format!("t:{place}: ")) && said.ends_with(help), "{text:?}: {said}");
    }
}

#[test]
fn plain_keys_are_texts() {
    assert_eq!(get(&tree("200: ok"), "200").text(), Some("ok"));
    assert_eq!(get(&tree("on: \"<<\"\n\"<<\": 1"), "<<").text(), Some("1"));
}

#[test]
fn says_where_the_syntax_breaks() {
    assert_eq!(
        wrong("a: b: c"),
        "t:1:5: mapping values are not allowed in this context\n  help: put a text that holds `: ` in quotes"
    );
    assert!(wrong("a:\n\t- b").contains("indent with spaces"), "{}", wrong("a:\n\t- b"));
    assert!(wrong("a: [1, 2").starts_with("t:1:"), "{}", wrong("a: [1, 2"));
    assert!(wrong("a: *none").contains("unknown anchor"), "{}", wrong("a: *none"));
}

#[test]
fn refuses_bytes_that_are_not_text() {
    assert_eq!(wrong(b"a: 1\nb: \xff"), "t:2:4: is not UTF-8 text; save the file as UTF-8");
    assert_eq!(wrong("a: 1\r\nb\0: 1"), "t:2:2: has a NUL character; remove it");
    assert_eq!(wrong(vec![b'#'; MAX_BYTES + 1]), "t:1:1: is larger than 16 MiB");
}

#[test]
fn aliases_repeat_within_bounds() {
    let root = tree("a: &x {b: [1]}\nc: *x");
    assert_eq!(get(&get(&root, "c").clone(), "b"), get(get(&root, "a"), "b"));
    assert_eq!(get(&root, "c").place(), Place { line: 2, column: 4 });
    assert!(wrong("a: &x [*x]").contains("inside the value that it repeats"));

    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for level in 1..20 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert!(wrong(bomb).contains("repeat too much"));
    let text = "x".repeat(100_000);
    assert!(wrong(format!("a: &a {text}\nb: [{}]", "*a, ".repeat(1000))).contains("repeat too much"));
}

#[test]
fn depth_is_bounded() {
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), format!("a: {}", "- ".repeat(100_000))] {
        assert_ne!(wrong(&text), "");
    }
    let deep = |depth: usize| format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(wrong(deep(63)), "");
    assert!(wrong(deep(64)).contains("is nested deeper than 64 levels"));
}

/// A tree of texts, written with every text in quotes.
#[derive(Clone, Debug)]
enum Written {
    Text(String),
    List(Vec<Written>),
    Mapping(Vec<(String, Written)>),
}

impl Written {
    fn yaml(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", crate::config::show::escaped(text).replace("$$", "$"));
        match self {
            Self::Text(text) => quoted(text),
            Self::List(items) => format!("[{}]", items.iter().map(Self::yaml).collect::<Vec<_>>().join(", ")),
            Self::Mapping(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(k, v)| format!("{}: {}", quoted(k), v.yaml())).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn is(&self, node: &Node) -> bool {
        match self {
            Self::Text(text) => node.text() == Some(text),
            Self::List(items) => node.items().is_some_and(|nodes| {
                nodes.len() == items.len() && items.iter().zip(nodes).all(|(item, node)| item.is(node))
            }),
            Self::Mapping(entries) => node.entries().is_some_and(|nodes| {
                let nodes: Vec<_> = nodes.collect();
                nodes.len() == entries.len()
                    && entries.iter().zip(nodes).all(|((k, v), (key, node))| k == key && v.is(node))
            }),
        }
    }
}

fn mapping(values: impl Strategy<Value = Written>) -> impl Strategy<Value = Written> {
    prop::collection::btree_map("[ -~äß\n]{0,8}", values, 0..5)
        .prop_map(|map| Written::Mapping(map.into_iter().collect()))
}

fn written() -> impl Strategy<Value = Written> {
    let text = prop_oneof![any::<String>(), "[ -~\n\t]{0,20}"].prop_map(Written::Text);
    let tree = text.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..5).prop_map(Written::List), mapping(inner)]
    });
    mapping(tree)
}

fn inside(problems: &Problems, text: &str) -> bool {
    let end = end_of(text.strip_prefix('\u{feff}').unwrap_or(text));
    problems.as_slice().iter().all(|problem| {
        let place = Place { line: problem.line, column: problem.column };
        place >= Place::START
            && place.line <= end.line
            && place <= end.max(Place { column: usize::MAX, ..place })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_a_tree_or_a_problem(text in prop_oneof![
        any::<String>(),
        "[a-c:\\-?,\\[\\]{}&*!|>'\"%@#~ \t\r\n0<$.\u{feff}\u{85}\u{2028}é]{0,60}",
    ]) {
        let (node, problems) = read(&text);
        prop_assert!(node.is_some() || !problems.is_empty());
        prop_assert!(inside(&problems, &text), "{problems}");
    }

    #[test]
    fn any_bytes_are_a_tree_or_a_problem(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let (node, problems) = read(&bytes);
        prop_assert!(node.is_some() || !problems.is_empty());
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(tree in written()) {
        let text = tree.yaml();
        let (node, problems) = read(&text);
        prop_assert!(problems.is_empty(), "{problems}\n{text}");
        prop_assert!(tree.is(&node.unwrap()), "{text}");
    }
}
