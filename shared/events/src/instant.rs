//! Instants as AWS writes them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Reads `2026-11-20T10:04:31.002Z`, or CloudWatch's `2026-11-20T10:21:10.125+0000`.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    let without_colon = format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]][offset_hour sign:mandatory][offset_minute]"
    );
    OffsetDateTime::parse(text, &Rfc3339).or_else(|_| OffsetDateTime::parse(text, &without_colon)).ok()
}

/// Seconds since 1970, as the ECS API writes instants.
pub(crate) fn from_epoch(seconds: f64) -> Option<OffsetDateTime> {
    if !seconds.is_finite() || seconds.abs() > 1e12 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "bounded just above")]
    let nanoseconds = (seconds * 1e9) as i128;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_the_same_instant() {
        let expected = OffsetDateTime::from_unix_timestamp(1_795_170_070).unwrap();
        for text in [
            "2026-11-20T10:21:10Z",
            "2026-11-20T11:21:10+01:00",
            "2026-11-20T10:21:10+0000",
            "2026-11-20T10:21:10.000+0000",
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(from_epoch(1_795_170_070.0).unwrap(), expected);
        assert_eq!(parse("yesterday"), None);
        assert_eq!(from_epoch(f64::NAN), None);
        assert_eq!(from_epoch(1e300), None);
    }
}
