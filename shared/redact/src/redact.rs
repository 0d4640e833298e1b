//! The whole of it: what each way of looking finds is replaced.

use std::borrow::Cow;
use std::ops::Range;

use crate::{commands, credentials, labelled, pem, schemeless, tokens};

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Looking again can find what only shows once something before it is gone; more than this is never needed.
const LOOKS: usize = 4;

/// The text without the secrets that are recognised in it. Strip control sequences first ([`crate::plain`]): a colour in the
/// middle of a word would hide it.
pub fn redact(text: &str) -> Cow<'_, str> {
    let Some(mut redacted) = look(text) else {
        return Cow::Borrowed(text);
    };
    for _ in 1..LOOKS {
        match look(&redacted) {
            Some(again) => redacted = again,
            None => break,
        }
    }
    Cow::Owned(redacted)
}

/// None where there is nothing to replace.
fn look(text: &str) -> Option<String> {
    let mut secrets = Vec::new();
    pem::find(text, &mut secrets);
    credentials::find(text, &mut secrets);
    schemeless::find(text, &mut secrets);
    commands::find(text, &mut secrets);
    tokens::find(text, &mut secrets);
    labelled::find(text, &mut secrets);
    secrets.sort_by_key(|secret: &Range<usize>| (secret.start, secret.end));

    let mut redacted = String::new();
    let mut copied = 0;
    let mut changed = false;
    let mut secrets = secrets.into_iter().peekable();
    while let Some(mut secret) = secrets.next() {
        while let Some(next) = secrets.next_if(|next| next.start <= secret.end) {
            secret.end = secret.end.max(next.end);
        }
        let secret = whole_characters(text, secret);
        changed |= &text[secret.clone()] != REDACTED;
        redacted.push_str(&text[copied..secret.start]);
        redacted.push_str(REDACTED);
        copied = secret.end;
    }
    redacted.push_str(&text[copied..]);
    changed.then_some(redacted)
}

/// All bounds lie at ASCII characters or at the text's ends; should one not, the secret is taken wider.
fn whole_characters(text: &str, secret: Range<usize>) -> Range<usize> {
    text.floor_char_boundary(secret.start)..text.ceil_char_boundary(secret.end)
}
