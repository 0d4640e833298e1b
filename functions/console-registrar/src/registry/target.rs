//! Which registry, as a template says it.

use watchkeeper_custom_resources::Properties;

use super::{AgentId, cloud_map, fitting, rest, route53, script_runner};
use crate::slot::Name;

/// What the kinds are called in templates.
const KINDS: [&str; 4] = ["ScriptRunner", "Rest", "CloudMap", "Route53"];
/// An agent's id must leave room for the number that one of several tasks gets.
const HIGHEST: u32 = 9_999;

/// A registry.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A Console, by scripts.
    ScriptRunner(Box<script_runner::Settings>),
    /// A Console, by its REST interface.
    Rest(Box<rest::Settings>),
    /// A service of Cloud Map.
    CloudMap(cloud_map::Settings),
    /// A name in a hosted zone.
    Route53(route53::Settings),
}

impl Target {
    /// Reads the property `Registry`; faults are noted in `properties`.
    pub fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let named: Vec<&str> = KINDS.into_iter().filter(|kind| properties.has(kind)).collect();
        match named[..] {
            [] => properties.fault(KINDS[0], format!("is missing; there must be one of {}", KINDS.join(", "))),
            [_] => {}
            [first, .., last] => {
                properties.fault(last, format!("is one too many beside {first}; a declaration has one registry"));
            }
        }
        let script_runner = properties
            .optional_object(KINDS[0], script_runner::Settings::read)
            .map(|settings| Self::ScriptRunner(Box::new(settings)));
        let rest =
            properties.optional_object(KINDS[1], rest::Settings::read).map(|settings| Self::Rest(Box::new(settings)));
        let cloud_map = properties.optional_object(KINDS[2], cloud_map::Settings::read).map(Self::CloudMap);
        let route53 = properties.optional_object(KINDS[3], route53::Settings::read).map(Self::Route53);
        [script_runner, rest, cloud_map, route53].into_iter().flatten().next()
    }

    /// Whether a text is one that [`Target::identity`] gives.
    #[must_use]
    pub fn is_identity(text: &str) -> bool {
        ["script-runner ", "rest ", "cloud-map/", "route53/"].iter().any(|kind| text.starts_with(kind))
    }

    /// The registry's own name, without a `#`.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::ScriptRunner(settings) => settings.identity(),
            Self::Rest(settings) => settings.identity(),
            Self::CloudMap(settings) => settings.identity(),
            Self::Route53(settings) => settings.identity(),
        }
    }

    /// The secret that it takes to speak with it.
    #[must_use]
    pub fn credentials(&self) -> Option<&str> {
        match self {
            Self::ScriptRunner(settings) => Some(settings.credentials()),
            Self::Rest(settings) => Some(settings.credentials()),
            Self::CloudMap(_) | Self::Route53(_) => None,
        }
    }

    /// Whether it can have agents of this id, with a number behind it; or what is wrong with the id.
    pub fn takes(&self, agent: &AgentId) -> Result<(), String> {
        match self {
            Self::ScriptRunner(_) | Self::Rest(_) => Ok(()),
            Self::CloudMap(_) | Self::Route53(_) => {
                fitting::misfit(&Name::Numbered(HIGHEST).of(agent)).map_or(Ok(()), Err)
            }
        }
    }
}
