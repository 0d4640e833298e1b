//! The assignments of an environment file, and the bytes of their values.

use std::ops::Range;

use super::value::Form;
use crate::refusal::{Refusal, Why};

/// An assignment.
pub(super) struct Entry {
    pub(super) name: String,
    /// With its quotes; empty where nothing is assigned.
    pub(super) value: Range<usize>,
    pub(super) form: Form,
}

impl Entry {
    /// What is written, without quotes.
    pub(super) fn raw<'d>(&self, document: &'d str) -> &'d str {
        let quote = usize::from(self.form != Form::Bare);
        &document[self.value.start + quote..self.value.end - quote]
    }
}

/// All of a file that every reader takes for the same assignments; any other is refused.
pub(super) fn entries(document: &str) -> Result<Vec<Entry>, Refusal> {
    // A byte order mark is no text.
    let mut lexer = Lexer { document, at: document.len() - document.trim_start_matches('\u{feff}').len() };
    if lexer.at > '\u{feff}'.len_utf8() {
        return Err(lexer.fault("there is more than one byte order mark"));
    }
    let mut entries = Vec::new();
    while lexer.at < document.len() {
        lexer.skip_blanks();
        match lexer.peek() {
            Some('#') => lexer.comment()?,
            None | Some('\n' | '\r') => {}
            Some(_) => entries.push(lexer.assignment()?),
        }
        lexer.line_end()?;
    }
    Ok(entries)
}

struct Lexer<'d> {
    document: &'d str,
    at: usize,
}

impl<'d> Lexer<'d> {
    fn rest(&self) -> &'d str {
        &self.document[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn fault(&self, what: &str) -> Refusal {
        Refusal::at(Why::NotParsed { format: "dotenv", what: what.to_owned() }, self.document, self.at)
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn line_end(&mut self) -> Result<(), Refusal> {
        let rest = self.rest();
        self.at += match rest {
            "" => 0,
            _ if rest.starts_with("\r\n") => 2,
            _ if rest.starts_with('\n') => 1,
            _ => return Err(self.fault("a line is neither an assignment nor a comment")),
        };
        Ok(())
    }

    /// To the end of the line. White space that only some readers know would end it, or the value, for them alone.
    fn line(&mut self) -> Result<&'d str, Refusal> {
        let rest = self.rest();
        let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
        let odd = |character: char| {
            character != '\t' && character.is_control()
                || character == '\u{feff}'
                || character.is_whitespace() && !character.is_ascii()
        };
        if let Some(offset) = line.find(odd) {
            self.at += offset;
            return Err(self.fault("outside of quotes there is a control character or an unusual space"));
        }
        self.at += line.len();
        Ok(line)
    }

    fn comment(&mut self) -> Result<(), Refusal> {
        self.line().map(|_| ())
    }

    fn name(&mut self) -> &'d str {
        let rest = self.rest();
        let end = rest.find(|character: char| !(character.is_ascii_alphanumeric() || "_.-".contains(character)));
        let name = &rest[..end.unwrap_or(rest.len())];
        self.at += name.len();
        name
    }

    fn assignment(&mut self) -> Result<Entry, Refusal> {
        let mut name = self.name();
        if name == "export" && self.rest().starts_with([' ', '\t']) {
            self.skip_blanks();
            name = self.name();
        }
        if name.is_empty() {
            return Err(self.fault("a line is neither an assignment nor a comment"));
        }
        self.skip_blanks();
        if self.peek() != Some('=') {
            return Err(self.fault("a name is not followed by an equals sign"));
        }
        self.at += 1;
        let begin = self.at;
        self.skip_blanks();
        let (value, form) = match self.peek() {
            Some('\'') => (self.quoted('\'')?, Form::Single),
            Some('"') => (self.quoted('"')?, Form::Double),
            Some('`') => return Err(self.fault("backticks are quotes for some programs only")),
            _ => (self.bare(begin)?, Form::Bare),
        };
        self.skip_blanks();
        if self.peek() == Some('#') {
            self.comment()?;
        }
        Ok(Entry { name: name.to_owned(), value, form })
    }

    fn quoted(&mut self, quote: char) -> Result<Range<usize>, Refusal> {
        let begin = self.at;
        let mut escaped = false;
        for (offset, character) in self.rest().char_indices().skip(1) {
            match character {
                '\0' => return Err(self.fault("a NUL is in it")),
                '\r' if !self.document[begin + offset..].starts_with("\r\n") => {
                    return Err(self.fault("a value has a carriage return without a newline"));
                }
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                // Whether a backslash before it is one of its own, readers do not agree on.
                _ if character == quote && self.document[..begin + offset].ends_with('\\') => break,
                _ if character == quote => {
                    self.at = begin + offset + 1;
                    return Ok(begin..self.at);
                }
                _ => {}
            }
        }
        Err(self.fault("a quote is not closed, or closed after a backslash"))
    }

    /// Up to a comment or the end of the line, without the spaces around; where there is nothing, right after the `=`.
    fn bare(&mut self, begin: usize) -> Result<Range<usize>, Refusal> {
        let start = self.at;
        let line = self.line()?;
        let comment = if line.starts_with('#') && start > begin {
            Some(0)
        } else {
            line.match_indices([' ', '\t']).map(|(at, _)| at).find(|at| line[at + 1..].starts_with('#'))
        };
        let value = line[..comment.unwrap_or(line.len())].trim_end_matches([' ', '\t']);
        self.at = start + value.len();
        Ok(if value.is_empty() { begin..begin } else { start..self.at })
    }
}
