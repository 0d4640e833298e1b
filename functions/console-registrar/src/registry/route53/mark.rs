//! Whose a record is, and which agent's.

use std::fmt;

use uuid::Uuid;

use crate::registry::AgentId;

/// What marks our own begin with.
const OURS: &str = "watchkeeper";

/// An owner, as a digest: a `SetIdentifier` holds 128 characters, a TXT record in a public zone is for all to read, and an
/// owner's mark names an account and a stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner(String);

impl Owner {
    pub(super) fn of(mark: &str) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, mark.as_bytes()).simple().to_string())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `watchkeeper/OWNER/ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) owner: Owner,
    pub(super) id: AgentId,
}

impl Mark {
    pub(super) fn new(owner: &str, id: &AgentId) -> Self {
        Self { owner: Owner::of(owner), id: id.clone() }
    }

    /// The mark in a text; `None` if the text is of somebody else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let (ours, owner, id) = (parts.next()?, parts.next()?, parts.next()?);
        let is_digest = owner.len() == 32 && owner.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'));
        (ours == OURS && is_digest && !id.is_empty())
            .then(|| Self { owner: Owner(owner.to_owned()), id: AgentId(id.to_owned()) })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{OURS}/{}/{}", self.owner, self.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_mark_is_read_as_written_and_fits(owner in ".{0,300}", id in "[0-9a-zA-Z_/:.@-]{1,64}") {
            let mark = Mark::new(&owner, &AgentId(id));
            let text = mark.to_string();
            prop_assert!(text.len() <= 128, "{text}");
            prop_assert_eq!(Mark::read(&text), Some(mark));
        }
    }

    #[test]
    fn others_texts_are_no_marks() {
        for text in ["", "blue", "watchkeeper", "watchkeeper/x/Agent", "watchkeeper//Agent", "heritage=external-dns"] {
            assert_eq!(Mark::read(text), None, "{text}");
        }
    }
}
