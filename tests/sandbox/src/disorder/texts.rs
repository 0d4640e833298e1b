//! One text or several, any of which will do.

use serde::{Deserialize, Serialize};

/// In TOML `"one"` or `["one", "other"]`; none means: whatever it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany", into = "OneOrMany")]
pub struct Texts(Vec<String>);

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `text` is one of them, or nothing is asked for.
    #[must_use]
    pub fn allow(&self, text: &str) -> bool {
        self.is_empty() || self.name(text)
    }

    /// Whether `text` is one of them.
    #[must_use]
    pub fn name(&self, text: &str) -> bool {
        self.0.iter().any(|own| own == text)
    }

    /// Whether one of `texts` contains one of them, or nothing is asked for.
    pub(crate) fn allow_part<'a>(&self, mut texts: impl Iterator<Item = &'a str>) -> bool {
        self.is_empty() || texts.any(|text| self.0.iter().any(|own| text.contains(own.as_str())))
    }
}

impl From<&str> for Texts {
    fn from(text: &str) -> Self {
        Self(vec![text.to_owned()])
    }
}

impl<const N: usize> From<[&str; N]> for Texts {
    fn from(texts: [&str; N]) -> Self {
        Self(texts.map(str::to_owned).to_vec())
    }
}

impl From<OneOrMany> for Texts {
    fn from(given: OneOrMany) -> Self {
        match given {
            OneOrMany::One(text) => Self(vec![text]),
            OneOrMany::Many(texts) => Self(texts),
        }
    }
}

impl From<Texts> for OneOrMany {
    fn from(texts: Texts) -> Self {
        match <[String; 1]>::try_from(texts.0) {
            Ok([text]) => Self::One(text),
            Err(texts) => Self::Many(texts),
        }
    }
}
