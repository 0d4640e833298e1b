//! YAML, as 1.1 and 1.2 both read it.
//!
//! A string stays a string for readers of either version: where a plain one might become something else, it goes in double quotes.
//! Numbers and booleans are read as they are written and are replaced only by the same kind; where the versions disagree on what a
//! plain value is, it is not replaced at all. A value with an anchor keeps it; one that an alias repeats
//! elsewhere is not replaced, because more than that value would be another.

mod aliases;
mod bytes;
mod plain;
mod tree;
mod written;

use super::tree::{Sort, spliced};
use crate::address::Path;
use crate::refusal::{Refusal, Why};
use crate::slot::Slot;

pub(super) fn find(path: &Path, document: &str) -> Result<Slot, Refusal> {
    tree::parse(document, Some(path))?.find(path, document)
}

pub(super) fn write(document: &str, slot: &Slot, value: &str) -> Result<String, Refusal> {
    let not_proven = || Refusal::at(Why::NotProven, document, slot.range.start);
    if aliases::repeat(document, &slot.range) {
        let what = "a value that an alias repeats elsewhere";
        return Err(Refusal::at(Why::Computed { what }, document, slot.range.start));
    }
    let old = tree::parse(document, None)?;
    let leaf = old.at(&slot.range).ok_or_else(not_proven)?;
    let forms = match leaf.sort {
        Sort::Text => written::forms(document, slot, value),
        sort if sort != Sort::Disputed && plain::sort(value) == sort => vec![value.to_owned()],
        sort => return Err(sort.refuses(document, slot)),
    };
    // The first form that gives the value back, and leaves all else as it was.
    let proven = |written: &String| {
        tree::parse(&spliced(document, slot, written), None).is_ok_and(|new| old.differs_only_in(&new, slot, value))
    };
    forms.into_iter().find(proven).ok_or_else(not_proven)
}
