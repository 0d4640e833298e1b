//! Our own metrics, as log lines that CloudWatch reads (CloudWatch User Guide, "Embedded metric format").

use serde_json::json;
use time::OffsetDateTime;

/// The line that says how many subscriptions do not hear alerts.
pub(crate) fn unconfirmed_subscriptions(stack: &str, count: u64, now: OffsetDateTime) -> String {
    json!({
        "_aws": {
            "Timestamp": now.unix_timestamp_nanos() / 1_000_000,
            "CloudWatchMetrics": [{
                "Namespace": "Watchkeeper",
                "Dimensions": [["Stack"]],
                "Metrics": [{"Name": "UnconfirmedSubscriptions", "Unit": "Count"}]
            }]
        },
        "Stack": stack,
        "UnconfirmedSubscriptions": count
    })
    .to_string()
}
