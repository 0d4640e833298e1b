//! The limits, as the stack gives them.

use time::Duration;

use crate::plan::watch::Limits;

/// A limit that is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "the environment variable {0} must be a number of minutes from 1 to 1440; infra/watchkeeper.yaml sets it on the function"
)]
pub struct WrongLimit(&'static str);

impl Limits {
    /// Reads `BELOW_DESIRED_MINUTES` and `DEPLOYMENT_STUCK_MINUTES` with `get`, which looks up one variable.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, WrongLimit> {
        let minutes = |name: &'static str| {
            let minutes = get(name).and_then(|text| text.parse().ok()).filter(|minutes| (1..=1440).contains(minutes));
            minutes.map(Duration::minutes).ok_or(WrongLimit(name))
        };
        Ok(Self {
            below_desired: minutes("BELOW_DESIRED_MINUTES")?,
            deployment_stuck: minutes("DEPLOYMENT_STUCK_MINUTES")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_limit_is_named() {
        for wrong in [None, Some(""), Some("0"), Some("1441"), Some("ten")] {
            let get =
                |name: &str| if name.starts_with("DEPLOY") { wrong.map(str::to_owned) } else { Some("10".into()) };
            let error = Limits::from_env(get).unwrap_err().to_string();
            assert!(error.contains("DEPLOYMENT_STUCK_MINUTES"), "{error}");
        }
        let limits = Limits::from_env(|_| Some("30".to_owned())).unwrap();
        assert_eq!((limits.below_desired, limits.deployment_stuck), (Duration::minutes(30), Duration::minutes(30)));
    }
}
