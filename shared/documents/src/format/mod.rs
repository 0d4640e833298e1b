//! The formats: each finds a value's bytes and writes another value in the form of the old one.

mod dotenv;
mod json;
mod pkl;
mod properties;
mod text;
mod toml;
mod tree;
mod url;
mod yaml;

use crate::address::Step;
use crate::refusal::Refusal;
use crate::slot::Slot;

/// The value that a step leads to.
pub(crate) fn find(step: &Step, document: &str) -> Result<Slot, Refusal> {
    match step {
        Step::Pkl(path) => pkl::find(path, document),
        Step::Json(path) => json::find(path, document),
        Step::Yaml(path) => yaml::find(path, document),
        Step::Toml(path) => toml::find(path, document),
        Step::Dotenv(name) => dotenv::find(name, document),
        Step::Properties(key) => properties::find(key, document),
        Step::Url(part) => url::find(*part, document),
        Step::Text => Ok(text::find(document)),
    }
}

/// What replaces the bytes of `slot`, so that the value is `value`.
pub(crate) fn write(step: &Step, document: &str, slot: &Slot, value: &str) -> Result<String, Refusal> {
    match step {
        Step::Pkl(_) => pkl::write(document, slot, value),
        Step::Json(_) => json::write(document, slot, value),
        Step::Yaml(_) => yaml::write(document, slot, value),
        Step::Toml(_) => toml::write(document, slot, value),
        Step::Dotenv(name) => dotenv::write(name, document, slot, value),
        Step::Properties(key) => properties::write(key, document, slot, value),
        Step::Url(part) => url::write(*part, document, slot, value),
        Step::Text => Ok(value.to_owned()),
    }
}
