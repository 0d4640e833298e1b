//! Where a value begins and ends, in the many ways in which values are written.

use std::ops::Range;

use crate::redact::REDACTED;
use crate::word::run;

/// What is written in place of a value, or says that there is none.
const NO_SECRET: [&str; 24] = [
    "null",
    "none",
    "nil",
    "true",
    "false",
    "undefined",
    "missing",
    "invalid",
    "expired",
    "required",
    "empty",
    "unset",
    "not",
    "is",
    "was",
    "incorrect",
    "rejected",
    "must",
    "authentication",
    "wrong",
    "redacted",
    "filtered",
    "masked",
    "hidden",
];

/// How far it is looked for the name of the next pair.
const NEXT_NAME: usize = 64;

/// A value in quotes: what is between them, and where the closing ones begin.
pub(crate) fn quoted(text: &[u8], at: usize) -> Option<Range<usize>> {
    // `Some("…")`, `b'…'`, `["…"]`
    let letters = run(text, at, |c| c.is_ascii_alphabetic());
    let brackets = run(text, at + letters, |c| matches!(c, b'(' | b'['));
    if letters > 8 || brackets > 2 || (letters > 2 && brackets == 0) {
        return None;
    }
    let open = at + letters + brackets;
    let level = run(text, open, |c| c == b'\\');
    let quote = *text.get(open + level).filter(|c| is_quote(**c))?;
    let within = open + level + 1;
    let from = if letters > 0 && brackets == 0 { at } else { within };
    let mut escapes = 0;
    let mut end = within;
    while let Some(&c) = text.get(end) {
        if c == b'\n' {
            break;
        }
        if c == quote && escapes % (2 * (level + 1)) <= level {
            // Doubled, as SQL and YAML write an apostrophe within apostrophes.
            if quote == b'\'' && level == 0 && end > within && text.get(end + 1) == Some(&quote) {
                end += 2;
                continue;
            }
            return Some(from..end - escapes.min(level));
        }
        escapes = if c == b'\\' { escapes + 1 } else { 0 };
        end += 1;
    }
    Some(from..end)
}

/// What a list of texts holds, from the first one to the last: `["…", "…"]`, `[… …]`.
pub(crate) fn list(text: &[u8], at: usize) -> Option<Range<usize>> {
    if text.get(at) != Some(&b'[') || text[at..].starts_with(REDACTED.as_bytes()) {
        return None;
    }
    let skip = |at: usize| at + run(text, at, |c| c.is_ascii_whitespace());
    let first = skip(at + 1);
    let is_quoted = text.get(first).is_some_and(|c| is_quote(*c) || *c == b'\\');
    if !is_quoted {
        if text[first..].starts_with(REDACTED.as_bytes()) {
            return Some(first..first + REDACTED.len());
        }
        let end = first + run(text, first, |c| !is_quote(c) && !matches!(c, b']' | b'[' | b'{' | b'\n' | b'\\'));
        return (end > first && text.get(end) == Some(&b']')).then_some(first..end);
    }
    let mut all = quoted(text, first)?;
    loop {
        let closed = all.end + run(text, all.end, |c| c == b'\\') + 1;
        let comma = skip(closed);
        if text.get(comma) != Some(&b',') {
            return Some(all);
        }
        match quoted(text, skip(comma + 1)) {
            Some(next) => all.end = next.end,
            None => return Some(all),
        }
    }
}

fn is_quote(c: u8) -> bool {
    matches!(c, b'"' | b'\'' | b'`')
}

/// A value without quotes: to white space, or to punctuation that belongs to what is around it.
pub(crate) fn bare(text: &[u8], from: usize) -> Range<usize> {
    let mut end = from;
    while let Some(&c) = text.get(end) {
        if text[end..].starts_with(REDACTED.as_bytes()) {
            end += REDACTED.len();
            continue;
        }
        if c.is_ascii_whitespace() || c.is_ascii_control() || c == b'<' || closes(text, end) {
            break;
        }
        end += 1;
    }
    from..end
}

/// Whether the punctuation at `at` ends a value: a password can hold any of it, but then something of it follows.
fn closes(text: &[u8], at: usize) -> bool {
    let next = text.get(at + 1).copied();
    match text[at] {
        b'\\' => next.is_none_or(|c| is_quote(c) || matches!(c, b'\\' | b'n' | b'r' | b't')),
        c if is_punctuation(c) => {
            next.is_none_or(|c| c.is_ascii_whitespace() || is_punctuation(c))
                || (matches!(c, b',' | b';' | b'&' | b'|') && a_pair_follows(text, at + 1))
        }
        _ => false,
    }
}

fn is_punctuation(c: u8) -> bool {
    matches!(c, b',' | b';' | b'&' | b'|' | b')' | b'}' | b']' | b'>' | b'\\') || is_quote(c)
}

/// Whether a name and its separator are at `at`.
pub(crate) fn a_pair_follows(text: &[u8], at: usize) -> bool {
    let name = run(&text[..text.len().min(at + NEXT_NAME)], at, |c| c.is_ascii_alphanumeric() || b"_-.".contains(&c));
    name > 0 && text.get(at + name).is_some_and(|c| matches!(c, b'=' | b':'))
}

/// The rest of the line.
pub(crate) fn rest(text: &[u8], from: usize) -> Range<usize> {
    from..from + run(text, from, |c| c != b'\n')
}

/// Whether this says that there is no secret, or only where it is.
pub(crate) fn is_no_secret(value: &[u8]) -> bool {
    let word = value.trim_ascii();
    let word = word.strip_suffix(b",").or(word.strip_suffix(b".")).unwrap_or(word);
    NO_SECRET.iter().any(|text| word.eq_ignore_ascii_case(text.as_bytes()))
        || word.is_empty()
        || word.iter().all(|c| *c == b'*')
        || (word.starts_with(b"arn:aws") && word.split(|c| *c == b':').count() > 5)
}
