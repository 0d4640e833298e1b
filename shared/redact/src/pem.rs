//! Private keys in PEM.

use std::ops::Range;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// `RSA PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`, `OPENSSH PRIVATE KEY`, `PGP PRIVATE KEY BLOCK`: not longer.
const LABEL: usize = 64;

/// What a line of a key has at least, except its last one.
const LINE: usize = 32;

/// Blocks, from their first dash to their last; one without an end is all that follows, and of one without a beginning what
/// looks like it before its end.
pub(crate) fn find(text: &str, secrets: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some((start, after)) = marker(text, from, BEGIN) {
        without_beginning(&text[..start], from, secrets);
        let end = marker(text, after, END).map_or(text.len(), |(_, end)| end);
        secrets.push(start..end);
        from = end;
    }
    without_beginning(text, from, secrets);
}

/// The last lines of keys, which can be in one line with breaks between them that are written out.
fn without_beginning(text: &str, mut from: usize, secrets: &mut Vec<Range<usize>>) {
    while let Some((start, end)) = marker(text, from, END) {
        let (mut begin, mut at) = (start, start);
        for word in text[from..start].rsplit(|c: char| c.is_ascii_whitespace()) {
            let key = word.bytes().rev().take_while(|c| is_of_base64(*c) || *c == b'\\').count();
            // Only the last line is shorter than the others.
            let is_part = key >= LINE || begin == start;
            if is_part {
                begin = at - key;
            }
            if key < word.len() || !is_part {
                break;
            }
            at = at.saturating_sub(word.len() + 1);
        }
        secrets.push(begin..end);
        from = end;
    }
}

/// Whether a private key begins in this line and does not end in it.
pub(crate) fn opens(line: &str) -> bool {
    let mut from = 0;
    while let Some((_, after)) = marker(line, from, BEGIN) {
        match marker(line, after, END) {
            Some((_, end)) => from = end,
            None => return true,
        }
    }
    false
}

/// Where the end of a private key that began before this line ends in it.
pub(crate) fn closes(line: &str) -> Option<usize> {
    marker(line, 0, END).map(|(_, end)| end)
}

/// The next marker of a private key: where it starts and where it ends.
fn marker(text: &str, mut from: usize, kind: &str) -> Option<(usize, usize)> {
    loop {
        let start = from + text[from..].find(kind)?;
        let label = start + kind.len();
        let limit = text.floor_char_boundary((label + LABEL).min(text.len()));
        if let Some(length) = text[label..limit].find(DASHES)
            && text[label..label + length].contains("PRIVATE KEY")
        {
            return Some((start, label + length + DASHES.len()));
        }
        from = label;
    }
}

/// A line that holds nothing but a piece of base64.
pub(crate) fn is_base64(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && line.bytes().all(is_of_base64)
}

fn is_of_base64(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'=')
}

/// A full line of a PEM block, as it is seen where its beginning is not: 64 characters of all kinds. A digest in
/// hexadecimal has no capitals among its small letters.
pub(crate) fn is_full_line(line: &str) -> bool {
    let line = line.trim();
    matches!(line.len(), 64 | 70 | 76)
        && is_base64(line)
        && line.bytes().any(|c| c.is_ascii_uppercase())
        && line.bytes().any(|c| c.is_ascii_lowercase())
        && line.bytes().any(|c| c.is_ascii_digit())
}
