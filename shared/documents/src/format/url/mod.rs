//! Connection URLs: the user, password, host, port and database of any RFC 3986 URL with an authority, and of JDBC's.
//!
//! A part is in the authority or the path; of `postgres:`, `postgresql:` and `jdbc:` URLs also in the query (`?user=…&password=…`,
//! for the first two `host`, `port` and `dbname` too). In both it is ambiguous. libpq is the reference for the first two, and its list of
//! hosts is refused. What is not there cannot be inserted. Everything but unreserved characters is percent-encoded.

mod layout;
mod part;

use std::ops::Range;

use layout::Layout;

use crate::address::UrlPart;
use crate::refusal::{Refusal, Why};
use crate::slot::Slot;

const PARTS: [UrlPart; 5] = [UrlPart::User, UrlPart::Password, UrlPart::Host, UrlPart::Port, UrlPart::Database];

/// A part, decoded.
pub(super) fn find(part: UrlPart, document: &str) -> Result<Slot, Refusal> {
    let range = place(&Layout::of(document)?, part, document)?;
    let value = part::read(part, document, range.clone()).map_err(|why| Refusal::at(why, document, range.start))?;
    Ok(Slot { value, range })
}

/// A part, percent-encoded.
pub(super) fn write(part: UrlPart, document: &str, slot: &Slot, value: &str) -> Result<String, Refusal> {
    let before = Layout::of(document)?;
    let unwritable = |what: &str| Refusal::at(Why::NotWritable { what: what.to_owned() }, document, slot.range.start);
    let written = part::write(part, &before, &slot.range, value).map_err(unwritable)?;
    let edited = [&document[..slot.range.start], &written, &document[slot.range.end..]].concat();
    let after = Layout::of(&edited)?;
    // The other parts as they are written, wherever they stand.
    let written_as = |layout: &Layout, text: &str, of: UrlPart| {
        place(layout, of, text).map(|range| text[range].to_owned()).map_err(|refusal| refusal.why)
    };
    let alike = PARTS
        .iter()
        .filter(|other| **other != part)
        .all(|&other| written_as(&before, document, other) == written_as(&after, &edited, other));
    if alike { Ok(written) } else { Err(Refusal::new(Why::NotProven)) }
}

/// Where the part is written.
fn place(layout: &Layout, part: UrlPart, document: &str) -> Result<Range<usize>, Refusal> {
    let of_its_own = match part {
        UrlPart::User => &layout.user,
        UrlPart::Password => &layout.password,
        UrlPart::Host => &layout.host,
        UrlPart::Port => &layout.port,
        UrlPart::Database => &layout.database,
    };
    let mut places = of_its_own.iter().cloned().chain(layout.parameters(part, document));
    let first = places.next().ok_or_else(|| Refusal::new(Why::Missing { missing: format!("the {part}") }))?;
    match places.next() {
        None => Ok(first),
        Some(second) => Err(Refusal::at(Why::Ambiguous { path: format!("the {part}") }, document, second.start)),
    }
}
