//! What the stack tells the function, through environment variables.

use watchkeeper_custom_resources::{ALLOWED_PREFIXES, AllowedUrls, Mode, UnknownMode};

/// The function's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `TABLE_NAME`: the state table.
    pub table: String,
    /// `DEAD_LETTER_QUEUE_URL`: where messages go that cannot be understood.
    pub dead_letter_queue: String,
    /// `UNANSWERED_QUEUE_ARN`: requests of CloudFormation that earlier invocations died of come from there.
    pub unanswered_queue: String,
    /// `OPS_QUEUE_URL`: the queue of crash-alerts, which tells ops.
    pub ops_queue: String,
    /// `MODE`: whether the whole stack only observes.
    pub mode: Mode,
    /// Which hosts answers to CloudFormation may go to.
    pub urls: AllowedUrls,
}

/// A setting that is missing or cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// It is not there.
    #[error("the environment variable {0} is missing or empty; infra/watchkeeper.yaml sets it on the function")]
    Missing(&'static str),
    /// The mode is none.
    #[error(transparent)]
    Mode(#[from] UnknownMode),
}

impl Settings {
    /// Reads them with `get`, which looks up one variable.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let required =
            |name: &'static str| get(name).filter(|value| !value.is_empty()).ok_or(BadSetting::Missing(name));
        Ok(Self {
            table: required("TABLE_NAME")?,
            dead_letter_queue: required("DEAD_LETTER_QUEUE_URL")?,
            unanswered_queue: required("UNANSWERED_QUEUE_ARN")?,
            ops_queue: required("OPS_QUEUE_URL")?,
            mode: Mode::from_env(&get)?,
            urls: AllowedUrls::and(&get(ALLOWED_PREFIXES).unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        for name in ["TABLE_NAME", "DEAD_LETTER_QUEUE_URL", "UNANSWERED_QUEUE_ARN", "OPS_QUEUE_URL"] {
            let others = |asked: &str| (asked != name && asked != "MODE").then(|| "x".to_owned());
            assert_eq!(Settings::from_env(others).unwrap_err(), BadSetting::Missing(name));
        }
        let all = |asked: &str| Some(if asked == "MODE" { "observe" } else { "x" }.to_owned());
        assert_eq!(Settings::from_env(all).unwrap().mode, Mode::Observe);
    }
}
