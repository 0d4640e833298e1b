//! What is to be written.

use watchkeeper_documents::{Refusal, replace};
use watchkeeper_secrets::Hidden;

use crate::declared::{Declared, OnDrift};
use crate::document::{Document, Readings};
use crate::expression::NoValue;
use crate::state::{InStep, State};
use crate::token::values_of;

/// What a declaration and the documents do not agree in. Nothing of a document or a value is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A source does not have the value.
    #[error("the value of {address}: {why}")]
    Source {
        /// Where it should stand in the target.
        address: String,
        /// What is missing.
        why: NoValue,
    },
    /// The target does not have the place.
    #[error("the target: {0}")]
    Target(Refusal),
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: the target says what the sources say.
    InStep,
    /// This.
    Write {
        /// The whole new document.
        text: Hidden,
        /// The addresses whose values change.
        changed: Vec<String>,
    },
    /// Somebody has changed the target, and the declaration says that it is left so.
    Drifted {
        /// The addresses whose values are others.
        changed: Vec<String>,
    },
}

/// Compares the target with what the sources say.
pub fn content(declared: &Declared, state: &State, sources: &Readings, target: &Document) -> Result<Content, Fault> {
    let mut text = target.text.reveal().to_owned();
    let mut changed = Vec::new();
    for value in &declared.values {
        let wanted = value.expression.value(sources);
        let wanted = wanted.map_err(|why| Fault::Source { address: value.address.to_string(), why })?;
        let edited = replace(&text, &value.address, wanted.reveal()).map_err(Fault::Target)?;
        if edited.text != text {
            changed.push(value.address.to_string());
            text = edited.text;
        }
    }
    // Written for these versions already: whatever is other now was changed in the target.
    let is_drift = state.in_step_with.as_ref().is_some_and(|InStep { versions, values }| {
        *values == values_of(declared)
            && versions.len() == sources.len()
            && sources.iter().all(|(name, read)| versions.get(name) == Some(&read.version))
    });
    Ok(match declared.on_drift {
        _ if changed.is_empty() => Content::InStep,
        OnDrift::Report if is_drift => Content::Drifted { changed },
        OnDrift::Report | OnDrift::Repair => Content::Write { text: Hidden::from(text.as_str()), changed },
    })
}
