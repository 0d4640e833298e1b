//! JSON: strict, but for comments and trailing commas where a configuration file has them already.
//!
//! A number is read as it is written, and is replaced only by a number; `null` is no value, neither read nor replaced.

use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::tokens::{Token, TokenAndRange};
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};

use super::tree::{DEEPEST, Leaf, Member, MemberKey, Node, Sort, spliced};
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
        Sort::Text => quoted(value),
        // Only what is, by itself and to its last byte, a value of that kind.
        sort => match parse(value) {
            Ok(Node::Leaf(new)) if new.sort == sort && new.range == (0..value.len()) => value.to_owned(),
            _ => return Err(sort.refuses(document, slot)),
        },
    };
    let new = parse(&spliced(document, slot, &written))?;
    if old.differs_only_in(&new, slot, value) { Ok(written) } else { Err(not_proven()) }
}

/// In quotes. What is not ASCII stands as it is, but for what breaks lines or is not seen.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                text.extend([format!("\\u{:04x}", u32::from(character))]);
            }
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}

fn parse(document: &str) -> Result<Node, Refusal> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::AsTokens, tokens: true };
    let options = ParseOptions {
        allow_comments: true,
        allow_loose_object_property_names: false,
        allow_trailing_commas: true,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(document, &collect, &options)
        .map_err(|error| not_parsed(document, error.range().start, "it is no valid JSON"))?;
    strict(document, &parsed.tokens.unwrap_or_default())?;
    match parsed.value {
        Some(value) => node(document, value, 0),
        None => Err(not_parsed(document, 0, "it is empty")),
    }
}

fn not_parsed(document: &str, byte: usize, what: &str) -> Refusal {
    Refusal::at(Why::NotParsed { format: "JSON", what: what.to_owned() }, document, byte)
}

/// What the parser lets pass, and others do not: control characters in strings, and spaces of other alphabets.
fn strict(document: &str, tokens: &[TokenAndRange]) -> Result<(), Refusal> {
    let spaces = |begin: usize, end: usize| match document[begin..end].find(|c| !matches!(c, ' ' | '\t' | '\n' | '\r'))
    {
        Some(at) => Err(not_parsed(document, begin + at, "there is an odd character between values")),
        None => Ok(()),
    };
    let mut end = 0;
    for TokenAndRange { token, range } in tokens {
        spaces(end, range.start)?;
        end = range.end;
        let text = &document[range.start..range.end];
        if matches!(token, Token::String(_))
            && let Some(at) = text.find(|character| character < ' ')
        {
            return Err(not_parsed(document, range.start + at, "a string has a control character in it"));
        }
    }
    spaces(end, document.len())
}

fn node(document: &str, value: Value, depth: usize) -> Result<Node, Refusal> {
    let Range { start, end } = value.range();
    if depth > DEEPEST {
        return Err(not_parsed(document, start, "it is nested too deeply"));
    }
    let leaf = |sort, value: String| Ok(Node::Leaf(Leaf { sort, value, range: start..end }));
    match value {
        Value::StringLit(text) => leaf(Sort::Text, text.value.into_owned()),
        Value::NumberLit(number) => leaf(Sort::Number, number.value.to_owned()),
        Value::BooleanLit(boolean) => leaf(Sort::Boolean, boolean.value.to_string()),
        Value::NullKeyword(_) => leaf(Sort::Null, String::new()),
        Value::Array(array) => {
            let items = array.elements.into_iter().map(|item| node(document, item, depth + 1));
            Ok(Node::List { items: items.collect::<Result<_, _>>()?, start })
        }
        Value::Object(object) => {
            let member = |property: jsonc_parser::ast::ObjectProp| {
                let name = match property.name {
                    ObjectPropName::String(name) => name.value.into_owned(),
                    ObjectPropName::Word(name) => name.value.to_owned(),
                };
                Ok(Member { key: MemberKey::Name(name), node: node(document, property.value, depth + 1)? })
            };
            Ok(Node::Object { members: object.properties.into_iter().map(member).collect::<Result<_, _>>()?, start })
        }
    }
}
