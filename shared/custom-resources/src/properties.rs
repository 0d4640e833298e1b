//! Reading properties: every fault is found, not just the first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::edit_distance::nearest;
use crate::fault::{Fault, Faults};

/// What CloudFormation itself puts beside a resource's own properties.
const CLOUDFORMATIONS: [&str; 2] = ["ServiceToken", "ServiceTimeout"];

/// The members of one object. Each that is asked for is known; what is there beside them is a fault.
///
/// CloudFormation sends numbers and booleans as text ("true", "5"); both forms are read.
#[derive(Debug)]
pub struct Properties<'a> {
    path: String,
    members: Option<&'a Map<String, Value>>,
    known: Vec<&'static str>,
    faults: Rc<RefCell<Vec<Fault>>>,
}

impl<'a> Properties<'a> {
    /// Reads all of `value` with `read`. What it returns counts only if there is no fault.
    pub fn read<T>(value: &'a Value, read: impl FnOnce(&mut Self) -> Option<T>) -> Result<T, Faults> {
        let faults = Rc::default();
        let mut root = Self::at("#".to_owned(), value, Rc::clone(&faults));
        root.known.extend(CLOUDFORMATIONS);
        let found = read(&mut root);
        root.finish();
        drop(root);
        let mut faults = faults.take();
        match found {
            Some(found) if faults.is_empty() => Ok(found),
            _ => {
                if faults.is_empty() {
                    faults.push(Fault { path: "#".to_owned(), what: "cannot be understood".to_owned() });
                }
                Err(Faults(faults))
            }
        }
    }

    fn at(path: String, value: &'a Value, faults: Rc<RefCell<Vec<Fault>>>) -> Self {
        let found = Self { path, members: value.as_object(), known: Vec::new(), faults };
        if found.members.is_none() {
            found.push(found.path.clone(), format!("must be an object of properties, not {}", kind(value)));
        }
        found
    }

    fn push(&self, path: String, what: String) {
        self.faults.borrow_mut().push(Fault { path, what });
    }

    /// Notes a fault of the member `name`: what is wrong, and what would be right.
    pub fn fault(&self, name: &str, what: impl Into<String>) {
        self.push(format!("{}/{name}", self.path), what.into());
    }

    fn member(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.members?.get(name).filter(|value| !value.is_null())
    }

