//! A document's tokens, which say where they are, and its tree, which does not: each literal and each defined name in
//! the tree is replaced by a mark that leads back to its token.

use pklr::Error;
use pklr::lexer::{StringPart, Token, TokenKind, lex};
use pklr::parser::{Module, parse_named};

use crate::refusal::{Refusal, Why};

/// How deep brackets may nest: the parser recurses.
const DEEPEST: usize = 64;
/// Between a name and the number of its token.
const MARK: char = '\0';

/// The last one is the end of the document.
pub(super) fn tokens(document: &str) -> Result<Vec<Token>, Refusal> {
    lex(document).map_err(|error| fault(document, &error))
}

/// The tree, with marks.
pub(super) fn module(document: &str, tokens: &[Token]) -> Result<Module, Refusal> {
    if !is_shallow(tokens, &mut 0) {
        return Err(not_parsed("its brackets nest too deep"));
    }
    let marked: Vec<Token> = tokens.iter().enumerate().map(|(at, token)| marked(tokens, at, token)).collect();
    parse_named(&marked, document, "").map_err(|error| fault(document, &error))
}

/// The token of a marked string, which stands for a boolean, too.
pub(super) fn string_token(mark: &str) -> Option<usize> {
    mark.parse().ok()
}

/// The token of a marked whole number.
pub(super) fn int_token(mark: i64) -> Option<usize> {
    usize::try_from(mark).ok()
}

/// The token of another marked number.
pub(super) fn float_token(mark: f64) -> Option<usize> {
    // A document has far fewer tokens than a float has whole numbers.
    format!("{mark}").parse().ok()
}

/// A member's name, and the token where it is defined.
pub(super) fn name(marked: &str) -> (&str, Option<usize>) {
    match marked.rsplit_once(MARK) {
        Some((name, at)) => (name, at.parse().ok()),
        None => (marked, None),
    }
}

pub(super) fn not_parsed(what: &str) -> Refusal {
    Refusal::new(Why::NotParsed { format: "Pkl", what: what.to_owned() })
}

/// The parser's own text quotes the document.
fn fault(document: &str, error: &Error) -> Refusal {
    let why = Why::NotParsed { format: "Pkl", what: "it is against the grammar".to_owned() };
    match error.source_offset() {
        Some(at) => Refusal::at(why, document, at),
        None => Refusal::new(why),
    }
}

fn marked(tokens: &[Token], at: usize, token: &Token) -> Token {
    let kind_of = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map(|token| &token.kind);
    let (before, after) = (kind_of(at.checked_sub(1)), kind_of(Some(at + 1)));
    let number = i64::try_from(at).unwrap_or(i64::MAX);
    let kind = match &token.kind {
        // What modules are called says which types there are.
        TokenKind::StringLit(_)
            if matches!(
                before,
                Some(TokenKind::KwAmends | TokenKind::KwExtends | TokenKind::KwImport | TokenKind::KwImportStar)
            ) =>
        {
            token.kind.clone()
        }
        TokenKind::StringLit(_) | TokenKind::BoolLit(_) => TokenKind::StringLit(at.to_string()),
        TokenKind::IntLit(_) | TokenKind::MinIntLit => TokenKind::IntLit(number),
        TokenKind::FloatLit(_) => at.to_string().parse().map_or_else(|_| token.kind.clone(), TokenKind::FloatLit),
        // A name that is defined here. The parser refuses two of one name, of which `tree` has more to say.
        TokenKind::Ident(name)
            if matches!(after, Some(TokenKind::Equals | TokenKind::Colon | TokenKind::LBrace))
                && !matches!(
                    before,
                    Some(
                        TokenKind::KwNew
                            | TokenKind::KwClass
                            | TokenKind::KwTypeAlias
                            | TokenKind::KwExtends
                            | TokenKind::KwAs
                            | TokenKind::Dot
                            | TokenKind::At
                    )
                ) =>
        {
            TokenKind::Ident(format!("{name}{MARK}{at}"))
        }
        kind => kind.clone(),
    };
    Token { kind, ..*token }
}

/// Whether the brackets nest no deeper than allowed, those in interpolations included.
fn is_shallow(tokens: &[Token], depth: &mut usize) -> bool {
    tokens.iter().all(|token| {
        match &token.kind {
            TokenKind::LBrace | TokenKind::LParen | TokenKind::LBracket | TokenKind::LPred => *depth += 1,
            TokenKind::RBrace | TokenKind::RParen | TokenKind::RBracket => *depth = depth.saturating_sub(1),
            TokenKind::InterpolatedString(parts) => {
                return parts.iter().all(|part| match part {
                    StringPart::Tokens(tokens) => is_shallow(tokens, &mut (*depth + 1)),
                    _ => true,
                });
            }
            _ => {}
        }
        *depth <= DEEPEST
    })
}
