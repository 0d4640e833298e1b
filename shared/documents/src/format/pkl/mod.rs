//! Pkl: a property, a mapping's entry or a listing's element whose value is written there as a string, number or boolean.
//!
//! Members are addressed by name whatever their modifiers; where an object has both a `local` one and one that is part of
//! its output, the latter is meant. Classes, type aliases, functions and annotations are no values of the document. What
//! is computed (interpolation, references, generators) and what is there twice is refused. `null` is no value: it says
//! neither which kind of value may stand there, nor that one may.

mod number;
mod string;
mod syntax;
mod tree;

use std::ops::Range;
use std::thread;

use pklr::lexer::{StringPart, Token, TokenKind};

use crate::address::Path;
use crate::refusal::{Refusal, Why};
use crate::slot::Slot;

/// The parser recurses, and in a debug build its frames are large: the deepest document that `syntax` lets through takes
/// some 6 MiB, and a thread that is not the main one has 2.
const STACK: usize = 32 << 20;

pub(super) fn find(path: &Path, document: &str) -> Result<Slot, Refusal> {
    let find = || {
        let tokens = syntax::tokens(document)?;
        let module = syntax::module(document, &tokens)?;
        let at = tree::find(document, &tokens, &module, path)?;
        let range = tokens[at.start].offset..tokens[at.end - 1].end;
        Ok(Slot { value: value(document, &tokens[at]), range })
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, find);
        thread
            .ok()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_else(|| Err(syntax::not_parsed("it cannot be read")))
    })
}

pub(super) fn write(document: &str, slot: &Slot, value: &str) -> Result<String, Refusal> {
    let tokens = syntax::tokens(document)?;
    let within = within(&tokens, &slot.range);
    let refusal = |why| Refusal::at(why, document, slot.range.start);
    let refused = |what: &str| Err(refusal(Why::NotWritable { what: what.to_owned() }));
    let (Some(first), Some(last)) = (tokens[within.clone()].first(), tokens[within.clone()].last()) else {
        return Err(refusal(Why::NotProven));
    };
    let before = within.start.checked_sub(1).map(|before| &tokens[before]);
    let written = match &last.kind {
        TokenKind::StringLit(_) => string::written(&document[slot.range.clone()], value),
        TokenKind::BoolLit(_) if !matches!(value, "true" | "false") => {
            return refused("the value there is a boolean, and the new one is none");
        }
        TokenKind::BoolLit(_) => value.to_owned(),
        kind => match number::hindrance(kind, value) {
            Some(what) => return refused(what),
            None if value.starts_with('-')
                && first.kind != TokenKind::Minus
                && number::would_subtract(document, before, first) =>
            {
                return refused("a negative number right behind another value would be subtracted from it");
            }
            None => value.to_owned(),
        },
    };
    let edited = [&document[..slot.range.start], &written, &document[slot.range.end..]].concat();
    if proven(&tokens, &slot.range, &edited, written.len(), value) { Ok(written) } else { Err(refusal(Why::NotProven)) }
}

/// Which of the tokens are in a range of bytes.
fn within(tokens: &[Token], bytes: &Range<usize>) -> Range<usize> {
    let start = tokens.partition_point(|token| token.offset < bytes.start);
    start..tokens.partition_point(|token| token.end <= bytes.end && token.offset < bytes.end).max(start)
}

/// What a program gets of a literal, with the minus before it.
fn value(document: &str, tokens: &[Token]) -> String {
    let sign = if tokens.len() > 1 { "-" } else { "" };
    match tokens.last().map(|token| (&token.kind, token)) {
        Some((TokenKind::StringLit(text), _)) => text.clone(),
        Some((TokenKind::IntLit(number), _)) => format!("{sign}{number}"),
        Some((TokenKind::BoolLit(boolean), _)) => boolean.to_string(),
        Some((_, token)) => format!("{sign}{}", document[token.offset..token.end].replace('_', "")),
        None => String::new(),
    }
}

/// Whether the edited document says the same as the old one in other places, token by token, and the new value in this.
fn proven(old: &[Token], range: &Range<usize>, edited: &str, written: usize, value: &str) -> bool {
    let Ok(new) = syntax::tokens(edited) else {
        return false;
    };
    let (was, is) = (within(old, range), within(&new, &(range.start..range.start + written)));
    say_the_same(&old[..was.start], &new[..is.start])
        && say_the_same(&old[was.end..], &new[is.end..])
        && matches!(is.len(), 1 | 2)
        && (is.len() == 1 || new[is.start].kind == TokenKind::Minus)
        && self::value(edited, &new[is]) == value
}

/// Wherever they are.
fn say_the_same(old: &[Token], new: &[Token]) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|(old, new)| match (&old.kind, &new.kind) {
            (TokenKind::InterpolatedString(old), TokenKind::InterpolatedString(new)) => {
                old.len() == new.len()
                    && old.iter().zip(new).all(|parts| match parts {
                        (StringPart::Tokens(old), StringPart::Tokens(new)) => say_the_same(old, new),
                        (old, new) => old == new,
                    })
            }
            // NaN is not itself.
            (TokenKind::FloatLit(old), TokenKind::FloatLit(new)) => old.to_bits() == new.to_bits(),
            (old, new) => old == new,
        })
}
