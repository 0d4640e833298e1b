//! Text as a terminal would show it, without what only a terminal understands.
//!
//! Done by hand, because sequences are only a part of it: progress bars overwrite their line, 8-bit sequences come in UTF-8, and
//! characters that show nothing can hide a word from [`crate::redact`].

use std::iter::Peekable;
use std::str::Chars;

const ESCAPE: char = '\u{1B}';
const BELL: char = '\u{7}';
const TAB: &str = "    ";

/// The line without control sequences: colours, titles and links are left out, what was overwritten is gone, tabs are spaces,
/// and characters that show nothing or turn the direction of writing are dropped. Line breaks become spaces.
pub fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    // Where what a carriage return would overwrite begins.
    let mut column = 0;
    let mut overwrites = false;
    let mut chars = line.chars().peekable();
    // Once a string has no end, no later one has.
    let mut strings_end = true;
    while let Some(c) = chars.next() {
        match c {
            ESCAPE => escape(&mut chars, &mut strings_end),
            '\u{9B}' => control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9D}'..='\u{9F}' => string(&mut chars, &mut strings_end),
            '\r' => overwrites = true,
            _ if is_unseen(c) => {}
            _ => {
                if overwrites {
                    if c != '\n' {
                        text.truncate(column);
                    }
                    overwrites = false;
                }
                match c {
                    '\t' => text.push_str(TAB),
                    '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                        text.push(' ');
                        column = text.len();
                    }
                    c if c.is_control() => {}
                    c => text.push(c),
                }
            }
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// What follows ESC (ECMA-48, 5.3 and 5.4).
fn escape(chars: &mut Peekable<Chars<'_>>, strings_end: &mut bool) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            string(chars, strings_end);
        }
        _ => {
            while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            chars.next_if(|c| matches!(c, '0'..='~'));
        }
    }
}

/// Parameters, intermediates, and the final one; what does not fit ends it.
fn control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| matches!(c, '0'..='?')).is_some() {}
    while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
    chars.next_if(|c| matches!(c, '@'..='~'));
}

/// A title, a link and the like, to its terminator. One without is not left out: only its beginning was a control character.
fn string(chars: &mut Peekable<Chars<'_>>, strings_end: &mut bool) {
    if !*strings_end {
        return;
    }
    let mut ahead = chars.clone();
    while let Some(c) = ahead.next() {
        if matches!(c, BELL | '\u{9C}') || (c == ESCAPE && ahead.next_if_eq(&'\\').is_some()) {
            *chars = ahead;
            return;
        }
    }
    *strings_end = false;
}

/// At most `bytes` bytes, cut between characters; what was cut is said.
pub fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{} [cut: {} more bytes]", &text[..end], text.len() - end)
}
