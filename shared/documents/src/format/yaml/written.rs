//! A string in YAML.

use super::plain;
use crate::slot::Slot;

/// The forms that may carry a value, the old one's first; double quotes, last, always can.
pub(super) fn forms(document: &str, slot: &Slot, value: &str) -> Vec<String> {
    let old = &document[slot.range.clone()];
    let mut forms = Vec::new();
    let mut after = "";
    match old.chars().next() {
        Some('|' | '>') => {
            // A comment beside the sign stays.
            let header = old.lines().next().unwrap_or_default();
            after = header
                .trim_start_matches(|character: char| "|>+-".contains(character) || character.is_ascii_digit())
                .trim_end();
            forms.extend(block(document, slot, value, after));
        }
        Some('\'') if one_line(value) => forms.push(format!("'{}'", value.replace('\'', "''"))),
        Some('\'' | '"') => {}
        _ if plain::can_carry(value) => forms.push(value.to_owned()),
        _ => {}
    }
    forms.push(format!("{}{after}", double_quoted(value)));
    forms
}

fn seen(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a1}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{1ffff}')
}

fn one_line(value: &str) -> bool {
    value.chars().all(seen)
}

/// As lines, indented as the old ones are; nothing where that is in any doubt.
fn block(document: &str, slot: &Slot, value: &str, after: &str) -> Option<String> {
    let old = &document[slot.range.clone()];
    let first = old.lines().skip(1).find(|line| !line.trim().is_empty())?;
    let indent = &first[..first.len() - first.trim_start_matches(' ').len()];
    let (lines, chomp) = match value.strip_suffix('\n') {
        Some(lines) => (lines, ""),
        None => (value, "-"),
    };
    // Blank lines at the begin or the end, and ones of spaces, are where readers differ.
    let odd = |line: &str| line.starts_with([' ', '\t']) || !line.chars().all(seen);
    // A file's last line break is the value's, too: without one there is none to keep.
    let ends = !document[slot.range.end..].starts_with(['\n', '\r']) && chomp.is_empty();
    if lines.starts_with('\n') || lines.ends_with('\n') || lines.is_empty() || lines.split('\n').any(odd) || ends {
        return None;
    }
    let sign = if old.starts_with('>') && !lines.contains('\n') { '>' } else { '|' };
    let line_break = if old.contains("\r\n") { "\r\n" } else { "\n" };
    let mut text = format!("{sign}{chomp}{after}");
    for line in lines.split('\n') {
        text.push_str(line_break);
        if !line.is_empty() {
            text.push_str(indent);
            text.push_str(line);
        }
    }
    Some(text)
}

fn double_quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            _ if seen(character) => text.push(character),
            _ => match u32::from(character) {
                code @ ..=0xff => text.extend([format!("\\x{code:02x}")]),
                code @ ..=0xffff => text.extend([format!("\\u{code:04x}")]),
                code => text.extend([format!("\\U{code:08x}")]),
            },
        }
    }
    text.push('"');
    text
}
