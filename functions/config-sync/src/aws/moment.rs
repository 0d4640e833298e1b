//! AWS's moments, which are cut off after the second or the millisecond.

use aws_smithy_types::DateTime;
use time::{Duration, OffsetDateTime};

/// The moment as it is told.
pub(super) fn told(at: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos()).ok()
}

/// A moment that is surely not before the one that is told: what was cut off is at most the next second, or millisecond.
pub(super) fn over(at: &DateTime) -> Option<OffsetDateTime> {
    let cut_off = if at.subsec_nanos() == 0 { Duration::SECOND } else { Duration::MILLISECOND };
    told(at)?.checked_add(cut_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_off_is_never_before() {
        let at = |seconds, nanos| DateTime::from_secs_and_nanos(seconds, nanos);
        let expected = |nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
        assert_eq!(over(&at(100, 0)), expected(101_000_000_000));
        assert_eq!(over(&at(100, 713_000_000)), expected(100_714_000_000));
        assert_eq!(told(&at(100, 713_000_000)), expected(100_713_000_000));
        assert_eq!((told(&at(i64::MAX, 0)), over(&at(i64::MAX, 0))), (None, None));
    }
}
