//! Secrets with versions and labels, as Secrets Manager keeps them, and the database whose password one of them has.

use std::collections::BTreeMap;

/// A secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secret {
    /// Text and the moment it was made, by version.
    pub(crate) versions: BTreeMap<String, (String, i64)>,
    pub(crate) current: String,
    pub(crate) changed_at: i64,
}

impl Secret {
    pub(crate) fn new(text: &str, now: i64) -> Self {
        let mut secret = Self::default();
        secret.replace("0", text, now);
        secret
    }

    pub(crate) fn text(&self) -> &str {
        &self.versions[&self.current].0
    }

    /// As `PutSecretValue` without a stage does.
    pub(crate) fn replace(&mut self, version: &str, text: &str, now: i64) {
        self.put(version, text, now).unwrap();
        version.clone_into(&mut self.current);
        self.changed_at = now;
    }

    /// As `PutSecretValue` with another stage does.
    pub(crate) fn put(&mut self, version: &str, text: &str, now: i64) -> Result<(), String> {
        let kept = self.versions.entry(version.to_owned()).or_insert_with(|| (text.to_owned(), now));
        if kept.0 == text { Ok(()) } else { Err(format!("the version {version} has another content")) }
    }

    /// As `UpdateSecretVersionStage` does; says whether `from` was current.
    pub(crate) fn make_current(&mut self, version: &str, from: &str, now: i64) -> bool {
        if self.current == version {
            return true;
        }
        if self.current != from {
            return false;
        }
        version.clone_into(&mut self.current);
        self.changed_at = now;
        true
    }
}
