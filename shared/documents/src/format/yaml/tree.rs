//! The parser's events, made a tree.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{bytes, plain};
use crate::address::Path;
use crate::format::tree::{DEEPEST, Leaf, Member, MemberKey, Node, Sort};
use crate::refusal::{Refusal, Why};

/// What is being read: a list's items, or an object's keys and values in turn.
struct Open {
    start: usize,
    list: bool,
    foreign: bool,
    parts: Vec<(Node, MemberKey)>,
}

pub(super) fn parse(document: &str, path: Option<&Path>) -> Result<Node, Refusal> {
    if let Some(at) = document.find(['\u{85}', '\u{2028}', '\u{2029}']) {
        return Err(not_parsed(document, at, "it has a line separator that YAML 1.1 and 1.2 read differently"));
    }
    // The parser counts characters.
    let offsets: Vec<usize> = document.char_indices().map(|(at, _)| at).chain([document.len()]).collect();
    let byte = |index: usize| offsets.get(index).copied().unwrap_or(document.len());
    let (mut open, mut root, mut documents) = (Vec::<Open>::new(), None, 0);
    for event in Parser::new_from_str(document) {
        let (event, Span { start, end, .. }) =
            event.map_err(|error| not_parsed(document, byte(error.marker().index()), "it is no valid YAML"))?;
        let (start, end) = (byte(start.index()), byte(end.index()));
        let (node, key) = match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    let path = path.map_or_else(String::new, ToString::to_string);
                    return Err(Refusal::at(Why::Ambiguous { path }, document, start));
                }
                continue;
            }
            Event::SequenceStart(_, tag) => {
                open.push(Open { start, list: true, foreign: foreign(tag.as_deref(), "seq"), parts: Vec::new() });
                continue;
            }
            Event::MappingStart(_, tag) => {
                open.push(Open { start, list: false, foreign: foreign(tag.as_deref(), "map"), parts: Vec::new() });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(open) => (open.close(), MemberKey::Structure),
                None => return Err(not_parsed(document, start, "it is no valid YAML")),
            },
            Event::Alias(_) => (Node::Computed { what: "an alias", start }, MemberKey::Computed),
            Event::Scalar(value, style, _, tag) => scalar(document, &value, style, tag.as_deref(), start..end)?,
            _ => continue,
        };
        if open.len() > DEEPEST {
            return Err(not_parsed(document, start, "it is nested too deeply"));
        }
        match open.last_mut() {
            Some(open) => open.parts.push((node, key)),
            None => root = Some(node),
        }
    }
    root.ok_or_else(|| not_parsed(document, 0, "it is empty"))
}

fn not_parsed(document: &str, byte: usize, what: &str) -> Refusal {
    Refusal::at(Why::NotParsed { format: "YAML", what: what.to_owned() }, document, byte)
}

/// Whether a tag makes something else of a value than `own` does.
fn foreign(tag: Option<&Tag>, own: &str) -> bool {
    tag.is_some_and(|tag| format!("{}{}", tag.handle, tag.suffix) != format!("tag:yaml.org,2002:{own}"))
}

fn scalar(
    document: &str,
    value: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: std::ops::Range<usize>,
) -> Result<(Node, MemberKey), Refusal> {
    let start = span.start;
    if foreign(tag, "str") {
        return Ok((Node::Computed { what: "a value with a tag of its own", start }, MemberKey::Computed));
    }
    let is_plain = style == ScalarStyle::Plain;
    let sort = if is_plain && (tag.is_none() || value.is_empty()) { plain::sort(value) } else { Sort::Text };
    let key = match value {
        "<<" if is_plain => MemberKey::Merge,
        _ => MemberKey::Name(value.to_owned()),
    };
    // What is empty has no bytes.
    let range = if value.is_empty() && is_plain { Some(start..start) } else { bytes::of(document, span, style) };
    let range =
        range.ok_or_else(|| not_parsed(document, start, "a value is written in a way that is not understood"))?;
    Ok((Node::Leaf(Leaf { sort, value: value.to_owned(), range }), key))
}

impl Open {
    fn close(self) -> Node {
        let start = self.start;
        if self.foreign {
            return Node::Computed { what: "a value with a tag of its own", start };
        }
        if self.list {
            return Node::List { items: self.parts.into_iter().map(|(node, _)| node).collect(), start };
        }
        let mut members = Vec::with_capacity(self.parts.len() / 2);
        let mut parts = self.parts.into_iter();
        while let (Some((_, key)), Some((node, _))) = (parts.next(), parts.next()) {
            members.push(Member { key, node });
        }
        Node::Object { members, start }
    }
}
