//! Instants as AWS writes them.

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// `20261120`: the date of a credential scope.
pub(crate) fn date(at: OffsetDateTime) -> String {
    written(at.format(format_description!("[year][month][day]")))
}

/// `2026-11-20T10:04:31Z`: an event's `time`.
pub(crate) fn seconds(at: OffsetDateTime) -> String {
    written(at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")))
}

/// `2026-11-20T10:04:31.002Z`: instants inside an event.
pub(crate) fn milliseconds(at: OffsetDateTime) -> String {
    written(at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z")))
}

/// Milliseconds since 1970: the timestamp of a log event.
pub(crate) fn unix_milliseconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1000 + i64::from(at.millisecond())
}

/// Seconds since 1970 with milliseconds: a `timestamp` of the AWS JSON protocol.
pub(crate) fn epoch(at: OffsetDateTime) -> Value {
    let milliseconds = at.unix_timestamp_nanos() / 1_000_000;
    let (whole, rest) = (milliseconds / 1000, milliseconds % 1000);
    // Through text: the shortest decimal that means the same, as AWS sends it.
    format!("{whole}.{rest:03}").parse::<f64>().map_or(Value::Null, Value::from)
}

/// A UTC instant has every component these formats name, so formatting cannot fail; the error's text would show itself.
fn written(text: Result<String, time::error::Format>) -> String {
    text.unwrap_or_else(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    #[test]
    fn instants_read_as_aws_writes_them() {
        let at = datetime!(2026-11-20 10:04:31.002 UTC);
        assert_eq!(super::date(at), "20261120");
        assert_eq!(super::seconds(at), "2026-11-20T10:04:31Z");
        assert_eq!(super::milliseconds(at), "2026-11-20T10:04:31.002Z");
        assert_eq!(super::unix_milliseconds(at), 1_795_169_071_002);
        assert_eq!(super::epoch(at).to_string(), "1795169071.002");
    }
}
