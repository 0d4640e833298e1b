//! The environment. Its values are in no error text: some are secret.

use anyhow::Context;

pub(crate) fn text(name: &str) -> anyhow::Result<String> {
    std::env::var(name).ok().with_context(|| format!("{name} is not set, or is no text"))
}

/// A number, or what it is if it is not set.
pub(crate) fn number(name: &str, otherwise: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().ok().with_context(|| format!("{name} is not a number")),
        Err(_) => Ok(otherwise),
    }
}
