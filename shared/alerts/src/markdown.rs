//! Text from outside in a chat: it formats nothing, calls nobody, and does not get out of a block of code.
//!
//! Amazon Q Developer hands markdown to the chat as it is. Slack reads `<...>` as a link, a mention or a command wherever it
//! stands, so these three characters are written as entities; the rest is escaped as Markdown does it.

use crate::clean::shortened;

/// Keeps an `@` from becoming a mention; it takes no room.
const WORD_JOINER: char = '\u{2060}';

/// A line of prose.
pub(crate) fn prose(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    for (n, c) in text.char_indices() {
        let after = text[n + c.len_utf8()..].chars().next().unwrap_or(' ');
        let special = match c {
            // Inside a word it emphasises in no chat, and names are full of it.
            '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
            // Only what it begins is a link.
            ']' => after == '(',
            '*' | '~' | '`' | '\\' | '|' => true,
            '#' => n == 0,
            _ => false,
        };
        if special {
            escaped.push('\\');
        }
        push(&mut escaped, c);
        before = c;
    }
    escaped
}

/// The beginning of a line of prose, at most so many characters long when it is escaped.
pub(crate) fn within(text: &str, characters: usize) -> String {
    let mut most = text.chars().count().min(characters);
    loop {
        let escaped = prose(&shortened(text, most));
        if most == 0 || escaped.chars().count() <= characters {
            return escaped;
        }
        most -= 1;
    }
}

/// A line in a block of code: without backticks it cannot end the block.
pub(crate) fn code(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut escaped, if c == '`' { '\'' } else { c });
    }
    escaped
}

fn push(text: &mut String, c: char) {
    match c {
        '&' => text.push_str("&amp;"),
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        '@' => text.extend(['@', WORD_JOINER]),
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_and_nothing_is_formatted() {
        assert_eq!(prose("@here <!channel> <@U1|x>"), "@\u{2060}here &lt;!channel&gt; &lt;@\u{2060}U1\\|x&gt;");
        assert_eq!(prose("dbward_agent *x* _y_ [a](b) `c`"), r"dbward_agent \*x\* \_y\_ [a\](b) \`c\`");
        assert_eq!((within("a&b", 7), within("a&&&&b", 9)), ("a&amp;b".to_owned(), "a&amp;...".to_owned()));
        assert_eq!(code("a ```b``` @channel & <x>"), "a '''b''' @\u{2060}channel &amp; &lt;x&gt;");
    }
}
