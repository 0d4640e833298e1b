//! Tokens that their makers marked, so that they are known wherever they stand.

use std::ops::Range;

use crate::word::{begins, is_random, run};

/// How a kind of token begins, what it is made of, and how long that is at least.
struct Mark {
    prefix: &'static str,
    of: fn(u8) -> bool,
    at_least: usize,
}

const fn mark(prefix: &'static str, of: fn(u8) -> bool, at_least: usize) -> Mark {
    Mark { prefix, of, at_least }
}

fn hex(c: u8) -> bool {
    c.is_ascii_hexdigit()
}

fn letters(c: u8) -> bool {
    c.is_ascii_alphanumeric()
}

fn name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_'
}

fn base64url(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-')
}

fn dotted(c: u8) -> bool {
    base64url(c) || c == b'.'
}

fn path(c: u8) -> bool {
    base64url(c) || c == b'/'
}

const MARKS: [Mark; 34] = [
    mark("dbw_", hex, 32),
    mark("ghp_", letters, 16),
    mark("gho_", letters, 16),
    mark("ghu_", letters, 16),
    mark("ghs_", letters, 16),
    mark("ghr_", letters, 16),
    mark("github_pat_", name, 16),
    mark("glpat-", base64url, 16),
    mark("xoxa-", base64url, 10),
    mark("xoxb-", base64url, 10),
    mark("xoxe-", base64url, 10),
    mark("xoxp-", base64url, 10),
    mark("xoxr-", base64url, 10),
    mark("xoxs-", base64url, 10),
    mark("xapp-", base64url, 10),
    mark("hooks.slack.com/services/", path, 16),
    mark("sk-", base64url, 16),
    mark("sk_live_", letters, 10),
    mark("sk_test_", letters, 10),
    mark("rk_live_", letters, 10),
    mark("rk_test_", letters, 10),
    mark("pk_live_", letters, 10),
    mark("whsec_", letters, 16),
    mark("npm_", letters, 30),
    mark("pypi-", base64url, 32),
    mark("AIza", base64url, 30),
    mark("ya29.", dotted, 16),
    mark("SG.", dotted, 32),
    mark("hvs.", base64url, 16),
    mark("shpat_", hex, 32),
    mark("dop_v1_", hex, 32),
    mark("dckr_pat_", base64url, 16),
    mark("lin_api_", letters, 16),
    mark("ATATT3", dotted, 32),
];

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
            // `sk-` is short enough to begin a word of somebody's own.
            let random = mark.prefix != "sk-" || is_random(&text[from..from + length]);
            if length >= mark.at_least && random {
                return Some(at..from + length);
            }
        }
    }
    access_key_id(text, at).or_else(|| web_token(text, at)).or_else(|| after_scheme(text, at))
}

/// `AKIA…` and `ASIA…`, 20 capitals and digits.
fn access_key_id(text: &[u8], at: usize) -> Option<Range<usize>> {
    let kind = text[at..].starts_with(b"AKIA") || text[at..].starts_with(b"ASIA");
    (kind && run(text, at, |c| c.is_ascii_uppercase() || c.is_ascii_digit()) == 20).then_some(at..at + 20)
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
