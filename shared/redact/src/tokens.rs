//! Tokens that their makers marked, so that they are known wherever they stand.

use std::ops::Range;

use crate::marks::{MARKS, base64url, dotted};
use crate::word::{begins, is_random, run};

/// Characters of an AWS access key's id, and of its secret.
const ID: usize = 20;
const SECRET_KEY: usize = 40;

/// Marked tokens, the ids of AWS access keys, JSON web tokens, and what follows `Bearer` and `Basic`.
pub(crate) fn find(text: &str, secrets: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let found = (bytes[at].is_ascii_alphabetic() && begins(bytes, at)).then(|| token(bytes, at)).flatten();
        match found {
            Some(secret) => {
                at = secret.end;
                secrets.push(secret);
            }
            None => at += 1,
        }
    }
}

fn token(text: &[u8], at: usize) -> Option<Range<usize>> {
    let here = &text[at..];
    for mark in &MARKS {
        if here.starts_with(mark.prefix.as_bytes()) {
            let from = at + mark.prefix.len();
            let length = run(text, from, mark.of);
            let random = !mark.is_short() || is_random(&text[from..from + length]);
            if length >= mark.at_least && random {
                return Some(if mark.is_address() { from..from + length } else { at..from + length });
            }
        }
    }
    access_key_id(text, at).or_else(|| web_token(text, at)).or_else(|| after_scheme(text, at))
}

/// `AKIA…` and `ASIA…`, 20 capitals and digits; with the secret key, if that comes next.
fn access_key_id(text: &[u8], at: usize) -> Option<Range<usize>> {
    let kind = text[at..].starts_with(b"AKIA") || text[at..].starts_with(b"ASIA");
    if !kind || run(text, at, |c| c.is_ascii_uppercase() || c.is_ascii_digit()) != ID {
        return None;
    }
    let end = at + ID;
    let between = run(text, end, |c| matches!(c, b' ' | b':' | b',' | b';' | b'|' | b'/' | b'"' | b'\'')).min(8);
    let near = &text[..text.len().min(end + between + SECRET_KEY + 1)];
    let key = run(near, end + between, |c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/'));
    let is_pair = between > 0 && key == SECRET_KEY && is_random(&text[end + between..end + between + key]);
    Some(at..if is_pair { end + between + key } else { end })
}

/// `eyJ….….…`: base64 of `{"`, and two or more parts that follow.
fn web_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    if !text[at..].starts_with(b"eyJ") {
        return None;
    }
    let header = run(text, at, base64url);
    let payload = at + header + 1;
    let second = run(text, payload, base64url);
    let is_one = header >= 10 && text.get(at + header) == Some(&b'.') && second >= 8;
    is_one.then(|| at..at + run(text, at, dotted))
}

/// `Bearer …`, `Basic …`: only what looks made up, since sentences have these words, too.
fn after_scheme(text: &[u8], at: usize) -> Option<Range<usize>> {
    let scheme = [b"bearer".as_slice(), b"basic"]
        .into_iter()
        .find(|scheme| text[at..].get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme)))?;
    let spaces = run(text, at + scheme.len(), |c| c == b' ').min(8);
    let from = at + scheme.len() + spaces;
    let length = run(text, from, |c| dotted(c) || matches!(c, b'~' | b'+' | b'/' | b'='));
    (spaces > 0 && length >= 8 && is_random(&text[from..from + length])).then_some(from..from + length)
}
