//! Some metrics of a page, chosen by name: `?name[]=` as the client libraries of Prometheus have it.
//!
//! A name is that of a sample, as Python's library takes it, or that of a family as a whole, as Go's does: of a histogram
//! or summary its own, of a counter that of its samples, which in OpenMetrics have `_created` beside them.
//! Works on the lines of a page that is there, as they come out of its compressed form: only what is chosen is held, and
//! the pages of those who choose nothing stay as they are. Costs one look at each line.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::mem;

/// Names of samples, and of families with samples of several names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(BTreeSet<String>);

impl<N: Into<String>> FromIterator<N> for Selection {
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl Selection {
    /// Whether no name was given at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, name: &[u8]) -> bool {
        std::str::from_utf8(name).is_ok_and(|name| self.0.contains(name))
    }

    /// Takes the text of a page in parts of any size.
    pub(super) fn filter(&self) -> Filter<'_> {
        Filter {
            names: self,
            header: Vec::new(),
            family: Vec::new(),
            whole: false,
            rest: Vec::new(),
            chosen: Vec::new(),
        }
    }
}

/// Takes a page, keeps what is chosen.
pub(super) struct Filter<'a> {
    names: &'a Selection,
    /// The lines before the samples of the family, until one of these is chosen.
    header: Vec<u8>,
    family: Vec<u8>,
    /// Whether all samples of the family are chosen.
    whole: bool,
    /// The beginning of a line that goes on in the next part.
    rest: Vec<u8>,
    chosen: Vec<u8>,
}

impl Filter<'_> {
    /// The lines that are chosen.
    pub(super) fn chosen(self) -> Vec<u8> {
        self.chosen
    }

    fn line(&mut self, line: &[u8]) {
        let Some(comment) = line.strip_prefix(b"# ") else {
            let end = line.iter().position(|byte| matches!(byte, b'{' | b' ')).unwrap_or(line.len());
            if self.whole || self.names.has(line.get(..end).unwrap_or_default()) {
                self.chosen.append(&mut self.header);
                self.chosen.extend_from_slice(line);
            }
            return;
        };
        let mut words = comment.splitn(3, |byte| *byte == b' ');
        let (Some(word), Some(family)) = (words.next(), words.next()) else {
            // The end of the page.
            return self.chosen.extend_from_slice(line);
        };
        if family != self.family {
            self.header.clear();
            self.family = family.to_vec();
            self.whole = false;
        }
        self.header.extend_from_slice(line);
        let kind = words.next().unwrap_or_default().trim_ascii_end();
        if word == b"TYPE" {
            self.whole = match kind {
                b"histogram" | b"summary" => self.names.has(family),
                b"counter" => {
                    let name = family.strip_suffix(b"_total").unwrap_or(family);
                    self.names.has(&[name, b"_total"].concat())
                }
                _ => false,
            };
        }
    }
}

impl Write for Filter<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        for line in part.split_inclusive(|byte| *byte == b'\n') {
            if line.ends_with(b"\n") && self.rest.is_empty() {
                self.line(line);
                continue;
            }
            self.rest.extend_from_slice(line);
            if line.ends_with(b"\n") {
                let mut whole = mem::take(&mut self.rest);
                self.line(&whole);
                whole.clear();
                self.rest = whole;
            }
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "# HELP a_total A\n# TYPE a_total counter\na_total{x=\"1\"} 1\na_total{x=\"a b\"} 2\n\
        # HELP b B, not a_total\n# TYPE b histogram\nb_bucket{le=\"+Inf\"} 1\nb_sum 0.5\nb_count 1\n\
        # HELP b_count_of B\n# TYPE b_count_of gauge\nb_count_of 3\n";
    const OPEN: &str = "# HELP a A\n# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 9\n# HELP s S\n# TYPE s gauge\n# UNIT s seconds\n\
        s 1\n# EOF\n";

    fn chosen(page: &str, names: &[&str], part: usize) -> String {
        let names: Selection = names.iter().copied().collect();
        let mut filter = names.filter();
        page.as_bytes().chunks(part).for_each(|part| filter.write_all(part).unwrap());
        String::from_utf8(filter.chosen()).unwrap()
    }

    #[test]
    fn a_name_is_that_of_a_sample_or_of_a_whole_histogram() {
        for (names, expected) in [
            (&["a_total"][..], &TEXT[..TEXT.find("# HELP b B").unwrap()]),
            (&["b"], &TEXT[TEXT.find("# HELP b B").unwrap()..TEXT.find("# HELP b_count_of").unwrap()]),
            (&["b_count", "b_su"], "# HELP b B, not a_total\n# TYPE b histogram\nb_count 1\n"),
            (&["b_count_of", ""], &TEXT[TEXT.find("# HELP b_count_of").unwrap()..]),
            (&["a", "A_TOTAL", "c"], ""),
        ] {
            assert_eq!(chosen(TEXT, names, TEXT.len()), expected, "{names:?}");
        }
        assert_eq!(
            chosen(OPEN, &["a_total"], 7),
            "# HELP a A\n# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 9\n# EOF\n"
        );
        assert_eq!(chosen(OPEN, &["s"], 7), "# HELP s S\n# TYPE s gauge\n# UNIT s seconds\ns 1\n# EOF\n");
        assert_eq!(chosen(OPEN, &["a", "none"], 7), "# EOF\n", "the page is whole, and empty");
    }

    proptest! {
        #[test]
        fn the_parts_do_not_matter(part in 1..TEXT.len(), names in proptest::sample::subsequence(vec!["a_total", "b", "b_sum", "b_count_of"], 0..4)) {
            prop_assert_eq!(chosen(TEXT, &names, part), chosen(TEXT, &names, TEXT.len()));
        }
    }
}
