//! The matchers of a selector: labels that exist, with values that exist.

use std::collections::BTreeSet;

use promql_parser::label::{MatchOp, Matcher};

use super::{
    catalogue::{Kind, Series},
    values,
};

/// What is wrong with the matchers of a selector for `name`.
pub(super) fn problems(name: &str, series: &Series, matchers: &[Matcher]) -> Vec<String> {
    let mut found = Vec::new();
    for matcher in matchers {
        let label = matcher.name.as_str();
        if !series.any_label && !series.labels.contains(label) {
            found.push(format!("{name} has no label {label}, it has {:?}", series.labels));
        } else if label == "le" && series.kind == Kind::Bucket {
            found.extend(bound(name, series.bounds, matcher));
        } else if let Some(known) = values::of(name, label) {
            found.extend(
                unknown_values(matcher, &known)
                    .map(|value| format!("{name}: {label} is never {value:?}, it is one of {known:?}")),
            );
        }
    }
    found
}

/// Bounds are written `1` on one way and `1.0` on the other: whole ones and tiny ones need a pattern for both.
fn bound(name: &str, bounds: &[f64], matcher: &Matcher) -> Option<String> {
    let spelt_alike = |bound: f64| bound.fract() != 0.0 && bound >= 1e-4;
    let fits = bounds.iter().any(|bound| match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => spelt_alike(*bound) && matcher.value == bound.to_string(),
        _ => {
            let whole = format!("{bound:.1}");
            matches_pattern(matcher, &bound.to_string())
                && (bound.fract() != 0.0 || matches_pattern(matcher, &whole))
        }
    });
    let infinite = matcher.value == "+Inf";
    (!fits && !infinite).then(|| {
        format!(
            "{name}: le{}{:?} is no bound that is spelt alike on a scrape and through OTLP; bounds are {bounds:?}, and \
             whole ones need le=~\"1(\\\\.0)?\"",
            matcher.op, matcher.value
        )
    })
}

fn matches_pattern(matcher: &Matcher, text: &str) -> bool {
    match &matcher.op {
        MatchOp::Re(pattern) | MatchOp::NotRe(pattern) => pattern.is_match(text),
        MatchOp::Equal | MatchOp::NotEqual => matcher.value == text,
    }
}

/// The values that a matcher names and that no series has: each alternative of a pattern counts.
fn unknown_values<'m>(
    matcher: &'m Matcher,
    known: &'m BTreeSet<String>,
) -> impl Iterator<Item = String> + 'm {
    let pattern = matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_));
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-|/".contains(c);
    let alternatives: Vec<&str> = if pattern && matcher.value.chars().all(plain) {
        matcher.value.split('|').collect()
    } else {
        vec![matcher.value.as_str()]
    };
    let patterns = alternatives.len() == 1 && pattern;
    alternatives.into_iter().filter_map(move |value| {
        let exists = value.is_empty()
            || if patterns {
                known.iter().any(|known| matches_pattern(matcher, known))
            } else {
                known.contains(value)
            };
        (!exists).then(|| value.to_owned())
    })
}
