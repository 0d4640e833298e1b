//! Who may speak with a Console.

use std::fmt;

/// A text that shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for whoever must send or compare it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// What callers must send.
#[derive(Clone, Debug)]
pub struct Login {
    /// The `ScriptRunner`'s form field `user`.
    pub user: String,
    /// Its form field `password`.
    pub password: Secret,
    /// The bearer token of REST.
    pub token: Secret,
}

impl Default for Login {
    fn default() -> Self {
        // As open as the access key `test` of the local AWS: they guard nothing, and printing them is how one tries things.
        Self { user: "admin".into(), password: "test-password".into(), token: "test-token".into() }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_login_shows_no_secret() {
        let shown = format!("{:?}", super::Login::default());
        assert!(shown.contains("admin") && !shown.contains("test-"), "{shown}");
    }
}
