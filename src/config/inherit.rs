//! Settings that are said once for many: a section of the document whose keys stand in for those that its other parts
//! leave out.
//!
//! What stands in joins the tree with the place where it was written, so that reading, showing and complaining is done
//! by the same code as for what each part says itself; it is marked, so that one mistake is told once, by whoever reads
//! the section itself. Knows no key by name.

use super::node::{Content, Entry, Node};

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

/// Puts what parts leave out into them.
pub(super) fn join(root: &mut Node, rule: &Inheritance) {
    let Content::Mapping(top) = &mut root.content else { return };
    let Some(defaults) = find(top, rule.from).and_then(mapping) else { return };
    let general: Vec<Entry> = defaults.iter().filter(|entry| entry.key != rule.sorts).cloned().collect();
    let mut sorts = Vec::new();
    if let Some(written) = find(defaults, rule.sorts).and_then(mapping) {
        for entry in written {
            if let Some(own) = mapping(&mut entry.value) {
                add(own, &general);
                sorts.push((entry.key.clone(), own.clone()));
            }
        }
    }
    for part in find(top, rule.to).and_then(mapping).into_iter().flatten() {
        let Some(own) = mapping(&mut part.value) else { continue };
        let sort = own.iter().find(|entry| entry.key == rule.sort).and_then(|entry| entry.value.text());
        let of_sort = sorts.iter().find(|(name, _)| Some(name.as_str()) == sort);
        add(own, of_sort.map_or(&general, |(_, entries)| entries));
    }
}

/// Adds what `own` does not have; where both have a mapping, what that does not have.
fn add(own: &mut Vec<Entry>, defaults: &[Entry]) {
    for default in defaults {
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
