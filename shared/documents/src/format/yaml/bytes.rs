//! The bytes of a scalar within what the parser gives, which may begin with an anchor and a tag, and end with a comment.

use std::ops::Range;

use saphyr_parser::ScalarStyle;

/// Of a scalar whose span is `span`; nothing if it is not as expected.
pub(super) fn of(document: &str, span: Range<usize>, style: ScalarStyle) -> Option<Range<usize>> {
    if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
        return block(document, span);
    }
    let start = content(document, span.start)?;
    let rest = document.get(start..)?;
    let end = match style {
        ScalarStyle::DoubleQuoted => closing(rest, '"')?,
        ScalarStyle::SingleQuoted => closing(rest, '\'')?,
        _ => plain(document.get(start..span.end)?),
    };
    Some(start..start + end)
}

/// Where an anchor, a tag, spaces and comments before the content end.
fn content(document: &str, mut at: usize) -> Option<usize> {
    loop {
        let rest = document.get(at..)?;
        let skipped = match rest.chars().next()? {
            ' ' | '\t' | '\n' | '\r' => 1,
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '&' => anchor(rest)?,
            '!' => rest.find([' ', '\t', '\n', '\r']).unwrap_or(rest.len()),
            _ => return Some(at),
        };
        at += skipped;
    }
}

/// Past the closing quote.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    if characters.next()?.1 != quote {
        return None;
    }
    while let Some((at, character)) = characters.next() {
        if character == '\\' && quote == '"' {
            characters.next()?;
        } else if character == quote {
            if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}

/// Without a comment and spaces after it.
fn plain(text: &str) -> usize {
    let comment = text.match_indices('#').map(|(at, _)| at).find(|at| text[..*at].ends_with([' ', '\t', '\n', '\r']));
    text[..comment.unwrap_or(text.len())].trim_end_matches([' ', '\t', '\n', '\r']).len()
}

/// From `|` or `>` to the end of the last line with something in it. The span is of the lines, or begins with an anchor.
fn block(document: &str, span: Range<usize>) -> Option<Range<usize>> {
    let sign = |text: &str| text.starts_with(['|', '>']);
    let anchored = content(document, span.start)
        .filter(|at| document[span.start..].starts_with(['&', '!', '|', '>']) && sign(&document[*at..]));
    let start = anchored.or_else(|| header(document, span.start))?;
    let text = document.get(start..span.end.max(start))?;
    // What is blank at the end is the next line's indentation or nothing; a tab is of the value.
    let mut end = text.len();
    while let Some(line_break) = text[..end].rfind(['\n', '\r'])
        && text[line_break + 1..end].bytes().all(|byte| byte == b' ')
    {
        end = line_break;
    }
    Some(start..start + end)
}

/// The sign of a block whose lines begin at `lines`: in the last line before them that is not blank.
fn header(document: &str, lines: usize) -> Option<usize> {
    let before = document.get(..lines)?.trim_end_matches([' ', '\t', '\n', '\r']);
    let line = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let header = before.get(line..)?;
    let comment = header.match_indices('#').map(|(at, _)| at).find(|at| header[..*at].ends_with([' ', '\t']));
    Some(line + header[..comment.unwrap_or(header.len())].rfind(['|', '>'])?)
}

/// The length of an anchor, if all readers see its name end at the same place.
fn anchor(text: &str) -> Option<usize> {
    let end = text.find([' ', '\t', '\n', '\r']).unwrap_or(text.len());
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text[1..end].bytes().all(fits).then_some(end)
}
