//! The SDK's instants as the workspace has them.

use aws_sdk_ecs::primitives::DateTime;
use time::OffsetDateTime;

/// None for an instant beyond the year 9999.
pub(crate) fn instant(at: Option<&DateTime>) -> Option<OffsetDateTime> {
    let at = at?;
    OffsetDateTime::from_unix_timestamp(at.secs()).ok()?.replace_nanosecond(at.subsec_nanos()).ok()
}
