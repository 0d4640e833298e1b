//! When a deployment counts as failed ("How the Amazon ECS deployment circuit breaker detects failures" in the developer
//! guide; API reference of `DeploymentCircuitBreaker` and `ThresholdConfiguration`).

use serde_json::Value;

/// The circuit breaker of a service that has it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CircuitBreaker {
    /// The service goes back to the deployment that was completed last.
    pub(crate) rollback: bool,
    /// A healthy task makes the failures before it forgotten.
    pub(crate) reset_on_healthy_task: bool,
    threshold: Threshold,
}

/// How many failed tasks are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threshold {
    Count(u32),
    /// Percent of the desired count, kept between 3 and 200.
    BoundedPercent(u32),
    UnboundedPercent(u32),
}

const LEAST: u32 = 3;
const MOST: u32 = 200;
const DEFAULT_PERCENT: u32 = 50;

impl CircuitBreaker {
    /// Reads `deploymentCircuitBreaker`; `None` when it is off.
    pub(crate) fn read(breaker: &Value) -> Option<Self> {
        if breaker["enable"] != Value::Bool(true) {
            return None;
        }
        let configured = &breaker["thresholdConfiguration"];
        let value = configured["value"].as_u64().and_then(|value| u32::try_from(value).ok());
        let threshold = match (configured["type"].as_str(), value) {
            (Some("COUNT"), Some(count)) => Threshold::Count(count),
            (Some("UNBOUNDED_PERCENT"), Some(percent)) => Threshold::UnboundedPercent(percent),
            (_, percent) => Threshold::BoundedPercent(percent.unwrap_or(DEFAULT_PERCENT)),
        };
        Some(Self {
            rollback: breaker["rollback"].as_bool().unwrap_or(false),
            reset_on_healthy_task: breaker["resetOnHealthyTask"].as_bool().unwrap_or(true),
            threshold,
        })
    }

    /// Whether so many failed tasks make the deployment fail.
    pub(crate) fn trips_at(&self, failed_tasks: u32, desired: u32) -> bool {
        failed_tasks >= self.threshold.failures(desired)
    }
}

impl Threshold {
    /// At least one: a deployment without a failed task does not fail.
    fn failures(self, desired: u32) -> u32 {
        let share = |percent: u32| {
            let failures = (u64::from(desired) * u64::from(percent)).div_ceil(100);
            u32::try_from(failures).unwrap_or(u32::MAX)
        };
        match self {
            Self::Count(count) => count.max(1),
            Self::BoundedPercent(percent) => share(percent).clamp(LEAST, MOST),
            Self::UnboundedPercent(percent) => share(percent).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The desired counts and thresholds of the developer guide's table.
    #[test]
    fn the_default_threshold_is_the_documented_one() {
        let breaker = CircuitBreaker::read(&json!({ "enable": true, "rollback": true })).unwrap();
        assert!(breaker.rollback && breaker.reset_on_healthy_task);
        for (desired, threshold) in [(0, 3), (1, 3), (6, 3), (7, 4), (25, 13), (400, 200), (800, 200)] {
            assert_eq!(breaker.threshold.failures(desired), threshold, "{desired}");
            assert!(breaker.trips_at(threshold, desired) && !breaker.trips_at(threshold - 1, desired));
        }
    }

    #[test]
    fn a_configured_threshold_counts() {
        for (kind, value, desired, threshold) in [
            ("COUNT", 1, 50, 1),
            ("COUNT", 0, 50, 1),
            ("COUNT", 500, 1, 500),
            ("BOUNDED_PERCENT", 100, 10, 10),
            ("BOUNDED_PERCENT", 100, 300, 200),
            ("UNBOUNDED_PERCENT", 100, 300, 300),
            ("UNBOUNDED_PERCENT", 10, 1, 1),
        ] {
            let configured = json!({ "enable": true, "thresholdConfiguration": { "type": kind, "value": value } });
            let breaker = CircuitBreaker::read(&configured).unwrap();
            assert_eq!(breaker.threshold.failures(desired), threshold, "{kind} {value} of {desired}");
        }
    }

    #[test]
    fn a_breaker_that_is_off_is_none() {
        assert_eq!(CircuitBreaker::read(&json!({ "enable": false, "rollback": true })), None);
        assert_eq!(CircuitBreaker::read(&Value::Null), None);
    }
}
