//! The formats of the files of a control group, in both versions. Every reader gives `None` for what is not of its
//! format, and never a number that was not there.

/// A single number: `memory.current`.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim_ascii_end().parse().ok()
}

/// A single number or `max`, which is no limit: `memory.max`, `pids.max`.
pub(super) fn limit(text: &str) -> Option<Option<u64>> {
    if text.trim_ascii_end() == "max" { Some(None) } else { number(text).map(Some) }
}

/// Version 2's `cpu.max`, a quota or `max` and its period, as a number of processors.
pub(super) fn processors(text: &str) -> Option<Option<f64>> {
    let (quota, period) = text.trim_ascii_end().split_once(' ')?;
    share(limit(quota)?, number(period)?)
}

/// Version 1's `cpu.cfs_quota_us` and `cpu.cfs_period_us`, as a number of processors; -1 is no limit.
pub(super) fn processors_of_two(quota: &str, period: &str) -> Option<Option<f64>> {
    let quota = if quota.trim_ascii_end() == "-1" { None } else { Some(number(quota)?) };
    share(quota, number(period)?)
}

fn share(quota: Option<u64>, period: u64) -> Option<Option<f64>> {
    // Neither can be set to zero.
    let share = quota.map(|quota| quota as f64 / period as f64);
    (period > 0 && quota != Some(0)).then_some(share)
}

/// The numbers of `keys` out of lines of a key and a number: `memory.stat`. A key that an old kernel does not write is
/// `None` in its place; a file with none of them is another file.
pub(super) fn keyed<const N: usize>(text: &str, keys: [&str; N]) -> Option<[Option<u64>; N]> {
    let mut values = [None; N];
    for line in text.lines() {
        let (key, value) = line.split_once(' ')?;
        if let Some((_, slot)) = keys.iter().zip(&mut values).find(|(known, _)| **known == key) {
            *slot = Some(number(value)?);
        }
    }
    values.iter().any(Option::is_some).then_some(values)
}

/// How many processors `/sys/devices/system/cpu/online` lists: `0-3,5` are five.
pub(super) fn processors_online(text: &str) -> Option<u64> {
    text.trim_ascii_end().split(',').try_fold(0_u64, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let count = number(last)?.checked_sub(number(first)?)?.checked_add(1)?;
        sum.checked_add(count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_limits() {
        assert_eq!(limit("max\n"), Some(None));
        assert_eq!(limit("536870912\n"), Some(Some(536_870_912)));
        assert_eq!(processors("max 100000\n"), Some(None));
        assert_eq!(processors("150000 100000\n"), Some(Some(1.5)));
        assert_eq!(processors_of_two("-1\n", "100000\n"), Some(None));
        assert_eq!(processors_of_two("50000\n", "100000\n"), Some(Some(0.5)));
        for wrong in ["", "max", "1 0", "0 100000", "-1 100000", "1 2 3", "x 100000"] {
            assert_eq!(processors(wrong), None, "{wrong:?}");
        }
        for wrong in ["", "-1", "maximum", "1 2", "18446744073709551616"] {
            assert_eq!(limit(wrong), None, "{wrong:?}");
        }
        assert_eq!(processors_of_two("-2\n", "100000\n"), None);
    }

    #[test]
    fn reads_keys() {
        let text = "usage_usec 30\nuser_usec 20\nsystem_usec 10\n";
        assert_eq!(keyed(text, ["system_usec", "nr_periods", "user_usec"]), Some([Some(10), None, Some(20)]));
        assert_eq!(keyed("", ["a"]), None);
        assert_eq!(keyed("b 1", ["a"]), None);
        assert_eq!(keyed("a 1\nb", ["a"]), None);
        assert_eq!(keyed("a x", ["a"]), None);
    }

    #[test]
    fn reads_the_machine() {
        assert_eq!(processors_online("0-3,5\n"), Some(5));
        assert_eq!(processors_online("0\n"), Some(1));
        for wrong in ["", "3-0", "a", "0-", "0-18446744073709551615"] {
            assert_eq!(processors_online(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_nothing_or_a_number(text in "((some|max|[0-9]{1,22}|[ ,\\-\n]|\\PC)){0,12}") {
            let _ = (number(&text), limit(&text), keyed(&text, ["some", "max"]));
            let _ = processors_online(&text);
            for share in [processors(&text), processors_of_two(&text, "100000"), processors_of_two("1", &text)] {
                prop_assert!(share.flatten().is_none_or(|share| share.is_finite() && share > 0.0));
            }
        }

        #[test]
        fn numbers_come_through(values: [u64; 3]) {
            let [a, b, c] = values;
            let text = format!("a {a}\nb {b}\nc {c}\n");
            prop_assert_eq!(keyed(&text, ["c", "a", "b"]), Some([Some(c), Some(a), Some(b)]));
        }
    }
}
