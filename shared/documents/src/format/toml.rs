//! TOML.
//!
//! Numbers and dates are read as they are written. They and booleans are replaced only by a value of the same kind, in TOML 1.0's
//! spelling and numbers in decimal.

use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::tree::{Leaf, Member, MemberKey, Node, Sort, spliced};
use crate::address::Path;
use crate::refusal::{Refusal, Why};
use crate::slot::Slot;

pub(super) fn find(path: &Path, document: &str) -> Result<Slot, Refusal> {
    parse(document)?.find(path, document)
}

pub(super) fn write(document: &str, slot: &Slot, value: &str) -> Result<String, Refusal> {
    let not_proven = || Refusal::at(Why::NotProven, document, slot.range.start);
    let old = parse(document)?;
    let leaf = old.at(&slot.range).ok_or_else(not_proven)?;
    let written = match leaf.sort {
        Sort::Text => text(document, &document[slot.range.clone()], value),
        sort if bare(sort, value) => value.to_owned(),
        sort => return Err(sort.refuses(document, slot)),
    };
    let new = parse(&spliced(document, slot, &written))?;
    if old.differs_only_in(&new, slot, value) { Ok(written) } else { Err(not_proven()) }
}

/// Whether it is, by itself and to its last byte, a value of that kind.
fn bare(sort: Sort, value: &str) -> bool {
    let line = format!("x={value}");
    let Ok(Node::Object { members, .. }) = parse(&line) else { return false };
    let [Member { node: Node::Leaf(leaf), .. }] = &members[..] else { return false };
    leaf.sort == sort
        && leaf.range == (2..line.len())
        && match sort {
            Sort::Integer => value.parse::<i64>().is_ok_and(|number| number.to_string() == value),
            // TOML 1.1 lets a time go without seconds, 1.0 does not.
            Sort::OffsetDateTime | Sort::LocalDateTime | Sort::LocalTime => {
                value.matches(':').count() >= 2 && seconds(value)
            }
            _ => true,
        }
}

fn seconds(value: &str) -> bool {
    value.parse::<Datetime>().is_ok_and(|date| date.time.is_some_and(|time| time.second.is_some()))
}

/// A string in the form of `old`, or in the next one that can carry it.
fn text(document: &str, old: &str, value: &str) -> String {
    let has_control = |but: &[char]| {
        value.chars().any(|character| {
            (character < ' ' || ('\u{7f}'..='\u{9f}').contains(&character)) && !but.contains(&character)
        })
    };
    // Readers make different things of a line break that is two bytes; where the document has such, it is escaped.
    let raw_breaks = !document.contains('\r');
    for (quotes, multi_line) in [("'''", true), ("\"\"\"", true), ("'", false)] {
        let Some(after) = old.strip_prefix(quotes) else { continue };
        // The line break after the opening quotes is no part of the value; it stays.
        let opening = match after {
            _ if !multi_line => "",
            _ if after.starts_with("\r\n") => "\r\n",
            _ if after.starts_with('\n') => "\n",
            // One at the value's own begin would be taken for it, unless it is escaped.
            _ if quotes == "'''" && value.starts_with('\n') => "\n",
            _ => "",
        };
        return match quotes {
            "'''"
                if !value.contains("'''")
                    && !value.ends_with('\'')
                    && !has_control(if raw_breaks { &['\t', '\n'] } else { &['\t'] }) =>
            {
                format!("'''{opening}{value}'''")
            }
            "'" if !value.contains('\'') && !has_control(&['\t']) => format!("'{value}'"),
            "'" => format!("\"{}\"", escaped(value, false)),
            _ => {
                let raw_breaks = raw_breaks && (!opening.is_empty() || !value.starts_with('\n'));
                format!("\"\"\"{opening}{}\"\"\"", escaped(value, raw_breaks))
            }
        };
    }
    format!("\"{}\"", escaped(value, false))
}

/// For what is between double quotes, one or three.
fn escaped(value: &str, raw_breaks: bool) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' if raw_breaks => text.push('\n'),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                text.extend([format!("\\u{:04X}", u32::from(character))]);
            }
            _ => text.push(character),
        }
    }
    text
}

fn parse(document: &str) -> Result<Node, Refusal> {
    match DeTable::parse(document) {
        Ok(table) => Ok(object(table.get_ref(), 0, document)),
        Err(error) => {
            let twice = error.message().contains("duplicate key");
            let what = if twice { "a key is there twice" } else { "it is no valid TOML" }.to_owned();
            let why = Why::NotParsed { format: "TOML", what };
            Err(Refusal::at(why, document, error.span().map_or(0, |span| span.start)))
        }
    }
}

/// Whether line breaks in the value are the file's, and not escapes.
fn breaks_are_raw(text: &str) -> bool {
    text.starts_with("'''") || (text.starts_with("\"\"\"") && !text.contains('\\'))
}

/// The parser's own limit of nesting keeps this from running out of stack.
fn object(table: &DeTable, start: usize, document: &str) -> Node {
    let member = |(key, value): (&toml::Spanned<toml::de::DeString>, &toml::Spanned<DeValue>)| Member {
        key: MemberKey::Name(key.get_ref().clone().into_owned()),
        node: node(value, document),
    };
    Node::Object { members: table.iter().map(member).collect(), start }
}

fn node(value: &toml::Spanned<DeValue>, document: &str) -> Node {
    let range = value.span();
    let as_written = |sort| (sort, document[range.clone()].to_owned());
    let (sort, value) = match value.get_ref() {
        DeValue::Table(table) => return object(table, range.start, document),
        DeValue::Array(array) => {
            return Node::List { items: array.iter().map(|item| node(item, document)).collect(), start: range.start };
        }
        // A line break in a string of many lines is one character, whatever the file has.
        DeValue::String(text) if breaks_are_raw(&document[range.clone()]) => (Sort::Text, text.replace("\r\n", "\n")),
        DeValue::String(text) => (Sort::Text, text.clone().into_owned()),
        DeValue::Integer(_) => as_written(Sort::Integer),
        DeValue::Float(_) => as_written(Sort::Float),
        DeValue::Boolean(boolean) => (Sort::Boolean, boolean.to_string()),
        DeValue::Datetime(date) => as_written(match (date.date, date.time, date.offset) {
            (_, _, Some(_)) => Sort::OffsetDateTime,
            (Some(_), Some(_), None) => Sort::LocalDateTime,
            (Some(_), None, None) => Sort::LocalDate,
            (None, _, None) => Sort::LocalTime,
        }),
    };
    Node::Leaf(Leaf { sort, value, range })
}
