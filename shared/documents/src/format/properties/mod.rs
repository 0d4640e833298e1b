//! Java properties: `key=value`, `key: value`, `key value`, as `java.util.Properties` reads them.
//!
//! The document is text: what is not ASCII in it is read as it stands (a program that reads the file as ISO 8859-1 sees something
//! else), and written as `\uXXXX`, which is read alike in every encoding. Spring fills in `${…}` and evaluates `#{…}` when it reads,
//! and has no escape for them that plain Java reads too: neither an old nor a new value may have them.

mod escapes;
mod lines;

use lines::{Entry, entries};

use crate::refusal::{Refusal, Why};
use crate::slot::Slot;

/// The value of a key.
pub(super) fn find(key: &str, document: &str) -> Result<Slot, Refusal> {
    let entries = entries(document)?;
    let entry = the_one(key, document, &entries)?;
    let value = entry.value.clone().ok_or_else(|| {
        let what = "a value has half a surrogate pair".to_owned();
        Refusal::at(Why::NotParsed { format: "properties", what }, document, entry.range.start)
    })?;
    if placeholder(&value) {
        return Err(Refusal::at(Why::Computed { what: "a placeholder" }, document, entry.range.start));
    }
    Ok(Slot { value, range: entry.range.clone() })
}

/// The value in one line.
pub(super) fn write(key: &str, document: &str, slot: &Slot, value: &str) -> Result<String, Refusal> {
    if placeholder(value) {
        let what = "it has ${ or #{ in it, which Spring takes for a placeholder".to_owned();
        return Err(Refusal::at(Why::NotWritable { what }, document, slot.range.start));
    }
    let before = entries(document)?;
    let separator = if the_one(key, document, &before)?.separated { "" } else { "=" };
    let written = format!("{separator}{}", escapes::write(value));
    let edited = [&document[..slot.range.start], &written, &document[slot.range.end..]].concat();
    let after = entries(&edited)?;
    let alike = before.len() == after.len()
        && before.iter().zip(&after).all(|(old, new)| {
            old.key == new.key
                && (old.key.as_deref() == Some(key) || document[old.range.clone()] == edited[new.range.clone()])
        });
    if alike { Ok(written) } else { Err(Refusal::new(Why::NotProven)) }
}

fn placeholder(value: &str) -> bool {
    value.contains("${") || value.contains("#{")
}

fn the_one<'e>(key: &str, document: &str, entries: &'e [Entry]) -> Result<&'e Entry, Refusal> {
    let mut of_that_key = entries.iter().filter(|entry| entry.key.as_deref() == Some(key));
    let entry = of_that_key.next().ok_or_else(|| Refusal::new(Why::Missing { missing: key.to_owned() }))?;
    match of_that_key.next() {
        None => Ok(entry),
        Some(second) => Err(Refusal::at(Why::Ambiguous { path: key.to_owned() }, document, second.range.start)),
    }
}
