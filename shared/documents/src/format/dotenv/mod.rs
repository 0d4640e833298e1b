//! Environment files: `NAME=value`, one a line.
//!
//! There is no standard, and programs read them differently. The references are python-dotenv, Node's dotenv and `sh`
//! (`set -a; . file`):
//! - what is read is what python-dotenv and Node's dotenv both read; where they differ (an escape in quotes, a `#` within an
//!   unquoted value), and where `sh` would expand something, the value is refused;
//! - what is written all three read as the same value (`sh` in a file that is one for it: no CRLF, no space around `=`, names
//!   that it knows). Single quotes carry the most, double quotes those values that have a single quote in them. A carriage
//!   return, a NUL, `${…}` (python-dotenv fills it in, in any quotes) and both kinds of quotes at once no form carries in all three.
//!
//! `docker --env-file` and systemd are no references: the first takes quotes for part of the value.

mod lines;
mod value;

use lines::{Entry, entries};

use crate::refusal::{Refusal, Why};
use crate::slot::Slot;

/// The value of a name.
pub(super) fn find(name: &str, document: &str) -> Result<Slot, Refusal> {
    let entries = entries(document)?;
    let entry = the_one(name, document, &entries)?;
    let value = value::read(entry.raw(document), entry.form)
        .map_err(|what| Refusal::at(Why::Computed { what }, document, entry.value.start))?;
    Ok(Slot { value, range: entry.value.clone() })
}

/// The value in quotes that carry it; without any where the old one has none and the new one needs none.
pub(super) fn write(name: &str, document: &str, slot: &Slot, value: &str) -> Result<String, Refusal> {
    let before = entries(document)?;
    let form = the_one(name, document, &before)?.form;
    let written = value::write(value, form)
        .map_err(|what| Refusal::at(Why::NotWritable { what: what.to_owned() }, document, slot.range.start))?;
    let edited = [&document[..slot.range.start], &written, &document[slot.range.end..]].concat();
    let after = entries(&edited)?;
    let alike = before.len() == after.len()
        && before.iter().zip(&after).all(|(old, new)| {
            old.name == new.name && (old.name == name || old.raw(document) == new.raw(&edited) && old.form == new.form)
        });
    if alike { Ok(written) } else { Err(Refusal::new(Why::NotProven)) }
}

fn the_one<'e>(name: &str, document: &str, entries: &'e [Entry]) -> Result<&'e Entry, Refusal> {
    let mut of_that_name = entries.iter().filter(|entry| entry.name == name);
    let entry = of_that_name.next().ok_or_else(|| Refusal::new(Why::Missing { missing: name.to_owned() }))?;
    match of_that_name.next() {
        None => Ok(entry),
        Some(second) => Err(Refusal::at(Why::Ambiguous { path: name.to_owned() }, document, second.value.start)),
    }
}
