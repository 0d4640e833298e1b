//! Texts with placeholders: `{{id}}`, `{{host}}`, …
//!
//! Two braces, because one is an everyday thing in Tcl and in JSON, and CloudFormation's `Fn::Sub` leaves them alone.

use watchkeeper_custom_resources::nearest;

/// What stands for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// The agent's id.
    Id,
    /// Its address.
    Host,
    /// Its port.
    Port,
    /// Whose entry it is.
    Owner,
    /// Which version is changed: one that was listed, `absent`, or `present`.
    Version,
    /// What a script writes when all is done.
    Done,
    /// What a script writes when the entry is not as it was listed.
    Overtaken,
    /// The token of a REST Console.
    Token,
}

impl Placeholder {
    fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Host => "host",
            Self::Port => "port",
            Self::Owner => "owner",
            Self::Version => "version",
            Self::Done => "done",
            Self::Overtaken => "overtaken",
            Self::Token => "token",
        }
    }

    /// As it is written.
    pub(crate) fn written(self) -> String {
        format!("{{{{{}}}}}", self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Placeholder),
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

impl Template {
    /// Reads one. Two braces with a word between them are a placeholder, and must be one of `known`; all else is text. An
    /// error says all that is wrong.
    pub(crate) fn parse(text: &str, known: &[Placeholder]) -> Result<Self, String> {
        let (mut pieces, mut faults, mut plain) = (Vec::new(), Vec::new(), String::new());
        let mut rest = text;
        while let Some(found) = first(rest) {
            plain.push_str(found.before);
            if let Some(placeholder) = known.iter().find(|known| known.name() == found.name) {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Value(*placeholder));
            } else {
                faults.push(unknown(found.name, known));
            }
            rest = found.after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        if faults.is_empty() { Ok(Self(pieces)) } else { Err(faults.join("; ")) }
    }

    /// Whether this stands in it.
    pub(crate) fn has(&self, placeholder: Placeholder) -> bool {
        self.0.contains(&Piece::Value(placeholder))
    }

    /// The text with values.
    pub(crate) fn fill<E>(&self, mut value: impl FnMut(Placeholder) -> Result<String, E>) -> Result<String, E> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Value(placeholder) => text.push_str(&value(*placeholder)?),
            }
        }
        Ok(text)
    }
}

fn unknown(name: &str, known: &[Placeholder]) -> String {
    let names: Vec<&str> = known.iter().map(|known| known.name()).collect();
    let what = match nearest(name, &names) {
        Some(meant) => format!("did you mean {{{{{meant}}}}}?"),
        None => format!("known are {}", written(known)),
    };
    // The name is a few letters: see `first`.
    format!("the placeholder {{{{{name}}}}} is not known here; {what}")
}

/// These, as they are written.
pub(crate) fn written(placeholders: &[Placeholder]) -> String {
    placeholders.iter().map(|one| one.written()).collect::<Vec<_>>().join(", ")
}

struct Found<'a> {
    before: &'a str,
    name: &'a str,
    after: &'a str,
}

/// The first `{{word}}`; blanks around the word do not matter. Of more braces the innermost two count.
fn first(text: &str) -> Option<Found<'_>> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find("{{")?;
        let inner = &text[open + 2..];
        let end = inner.find(['{', '}']).unwrap_or(inner.len());
        let name = inner[..end].trim();
        if inner[end..].starts_with("}}") && is_word(name) {
            return Some(Found { before: &text[..open], name, after: &inner[end + 2..] });
        }
        from = open + 1;
    }
}

fn is_word(name: &str) -> bool {
    (1..=20).contains(&name.len()) && name.chars().all(|one| one.is_ascii_alphabetic() || "-_".contains(one))
}

#[cfg(test)]
mod tests {
    use super::Placeholder::{Host, Id, Port};
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str) -> Result<String, String> {
        let template = Template::parse(text, &[Id, Host, Port])?;
        template.fill(|placeholder| Ok(format!("<{}>", placeholder.name())))
    }

    #[test]
    fn two_braces_around_a_word_are_a_placeholder() {
        for (text, wanted) in [
            ("", ""),
            ("a {{id}}{{ host }}:{{port}} b", "a <id><host>:<port> b"),
            ("{{{id}}}", "{<id>}"),
            (r#"{"a":{"b":"{{id}}"}}"#, r#"{"a":{"b":"<id>"}}"#),
            // Tcl and JSON have braces of their own.
            (
                "if {[f {id}]} {puts $x}; set y {{}}; {{1 2}} {{a b}} ${id} {{id} }",
                "if {[f {id}]} {puts $x}; set y {{}}; {{1 2}} {{a b}} ${id} {{id} }",
            ),
            ("{{", "{{"),
            ("{{id}", "{{id}"),
            ("é{{id}}é", "é<id>é"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_told_all_at_once() {
        assert_eq!(
            filled("{{hots}} {{id}} {{color}}").unwrap_err(),
            "the placeholder {{hots}} is not known here; did you mean {{host}}?; the placeholder {{color}} is not known \
             here; known are {{id}}, {{host}}, {{port}}"
        );
        let template = Template::parse("{{id}}", &[Id]).unwrap();
        assert!(template.has(Id) && !template.has(Port));
    }

    proptest! {
        #[test]
        fn a_text_without_placeholders_is_itself(text in "[{} a1$\"é\\\\]{0,40}") {
            prop_assume!(Template::parse(&text, &[]).is_ok());
            prop_assert_eq!(filled(&text), Ok(text));
        }
    }
}
