//! What keeps work from being done.

use crate::plan::Fault;

/// Why work on a declaration was not done. It is tried again: by the message that asked for it, or by the sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A call to AWS failed.
    #[error("{doing}: {why}")]
    Aws {
        /// What was being done.
        doing: &'static str,
        /// AWS's own error code and words.
        why: String,
        /// Whether it is refused until a person changes something.
        for_good: bool,
    },
    /// A document is not as declared.
    #[error(transparent)]
    Document(#[from] Fault),
    /// The database does not take the new credential, or was not reached: the target stays as it is.
    #[error("the database does not let the new credential in, so it is not written: {0}")]
    LogIn(String),
    /// Somebody else has worked on the declaration since.
    #[error("another invocation has taken over")]
    FencedOff,
    /// The documents changed under our hands each time that they were looked at.
    #[error("the sources or the target kept changing while they were worked on")]
    Restless,
}

impl Trouble {
    /// Whether another try may help, with nobody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Aws { for_good, .. } => !for_good,
            Self::Document(_) => false,
            Self::LogIn(_) | Self::FencedOff | Self::Restless => true,
        }
    }
}
