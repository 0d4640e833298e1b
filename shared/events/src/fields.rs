//! Reading fields of a JSON object so that every fault names the event and the field.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::event::EventError;
use crate::instant;

/// One JSON object inside an event, with the way that led to it.
pub(crate) struct Fields<'a> {
    event_id: &'a str,
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(event_id: &'a str, path: &str, value: &'a Value) -> Result<Self, EventError> {
        match value {
            Value::Object(map) => Ok(Self { event_id, path: path.to_owned(), map }),
            other => Err(EventError::field(event_id, path, format!("is {}, not an object", kind(other)))),
        }
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn present(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A fault of this field.
    pub(crate) fn fault(&self, name: &str, problem: impl Into<String>) -> EventError {
        EventError::field(self.event_id, &self.at(name), problem)
    }

    /// Text, or a number taken as text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, EventError> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.fault(name, format!("is {}, not text", kind(other)))),
        }
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<String, EventError> {
        match self.text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(self.fault(name, "is empty")),
            None => Err(self.fault(name, "is missing")),
        }
    }

    /// A whole number, or text that is one.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, EventError> {
        let found = match self.present(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(other) => return Err(self.fault(name, format!("is {}, not a whole number", kind(other)))),
        };
        found.map(Some).ok_or_else(|| self.fault(name, "is not a whole number"))
    }

    /// An instant: ISO 8601 text, or seconds since 1970.
    pub(crate) fn instant(&self, name: &str) -> Result<Option<OffsetDateTime>, EventError> {
        let found = match self.present(name) {
            None => return Ok(None),
            Some(Value::String(text)) => instant::parse(text),
            Some(Value::Number(number)) => number.as_f64().and_then(instant::from_epoch),
            Some(other) => return Err(self.fault(name, format!("is {}, not an instant", kind(other)))),
        };
        found.map(Some).ok_or_else(|| self.fault(name, "is not an instant (ISO 8601, or seconds since 1970)"))
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<Fields<'a>>, EventError> {
        self.present(name).map(|value| Fields::new(self.event_id, &self.at(name), value)).transpose()
    }

    pub(crate) fn required_object(&self, name: &str) -> Result<Fields<'a>, EventError> {
        self.object(name)?.ok_or_else(|| self.fault(name, "is missing"))
    }

    /// A list of objects; a missing list is an empty one.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields<'a>>, EventError> {
        self.list(name)?
            .iter()
            .enumerate()
            .map(|(index, value)| Fields::new(self.event_id, &format!("{}[{index}]", self.at(name)), value))
            .collect()
    }

    /// A list of texts; a missing list is an empty one.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, EventError> {
        self.list(name)?
            .iter()
            .enumerate()
            .map(|(index, value)| match value {
                Value::String(text) => Ok(text.clone()),
                other => Err(self.fault(&format!("{name}[{index}]"), format!("is {}, not text", kind(other)))),
            })
            .collect()
    }

    fn list(&self, name: &str) -> Result<&'a [Value], EventError> {
        match self.present(name) {
            None => Ok(&[]),
            Some(Value::Array(values)) => Ok(values),
            Some(other) => Err(self.fault(name, format!("is {}, not a list", kind(other)))),
        }
    }
}

/// What a JSON value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
