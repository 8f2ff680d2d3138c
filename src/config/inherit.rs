//! Settings that are said once for many: a section of the document whose keys stand in for those that its other parts
//! leave out.
//!
//! What stands in joins the tree with the place where it was written, so that reading, showing and complaining is done
//! by the same code as for what each part says itself; it is marked, so that one mistake is told once, by whoever reads
//! the section itself. Knows no key by name.

use super::node::{Content, Entry, Node};
use super::problem::Place;

/// How many values may be put into parts in all; a long text counts as several.
const MOST: usize = 500_000;

/// Which section stands in for what.
#[derive(Clone, Copy, Debug)]
pub struct Inheritance {
    /// The section at the top, such as `defaults`.
    pub from: &'static str,
    /// The mapping in it, of sections that stand in for the parts of one sort alone: they come first.
    pub sorts: &'static str,
    /// The mapping at the top whose parts inherit.
    pub to: &'static str,
    /// The key in each part that says of which sort it is.
    pub sort: &'static str,
}

/// Puts what parts leave out into them; where that is too much, gives the place of what stands in.
pub(super) fn join(root: &mut Node, rule: &Inheritance) -> Result<(), Place> {
    let Content::Mapping(top) = &mut root.content else { return Ok(()) };
    let Some(defaults) = find(top, rule.from) else { return Ok(()) };
    let (place, mut left) = (defaults.place, MOST);
    let Some(defaults) = mapping(defaults) else { return Ok(()) };
    let general: Vec<Entry> = defaults.iter().filter(|entry| entry.key != rule.sorts).cloned().collect();
    let mut sorts = Vec::new();
    if let Some(written) = find(defaults, rule.sorts).and_then(mapping) {
        for entry in written {
            if let Some(own) = mapping(&mut entry.value) {
                add(own, &general, &mut left).ok_or(place)?;
                sorts.push((entry.key.clone(), own.clone()));
            }
        }
    }
    for part in find(top, rule.to).and_then(mapping).into_iter().flatten() {
        let Some(own) = mapping(&mut part.value) else { continue };
        let sort = own.iter().find(|entry| entry.key == rule.sort).and_then(|entry| entry.value.text());
        let of_sort = sorts.iter().find(|(name, _)| Some(name.as_str()) == sort);
        add(own, of_sort.map_or(&general, |(_, entries)| entries), &mut left).ok_or(place)?;
    }
    Ok(())
}

/// Adds what `own` does not have; where both have a mapping, what that does not have. `None` where that is more than is
/// `left`.
fn add(own: &mut Vec<Entry>, defaults: &[Entry], left: &mut usize) -> Option<()> {
    for default in defaults {
        *left = left.checked_sub(weight(&default.value))?;
        match (find(own, &default.key), &default.value.content) {
            (None, _) => own.push(inherited(default)),
            (Some(node), Content::Mapping(defaults)) => {
                let Some(own) = mapping(node) else { continue };
                let missing: Vec<Entry> = defaults
                    .iter()
                    .filter(|default| !own.iter().any(|entry| entry.key == default.key))
                    .map(inherited)
                    .collect();
                own.extend(missing);
            }
            (Some(_), _) => {}
        }
    }
    Some(())
}

/// How many values `node` has, itself included, and as how many its texts count.
fn weight(node: &Node) -> usize {
    /// About what a value takes without its text, in bytes.
    const VALUE: usize = 128;
    1 + match &node.content {
        Content::List(items) => items.iter().map(weight).sum(),
        Content::Mapping(entries) => {
            entries.iter().map(|entry| entry.key.len() / VALUE + weight(&entry.value)).sum()
        }
        Content::Scalar(scalar) => scalar.text.len() / VALUE,
        Content::Null | Content::Unresolved => 0,
    }
}

fn inherited(entry: &Entry) -> Entry {
    Entry { inherited: true, ..entry.clone() }
}

fn find<'n>(entries: &'n mut [Entry], key: &str) -> Option<&'n mut Node> {
    entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
}

fn mapping(node: &mut Node) -> Option<&mut Vec<Entry>> {
    match &mut node.content {
        Content::Mapping(entries) => Some(entries),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
