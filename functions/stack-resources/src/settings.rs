//! What the stack tells the function, through environment variables.

use watchkeeper_custom_resources::{ALLOWED_PREFIXES, AllowedUrls};

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the state table.
    pub table: String,
    /// Where answers may go: CloudFormation's buckets, and in the local AWS what [`ALLOWED_PREFIXES`] names.
    pub urls: AllowedUrls,
}

/// A setting that is missing.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is missing or empty; infra/watchkeeper.yaml sets it on the function")]
pub struct MissingSetting(&'static str);

impl Settings {
    /// Reads them with `get`, which looks up one variable.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, MissingSetting> {
        let table = get("TABLE_NAME").filter(|value| !value.is_empty()).ok_or(MissingSetting("TABLE_NAME"))?;
        Ok(Self { table, urls: AllowedUrls::and(&get(ALLOWED_PREFIXES).unwrap_or_default()) })
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
        assert_eq!(settings.urls, AllowedUrls::default());
    }
}
