//! Whether things are changed, or only looked at.

/// The environment variable that says it for the whole stack of Watchkeeper: the kill switch.
pub const MODE: &str = "MODE";

/// Whether things are changed, or only looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Look, say what would be done, and change nothing.
    Observe,
    /// Do it.
    #[default]
    Act,
}

/// The words for them, in templates and in the environment.
pub(crate) const MODES: [(&str, Mode); 2] = [("observe", Mode::Observe), ("act", Mode::Act)];

/// [`MODE`] is neither of its words. Guessing could change what was to be left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the environment variable {MODE} is {0:?}, but must be observe or act; infra/watchkeeper.yaml sets it on the function"
)]
pub struct UnknownMode(String);

impl Mode {
    /// The whole stack's, with `get`, which looks up one environment variable: [`Mode::Act`] where it is not set.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, UnknownMode> {
        let Some(word) = get(MODE) else { return Ok(Self::default()) };
        let known = MODES.iter().find(|(known, _)| *known == word);
        known.map(|(_, mode)| *mode).ok_or(UnknownMode(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_words_are_understood() {
        let read = |word: Option<&str>| Mode::from_env(|name| word.filter(|_| name == MODE).map(str::to_owned));
        assert_eq!(read(None), Ok(Mode::Act));
        assert_eq!(read(Some("act")), Ok(Mode::Act));
        assert_eq!(read(Some("observe")), Ok(Mode::Observe));
        for word in ["", "Observe", "off", "act "] {
            let said = read(Some(word)).unwrap_err().to_string();
            assert!(said.contains("MODE") && said.contains("observe or act"), "{said}");
        }
    }
}
