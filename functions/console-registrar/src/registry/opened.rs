//! Any registry, ready to be spoken with.

use super::cloud_map::CloudMap;
use super::rest::Rest;
use super::route53::Route53;
use super::script_runner::ScriptRunner;
use super::{AgentId, Entry, Put, Registry, Trouble};
use crate::secrets::SecretsManager;

/// A registry of whatever kind.
#[derive(Debug)]
pub enum Opened {
    /// A Console, by scripts.
    ScriptRunner(Box<ScriptRunner<SecretsManager>>),
    /// A Console, by its REST interface.
    Rest(Box<Rest<SecretsManager>>),
    /// A service of Cloud Map.
    CloudMap(CloudMap),
    /// A name in a hosted zone.
    Route53(Route53),
}

impl Registry for Opened {
    async fn list(&self, agent: &AgentId) -> Result<Vec<Entry>, Trouble> {
        match self {
            Self::ScriptRunner(registry) => registry.list(agent).await,
            Self::Rest(registry) => registry.list(agent).await,
            Self::CloudMap(registry) => registry.list(agent).await,
            Self::Route53(registry) => registry.list(agent).await,
        }
    }

    async fn put(&self, put: &Put) -> Result<(), Trouble> {
        match self {
            Self::ScriptRunner(registry) => registry.put(put).await,
            Self::Rest(registry) => registry.put(put).await,
            Self::CloudMap(registry) => registry.put(put).await,
            Self::Route53(registry) => registry.put(put).await,
        }
    }

    async fn put_all(&self, puts: &[Put]) -> Vec<Result<(), Trouble>> {
        match self {
            Self::ScriptRunner(registry) => registry.put_all(puts).await,
            Self::Rest(registry) => registry.put_all(puts).await,
            Self::CloudMap(registry) => registry.put_all(puts).await,
            Self::Route53(registry) => registry.put_all(puts).await,
        }
    }

    async fn remove(&self, entry: &Entry) -> Result<(), Trouble> {
        match self {
            Self::ScriptRunner(registry) => registry.remove(entry).await,
            Self::Rest(registry) => registry.remove(entry).await,
            Self::CloudMap(registry) => registry.remove(entry).await,
            Self::Route53(registry) => registry.remove(entry).await,
        }
    }
}
