//! The entries of a properties file, and the bytes of their values.

use std::ops::Range;

use super::escapes;
use crate::refusal::{Refusal, Why};

/// A key and its value; `None` for either that is no text (half a surrogate pair).
pub(super) struct Entry {
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
    /// The bytes of the value; it may go over several lines.
    pub(super) range: Range<usize>,
    /// Whether something stands between the key and the value's place.
    pub(super) separated: bool,
}

/// All entries of the file.
pub(super) fn entries(document: &str) -> Result<Vec<Entry>, Refusal> {
    let (mut entries, mut at) = (Vec::new(), 0);
    while at < document.len() {
        let line = Logical::at(document, at);
        at = line.next;
        if line.starts_odd {
            let what = "a line has nothing but a backslash before a comment or the end, which readers take differently"
                .to_owned();
            return Err(Refusal::at(Why::NotParsed { format: "properties", what }, document, line.end));
        }
        if !line.characters.is_empty() {
            entries.push(line.entry(document)?);
        }
    }
    Ok(entries)
}

/// A line with those that continue it; a comment has no characters.
struct Logical {
    characters: Vec<(usize, char)>,
    /// Where its characters end: before the line end, and before a backslash that ends the document.
    end: usize,
    /// Where they end with that backslash.
    whole: usize,
    next: usize,
    continued: bool,
    /// Whether nothing came before a continuation, and a comment or nothing at all after it.
    starts_odd: bool,
}

fn blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

impl Logical {
    fn at(document: &str, begin: usize) -> Self {
        let mut line =
            Self { characters: Vec::new(), end: begin, whole: begin, next: begin, continued: false, starts_odd: false };
        loop {
            let rest = &document[line.next..];
            let natural = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
            let begin = line.next + natural.len() - natural.trim_start_matches(blank).len();
            line.whole = line.next + natural.len();
            line.end = line.whole;
            let terminator = &document[line.whole..];
            line.next = line.whole + usize::from(terminator.starts_with("\r\n")) + usize::from(!terminator.is_empty());
            let text = &document[begin..line.whole];
            if !line.continued && text.starts_with(['#', '!']) {
                return line;
            }
            line.starts_odd =
                line.continued && line.characters.is_empty() && (text.is_empty() || text.starts_with(['#', '!']));
            line.characters.extend(text.char_indices().map(|(offset, character)| (begin + offset, character)));
            if line.starts_odd {
                return line;
            }
            let backslashes = text.len() - text.trim_end_matches('\\').len();
            if backslashes.is_multiple_of(2) {
                return line;
            }
            line.characters.pop();
            line.end -= 1;
            line.continued = true;
            if line.next == document.len() {
                line.starts_odd |= line.characters.is_empty();
                return line;
            }
        }
    }

    fn entry(&self, document: &str) -> Result<Entry, Refusal> {
        let mut escaped = false;
        let key_end = self.characters.iter().position(|&(_, character)| {
            let ends = !escaped && (blank(character) || matches!(character, '=' | ':'));
            escaped = character == '\\' && !escaped;
            ends
        });
        let key_end = key_end.unwrap_or(self.characters.len());
        let (key, rest) = self.characters.split_at(key_end);
        let mut sign = false;
        let separator = rest.iter().position(|&(_, character)| {
            let of_it = blank(character) || matches!(character, '=' | ':') && !std::mem::replace(&mut sign, true);
            !of_it
        });
        let value = &rest[separator.unwrap_or(rest.len())..];
        let units = |part: &[(usize, char)]| {
            escapes::read(part.iter().map(|&(_, character)| character)).ok_or_else(|| {
                let what = "a \\u is not followed by four hexadecimal digits".to_owned();
                let at = part.first().map_or(self.end, |&(at, _)| at);
                Refusal::at(Why::NotParsed { format: "properties", what }, document, at)
            })
        };
        Ok(Entry {
            key: String::from_utf16(&units(key)?).ok(),
            value: String::from_utf16(&units(value)?).ok(),
            range: value.first().map_or(self.end, |&(at, _)| at)..self.whole,
            separated: !rest.is_empty(),
        })
    }
}
