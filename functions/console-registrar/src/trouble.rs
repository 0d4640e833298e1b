//! What keeps work from being done.

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use watchkeeper_aws_errors::Failed;

use crate::registry;

/// Why work on a declaration was not done. It is tried again: by the message that asked for it, or by the sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A call to AWS about the truth or the state failed.
    #[error("{doing}: {why}")]
    Aws {
        /// What was being done.
        doing: &'static str,
        /// AWS's own error code and words.
        why: String,
        /// Whether it is refused until a person changes something.
        for_good: bool,
    },
    /// The registry.
    #[error(transparent)]
    Registry(#[from] registry::Trouble),
    /// What is stored cannot be understood.
    #[error("the declaration {id} in the table cannot be understood: {why}")]
    Stored {
        /// Which.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else has worked on the declaration since.
    #[error("another invocation has taken over")]
    FencedOff,
    /// The registry changed under our hands each time that it was looked at.
    #[error("the entries kept changing while they were worked on")]
    Restless,
}

impl Trouble {
    /// Of an SDK error.
    pub(crate) fn call<E>(doing: &'static str, error: &SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        Failed::of(doing, error).into()
    }

    /// Whether another try may help, with nobody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Aws { for_good, .. } => !for_good,
            Self::Registry(trouble) => !matches!(trouble, registry::Trouble::Refused(_)),
            Self::Stored { .. } => false,
            Self::FencedOff | Self::Restless => true,
        }
    }
}

impl From<Failed> for Trouble {
    fn from(Failed { doing, why, for_good }: Failed) -> Self {
        Self::Aws { doing, why, for_good }
    }
}

impl From<watchkeeper_declarations::Trouble> for Trouble {
    fn from(trouble: watchkeeper_declarations::Trouble) -> Self {
        match trouble {
            watchkeeper_declarations::Trouble::Call(failed) => failed.into(),
            watchkeeper_declarations::Trouble::Stored { id, why } => Self::Stored { id, why },
            watchkeeper_declarations::Trouble::FencedOff => Self::FencedOff,
        }
    }
}
