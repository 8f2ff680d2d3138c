//! Which functions fit which type of metric, and what they leave of the labels.

use super::catalogue::Kind;

/// What a function makes of the labels of its vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    Keeps,
    /// Only those that the selector gives by equality.
    OfMatchers,
    /// All but `le`, which must be there.
    TakesLe,
    /// All, and the one that its second argument names.
    Adds,
    /// None.
    None,
}

pub(super) fn labels(function: &str) -> Labels {
    match function {
        "absent" | "absent_over_time" => Labels::OfMatchers,
        "histogram_quantile" => Labels::TakesLe,
        "label_replace" | "label_join" => Labels::Adds,
        "vector" | "time" | "pi" | "scalar" => Labels::None,
        _ => Labels::Keeps,
    }
}

/// What is wrong with giving a series of `kind` to `function`; none where it fits.
pub(super) fn misfit(function: &str, kind: Kind) -> Option<&'static str> {
    let counts = kind != Kind::Gauge;
    match function {
        "rate" | "irate" | "increase" if !counts => {
            Some("is a gauge: rate and increase are for counters and take each decrease for a restart")
        }
        "delta" | "idelta" | "deriv" | "predict_linear" | "holt_winters" | "changes" if counts => {
            Some("is a counter: a restart looks like a change; use rate or increase first")
        }
        // Nothing is read of the value, or only whether it fell.
        "rate" | "irate" | "increase" | "resets" | "absent" | "absent_over_time" | "present_over_time"
        | "count_over_time" | "last_over_time" | "timestamp" => None,
        _ if function.ends_with("_over_time") && counts => {
            Some("is a counter: over time only rate and increase of it mean anything")
        }
        _ => None,
    }
}

/// Whether `function` reads a counter in a way that survives a restart, or does not read its value at all.
pub(super) fn tames(function: &str) -> bool {
    matches!(
        function,
        "rate"
            | "irate"
            | "increase"
            | "resets"
            | "absent"
            | "absent_over_time"
            | "present_over_time"
            | "count_over_time"
    )
}
