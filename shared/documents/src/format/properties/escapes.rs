//! Backslashes in keys and values.

use std::fmt::Write;

/// The UTF-16 units that the text stands for, or `None` where `\u` is not followed by four hexadecimal digits.
pub(super) fn read(text: impl IntoIterator<Item = char>) -> Option<Vec<u16>> {
    let mut characters = text.into_iter();
    let (mut units, mut buffer) = (Vec::new(), [0; 2]);
    while let Some(character) = characters.next() {
        let plain = match character {
            '\\' => match characters.next() {
                Some('u') => {
                    let unit = (0..4).try_fold(0, |unit, _| Some(unit * 16 + characters.next()?.to_digit(16)?))?;
                    units.push(u16::try_from(unit).ok()?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut buffer));
    }
    Some(units)
}

/// A value that is read in every encoding, and whose first and last spaces no reader drops.
pub(super) fn write(value: &str) -> String {
    let mut written = String::with_capacity(value.len());
    for (at, character) in value.char_indices() {
        match character {
            '\\' => written.push_str("\\\\"),
            '\t' => written.push_str("\\t"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\u{c}' => written.push_str("\\f"),
            ' ' if at == 0 || at + 1 == value.len() => written.push_str("\\ "),
            // After a key and a space they would be the separator.
            '=' | ':' if at == 0 => written.extend(['\\', character]),
            ' '..='~' => written.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // A String takes everything.
                    let _ = write!(written, "\\u{unit:04X}");
                }
            }
        }
    }
    written
}
