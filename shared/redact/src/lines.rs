//! Lines of a log, one after the other.

use std::borrow::Cow;

use crate::pem;
use crate::plain::{cut, plain};
use crate::redact::redact;

/// Redacts the lines of one stream; it remembers whether a private key has begun.
#[derive(Debug, Default)]
pub struct Redactor {
    in_key: bool,
}

impl Redactor {
    /// The line without secrets; none if there was nothing else in it. Strip control sequences first.
    pub fn line<'a>(&mut self, line: &'a str) -> Option<Cow<'a, str>> {
        if self.in_key {
            if let Some(end) = pem::closes(line) {
                self.in_key = false;
                let rest = &line[end..];
                return if rest.trim().is_empty() { None } else { self.line(rest) };
            }
            // Lines of others can stand between those of a key.
            if pem::is_base64(line) {
                return None;
            }
            if let Some((before, last)) = line.rsplit_once(' ')
                && last.len() >= 32
                && pem::is_base64(last)
            {
                return Some(redact(before).into_owned().into());
            }
        } else if pem::is_full_line(line) {
            return None;
        }
        self.in_key |= pem::opens(line);
        Some(redact(line))
    }
}

/// Lines without control sequences and secrets. Of a private key whose beginning is not among the lines, the lines before its
/// end are left out, too.
pub fn redacted_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut redactor = Redactor::default();
    let mut kept: Vec<String> = Vec::new();
    for line in lines {
        let line = plain(line);
        if !redactor.in_key && pem::closes(&line).is_some() && !line.contains("-----BEGIN ") {
            while kept.pop_if(|line| pem::is_base64(line)).is_some() {}
            redactor.in_key = true;
        }
        kept.extend(redactor.line(&line).map(Cow::into_owned));
    }
    kept
}

/// One text, without control sequences and secrets, of at most `bytes` bytes and a note of what was cut.
pub fn readable(text: &str, bytes: usize) -> String {
    cut(&redact(&plain(text)), bytes)
}
