//! Instants and durations as people read them.

use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

/// `2026-11-20 10:04:30 UTC`.
pub(crate) fn utc(instant: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let instant = instant.to_offset(UtcOffset::UTC);
    instant.format(&format).unwrap_or_else(|_| instant.to_string())
}

/// The two largest units: `6 min 28 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.whole_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let unit = |n: i64, name: &str| format!("{n} {name}");
    match (days, hours, minutes) {
        (0, 0, 0) => unit(seconds, "s"),
        (0, 0, _) => format!("{} {}", unit(minutes, "min"), unit(seconds % 60, "s")),
        (0, _, _) => format!("{} {}", unit(hours, "h"), unit(minutes, "min")),
        _ => format!("{} {}", unit(days, "d"), unit(hours, "h")),
    }
}

/// The largest unit: `6 min`.
pub(crate) fn roughly(duration: Duration) -> String {
    let text = self::duration(duration);
    text.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ")
}

/// `10:04:30`, for instants whose day is plain.
pub(crate) fn clock(instant: OffsetDateTime) -> String {
    let format = format_description!("[hour]:[minute]:[second]");
    let instant = instant.to_offset(UtcOffset::UTC);
    instant.format(&format).unwrap_or_else(|_| instant.to_string())
}

/// `2026-11-20`.
pub(crate) fn day(instant: OffsetDateTime) -> String {
    instant.to_offset(UtcOffset::UTC).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units() {
        for (seconds, text) in
            [(-3, "0 s"), (59, "59 s"), (388, "6 min 28 s"), (7_260, "2 h 1 min"), (180_000, "2 d 2 h")]
        {
            assert_eq!(duration(Duration::seconds(seconds)), text);
            assert!(text.starts_with(&roughly(Duration::seconds(seconds))));
        }
        for (seconds, text) in [(0, "0 s"), (388, "6 min"), (28_800, "8 h"), (180_000, "2 d")] {
            assert_eq!(roughly(Duration::seconds(seconds)), text);
        }
    }
}
