//! A text that shows itself to nobody.

use std::fmt;

/// A text that shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// The text, for whoever must send it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_revealed_and_never_shown() {
        for hidden in [Hidden::from("hunter2"), Hidden::from("hunter2".to_owned())] {
            assert_eq!(hidden.reveal(), "hunter2");
            assert_eq!(format!("{hidden:?} {:?}", Some(&hidden)), "[redacted] Some([redacted])");
        }
    }
}
