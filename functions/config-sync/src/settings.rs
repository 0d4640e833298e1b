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
    /// `LOOK_MINUTES`: a declaration with nothing to do is looked at in one of so many minutes, in case an event was lost.
    pub look_minutes: u64,
    /// Which hosts answers to CloudFormation may go to.
    pub urls: AllowedUrls,
}

/// A setting that is missing or cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// It is not there.
    #[error("the environment variable {0} is missing or empty; infra/watchkeeper.yaml sets it on the function")]
    Missing(&'static str),
    /// It is no number of minutes.
    #[error(
        "the environment variable {0} must be a number from 1 to 60; infra/watchkeeper.yaml sets it on the function"
    )]
    NoMinutes(&'static str),
    /// The mode is none.
    #[error(transparent)]
    Mode(#[from] UnknownMode),
}

impl Settings {
    /// Reads them with `get`, which looks up one variable.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let required =
            |name: &'static str| get(name).filter(|value| !value.is_empty()).ok_or(BadSetting::Missing(name));
        let minutes = required("LOOK_MINUTES")?.parse().ok().filter(|minutes| (1..=60).contains(minutes));
        Ok(Self {
            table: required("TABLE_NAME")?,
            dead_letter_queue: required("DEAD_LETTER_QUEUE_URL")?,
            unanswered_queue: required("UNANSWERED_QUEUE_ARN")?,
            ops_queue: required("OPS_QUEUE_URL")?,
            mode: Mode::from_env(&get)?,
            look_minutes: minutes.ok_or(BadSetting::NoMinutes("LOOK_MINUTES"))?,
            urls: AllowedUrls::and(&get(ALLOWED_PREFIXES).unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> String {
        match name {
            "MODE" => "observe",
            "LOOK_MINUTES" => "5",
            _ => "x",
        }
        .to_owned()
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["TABLE_NAME", "DEAD_LETTER_QUEUE_URL", "UNANSWERED_QUEUE_ARN", "OPS_QUEUE_URL", "LOOK_MINUTES"] {
            let others = |asked: &str| (asked != name && asked != "MODE").then(|| value(asked));
            assert_eq!(Settings::from_env(others).unwrap_err(), BadSetting::Missing(name));
        }
        let settings = Settings::from_env(|asked| Some(value(asked))).unwrap();
        assert_eq!((settings.mode, settings.look_minutes), (Mode::Observe, 5));
        for minutes in ["0", "61", "five", "-1"] {
            let bad = |asked: &str| Some(if asked == "LOOK_MINUTES" { minutes.to_owned() } else { value(asked) });
            assert_eq!(Settings::from_env(bad).unwrap_err(), BadSetting::NoMinutes("LOOK_MINUTES"));
        }
    }
}
