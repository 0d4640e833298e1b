//! What the stack tells the function, through environment variables.

use watchkeeper_custom_resources::{ALLOWED_PREFIXES, AllowedUrls, Mode, UnknownMode};

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the state table.
    pub table: String,
    /// Where answers may go: CloudFormation's buckets, and in the local AWS what [`ALLOWED_PREFIXES`] names.
    pub urls: AllowedUrls,
    /// `MODE`: whether the whole stack acts or only observes.
    pub mode: Mode,
}

/// A setting that is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum BadSetting {
    /// It is missing.
    #[error("the environment variable {0} is missing or empty; infra/watchkeeper.yaml sets it on the function")]
    Missing(&'static str),
    /// It is no mode.
    #[error(transparent)]
    Mode(#[from] UnknownMode),
}

impl Settings {
    /// Reads them with `get`, which looks up one variable.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let table = get("TABLE_NAME").filter(|value| !value.is_empty()).ok_or(BadSetting::Missing("TABLE_NAME"))?;
        let urls = AllowedUrls::and(&get(ALLOWED_PREFIXES).unwrap_or_default());
        Ok(Self { table, urls, mode: Mode::from_env(get)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let error = Settings::from_env(|_| Some(String::new())).unwrap_err().to_string();
        assert!(error.contains("TABLE_NAME"), "{error}");
        let settings = Settings::from_env(|name| (name == "TABLE_NAME").then(|| "t".to_owned())).unwrap();
        assert_eq!((settings.urls, settings.mode), (AllowedUrls::default(), Mode::Act));
    }

    #[test]
    fn a_mode_that_is_none_stops_the_function_at_its_start() {
        let with = |mode: &str| {
            let get = |name: &str| Some(if name == "MODE" { mode } else { "t" }.to_owned());
            Settings::from_env(get).map(|settings| settings.mode).map_err(|error| error.to_string())
        };
        assert_eq!(with("observe"), Ok(Mode::Observe));
        let error = with("pause").unwrap_err();
        assert!(error.contains("MODE is \"pause\", but must be observe or act"), "{error}");
    }
}
