//! One value inside a configuration document: read and replaced, every other byte as it was.
//!
//! An [`Address`] says where the value is: `pkl:agent.datastore.postgres.password`, or nested, `json:DATABASE_URL > url:password`.
//! Each format finds the bytes of the value ([`Slot`]), the new value is written in the form of the old one, and what came out is
//! read again to prove it: [`replace`] answers only with a document in which that value, and nothing else, is changed.

mod address;
mod format;
mod refusal;
mod slot;

pub use address::{Address, AddressError, Key, Path, Step, UrlPart};
pub use refusal::{Place, Refusal, Why};
pub use slot::Slot;

use std::ops::Range;

/// A document with a value replaced.
#[derive(Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole new document.
    pub text: String,
    /// The bytes of the old document that were replaced; all others are in the new one as they were.
    pub range: Range<usize>,
}

/// The value at an address.
pub fn read(document: &str, address: &Address) -> Result<String, Refusal> {
    let mut text = document.to_owned();
    for step in address.steps() {
        text = format::find(step, &text).map_err(|refusal| refusal.within(address, step))?.value;
    }
    Ok(text)
}

/// The document with another value at an address. One that has it already comes back as it is.
pub fn replace(document: &str, address: &Address, value: &str) -> Result<Edited, Refusal> {
    let edited = replace_steps(document, address, address.steps(), value)?;
    // The proof: whatever the formats' rules say, the new document says what was wanted.
    if read(&edited.text, address)? != value {
        return Err(Refusal::new(Why::NotProven).within(address, &address.steps()[0]));
    }
    Ok(edited)
}

fn replace_steps(document: &str, address: &Address, steps: &[Step], value: &str) -> Result<Edited, Refusal> {
    let Some((step, inner)) = steps.split_first() else {
        return Ok(Edited { text: value.to_owned(), range: 0..document.len() });
    };
    let slot = format::find(step, document).map_err(|refusal| refusal.within(address, step))?;
    let wanted = replace_steps(&slot.value, address, inner, value)?.text;
    if wanted == slot.value {
        return Ok(Edited { text: document.to_owned(), range: slot.range.start..slot.range.start });
    }
    let written = format::write(step, document, &slot, &wanted).map_err(|refusal| refusal.within(address, step))?;
    let mut text = String::with_capacity(document.len() + written.len());
    text.push_str(&document[..slot.range.start]);
    text.push_str(&written);
    text.push_str(&document[slot.range.end..]);
    Ok(Edited { text, range: slot.range })
}
