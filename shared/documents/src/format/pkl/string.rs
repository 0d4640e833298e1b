//! String literals, written in the form of the old one: `"…"`, `#"…"#`, `"""` over several lines.

use std::fmt::Write as _;

/// `value` in the form of `old`, a literal with its quotes. Each form can carry every value.
pub(super) fn written(old: &str, value: &str) -> String {
    let quoted = old.trim_start_matches('#');
    let pounds = &old[..old.len() - quoted.len()];
    let mut text = String::with_capacity(value.len() + old.len());
    text.push_str(pounds);
    if let Some(lines) = quoted.strip_prefix("\"\"\"") {
        // The closing quotes' indentation is taken off every line.
        let closing = lines.trim_end_matches('#').trim_end_matches('"');
        let indentation = &closing[closing.rfind(['\n', '\r']).map_or(0, |at| at + 1)..];
        let line_break = if lines.starts_with("\r\n") { "\r\n" } else { &lines[..1] };
        text.push_str("\"\"\"");
        for line in value.split('\n') {
            text.push_str(line_break);
            text.push_str(indentation);
            escape(line, pounds, &mut text);
        }
        text.push_str(line_break);
        text.push_str(indentation);
        text.push_str("\"\"\"");
    } else {
        text.push('"');
        escape(value, pounds, &mut text);
        text.push('"');
    }
    text.push_str(pounds);
    text
}

/// An escape begins with a backslash and as many `#` as the quotes have.
fn escape(value: &str, pounds: &str, text: &mut String) {
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek();
        let special = match character {
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            // With `#`, a backslash or quote is only special in front of one, or where it would make a `"""`.
            '\\' if pounds.is_empty() || matches!(next, None | Some('#')) => '\\',
            '"' if pounds.is_empty() || matches!(next, None | Some('#' | '"')) => '"',
            _ if is_unseen(character) => {
                // Writing to a String does not fail.
                let _ = write!(text, "\\{pounds}u{{{:x}}}", u32::from(character));
                continue;
            }
            _ => {
                text.push(character);
                continue;
            }
        };
        text.push('\\');
        text.push_str(pounds);
        text.push(special);
    }
}

/// Control characters, and others that an editor does not show or takes for a line's end.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(character, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
