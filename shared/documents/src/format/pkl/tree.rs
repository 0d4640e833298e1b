//! The way to a value through a document's tree.

use std::ops::Range;

use pklr::lexer::{Token, TokenKind};
use pklr::parser::{BinOp, Entry, Expr, Modifier, Module, Property, UnOp};

use super::syntax;
use crate::address::{Key, Path};
use crate::refusal::{Refusal, Why};

/// The tokens of the value at a path: a literal, with the minus before it.
pub(super) fn find(document: &str, tokens: &[Token], module: &Module, path: &Path) -> Result<Range<usize>, Refusal> {
    let way = Way { document, tokens, path };
    let is_whole = module.amends.is_none() && module.extends.is_none();
    let mut member = Member { held: Held::Body(&module.body), at: 0, is_local: false, is_plain: is_whole };
    for (passed, key) in path.0.iter().enumerate() {
        let object = way.object(&member, passed)?;
        member = way.member(&object, key, passed, member.at)?;
    }
    way.literal(&member)
}

struct Way<'t> {
    document: &'t str,
    tokens: &'t [Token],
    path: &'t Path,
}

/// What a member is defined as.
#[derive(Clone, Copy)]
enum Held<'t> {
    /// `name = …`
    Expr(&'t Expr),
    /// `name { … }`
    Body(&'t [Entry]),
}

#[derive(Clone, Copy)]
struct Member<'t> {
    held: Held<'t>,
    /// A byte near it, for errors.
    at: usize,
    is_local: bool,
    /// It is in an object without a type, so no class has a say in what `{ … }` begins with.
    is_plain: bool,
}

/// The bodies that define an object, each amending the one before.
struct Object<'t> {
    bodies: Vec<&'t [Entry]>,
    /// All of its elements are in these bodies, so they can be counted.
    is_whole: bool,
    /// See [`Member::is_plain`], for its members.
    is_plain: bool,
}

/// What in an object's bodies may also say what a key's value is.
#[derive(Default)]
struct Others {
    computed: Option<&'static str>,
    conditional: Option<&'static str>,
    amended: bool,
}

impl<'t> Way<'t> {
    fn refusal(&self, why: Why, at: usize) -> Refusal {
        Refusal::at(why, self.document, at)
    }

    /// The path up to and with a key.
    fn up_to(&self, passed: usize) -> String {
        Path(self.path.0[..=passed].to_vec()).to_string()
    }

    fn offset(&self, token: Option<usize>) -> Option<usize> {
        token.and_then(|token| self.tokens.get(token)).map(|token| token.offset)
    }

