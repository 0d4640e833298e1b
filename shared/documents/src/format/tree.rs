//! What is in a document, with the bytes of every value: what the nested formats have in common.

use std::ops::Range;

use crate::address::{Key, Path};
use crate::refusal::{Refusal, Why};
use crate::slot::Slot;

/// Deeper than any configuration is; what is deeper is refused, so that nothing here runs out of stack.
pub(super) const DEEPEST: usize = 64;

/// What kind of single value it is: a new one must be of the old one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Text,
    /// Of a format that has one kind of numbers.
    Number,
    Integer,
    Float,
    Boolean,
    OffsetDateTime,
    LocalDateTime,
    LocalDate,
    LocalTime,
    Null,
    /// Readers of the format disagree on what it is.
    Disputed,
}

impl Sort {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Boolean => "a boolean",
            Self::OffsetDateTime => "a date and time with an offset",
            Self::LocalDateTime => "a date and time",
            Self::LocalDate => "a date",
            Self::LocalTime => "a time",
            Self::Null => "null",
            Self::Disputed => "read differently by different versions of the format",
        }
    }

    /// The new value is of another kind. It never says what it is.
    pub(super) fn refuses(self, document: &str, slot: &Slot) -> Refusal {
        let what = match self {
            Self::Disputed => format!("the value there is {}; put it in quotes by hand first", self.name()),
            _ => format!("the value there is {}, and the new one is none", self.name()),
        };
        Refusal::at(Why::NotWritable { what }, document, slot.range.start)
    }
}

/// A single value: a string decoded, any other as it is written.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) sort: Sort,
    pub(super) value: String,
    pub(super) range: Range<usize>,
}

/// A member of an object.
pub(super) struct Member {
    pub(super) key: MemberKey,
    pub(super) node: Node,
}

/// What it is found by.
#[derive(PartialEq, Eq)]
pub(super) enum MemberKey {
    Name(String),
    /// It brings members of another object in: what is not found beside it may come from there.
    Merge,
    /// It is made of something else, so that any name may be it.
    Computed,
    /// A list or an object, which no path leads to.
    Structure,
}

/// What is in a document.
pub(super) enum Node {
    Leaf(Leaf),
    Object {
        members: Vec<Member>,
        start: usize,
    },
    List {
        items: Vec<Node>,
        start: usize,
    },
    /// The value is somewhere else, or made of something else.
    Computed {
        what: &'static str,
        start: usize,
    },
}

impl Node {
    fn start(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.range.start,
            Self::Object { start, .. } | Self::List { start, .. } | Self::Computed { start, .. } => *start,
        }
    }

    /// The single value at a path.
    pub(super) fn find(&self, path: &Path, document: &str) -> Result<Slot, Refusal> {
        let mut node = self;
        for (depth, key) in path.0.iter().enumerate() {
            let so_far = || Path(path.0[..=depth].to_vec()).to_string();
            node = node.step(key, document, &so_far)?;
        }
        let refused = |why| Err(Refusal::at(why, document, node.start()));
        match node {
            Self::Leaf(leaf) if leaf.sort == Sort::Null => refused(Why::NotScalar { what: "null" }),
            Self::Leaf(leaf) => Ok(Slot { value: leaf.value.clone(), range: leaf.range.clone() }),
            Self::Object { .. } => refused(Why::NotScalar { what: "an object" }),
            Self::List { .. } => refused(Why::NotScalar { what: "a list" }),
            Self::Computed { what, .. } => refused(Why::Computed { what }),
        }
    }

    fn step(&self, key: &Key, document: &str, so_far: &dyn Fn() -> String) -> Result<&Self, Refusal> {
        let refused = |why, start| Err(Refusal::at(why, document, start));
        match (self, key) {
            (Self::Computed { what, start }, _) => refused(Why::Computed { what }, *start),
            (Self::List { items, start }, Key::Index(index)) => match items.get(*index) {
                Some(item) => Ok(item),
                None => refused(Why::Missing { missing: so_far() }, *start),
            },
            (Self::Object { members, start }, Key::Name(name)) => {
                let has = |wanted: &MemberKey| members.iter().any(|member| member.key == *wanted);
                if has(&MemberKey::Computed) {
                    return refused(Why::Computed { what: "keys that are aliases or tagged" }, *start);
                }
                let mut found =
                    members.iter().filter(|member| matches!(&member.key, MemberKey::Name(key) if key == name));
                match (found.next(), found.next()) {
                    (Some(member), None) => Ok(&member.node),
                    (Some(_), Some(second)) => refused(Why::Ambiguous { path: so_far() }, second.node.start()),
                    (None, _) if has(&MemberKey::Merge) => refused(Why::Computed { what: "a merge key" }, *start),
                    (None, _) => refused(Why::Missing { missing: so_far() }, *start),
                }
            }
            (node, _) => refused(Why::Missing { missing: so_far() }, node.start()),
        }
    }

    /// The single value that stands at these bytes.
    pub(super) fn at(&self, range: &Range<usize>) -> Option<&Leaf> {
        match self {
            Self::Leaf(leaf) => (leaf.range == *range).then_some(leaf),
            Self::Object { members, .. } => members.iter().find_map(|member| member.node.at(range)),
            Self::List { items, .. } => items.iter().find_map(|item| item.at(range)),
            Self::Computed { .. } => None,
        }
    }

    /// Whether `new` is the same but for the value at `slot`, which is `value` there, and a `sort` as before.
    pub(super) fn differs_only_in(&self, new: &Self, slot: &Slot, value: &str) -> bool {
        match (self, new) {
            (Self::Leaf(old), Self::Leaf(new)) => {
                let wanted = if old.range == slot.range { value } else { &old.value };
                old.sort == new.sort && new.value == wanted
            }
            (Self::Object { members: old, .. }, Self::Object { members: new, .. }) => {
                let same = |(old, new): (&Member, &Member)| {
                    old.key == new.key && old.node.differs_only_in(&new.node, slot, value)
                };
                old.len() == new.len() && old.iter().zip(new).all(same)
            }
            (Self::List { items: old, .. }, Self::List { items: new, .. }) => {
                old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.differs_only_in(new, slot, value))
            }
            (Self::Computed { what: old, .. }, Self::Computed { what: new, .. }) => old == new,
            _ => false,
        }
    }
}

/// The document with other bytes for those of the slot.
pub(super) fn spliced(document: &str, slot: &Slot, written: &str) -> String {
    [&document[..slot.range.start], written, &document[slot.range.end..]].concat()
}
