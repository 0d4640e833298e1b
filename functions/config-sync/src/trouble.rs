//! What keeps work from being done.

use watchkeeper_aws_errors::Failed;
use watchkeeper_declarations::Trouble as DeclarationTrouble;

use crate::plan::Fault;

/// Why work on a declaration was not done. It is tried again: by the message that asked for it, or by the sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] Failed),
    /// It may not be done, whoever is asked: a target that is RDS's own, a tag that is missing.
    #[error("{0}")]
    Refused(String),
    /// What is stored cannot be understood.
    #[error("the declaration {id} in the table cannot be understood: {why}")]
    Stored {
        /// Which.
        id: String,
        /// What is wrong with it.
        why: String,
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
            Self::Aws(failed) => !failed.for_good,
            Self::Document(_) | Self::Refused(_) | Self::Stored { .. } => false,
            Self::LogIn(_) | Self::FencedOff | Self::Restless => true,
        }
    }
}

impl From<DeclarationTrouble> for Trouble {
    fn from(trouble: DeclarationTrouble) -> Self {
        match trouble {
            DeclarationTrouble::Call(failed) => failed.into(),
            DeclarationTrouble::Stored { id, why } => Self::Stored { id, why },
            DeclarationTrouble::FencedOff => Self::FencedOff,
        }
    }
}
