//! Text from outside, made fit for every channel: no control characters, no line breaks, never too long.

use std::borrow::Cow;

use uuid::Uuid;
use watchkeeper_redact::redact;

/// Makes ids of texts that are none; any fixed value does, it only must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x0b6c_2a41_77d3_4f0e_9c58_13de_6f2b_8a90);

/// Text from outside (a reason, a name, a log line, what another function saw). All of it passes here, before anything is
/// cut from it. Secrets that are recognised in it are redacted. Control characters become spaces; characters that turn the direction of writing (which could make a reason
/// read as another) and those that SNS does not carry are left out.
pub(crate) fn outside(text: &str) -> String {
    let kept = text.chars().filter(|c| !turns_direction(*c) && !matches!(c, '\u{FFFE}' | '\u{FFFF}'));
    let text: String = kept.map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c }).collect();
    match redact(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(redacted) => redacted,
    }
}

/// Text from outside as one line, in which every run of white space is one space.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in outside(text).split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// At most `bytes` bytes and a few, cut between characters; what was cut is said.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{} [cut: {} more bytes]", &text[..end], text.len() - end)
}

/// At most `characters` characters, for places too small to say how much was cut.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// ASCII only, as an SNS subject must be (SNS API Reference, "Publish"); what is not becomes `?`.
pub(crate) fn ascii(text: &str) -> String {
    one_line(text).chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// A web address, if it is one, and no longer than one can be followed.
pub(crate) fn address(text: &str) -> Option<String> {
    let fits = text.starts_with("https://") || text.starts_with("http://");
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'`' | b'|' | b'\\');
    (fits && text.len() <= 2_000 && text.bytes().all(plain)).then(|| text.to_owned())
}

/// An id as every receiver takes it: short, ASCII, without spaces. One that is not becomes another one, always the same.
pub(crate) fn identifier(text: &str) -> String {
    if (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        text.to_owned()
    } else {
        Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_line() {
        assert_eq!(one_line(" a\r\n\tb\u{7}\u{1b}[31mc\u{202E}d 🔥\u{85}e \n"), "a b [31mcd 🔥 e");
        assert_eq!(one_line("\n\n"), "");
        assert_eq!(ascii("naïve 🔥\n"), "na?ve ?");
        assert_eq!(outside("  at\tx\u{FFFF}\n"), "  at x ");
    }

    #[test]
    fn cuts_are_between_characters_and_said() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("añb", 2), "a [cut: 3 more bytes]");
        assert_eq!(cut("🔥🔥", 5), "🔥 [cut: 4 more bytes]");
        assert_eq!((shortened("abcd", 4), shortened("🔥🔥🔥🔥🔥", 4)), ("abcd".to_owned(), "🔥...".to_owned()));
    }

    #[test]
    fn addresses_are_plain() {
        assert!(address("https://wiki.example.com/runbook?x=1&y=2#z").is_some());
        for bad in ["javascript:alert(1)", "https://a b", "https://a>b", "https://a|b", "wiki", "https://ü"] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }
}
