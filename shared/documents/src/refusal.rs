//! Why a value was not read or not replaced. Nothing of the document or the value is ever in it.

use std::fmt;

use crate::address::{Address, Step};

/// A place in a document, both counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl Place {
    /// That of a byte of the document.
    #[must_use]
    pub fn of(document: &str, byte: usize) -> Self {
        let mut byte = byte.min(document.len());
        while !document.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &document[..byte];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}", self.line, self.column)
    }
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The document is not of that format.
    #[error("does not parse as {format}: {what}")]
    NotParsed {
        /// The format's name.
        format: &'static str,
        /// What is wrong, without the document's text.
        what: String,
    },
    /// There is nothing at the path; how much of it is there.
    #[error("has nothing at {missing}")]
    Missing {
        /// The first part of the path that is not there.
        missing: String,
    },
    /// The path is there more than once.
    #[error("has {path} more than once")]
    Ambiguous {
        /// The path.
        path: String,
    },
    /// The value is not written there, it is made of something else.
    #[error("has no value of its own there, but {what}")]
    Computed {
        /// What is there: "a string interpolation", "an alias".
        what: &'static str,
    },
    /// There is something there that is no single value.
    #[error("has {what} there, not a single value")]
    NotScalar {
        /// What is there: "an object", "a list".
        what: &'static str,
    },
    /// The value cannot stand there.
    #[error("cannot take the new value there: {what}")]
    NotWritable {
        /// Why not: "the value there is a number, and the new one is none".
        what: String,
    },
    /// The edited document did not give the value back.
    #[error("did not give the new value back after the edit")]
    NotProven,
}

/// Why a value was not read or not replaced, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What stands in the way.
    pub why: Why,
    /// Where in the document of that step.
    pub place: Option<Place>,
    /// The whole address, and the step of it that was refused.
    address: Option<(String, String)>,
}

impl Refusal {
    /// Without a place.
    #[must_use]
    pub fn new(why: Why) -> Self {
        Self { why, place: None, address: None }
    }

    /// At a byte of the document.
    #[must_use]
    pub fn at(why: Why, document: &str, byte: usize) -> Self {
        Self { why, place: Some(Place::of(document, byte)), address: None }
    }

    pub(crate) fn within(mut self, address: &Address, step: &Step) -> Self {
        self.address.get_or_insert_with(|| (address.to_string(), step.to_string()));
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the document {}", self.why)?;
        if let Some(place) = self.place {
            write!(formatter, " ({place})")?;
        }
        match &self.address {
            Some((whole, step)) if whole == step => write!(formatter, "; looked for {whole}"),
            Some((whole, step)) => write!(formatter, "; looked for {step} of {whole}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
