//! Text from outside, made fit for an e-mail: no control characters, no line breaks, never too long.

/// One line: every run of white space and control characters becomes one space, and characters that turn
/// the direction of writing (which could make a reason read as another) are left out.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !turns_direction(*c)) {
        if c.is_control() || c.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else {
            line.push(c);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// At most `bytes` bytes, cut between characters; what was cut is said.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{} [cut: {} more bytes]", &text[..end], text.len() - end)
}

/// ASCII only, as an SNS subject must be (SNS API Reference, "Publish"); what is not becomes `?`.
pub(crate) fn ascii(text: &str) -> String {
    one_line(text).chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_line() {
        assert_eq!(one_line(" a\r\n\tb\u{7}\u{1b}[31mc\u{202E}d 🔥\u{85}e \n"), "a b [31mcd 🔥 e");
        assert_eq!(one_line("\n\n"), "");
        assert_eq!(ascii("naïve 🔥\n"), "na?ve ?");
    }

    #[test]
    fn cuts_are_between_characters_and_said() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("añb", 2), "a [cut: 3 more bytes]");
        assert_eq!(cut("🔥🔥", 5), "🔥 [cut: 4 more bytes]");
    }
}
