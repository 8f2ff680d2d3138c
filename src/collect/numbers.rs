//! Numbers out of the kernel's texts, and the little that it takes back of some of them.

/// A whole number.
pub(super) fn whole(field: Option<&str>) -> Option<u64> {
    field?.parse().ok()
}

/// A number with decimals; one that is negative, infinite or no number is none.
pub(super) fn decimal(field: Option<&str>) -> Option<f64> {
    field?.parse().ok().filter(|number: &f64| number.is_finite() && number.is_sign_positive())
}

/// `now`, or `earlier` where `now` is less by fewer than `most`.
///
/// Counters that the kernel estimates, or that are a difference of two, step back a little now and then; to Prometheus
/// that is a restart, and all that was ever counted would look like the increase since. A fall of `most` or more is one.
pub(super) fn steady(earlier: u64, now: u64, most: u64) -> u64 {
    if earlier.checked_sub(now).is_some_and(|fall| fall < most) { earlier } else { now }
}

/// Clock ticks as seconds.
pub(super) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / ticks_per_second() as f64
}

/// How many ticks the kernel counts in a second: 100 nearly everywhere.
pub(super) fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_no_number_that_a_page_cannot_show() {
        for text in ["-1", "-0.0", "inf", "-inf", "nan", "1e999", "", "1,5", "0x1"] {
            assert_eq!(decimal(Some(text)), None, "{text}");
        }
        assert_eq!(decimal(Some("0.25")), Some(0.25));
        assert_eq!(whole(Some("18446744073709551616")), None);
        assert_eq!(whole(Some("18446744073709551615")), Some(u64::MAX));
        assert_eq!(whole(None), None);
    }

    proptest! {
        #[test]
        fn steps_back_only_by_much(earlier: u64, now: u64, most: u64) {
            let shown = steady(earlier, now, most);
            prop_assert!(shown >= earlier || earlier - shown >= most);
            prop_assert!(shown == now || now < earlier);
        }
    }
}
