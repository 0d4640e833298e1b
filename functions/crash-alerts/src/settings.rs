//! What the stack tells the function, through environment variables.

use crate::plan::rules::{BadRule, Rules};
use crate::plan::watch::Limits;
use crate::watch::WrongLimit;

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the state table.
    pub table: String,
    /// `TOPIC_ARN`: where alerts go.
    pub topic: String,
    /// `FIFO_TOPIC_ARN`: where alerts go as well, each once and in order; none if it is empty.
    pub fifo_topic: Option<String>,
    /// `LOG_LINES_IN_EMAIL`: whether e-mails and chats get log lines; yes, unless it is `false`.
    pub log_lines_in_email: bool,
    /// `DEAD_LETTER_QUEUE_URL`: where messages go that cannot be understood.
    pub dead_letter_queue: String,
    /// `STACK_NAME`: the dimension of our own metrics.
    pub stack: String,
    /// `QUEUE_URL`: the function's own queue, for what it wants to look at later.
    pub queue: String,
    /// Which alarms alert.
    pub alarms: AlarmChoice,
    /// The numbers of incidents' lives.
    pub rules: Rules,
    /// How long services may be unwell before it is told.
    pub limits: Limits,
}

/// Which CloudWatch alarms alert besides those tagged `watchkeeper:alert` = `true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmChoice {
    /// `ALARM_NAME_PREFIX`: alarms with this prefix alert; none if it is empty.
    pub prefix: Option<String>,
    /// `OWN_ALARM_PREFIX`: our own alarms, which go to a topic of their own, begin with it.
    pub own_prefix: String,
}

/// A setting that is missing, or not understood.
#[derive(Debug, thiserror::Error)]
pub enum BadSetting {
    /// It is not there.
    #[error("the environment variable {0} is missing or empty; infra/watchkeeper.yaml sets it on the function")]
    Missing(&'static str),
    /// It is no number of its kind.
    #[error(transparent)]
    Rule(#[from] BadRule),
    /// It is no limit.
    #[error(transparent)]
    Limit(#[from] WrongLimit),
}

impl Settings {
    /// Reads them with `get`, which looks up one variable.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let optional = |name: &str| get(name).filter(|value| !value.is_empty());
        let required = |name: &'static str| optional(name).ok_or(BadSetting::Missing(name));
        Ok(Self {
            table: required("TABLE_NAME")?,
            topic: required("TOPIC_ARN")?,
            fifo_topic: optional("FIFO_TOPIC_ARN"),
            log_lines_in_email: get("LOG_LINES_IN_EMAIL").is_none_or(|value| value != "false"),
            dead_letter_queue: required("DEAD_LETTER_QUEUE_URL")?,
            stack: required("STACK_NAME")?,
            queue: required("QUEUE_URL")?,
            rules: Rules::from_env(&get)?.with_silences(&get("SILENCES").unwrap_or_default()),
            limits: Limits::from_env(&get)?,
            alarms: AlarmChoice { prefix: optional("ALARM_NAME_PREFIX"), own_prefix: required("OWN_ALARM_PREFIX")? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let get = |name: &str| match name {
            "ALARM_NAME_PREFIX" | "FIFO_TOPIC_ARN" => Some(String::new()),
            "LOG_LINES_IN_EMAIL" => Some("false".to_owned()),
            "SILENCES" => Some("always service=batch + tonight".to_owned()),
            "BELOW_DESIRED_MINUTES" | "DEPLOYMENT_STUCK_MINUTES" => Some("10".to_owned()),
            "TABLE_NAME" | "TOPIC_ARN" | "QUEUE_URL" | "DEAD_LETTER_QUEUE_URL" | "OWN_ALARM_PREFIX" => {
                Some("x".to_owned())
            }
            _ => None,
        };
        let error = Settings::from_env(get).unwrap_err().to_string();
        assert!(error.contains("STACK_NAME"), "{error}");
        let settings =
            Settings::from_env(|name| if name == "STACK_NAME" { Some("y".to_owned()) } else { get(name) }).unwrap();
        assert_eq!(settings.rules.silences.len(), 1, "the one that is understood");
        assert_eq!((settings.stack.as_str(), settings.alarms.prefix), ("y", None));
    }
}
