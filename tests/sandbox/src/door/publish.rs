//! Publish of SNS: what AWS refuses and ministack takes, and what was published, for the inbox to look up.
//!
//! ministack hands a queue the text for queues and forgets those for the other protocols. So the front door keeps what every
//! Publish said by the id that it was given.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::call::{Incoming, form_value};
use super::error::between;
use super::forward::Answer;

/// How the name of a FIFO topic or queue ends.
pub(crate) const FIFO: &str = ".fifo";

/// How long the answer to a Publish may be on its way after its message has arrived.
const PATIENCE: Duration = Duration::from_secs(10);

/// The texts of a Publish by protocol; one without a structure has `default` alone.
pub(crate) type Texts = HashMap<String, String>;

/// What was published so far. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    texts: Arc<Mutex<HashMap<String, Texts>>>,
    changed: watch::Sender<()>,
}

impl Published {
    /// Keeps what a Publish said, if it succeeded.
    pub(crate) fn note(&self, incoming: &Incoming, body: &[u8], answer: &Answer) {
        let xml = String::from_utf8_lossy(&answer.body);
        let Some(id) = between(&xml, "<MessageId>", "</MessageId>").filter(|_| is_publish(incoming)) else { return };
        self.texts().insert(id.to_owned(), texts(body));
        self.changed.send_replace(());
    }

    /// The texts of a message, which may arrive before its Publish is answered; none if it did not come through the door.
    pub(crate) async fn of(&self, id: &str) -> Option<Texts> {
        let mut changed = self.changed.subscribe();
        let noted = async {
            loop {
                if let Some(texts) = self.texts().get(id).cloned() {
                    return Some(texts);
                }
                changed.changed().await.ok()?;
            }
        };
        tokio::time::timeout(PATIENCE, noted).await.ok().flatten()
    }

    fn texts(&self) -> std::sync::MutexGuard<'_, HashMap<String, Texts>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn texts(body: &[u8]) -> Texts {
    let message = form_value(body, "Message").unwrap_or_default();
    let structured = form_value(body, "MessageStructure").and_then(|_| structure(&message).ok());
    let Some(structure) = structured else { return Texts::from([("default".to_owned(), message)]) };
    let text = |(protocol, text): (String, Value)| Some((protocol, text.as_str()?.to_owned()));
    structure.into_iter().filter_map(text).collect()
}

fn is_publish(incoming: &Incoming) -> bool {
    incoming.service == "sns" && incoming.action == "Publish"
}

/// Why AWS would not publish this (SNS API Reference, "Publish"; Developer Guide, "Message attributes").
pub(crate) fn refuses(incoming: &Incoming, body: &[u8]) -> Option<String> {
    if !is_publish(incoming) {
        return None;
    }
    let field = |name: &str| form_value(body, name);
    let message = field("Message").unwrap_or_default();
    let is_fifo = incoming.resource.as_ref().is_some_and(|topic| topic.ends_with(FIFO));
    fault_of_subject(field("Subject").as_deref())
        .or_else(|| fault_of_message(&message, field("MessageStructure").as_deref()))
        .or_else(|| {
            fault_of_ids(field("MessageGroupId").as_deref(), field("MessageDeduplicationId").as_deref(), is_fifo)
        })
        .or_else(|| fault_of_attributes(body))
        .map(|what| format!("Invalid parameter: {what}"))
}

fn fault_of_subject(subject: Option<&str>) -> Option<String> {
    let subject = subject?;
    let printable = subject.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let fits = printable && subject.len() < 100 && subject.as_bytes().first().is_some_and(u8::is_ascii_graphic);
    (!fits).then(|| "Subject".to_owned())
}

fn fault_of_message(message: &str, structured: Option<&str>) -> Option<String> {
    if message.is_empty() {
        return Some("Empty message".to_owned());
    }
    match structured {
        None => None,
        Some("json") => structure(message).err().map(|why| format!("Message Structure - {why}")),
        Some(_) => Some("Message Structure - must be json".to_owned()),
    }
}

/// AWS ignores a protocol whose text is no string; nobody means that, so it is refused here.
fn structure(message: &str) -> Result<Map<String, Value>, String> {
    let Ok(Value::Object(structure)) = serde_json::from_str(message) else {
        return Err("JSON message body failed to parse".to_owned());
    };
    if !structure.contains_key("default") {
        return Err("No default entry in JSON message body".to_owned());
    }
    match structure.iter().find(|(_, text)| text.as_str().is_none_or(str::is_empty)) {
        Some((protocol, _)) => Err(format!("the entry {protocol} is no text")),
        None => Ok(structure),
    }
}

