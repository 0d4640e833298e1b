//! Secrets that stand behind their names: `password=…`, `"token": "…"`, `Authorization: Bearer …`, `--secret …`.

use std::ops::Range;

use crate::key::{Kind, kind};
use crate::value::{a_pair_follows, bare, is_no_secret, list, quoted, rest};
use crate::word::{is_random, run};

/// Names are not longer; of a longer one the end is looked at.
const NAME: usize = 64;

/// What a token has at least: `token: x` is a message of a parser.
const TOKEN: usize = 4;

/// What a list of tokens has at least.
const TOKENS: usize = 8;

/// Schemes that are followed by one word.
const SCHEMES: [&str; 5] = ["bearer", "basic", "token", "apikey", "negotiate"];

/// The values of all names that stand before secrets.
pub(crate) fn find(text: &str, secrets: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let length = run(bytes, at, |c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.'));
        if length == 0 {
            at += 1;
            continue;
        }
        let end = at + length;
        let name = Name { text: bytes, start: at, end };
        let secret = match &text[end.saturating_sub(NAME).max(at)..end] {
            "-u" | "--user" => name.password_of_user(),
            other => name.kind(other).and_then(|kind| name.secret(kind)),
        };
        at = match secret {
            Some(secret) => {
                let end = secret.end.max(end);
                secrets.push(secret);
                end
            }
            None => end,
        };
    }
}

/// A name in a text.
struct Name<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
}

