//! When a collector that speaks HTTP wants to be asked again: `Retry-After`.

use std::time::{Duration, SystemTime};

/// What `Retry-After` says, in seconds or as a date, at `now`; `None` where it says nothing that can be understood.
pub(super) fn of_header(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = date(value)?;
    Some(at.duration_since(now).unwrap_or(Duration::ZERO))
}

/// A date as HTTP has it: `Sun, 06 Nov 1994 08:49:37 GMT`. The two older forms are not sent any more.
fn date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (time, zone) = (parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let whole =
        zone == "GMT" && parts.next().is_none() && day.len() == 2 && year.len() == 4 && time.len() == 8;
    let at = humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z"));
    at.ok().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> SystemTime {
        humantime::parse_rfc3339("1994-11-06T08:49:00Z").unwrap()
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        let after = |value| of_header(value, now()).map(|after| after.as_secs());
        assert_eq!(after("120"), Some(120));
        assert_eq!(after(" 0 "), Some(0));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(after("Sun, 06 Nov 1994 08:48:00 GMT"), Some(0), "that is over");
        for nothing in ["", "-1", "soon", "1.5", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Foo 1994 08:49:37 GMT"]
        {
            assert_eq!(after(nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_is_too_strange(header in "\\PC{0,40}") {
            let _ = of_header(&header, now());
        }
    }
}