    fn object(&self, member: &Member<'t>, passed: usize) -> Result<Object<'t>, Refusal> {
        let object = match member.held {
            Held::Body(body) => {
                Some(Object { bodies: vec![body], is_whole: member.is_plain, is_plain: member.is_plain })
            }
            Held::Expr(expr) => object(expr, member.is_plain),
        };
        let mut object = object.ok_or_else(|| {
            // A literal has no members; what is computed may have.
            let why = match self.literal(member) {
                Err(Refusal { why: why @ Why::Computed { .. }, .. }) => why,
                _ => Why::Missing { missing: self.up_to(passed) },
            };
            self.refusal(why, member.at)
        })?;
        // What `default` says goes into every element and entry.
        let has_default =
            |entry: &Entry| matches!(entry, Entry::Property(property) if syntax::name(&property.name).0 == "default");
        object.is_plain &= !object.bodies.iter().copied().flatten().any(has_default);
        Ok(object)
    }

    fn member(&self, object: &Object<'t>, key: &Key, passed: usize, near: usize) -> Result<Member<'t>, Refusal> {
        let (mut found, mut others) = (Vec::new(), Others::default());
        let mut elements = 0;
        for entry in object.bodies.iter().copied().flatten() {
            match entry {
                Entry::Property(property) => found.extend(self.property(property, key, object.is_plain)),
                Entry::DynProperty(at, value) => {
                    let token = literal_token(at);
                    match token {
                        Some(token) if self.is_key(token, key) => found.push(Member {
                            held: held(value),
                            at: self.offset(Some(token)).unwrap_or(near),
                            is_local: false,
                            is_plain: object.is_plain,
                        }),
                        Some(_) => {}
                        None => others.computed = Some("keys that are computed"),
                    }
                }
                Entry::Elem(value) => {
                    if *key == Key::Index(elements) {
                        found.push(Member { held: held(value), at: near, is_local: false, is_plain: object.is_plain });
                        // Where it is counted from is not certain.
                        if !object.is_whole {
                            others.conditional = Some("elements behind those of another object");
                        } else if others.computed.is_some() {
                            others.conditional = others.computed;
                        }
                    }
                    elements += 1;
                }
                Entry::WhenGenerator(when) => {
                    let bodies = when.body.iter().chain(when.else_body.iter().flat_map(|body| body.iter()));
                    if self.may_define(bodies, key) {
                        others.conditional = Some("a when generator");
                    }
                    others.computed = Some("a when generator");
                }
                Entry::ForGenerator(generator) => {
                    if self.may_define(generator.body.iter(), key) {
                        others.conditional = Some("a for generator");
                    }
                    others.computed = Some("a for generator");
                }
                Entry::Spread(_) => others.computed = Some("a spread"),
                Entry::Predicate(..) => others.amended = true,
                _ => {}
            }
        }
        // A program that reads the object does not see its locals.
        if found.iter().any(|member| !member.is_local) {
            found.retain(|member| !member.is_local);
        }
        match (&found[..], others) {
            ([_, second, ..], _) => Err(self.refusal(Why::Ambiguous { path: self.up_to(passed) }, second.at)),
            ([member], Others { conditional: Some(what), .. }) => Err(self.refusal(Why::Computed { what }, member.at)),
            ([member], Others { amended: true, .. }) => {
                Err(self.refusal(Why::Computed { what: "members that a predicate amends" }, member.at))
            }
            // In one body two of a name are an error; a later one replaces it.
            ([member], Others { computed: Some(what), .. }) if object.bodies.len() > 1 || self.amends_at_once() => {
                Err(self.refusal(Why::Computed { what }, member.at))
            }
            ([member], _) => Ok(*member),
            ([], Others { computed: Some(what), .. } | Others { conditional: Some(what), .. }) => {
                Err(self.refusal(Why::Computed { what }, near))
            }
            ([], _) => Err(self.refusal(Why::Missing { missing: self.up_to(passed) }, near)),
        }
    }

    fn property(&self, property: &'t Property, key: &Key, is_plain: bool) -> Option<Member<'t>> {
        let (name, token) = syntax::name(&property.name);
        let held = match (&property.value, &property.body) {
            (Some(value), _) => held(value),
            (None, Some(body)) => Held::Body(body),
            // A declaration without a value.
            (None, None) => return None,
        };
        (!property.is_method && matches!(key, Key::Name(wanted) if wanted == name)).then(|| Member {
            held,
            at: self.offset(token).unwrap_or(0),
            is_local: property.modifiers.contains(&Modifier::Local),
            is_plain: is_plain && property.type_ann.is_none(),
        })
    }

    /// Whether there is a `{ … } { … }`, which the tree does not tell from one body.
    fn amends_at_once(&self) -> bool {
        self.tokens.windows(2).any(|pair| pair[0].kind == TokenKind::RBrace && pair[1].kind == TokenKind::LBrace)
    }

    /// Whether the literal `[…]` is this key.
    fn is_key(&self, token: usize, key: &Key) -> bool {
        match (self.tokens.get(token).map(|token| &token.kind), key) {
            (Some(TokenKind::StringLit(text)), Key::Name(name)) => text == name,
            (Some(TokenKind::IntLit(number)), Key::Index(index)) => usize::try_from(*number) == Ok(*index),
            _ => false,
        }
    }

    /// Whether a generator's body has a member of that key.
    fn may_define(&self, mut body: impl Iterator<Item = &'t Entry>, key: &Key) -> bool {
        body.any(|entry| match entry {
            Entry::Property(property) => self.property(property, key, false).is_some(),
            Entry::DynProperty(at, _) => literal_token(at).is_some_and(|token| self.is_key(token, key)),
            Entry::WhenGenerator(when) => {
                self.may_define(Box::new(when.body.iter()) as Box<dyn Iterator<Item = _>>, key)
                    || when
                        .else_body
                        .iter()
                        .any(|body| self.may_define(Box::new(body.iter()) as Box<dyn Iterator<Item = _>>, key))
            }
            Entry::ForGenerator(generator) => {
                self.may_define(Box::new(generator.body.iter()) as Box<dyn Iterator<Item = _>>, key)
            }
            _ => false,
        })
    }

    /// The tokens of a member that is written out.
    fn literal(&self, member: &Member<'t>) -> Result<Range<usize>, Refusal> {
        let expr = match member.held {
            Held::Expr(expr) if object(expr, false).is_none() => expr,
            Held::Expr(Expr::New(Some(class), ..)) if class == "Listing" => {
                return Err(self.refusal(Why::NotScalar { what: "a list" }, member.at));
            }
            _ => return Err(self.refusal(Why::NotScalar { what: "an object" }, member.at)),
        };
        let token = match expr {
            Expr::Null => return Err(self.refusal(Why::NotScalar { what: "null" }, member.at)),
            Expr::Unop(UnOp::Neg, number) if !matches!(**number, Expr::String(_)) => {
                // With a bracket between them, the minus is not the token before.
                literal_token(number).and_then(|token| {
                    let minus = token.checked_sub(1)?;
                    (self.tokens.get(minus)?.kind == TokenKind::Minus).then_some(minus..token + 1)
                })
            }
            expr => literal_token(expr).map(|token| token..token + 1),
        };
        token
            .filter(|range| range.end <= self.tokens.len())
            .ok_or_else(|| self.refusal(Why::Computed { what: what_computes(expr) }, member.at))
    }
}

fn held(expr: &Expr) -> Held<'_> {
    match expr {
        Expr::ObjectBody(body) => Held::Body(body),
        expr => Held::Expr(expr),
    }
}

/// The object that an expression writes out. `is_plain`: see [`Member::is_plain`].
fn object(expr: &Expr, is_plain: bool) -> Option<Object<'_>> {
    match expr {
        Expr::New(None, body, _) => Some(Object { bodies: vec![body], is_whole: is_plain, is_plain }),
        Expr::New(Some(class), body, parameters) => {
            let is_plain = parameters.is_empty() && matches!(&class[..], "Dynamic" | "Listing" | "Mapping");
            Some(Object { bodies: vec![body], is_whole: true, is_plain })
        }
        Expr::InferredNew(_, body) => Some(Object { bodies: vec![body], is_whole: true, is_plain: false }),
        // How the parser puts `(parent) { … }`; there is no other sum with an object's body.
        Expr::Binop(BinOp::Add, parent, body) => {
            let Expr::ObjectBody(body) = &**body else { return None };
            let mut object =
                object(parent, is_plain).unwrap_or(Object { bodies: Vec::new(), is_whole: false, is_plain: false });
            object.bodies.push(body);
            Some(object)
        }
        _ => None,
    }
}

fn literal_token(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::String(mark) => syntax::string_token(mark),
        Expr::Int(mark) => syntax::int_token(*mark),
        Expr::Float(mark) => syntax::float_token(*mark),
        _ => None,
    }
}

fn what_computes(expr: &Expr) -> &'static str {
    match expr {
        Expr::StringInterpolation(_) => "a string interpolation",
        Expr::Ident(_) | Expr::Field(..) | Expr::NullSafeField(..) | Expr::Index(..) => "a reference",
        Expr::Call(..) => "a function call",
        Expr::If(..) | Expr::Let(..) => "an if or let expression",
        Expr::Read(..) | Expr::ReadOrNull(..) | Expr::ReadGlob(..) => "what is read from elsewhere",
        Expr::Import(..) | Expr::ImportGlob(..) => "an import",
        Expr::Lambda(..) => "a function",
        _ => "an expression",
    }
}
