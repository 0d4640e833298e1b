//! What the stack tells the function, through environment variables.

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the state table.
    pub table: String,
    /// `TOPIC_ARN`: where alerts go.
    pub topic: String,
    /// `DEAD_LETTER_QUEUE_URL`: where messages go that cannot be understood.
    pub dead_letter_queue: String,
    /// `STACK_NAME`: the dimension of our own metrics.
    pub stack: String,
    /// Which alarms alert.
    pub alarms: AlarmChoice,
}

/// Which CloudWatch alarms alert besides those tagged `watchkeeper:alert` = `true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmChoice {
    /// `ALARM_NAME_PREFIX`: alarms with this prefix alert; none if it is empty.
    pub prefix: Option<String>,
    /// `OWN_ALARM_PREFIX`: our own alarms, which go to a topic of their own, begin with it.
    pub own_prefix: String,
}

/// A setting that is missing.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is missing or empty; infra/watchkeeper.yaml sets it on the function")]
pub struct MissingSetting(&'static str);

impl Settings {
    /// Reads them with `get`, which looks up one variable.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, MissingSetting> {
        let optional = |name: &str| get(name).filter(|value| !value.is_empty());
        let required = |name: &'static str| optional(name).ok_or(MissingSetting(name));
        Ok(Self {
            table: required("TABLE_NAME")?,
            topic: required("TOPIC_ARN")?,
            dead_letter_queue: required("DEAD_LETTER_QUEUE_URL")?,
            stack: required("STACK_NAME")?,
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
            "ALARM_NAME_PREFIX" => Some(String::new()),
            "STACK_NAME" => None,
            _ => Some("x".to_owned()),
        };
        let error = Settings::from_env(get).unwrap_err().to_string();
        assert!(error.contains("STACK_NAME"), "{error}");
        let settings = Settings::from_env(|name| get(name).or(Some("y".to_owned()))).unwrap();
        assert_eq!((settings.stack.as_str(), settings.alarms.prefix), ("y", None));
    }
}
