//! Digests: the token of a write, which a repeat gives again, so that it is done once; and what is declared.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::declared::{Declared, Value};
use crate::document::{Readings, Version};

/// 64 hexadecimal digits, which Secrets Manager takes for the new version's id (Secrets Manager API Reference,
/// `PutSecretValue`, `ClientRequestToken`: 32 to 64 characters).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    /// Of what is written by whom over what.
    #[must_use]
    pub fn new(declaration: &str, sources: &Readings, base: &Version, text: &str) -> Self {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            // With its length, so that no two lists of parts are the same text.
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        part(declaration);
        for (name, reading) in sources {
            part(name);
            part(&reading.version.0);
        }
        part(&base.0);
        part(text);
        Self(digits(hash))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A digest of what is declared to stand where.
#[must_use]
pub fn values_of(declared: &Declared) -> String {
    let mut hash = Sha256::new();
    for Value { address, expression } in &declared.values {
        for text in [address.to_string(), expression.to_string()] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
    }
    digits(hash)
}

fn digits(hash: Sha256) -> String {
    let mut digits = String::with_capacity(64);
    for byte in hash.finalize() {
        digits.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    digits
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