    /// Whether the member is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.is_some_and(|members| members.get(name).is_some_and(|value| !value.is_null()))
    }

    fn missing(&self, name: &str, wanted: &str) {
        if self.members.is_some() {
            self.fault(name, format!("is missing; it must be {wanted}"));
        }
    }

    /// A text, if there is one.
    pub fn optional_text(&mut self, name: &'static str) -> Option<&'a str> {
        let value = self.member(name)?;
        if value.as_str().is_none() {
            self.fault(name, format!("must be text, not {}", kind(value)));
        }
        value.as_str()
    }

    /// A text that must be there and not be empty; `wanted` says what it should be.
    pub fn text(&mut self, name: &'static str, wanted: &str) -> Option<&'a str> {
        if !self.has(name) {
            self.known.push(name);
            self.missing(name, wanted);
            return None;
        }
        let text = self.optional_text(name)?;
        if text.is_empty() {
            self.fault(name, format!("is empty; it must be {wanted}"));
            return None;
        }
        Some(text)
    }

    /// One of several words, or `otherwise` if there is none.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)], otherwise: T) -> T {
        let Some(value) = self.member(name) else { return otherwise };
        let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
        if found.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.fault(name, format!("must be one of: {}", words.join(", ")));
        }
        found.map_or(otherwise, |(_, meant)| *meant)
    }

    /// A truth, if there is one: `true`, `false`, or either as text.
    pub fn optional_boolean(&mut self, name: &'static str) -> Option<bool> {
        let value = self.member(name)?;
        let found = match value {
            Value::Bool(value) => Some(*value),
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        if found.is_none() {
            self.fault(name, "must be true or false");
        }
        found
    }

    /// A whole number, if there is one, as a number or as text.
    pub fn optional_number(&mut self, name: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let value = self.member(name)?;
        let found = value.as_u64().or_else(|| value.as_str()?.parse().ok()).filter(|number| range.contains(number));
        if found.is_none() {
            self.fault(name, format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        found
    }

    /// A whole number that must be there; `wanted` says what it should be.
    pub fn number(&mut self, name: &'static str, wanted: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        if !self.has(name) {
            self.known.push(name);
            self.missing(name, wanted);
            return None;
        }
        self.optional_number(name, range)
    }

    /// All members, as they came.
    #[must_use]
    pub fn value(&self) -> Value {
        self.members.cloned().map_or(Value::Null, Value::Object)
    }

    /// What is inside an object that must be there.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.member(name) else {
            self.missing(name, wanted);
            return None;
        };
        let mut inner = Self::at(format!("{}/{name}", self.path), value, Rc::clone(&self.faults));
        let found = read(&mut inner);
        inner.finish();
        found
    }

    /// What is inside an object, if there is one.
    pub fn optional_object<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.has(name) {
            return self.object(name, "an object", read);
        }
        self.known.push(name);
        None
    }

    /// What is inside each member of an object whose members have names of the template's own, if there is one.
    pub fn optional_entries<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        mut read: impl FnMut(&str, &mut Self) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let value = self.member(name)?;
        let Value::Object(members) = value else {
            self.fault(name, format!("must be {wanted}, not {}", kind(value)));
            return None;
        };
        let mut found = BTreeMap::new();
        for (key, value) in members {
            let mut inner = Self::at(format!("{}/{name}/{key}", self.path), value, Rc::clone(&self.faults));
            let one = read(key, &mut inner);
            inner.finish();
            found.extend(one.map(|one| (key.clone(), one)));
        }
        Some(found)
    }

    /// What is inside each item of a list of objects, if there is one.
    pub fn items<T>(&mut self, name: &'static str, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let Value::Array(items) = self.member(name)? else {
            self.fault(name, "must be a list");
            return None;
        };
        let mut found = Vec::new();
        for (at, value) in items.iter().enumerate() {
            let mut inner = Self::at(format!("{}/{name}/{at}", self.path), value, Rc::clone(&self.faults));
            found.extend(read(&mut inner));
            inner.finish();
        }
        Some(found)
    }

    /// A word, or a list of texts, if there is either.
    pub fn optional_word_or_texts(&mut self, name: &'static str) -> Option<Result<&'a str, Vec<&'a str>>> {
        match self.member(name)? {
            Value::String(word) => Some(Ok(word)),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                Some(Err(items.iter().filter_map(Value::as_str).collect()))
            }
            other => {
                self.fault(name, format!("must be a word or a list of texts, not {}", kind(other)));
                None
            }
        }
    }

    fn finish(&self) {
        let Some(members) = self.members else { return };
        for name in members.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let known: Vec<&str> = self
                .known
                .iter()
                .copied()
                .filter(|known| !CLOUDFORMATIONS.contains(known) && !self.has(known))
                .collect();
            let what = match nearest(name, &known) {
                Some(meant) => format!("is not known; did you mean {meant}?"),
                None => format!("is not known; known are {}", self.all_known()),
            };
            self.fault(name, what);
        }
    }

    fn all_known(&self) -> String {
        let known: Vec<&str> = self.known.iter().copied().filter(|known| !CLOUDFORMATIONS.contains(known)).collect();
        known.join(", ")
    }
}