fn fault_of_ids(group: Option<&str>, deduplication: Option<&str>, is_fifo: bool) -> Option<String> {
    let fits = |id: &str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(name) = [("MessageGroupId", group), ("MessageDeduplicationId", deduplication)]
        .into_iter()
        .find_map(|(name, id)| id.filter(|id| !fits(id)).map(|_| name))
    {
        return Some(format!("{name} can only include alphanumeric and punctuation characters, 1 to 128 in length"));
    }
    match (is_fifo, group, deduplication) {
        (true, None, _) => Some("The MessageGroupId parameter is required for FIFO topics".to_owned()),
        (false, _, Some(_)) => Some("MessageDeduplicationId is not valid for this topic type".to_owned()),
        _ => None,
    }
}

fn fault_of_attributes(body: &[u8]) -> Option<String> {
    for n in 1.. {
        let entry = format!("MessageAttributes.entry.{n}");
        let name = form_value(body, &format!("{entry}.Name"))?;
        let field = |field: &str| form_value(body, &format!("{entry}.Value.{field}"));
        let (kind, text) = (field("DataType").unwrap_or_default(), field("StringValue"));
        if !is_attribute_name(&name) {
            return Some(format!("the message attribute's name '{name}'"));
        }
        let binary = field("BinaryValue");
        let value = text.as_deref().or(binary.as_deref()).unwrap_or_default();
        if value.is_empty() {
            return Some(format!("The message attribute '{name}' must contain a non-empty value"));
        }
        let fits = match kind.split('.').next() {
            Some("String") if kind == "String.Array" => is_list(value),
            Some("String") => text.is_some(),
            Some("Number") => text.is_some_and(|text| text.parse::<f64>().is_ok()),
            Some("Binary") => binary.is_some(),
            _ => false,
        };
        if !fits {
            return Some(format!("The value of message attribute '{name}' does not fit its type '{kind}'"));
        }
    }
    None
}

fn is_attribute_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

/// Strings, numbers, booleans and null, none inside the other.
fn is_list(value: &str) -> bool {
    let plain = |item: &Value| !item.is_array() && !item.is_object();
    serde_json::from_str::<Vec<Value>>(value).is_ok_and(|list| list.iter().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_short_ascii_in_one_line() {
        for subject in ["", " x", "ä", "a\nb", &"x".repeat(100)] {
            assert!(fault_of_subject(Some(subject)).is_some(), "{subject:?}");
        }
        assert_eq!(fault_of_subject(Some(&"x".repeat(99))), None);
        assert_eq!(fault_of_subject(None), None);
    }

    #[test]
    fn a_structured_message_has_a_text_for_each_protocol_and_a_default() {
        for (message, why) in [
            ("", "Empty"),
            ("{", "failed to parse"),
            (r#"["default"]"#, "failed to parse"),
            (r#"{"sms": "x"}"#, "No default"),
            (r#"{"default": "x", "sqs": {}}"#, "sqs is no text"),
            (r#"{"default": "x", "sqs": ""}"#, "sqs is no text"),
        ] {
            let fault = fault_of_message(message, Some("json")).unwrap();
            assert!(fault.contains(why), "{message}: {fault}");
        }
        assert_eq!(fault_of_message(r#"{"default": "x", "sqs": "{}"}"#, Some("json")), None);
        assert_eq!(fault_of_message("{", None), None);
    }

    #[test]
    fn a_fifo_topic_needs_a_group_and_others_take_no_deduplication() {
        assert!(fault_of_ids(None, Some("d"), true).is_some() && fault_of_ids(None, Some("d"), false).is_some());
        assert!(
            fault_of_ids(Some("a b"), None, true).is_some()
                && fault_of_ids(Some(&"x".repeat(129)), None, true).is_some()
        );
        assert_eq!((fault_of_ids(Some("g"), Some("d"), true), fault_of_ids(None, None, false)), (None, None));
    }

    #[test]
    fn attributes_have_names_types_and_values() {
        let fault = |name: &str, kind: &str, value: &str| {
            let entry = "MessageAttributes.entry.1";
            let form = format!("{entry}.Name={name}&{entry}.Value.DataType={kind}&{entry}.Value.StringValue={value}");
            fault_of_attributes(form.as_bytes())
        };
        for (name, kind, value) in [
            ("a b", "String", "x"),
            ("AWS.x", "String", "x"),
            (".x", "String", "x"),
            ("x", "String", ""),
            ("x", "Text", "x"),
            ("x", "Number", "x"),
            ("x", "String.Array", "x"),
            ("x", "String.Array", "[[1]]"),
        ] {
            assert!(fault(name, kind, value).is_some(), "{name} {kind} {value}");
        }
        for (kind, value) in [("String", "x"), ("Number", "1.5"), ("String.Array", r#"["a","b"]"#)] {
            assert_eq!(fault("severity", kind, value), None);
        }
    }
}
