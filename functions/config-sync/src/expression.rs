//! What a value is made of: text with `{source}`, `{source.field}` or `{source:address}` in it.
//!
//! `{db.password}` is a member of a secret's JSON or a cluster's password, `{config:toml:database.url > url:host}` a value inside
//! another document, `{key}` the whole of a source. `|url` at the end encodes for a URL; `{{` is a brace.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use watchkeeper_documents::{Address, AddressError, Key, Path, Refusal, Step};
use watchkeeper_secrets::Hidden;

use crate::document::{Content, Readings};

/// All but the unreserved characters (RFC 3986, 2.3).
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Whole,
    Name(String),
    At(Address),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value { source: String, field: Field, for_url: bool },
}

/// What a value is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    written: String,
    pieces: Vec<Piece>,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// A brace has no partner.
    #[error("a brace is not closed, or closed and not opened; a brace itself is written twice")]
    Brace,
    /// Nothing stands between the braces.
    #[error("between braces there must be a source: {{db}}, {{db.password}} or {{db:toml:url}}")]
    Empty,
    /// What is done with the value.
    #[error("{0:?} is not known after |; known is url")]
    Filter(String),
    /// The address in the source.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoValue {
    /// No source has that name.
    #[error("there is no source {0}")]
    Source(String),
    /// The source is no document, and has no such value.
    #[error("the source {source_name} has no {field}; it has {known}")]
    Field {
        /// The source.
        source_name: String,
        /// What was asked for.
        field: String,
        /// What there is.
        known: String,
    },
    /// The source's document does not have it.
    #[error("the source {source_name}: {refusal}")]
    Document {
        /// The source.
        source_name: String,
        /// Why not.
        refusal: Box<Refusal>,
    },
}

impl Expression {
    /// The names of the sources that it takes.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value { source, .. } => Some(source.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Its value, from what the sources say.
    pub fn value(&self, readings: &Readings) -> Result<Hidden, NoValue> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value { source, field, for_url: false } => text.push_str(&find(readings, source, field)?),
                Piece::Value { source, field, for_url: true } => {
                    text.extend(utf8_percent_encode(&find(readings, source, field)?, IN_URL));
                }
            }
        }
        Ok(Hidden::from(text.as_str()))
    }
}

fn find(readings: &Readings, source: &str, field: &Field) -> Result<String, NoValue> {
    let reading = readings.get(source).ok_or_else(|| NoValue::Source(source.to_owned()))?;
    let at = |text: &Hidden, address: &Address| {
        let refused = |refusal| NoValue::Document { source_name: source.to_owned(), refusal: Box::new(refusal) };
        watchkeeper_documents::read(text.reveal(), address).map_err(refused)
    };
    match (&reading.content, field) {
        (Content::Text(text), Field::Whole) => Ok(text.reveal().to_owned()),
        (Content::Text(text), Field::At(address)) => at(text, address),
        (Content::Text(text), Field::Name(name)) => at(text, &member(name)),
        (Content::Values(values), Field::Name(name)) if values.contains_key(name) => {
            Ok(values[name].reveal().to_owned())
        }
        (Content::Values(values), field) => Err(NoValue::Field {
            source_name: source.to_owned(),
            field: match field {
                Field::Whole => "text of its own".to_owned(),
                Field::Name(name) => name.clone(),
                Field::At(address) => address.to_string(),
            },
            known: values.keys().cloned().collect::<Vec<_>>().join(", "),
        }),
    }
}

/// A member of a secret's JSON, whatever characters its name has.
fn member(name: &str) -> Address {
    Address::from(Step::Json(Path(vec![Key::Name(name.to_owned())])))
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(written: &str) -> Result<Self, ExpressionError> {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        let mut rest = written;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let (inside, after) = match brace {
                "{" => rest.split_once('}').ok_or(ExpressionError::Brace)?,
                _ => return Err(ExpressionError::Brace),
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(inside.parse()?);
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self { written: written.to_owned(), pieces })
    }
}

impl FromStr for Piece {
    type Err = ExpressionError;

    fn from_str(inside: &str) -> Result<Self, ExpressionError> {
        let (value, for_url) = match inside.rsplit_once('|') {
            Some((value, "url")) => (value, true),
            Some((_, other)) => return Err(ExpressionError::Filter(other.to_owned())),
            None => (inside, false),
        };
        let end = value.find(['.', ':']).unwrap_or(value.len());
        let (source, rest) = value.split_at(end);
        let field = match rest.split_at_checked(1) {
            None => Field::Whole,
            Some((_, "")) => return Err(ExpressionError::Empty),
            Some((".", name)) => Field::Name(name.to_owned()),
            Some((_, address)) => Field::At(address.parse()?),
        };
        if source.is_empty() {
            return Err(ExpressionError::Empty);
        }
        Ok(Self::Value { source: source.to_owned(), field, for_url })
    }
}

/// As it was written.
impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Allow, Reading, Version};

    fn readings() -> Readings {
        let text = |text: &str| Content::Text(Hidden::from(text));
        let values =
            [("password", "p@ss/"), ("host", "db.example")].map(|(name, value)| (name.to_owned(), Hidden::from(value)));
        [("db", Content::Values(values.into())), ("key", text("k"))]
            .map(|(name, content)| {
                (
                    name.to_owned(),
                    Reading {
                        version: Version("1".into()),
                        content,
                        kept_in: None,
                        trouble: None,
                        allow: Allow::Unseen,
                    },
                )
            })
            .into()
    }

    #[test]
    fn an_expression_is_made_of_text_and_of_what_sources_say() {
        for (written, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{db.password}", "p@ss/"),
            ("postgres://u:{db.password|url}@{db.host}/x", "postgres://u:p%40ss%2F@db.example/x"),
            ("{{{key}}}", "{k}"),
            ("{key:text}", "k"),
        ] {
            let expression: Expression = written.parse().unwrap();
            assert_eq!(expression.value(&readings()).unwrap().reveal(), expected, "{written}");
            assert_eq!(expression.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_expression_and_what_is_not_there_is_told_without_any_value() {
        for written in ["{", "}", "{db", "{}", "{.a}", "{db.}", "{db.a|html}", "{db:ini:a}"] {
            assert!(written.parse::<Expression>().is_err(), "{written}");
        }
        for (written, told) in [
            ("{other}", "there is no source other"),
            ("{db.user}", "the source db has no user; it has host, password"),
            ("{db}", "the source db has no text of its own; it has host, password"),
        ] {
            let expression: Expression = written.parse().unwrap();
            assert_eq!(expression.value(&readings()).unwrap_err().to_string(), told);
        }
    }
}
