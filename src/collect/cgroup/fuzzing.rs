//! The parsers of control groups, for [`crate::fuzzing`].

use super::{parse, place};

pub(in crate::collect) fn files(text: &str) {
    let _ = place::memberships(text).map(|memberships| place::is_unified("memory", &memberships));
    let _ = (parse::number(text), parse::limit(text), parse::processors(text));
    let _ = (parse::keyed(text, ["usage_usec", "nr_throttled"]), parse::processors_online(text));
    let (quota, period) = text.split_once('\n').unwrap_or((text, "100000"));
    let _ = parse::processors_of_two(quota, period);
}
