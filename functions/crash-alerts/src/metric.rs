//! Our own metrics, as log lines that CloudWatch reads (CloudWatch User Guide, "Embedded metric format").

use serde_json::json;
use time::OffsetDateTime;

/// What is measured, only when there is something to measure: a metric costs by the hour in which it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Subscriptions that do not hear alerts.
    UnconfirmedSubscriptions,
    /// Messages that must come again.
    FailedMessages,
}

impl Metric {
    /// As infra/watchkeeper.yaml's alarms know it.
    fn name(self) -> &'static str {
        match self {
            Self::UnconfirmedSubscriptions => "UnconfirmedSubscriptions",
            Self::FailedMessages => "FailedMessages",
        }
    }

    /// The log line.
    pub(crate) fn line(self, stack: &str, count: u64, now: OffsetDateTime) -> String {
        json!({
            "_aws": {
                "Timestamp": now.unix_timestamp_nanos() / 1_000_000,
                "CloudWatchMetrics": [{
                    "Namespace": "Watchkeeper",
                    "Dimensions": [["Stack"]],
                    "Metrics": [{"Name": self.name(), "Unit": "Count"}]
                }]
            },
            "Stack": stack,
            self.name(): count
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_line_names_its_metric_and_dimension_and_holds_both() {
        let line = Metric::UnconfirmedSubscriptions.line("watchkeeper", 2, OffsetDateTime::UNIX_EPOCH);
        assert!(!line.contains('\n'));
        let line: Value = serde_json::from_str(&line).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let (metric, dimension) = (&directive["Metrics"][0]["Name"], &directive["Dimensions"][0][0]);
        assert_eq!(
            (&line[metric.as_str().unwrap()], &line[dimension.as_str().unwrap()]),
            (&json!(2), &json!("watchkeeper"))
        );
        assert_eq!(directive["Namespace"], "Watchkeeper");
    }
}
