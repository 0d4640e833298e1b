//! The items of declarations, and what is read from them.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use watchkeeper_custom_resources::Owner;

use crate::declaration::{DeclarationId, Phase, Stored};
use crate::trouble::Trouble;

/// The version of the items' layout.
pub(crate) const SCHEMA: u32 = 1;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A declaration that is not gone.
pub(crate) fn read(item: &Item) -> Result<Stored, Trouble> {
    let id = id_of(item);
    let stored = |why: String| Trouble::Stored { id: id.0.clone(), why };
    let written = |name: &str| string(item, name).ok_or_else(|| stored(format!("it has no {name}")));
    let properties = serde_json::from_str(written("properties")?);
    let properties = properties.map_err(|error| stored(format!("its properties: {error}")))?;
    let phases = [Phase::Leaving, Phase::Kept];
    let phase = phases.into_iter().find(|phase| string(item, "phase") == Some(phase.name()));
    let phase = phase.ok_or_else(|| stored("its phase is not known".to_owned()))?;
    let state = written("state")?.to_owned();
    Ok(Stored { owner: owner_of(item), properties, phase, state, version: version_of(item), id })
}

pub(crate) fn id_of(item: &Item) -> DeclarationId {
    DeclarationId(string(item, "sk").unwrap_or_default().to_owned())
}

pub(crate) fn owner_of(item: &Item) -> Owner {
    let part = |name| string(item, name).unwrap_or_default().to_owned();
    Owner { stack_id: part("stack"), logical_id: part("logical_id") }
}

pub(crate) fn version_of(item: &Item) -> u64 {
    item.get("version").and_then(|version| version.as_n().ok()?.parse().ok()).unwrap_or_default()
}

pub(crate) fn is_gone(item: &Item) -> bool {
    string(item, "phase") == Some(Phase::Gone.name())
}

/// What a declaration is about; the other way round than [`keys_value`].
pub(crate) fn keys_of<'a>(item: &'a Item, attribute: &str) -> Vec<&'a str> {
    match item.get(attribute) {
        Some(AttributeValue::S(key)) => vec![key],
        Some(AttributeValue::L(keys)) => keys.iter().filter_map(|key| key.as_s().ok().map(String::as_str)).collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn keys_value(keys: &[&str]) -> AttributeValue {
    match keys {
        [key] => text(key),
        keys => AttributeValue::L(keys.iter().map(|key| text(key)).collect()),
    }
}

/// The item as it is, if the condition did not hold.
pub(crate) fn refused(error: &SdkError<UpdateItemError>) -> Option<Item> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(found)) => {
            Some(found.item().cloned().unwrap_or_default())
        }
        _ => None,
    }
}

pub(crate) fn is_refused<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

pub(crate) fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(crate) fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written() {
        for keys in [&[] as &[&str], &["a"], &["a", "b"]] {
            let item = Item::from([("service".to_owned(), keys_value(keys))]);
            assert_eq!(keys_of(&item, "service"), keys);
        }
        assert_eq!(keys_value(&["a"]), text("a"));
        assert_eq!(keys_of(&Item::new(), "service"), [""; 0]);
    }

    #[test]
    fn what_cannot_be_understood_says_why() {
        let item = |attributes: &[(&str, &str)]| -> Item {
            attributes.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
        };
        for (attributes, why) in [
            (&[("sk", "d")] as &[_], "it has no properties"),
            (&[("sk", "d"), ("properties", "{")], "its properties: EOF while parsing"),
            (&[("sk", "d"), ("properties", "{}"), ("phase", "kep")], "its phase is not known"),
            (&[("sk", "d"), ("properties", "{}"), ("phase", "kept")], "it has no state"),
        ] {
            let said = read(&item(attributes)).unwrap_err().to_string();
            assert!(said.starts_with(&format!("the declaration d in the table cannot be understood: {why}")), "{said}");
        }
    }
}
