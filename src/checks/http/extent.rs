//! What a JSONPath may ask for: bounds on how deep its filters are nested, and on how much more than the document a
//! query may give.
//!
//! The parser behind it descends into filters on the stack, and tries several readings at each level: 20,000 parentheses
//! end the process, forty take for ever. It panics on a text that ends within an escape (`["\\u`). And what is selected several times is kept as often as that: `$..*..*` of an
//! answer of one megabyte may be gigabytes.
//!
//! Looks at the text only, with no idea of the grammar but what a string is; what is no JSONPath is the parser's business.

/// The longest path, in bytes.
const LONGEST: usize = 4 << 10;
/// How many filters, parentheses and functions there may be.
const MOST_NESTED: usize = 16;
/// How deep they may be nested.
const DEEPEST: usize = 4;
/// How often one part of the answer may be selected.
const MOST_TIMES: usize = 16;

/// Whether `path` stays within bounds; what is wrong otherwise.
pub(super) fn bounded(path: &str) -> Result<(), String> {
    let extent = Extent::of(path);
    if path.len() > LONGEST {
        Err(format!("is longer than {} KiB", LONGEST >> 10))
    } else if extent.cut {
        Err("not a JSONPath: a string in it has no closing quote".to_owned())
    } else if extent.nested > MOST_NESTED {
        Err(format!("has more than {MOST_NESTED} filters and parentheses"))
    } else if extent.deepest > DEEPEST {
        Err(format!("its filters and parentheses are nested deeper than {DEEPEST} levels"))
    } else if extent.descents > 1 {
        Err("has `..` more than once: it would select the same again and again".to_owned())
    } else if extent.times > MOST_TIMES {
        Err(format!("selects the same more than {MOST_TIMES} times over"))
    } else if extent.roots > 1 && extent.wide {
        Err("may hold a second `$` only without `*`, `..`, `:` and filters in filters".to_owned())
    } else {
        Ok(())
    }
}

#[derive(Debug, Default, PartialEq)]
struct Extent {
    /// How many filters and parentheses there are.
    nested: usize,
    deepest: usize,
    /// How many times it goes to everything below.
    descents: usize,
    /// How often one part of the document may be selected at most, by lists of selectors.
    times: usize,
    /// How many times it begins at the root.
    roots: usize,
    /// Whether it selects many parts at one place, beside one filter.
    wide: bool,
    /// Whether it ends within a string.
    cut: bool,
}

impl Extent {
    fn of(path: &str) -> Self {
        let mut extent = Self { times: 1, ..Self::default() };
        // For each bracket that is open: whether it counts as nested, and how many selectors it has.
        let mut open: Vec<(bool, usize)> = Vec::new();
        let (mut depth, mut filters) = (0, 0_usize);
        let mut rest = path.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' | '"' => extent.cut = !skip(&mut rest, c),
                '(' => {
                    open.push((true, 1));
                    extent.nested += 1;
                    depth += 1;
                }
                '[' => open.push((false, 1)),
                '?' => {
                    filters += 1;
                    extent.nested += 1;
                    // Ends with the bracket that it stands in.
                    if let Some((nested, _)) = open.last_mut()
                        && !std::mem::replace(nested, true)
                    {
                        depth += 1;
                    }
                }
                ')' | ']' => {
                    let (nested, selectors) = open.pop().unwrap_or((false, 1));
                    depth -= usize::from(nested);
                    extent.times = extent.times.saturating_mul(selectors);
                }
                ',' => open.iter_mut().last().into_iter().for_each(|(_, selectors)| *selectors += 1),
                '.' if rest.peek() == Some(&'.') => {
                    extent.descents += 1;
                    extent.wide = true;
                    rest.next();
                }
                '$' => extent.roots += 1,
                '*' | ':' => extent.wide = true,
                _ => {}
            }
            extent.deepest = extent.deepest.max(depth);
        }
        extent.wide |= filters > 1;
        extent
    }
}

/// Skips the rest of a string that `quote` began; whether it ends.
fn skip(rest: &mut impl Iterator<Item = char>, quote: char) -> bool {
    while let Some(c) = rest.next() {
        if c == quote {
            return true;
        }
        if c == '\\' {
            rest.next();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;
    use serde_json_path::JsonPath;

    use super::*;

    #[test]
    fn what_people_write_is_within_bounds() {
        for path in [
            "$.status",
            "$.components['db'].details[0:2]",
            "$..status",
            "$.list[?(@.name == 'a(b' || @.name == \"c[?d\") && length(@.list) > 1].value",
            "$['a','b','c','d','e','f','g','h']",
            "$.list[?@.version == $.expected].name",
            "$.list[?count(@.tags[?@ == 'x']) > 0]",
            "$['it\\'s (((((((((((((((((((((((((']",
        ] {
            assert_eq!(bounded(path), Ok(()), "{path}");
            assert!(JsonPath::parse(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn what_grows_is_refused() {
        let deep = format!("$[?{}@.a{}]", "(".repeat(20_000), ")".repeat(20_000));
        let many = format!("$[?{}]", vec!["(@.a)"; 17].join("||"));
        for (path, why) in [
            (deep.as_str(), "is longer than 4 KiB"),
            (many.as_str(), "has more than 16 filters"),
            ("$[?(((( @.a ))))]", "nested deeper than 4"),
            ("$[?@[?@[?@[?@[?@.a]]]]]", "nested deeper than 4"),
            ("$[?')' == ((((1))))]", "nested deeper than 4"),
            ("$..a..b", "`..` more than once"),
            ("$[*,*][*,*][*,*][*,*][*,*]", "more than 16 times"),
            ("$[?$[*]]", "a second `$`"),
            ("$[?@[?$.a]]", "a second `$`"),
            ("$[\"\\u", "no closing quote"),
            ("$['\\ud83d\\u", "no closing quote"),
        ] {
            let said = bounded(path).unwrap_err();
            assert!(said.contains(why), "{path:.60}: {said}");
        }
    }

    /// The parser tries several readings of what is nested: what is within bounds must not take for ever.
    #[test]
    fn what_is_within_bounds_is_read_and_asked_in_time() {
        let functions = ["length", "count", "value"];
        let mut paths = vec!["$[?((( @.a ))) && (((@.b)))]".to_owned(), "$[?@[?@[?@[?@.a]]]]".to_owned()];
        for function in functions {
            for argument in ["@.a", "1", "@", "@['a']", ""] {
                let nested = format!("{function}({function}({function}({argument}");
                paths.push(format!("$[?{nested}"));
                paths.push(format!("$[?{nested}))) == 1]"));
                paths.push(format!("$[?{}]", vec![format!("{nested})))"); 5].join(" || ")));
            }
        }
        let wide = json!({ "a": vec![json!([[{ "a": 1 }]]); 10_000] });
        let started = Instant::now();
        for path in paths.iter().map(String::as_str).chain(["$..*", "$..[?@.a]", "$..[*,*,*,*,*,*,*,*]"]) {
            assert_eq!(bounded(path).map_err(|why| format!("{path}: {why}")), Ok(()));
            if let Ok(path) = JsonPath::parse(path) {
                path.query(&wide);
            }
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }
}
