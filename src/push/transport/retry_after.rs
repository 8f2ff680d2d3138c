//! When a collector wants to be asked again: HTTP's `Retry-After`, gRPC's `RetryInfo`.

use std::time::{Duration, SystemTime};

use prost::Message;

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

/// `google.rpc.Status`, as far as it is needed.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// What `RetryInfo` among the details of a gRPC status says; `None` where there is none.
pub(super) fn of_details(details: &[u8]) -> Option<Duration> {
    let status = Status::decode(details).ok()?;
    let info = status.details.iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())))
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

    #[test]
    fn retry_info_is_found_among_details() {
        let any = |name: &str, value: Vec<u8>| Any { type_url: format!("type.googleapis.com/{name}"), value };
        let info = |delay| RetryInfo { retry_delay: delay }.encode_to_vec();
        let status = |details| Status { details }.encode_to_vec();
        let delay = Delay { seconds: 2, nanos: 500_000_000 };
        let both =
            status(vec![any("google.rpc.Help", vec![1]), any("google.rpc.RetryInfo", info(Some(delay)))]);
        assert_eq!(of_details(&both), Some(Duration::from_millis(2_500)));
        assert_eq!(of_details(&status(vec![any("google.rpc.RetryInfo", info(None))])), Some(Duration::ZERO));
        assert_eq!(of_details(&status(Vec::new())), None);
        let negative = info(Some(Delay { seconds: -1, nanos: 0 }));
        assert_eq!(of_details(&status(vec![any("google.rpc.RetryInfo", negative)])), None);
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_is_too_strange(header in "\\PC{0,40}", details: Vec<u8>) {
            let _ = of_header(&header, now());
            let _ = of_details(&details);
        }
    }
}
