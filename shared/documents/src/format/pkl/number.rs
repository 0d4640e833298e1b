//! Numbers: a whole one stays whole, since a property of type Int takes no other and one of type Float no whole one.

use pklr::lexer::{Token, TokenKind, lex};

/// Why a number cannot be written in the place of `old`.
pub(super) fn hindrance(old: &TokenKind, value: &str) -> Option<&'static str> {
    let is_whole = |value: &str| value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    match old {
        TokenKind::FloatLit(_) if is_fraction(value.strip_prefix('-').unwrap_or(value)) => None,
        TokenKind::FloatLit(_) => Some("the value there is a number with a fraction, and the new one is none"),
        // No leading zeros, no hexadecimal digits: what is written is what is read.
        _ if is_whole(value) => None,
        _ => Some("the value there is a whole number, and the new one is none"),
    }
}

/// Whether a minus in front of `token` would subtract from the element before it.
pub(super) fn would_subtract(document: &str, before: Option<&Token>, token: &Token) -> bool {
    before.is_some_and(|before| {
        !matches!(before.kind, TokenKind::Equals | TokenKind::LBrace | TokenKind::Semicolon | TokenKind::LParen)
            && !document[before.end..token.offset].contains('\n')
    })
}

/// One token from end to end, written in digits: `NaN` and `Infinity` are numbers, too.
fn is_fraction(digits: &str) -> bool {
    let tokens = lex(digits).unwrap_or_default();
    matches!(&tokens[..], [number, _] if matches!(number.kind, TokenKind::FloatLit(_)) && number.end - number.offset == digits.len())
        && !digits.contains('_')
        && digits.contains(|character: char| character.is_ascii_digit())
}
