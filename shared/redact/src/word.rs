//! Where words begin and end.

/// Whether a word could begin at `at`: not in the middle of another one. After an escape (`\n`, `%20`) one can.
pub(crate) fn begins(text: &[u8], at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).map(|at| text[at]);
    let Some(last) = before(1) else { return true };
    if !(last.is_ascii_alphanumeric() || last == b'_') {
        return true;
    }
    let escape = matches!(last, b'n' | b'r' | b't') && before(2) == Some(b'\\');
    let percent =
        last.is_ascii_hexdigit() && before(2).is_some_and(|c| c.is_ascii_hexdigit()) && before(3) == Some(b'%');
    escape || percent
}

/// How many bytes from `at` on are of this kind.
pub(crate) fn run(text: &[u8], at: usize, of: impl Fn(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|c| of(**c)).count()
}

/// Looks made up by a machine rather than like a word of a sentence.
pub(crate) fn is_random(word: &[u8]) -> bool {
    let digit = word.iter().any(u8::is_ascii_digit);
    let inner_capital = word.iter().skip(1).any(u8::is_ascii_uppercase) && word.iter().any(u8::is_ascii_lowercase);
    digit || inner_capital || word.contains(&b'=') || word.len() >= 32
}