/// What a value is, without the value.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(value: &Value) -> Result<(String, Option<bool>, Option<u64>, String), Faults> {
        Properties::read(value, |properties| {
            let name = properties.text("Name", "a name");
            let on = properties.optional_boolean("On");
            let count = properties.optional_number("Count", 1..=10);
            let mode = properties.one_of("Mode", &[("observe", 1), ("act", 2)], 2);
            let text =
                properties.object("Content", "an object with Text", |content| content.text("Text", "what is in it"));
            let rest = properties.optional_object("More", |more| more.text("Text", "more of it").map(str::to_owned));
            let _ = (mode, rest);
            Some((name?.to_owned(), on, count, text?.to_owned()))
        })
    }

    #[test]
    fn numbers_and_booleans_come_as_text_or_as_they_are() {
        for (on, count) in [(json!("true"), json!("5")), (json!(true), json!(5)), (json!("True"), json!("5"))] {
            let value = json!({"ServiceToken": "arn", "ServiceTimeout": "60", "Name": "n", "On": on, "Count": count, "Content": {"Text": "t"}});
            assert_eq!(read(&value).unwrap(), ("n".to_owned(), Some(true), Some(5), "t".to_owned()));
        }
    }

    #[test]
    fn all_faults_are_told_together_each_with_its_path() {
        let value = json!({"Naem": "n", "On": "yes", "Count": "11", "Mode": "maybe", "Content": {"Text": 5, "Region": 1}, "More": {"Txet": "t"}, "Region": 1});
        assert_eq!(
            read(&value).unwrap_err().to_string(),
            "#/Name is missing; it must be a name; #/On must be true or false; #/Count must be a whole number from 1 to \
             10; #/Mode must be one of: observe, act; #/Content/Text must be text, not a number; #/Content/Region is not \
             known; known are Text; #/More/Text is missing; it must be more of it; #/More/Txet is not known; did you mean \
             Text?; #/Naem is not known; did you mean Name?; #/Region is not known; known are Name, On, \
             Count, Mode, Content, More"
        );
        assert_eq!(read(&json!([])).unwrap_err().to_string(), "# must be an object of properties, not a list");
    }

    #[test]
    fn members_of_any_name_and_items_are_read_each_with_its_path() {
        let read = |value: &Value| {
            Properties::read(value, |properties| {
                let named = properties.optional_entries("Named", "an object of names", |name, inner| {
                    Some(format!("{name}={}", inner.text("Text", "a text")?))
                });
                let listed = properties.items("Listed", |inner| inner.text("Text", "a text").map(str::to_owned));
                let chosen = properties
                    .optional_word_or_texts("Chosen")
                    .map(|chosen| chosen.map(str::len).map_err(|texts| texts.len()));
                Some((named.unwrap_or_default().into_values().collect::<Vec<_>>(), listed, chosen))
            })
        };
        let value =
            json!({"Named": {"b": {"Text": "2"}, "a": {"Text": "1"}}, "Listed": [{"Text": "3"}], "Chosen": ["x", "y"]});
        assert_eq!(
            read(&value).unwrap(),
            (vec!["a=1".to_owned(), "b=2".to_owned()], Some(vec!["3".to_owned()]), Some(Err(2)))
        );
        assert_eq!(read(&json!({"Named": {}, "Chosen": "word"})).unwrap(), (vec![], None, Some(Ok(4))));
        for (value, told) in [
            (json!({"Named": []}), "#/Named must be an object of names, not a list"),
            (json!({"Named": {"a": "x"}}), "#/Named/a must be an object of properties, not text"),
            (
                json!({"Named": {"a": {"Txt": "x"}}}),
                "#/Named/a/Text is missing; it must be a text; #/Named/a/Txt is not known; did you mean Text?",
            ),
            (json!({"Named": {}, "Listed": [{"Text": "x"}, {}]}), "#/Listed/1/Text is missing; it must be a text"),
            (json!({"Named": {}, "Listed": {}}), "#/Listed must be a list"),
            (json!({"Named": {}, "Chosen": [1]}), "#/Chosen must be a word or a list of texts, not a list"),
        ] {
            assert_eq!(read(&value).unwrap_err().to_string(), told);
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z ]{0,12}".prop_map(Value::from)
        ];
        let name = prop_oneof![
            Just("Name"),
            Just("On"),
            Just("Count"),
            Just("Mode"),
            Just("Content"),
            Just("More"),
            Just("Text"),
            Just("x")
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused_with_paths(value in any_value()) {
            if let Err(faults) = read(&value) {
                prop_assert!(!faults.0.is_empty());
                prop_assert!(faults.0.iter().all(|fault| fault.path.starts_with('#') && !fault.what.is_empty()));
            }
        }
    }
}