impl Name<'_> {
    fn kind(&self, name: &str) -> Option<Kind> {
        let before = &self.text[self.start.saturating_sub(16)..self.start];
        let follows = |word: &str| {
            let word = word.as_bytes();
            before.len() >= word.len() && before[before.len() - word.len()..].eq_ignore_ascii_case(word)
        };
        // `secret access key`, `API key`
        if name.eq_ignore_ascii_case("key") {
            let words = ["access ", "secret ", "api ", "private ", "signing ", "encryption "];
            return words.into_iter().any(follows).then_some(Kind::Token);
        }
        // CREATE USER … IDENTIFIED BY '…'
        if name.eq_ignore_ascii_case("by") {
            return follows("identified ").then_some(Kind::Password);
        }
        kind(name)
    }

    fn before(&self) -> Option<u8> {
        self.start.checked_sub(1).map(|at| self.text[at])
    }

    /// Whether nothing but indentation (or a dash, as in a list) is before it in its line.
    fn begins_line(&self) -> bool {
        let before = &self.text[self.start.saturating_sub(NAME)..self.start];
        let line = before.rsplit(|c| *c == b'\n').next().unwrap_or_default();
        let all = line.len() < before.len() || before.len() == self.start;
        all && line.iter().all(|c| matches!(c, b' ' | b'-' | b'\t'))
    }

    fn secret(&self, kind: Kind) -> Option<Range<usize>> {
        let text = self.text;
        // `"password": …`, `\"password\": …`, `config["password"] = …`
        let mut at = self.end + run(text, self.end, |c| matches!(c, b'"' | b'\'' | b'`' | b'\\' | b']')).min(8);
        let is_closed = at > self.end;
        at += run(text, at, |c| c == b' ').min(8);
        match text.get(at) {
            Some(b'=') => {
                at += 1 + run(text, at + 1, |c| matches!(c, b'=' | b'>')).min(2);
                self.value(kind, self.skip_spaces(at), true)
            }
            Some(b':') => {
                let is_path = text.get(at + 1) == Some(&b':') || text[at + 1..].starts_with(b"//");
                // Parts of an ARN, and names in a path, are followed by what happened to them.
                if is_path || (!is_closed && matches!(self.before(), Some(b':' | b'/'))) {
                    return None;
                }
                at += 1 + run(text, at + 1, |c| c == b'=').min(1);
                let spaced = self.skip_spaces(at);
                self.value(kind, spaced, is_closed || self.begins_line() || spaced == at)
            }
            // <password>…</password>
            Some(b'>') if at == self.end && self.before() == Some(b'<') => {
                let from = at + 1;
                secret(text, from..from + run(text, from, |c| c != b'<' && c != b'\n'), kind)
            }
            // "--password", "…"
            Some(b',') if is_closed && text[self.start] == b'-' => {
                secret(text, quoted(text, self.skip_spaces(at + 1))?, kind)
            }
            _ if is_closed || at == self.end => None,
            // --password …
            Some(c) if text[self.start] == b'-' && *c != b'-' => {
                secret(text, quoted(text, at).unwrap_or_else(|| bare(text, at)), kind)
            }
            // PASSWORD '…'
            Some(b'\'' | b'"') if kind == Kind::Password => secret(text, quoted(text, at)?, kind),
            _ => None,
        }
    }

    /// `-u user:password`; numbers are a user's and a group's ids.
    fn password_of_user(&self) -> Option<Range<usize>> {
        let from = self.end + run(self.text, self.end, |c| matches!(c, b' ' | b'=' | b'"' | b'\'')).min(3);
        let value = bare(self.text, from);
        let colon = self.text[value.clone()].iter().position(|c| *c == b':')?;
        let password = from + colon + 1..value.end;
        let ids = self.text[value].iter().all(|c| c.is_ascii_digit() || *c == b':');
        if ids || from == self.end || password.is_empty() { None } else { Some(password) }
    }

    fn skip_spaces(&self, at: usize) -> usize {
        at + run(self.text, at, |c| matches!(c, b' ' | b'\t')).min(NAME)
    }

    /// The value at `at`. Where the name is not `clearly` one of a pair, it can be a word of a sentence.
    fn value(&self, kind: Kind, at: usize, clearly: bool) -> Option<Range<usize>> {
        let text = self.text;
        if text[at..].starts_with(b"{")
            && (text.get(at + 1).is_none_or(|c| !c.is_ascii_alphanumeric()) || a_pair_follows(text, at + 1))
        {
            // The pairs in it speak for themselves.
            return None;
        }
        if kind == Kind::Tokens {
            let tokens = list(text, at).filter(|all| all.len() >= TOKENS && is_made_up(&text[all.clone()]));
            return tokens.and_then(|all| secret(text, all, kind));
        }
        match (kind, list(text, at).or_else(|| quoted(text, at))) {
            (Kind::Authorization, Some(value)) => secret(text, after_scheme(text, value), kind),
            (_, Some(value)) => secret(text, value, kind),
            (Kind::Authorization, None) => self.credentials(at),
            (Kind::Cookies, None) => {
                let line = self.rest(at);
                if text[line.clone()].contains(&b'=') { secret(text, line, kind) } else { None }
            }
            (Kind::Password, None) if clearly && self.begins_line() && text[..at].ends_with(b": ") => {
                let first = bare(text, at);
                if is_no_secret(&text[first]) { None } else { secret(text, rest(text, at), kind) }
            }
            (Kind::Token, None) if !clearly => {
                let value = bare(text, at);
                let word = &text[value.clone()];
                let made_up = word.iter().any(u8::is_ascii_digit) || word.len() >= 40;
                if made_up { secret(text, value, kind) } else { None }
            }
            (_, None) => secret(text, bare(text, at), kind),
        }
    }

    /// What follows `Authorization:`, without quotes of its own.
    fn credentials(&self, at: usize) -> Option<Range<usize>> {
        let text = self.text;
        // Some print a header's values as a list.
        let at = at + run(text, at, |c| c == b'[' && !text[at..].starts_with(b"[redacted]")).min(1);
        let from = after_scheme(text, bare(text, at).start..rest(text, at).end).start;
        if from > at {
            return secret(text, bare(text, from), Kind::Token);
        }
        let word = bare(text, at);
        let is_header = self.begins_line() || matches!(self.before(), Some(b'"' | b'\''));
        if is_header || is_random(&text[word]) { secret(text, self.rest(at), Kind::Token) } else { None }
    }

    /// The rest of the line, or of the quotes that the name began in.
    fn rest(&self, at: usize) -> Range<usize> {
        let line = rest(self.text, at);
        match self.before() {
            Some(quote @ (b'"' | b'\'')) => at..at + run(&self.text[..line.end], at, |c| c != quote),
            _ => line,
        }
    }
}

/// The value without its scheme, which is no secret and says much.
fn after_scheme(text: &[u8], value: Range<usize>) -> Range<usize> {
    let scheme = run(&text[..value.end], value.start, |c| c.is_ascii_alphabetic());
    let word = &text[value.start..value.start + scheme];
    let spaces = run(&text[..value.end], value.start + scheme, |c| c == b' ');
    let is_one = spaces > 0 && SCHEMES.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    if is_one { value.start + scheme + spaces..value.end } else { value }
}

/// Has letters and digits, as words have not, nor lists of numbers.
fn is_made_up(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic)
}

/// The value, if there is a secret in it.
fn secret(text: &[u8], value: Range<usize>, kind: Kind) -> Option<Range<usize>> {
    let found = &text[value.clone()];
    let too_short = kind != Kind::Password && found.len() < TOKEN;
    (!too_short && !is_no_secret(found)).then_some(value)
}
