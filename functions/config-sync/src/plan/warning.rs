//! What stands in the way of a restart's purpose, and a person can change.

use std::fmt;

use watchkeeper_events::ServiceArn;

use crate::document::{Place, Version};

/// Something about a service that reads a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Its task definition always asks for the same version: what is new does not reach it.
    Pinned {
        /// The service.
        service: ServiceArn,
        /// The document.
        place: Place,
        /// The version.
        version: Version,
    },
    /// A new deployment may run another image than the tasks that it replaces.
    MutableImage {
        /// The service.
        service: ServiceArn,
        /// The image, as the task definition has it.
        image: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned { service, place, version } => write!(
                formatter,
                "{} always reads the version {version} of the {}: what is new there does not reach it until its task definition \
                 asks for no version",
                service.name(),
                place.name()
            ),
            Self::MutableImage { service, image } => write!(
                formatter,
                "a new deployment of {} may run another image, as {image} is a tag that can be moved; RestartBy: replace-tasks \
                 keeps the image",
                service.name()
            ),
        }
    }
}
