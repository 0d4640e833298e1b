//! The whole text.

use crate::slot::Slot;

pub(super) fn find(document: &str) -> Slot {
    Slot { value: document.to_owned(), range: 0..document.len() }
}
