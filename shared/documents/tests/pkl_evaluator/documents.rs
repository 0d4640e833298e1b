//! Documents of many shapes, and what in them may be addressed.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;
use watchkeeper_documents::{Key, Path};

#[derive(Clone, Debug)]
pub(crate) enum Leaf {
    Text(String),
    Int(i64),
    Float(f64),
    Boolean(bool),
}

impl Leaf {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
            Self::Boolean(boolean) => boolean.to_string(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) path: Path,
    pub(crate) leaf: Leaf,
}

#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) text: String,
    pub(crate) targets: Vec<Target>,
}

#[derive(Clone, Debug)]
enum Node {
    /// And the form that a string is written in.
    Leaf(Leaf, usize),
    /// What cannot be addressed.
    Computed(&'static str),
    Object(Vec<Node>, usize),
    Mapping(Vec<Node>),
    Listing(Vec<Node>, usize),
}

/// A document, its way of writing included.
pub(crate) fn any() -> impl Strategy<Value = Document> {
    let leaf = prop_oneof![
        6 => (prop_oneof![select(super::values::HOSTILE).prop_map(str::to_owned), "[a-z \"\\\\#(){}\n]{0,12}"], 0..8_usize)
            .prop_map(|(text, form)| Node::Leaf(Leaf::Text(text), form)),
        1 => any_proptest::<i32>().prop_map(|number| Node::Leaf(Leaf::Int(number.into()), 0)),
        1 => (-4000..4000_i32).prop_map(|number| Node::Leaf(Leaf::Float(f64::from(number) / 8.0 + 0.0625), 0)),
        1 => any_proptest::<bool>().prop_map(|boolean| Node::Leaf(Leaf::Boolean(boolean), 0)),
        1 => select(vec!["null", "1 + 2", "\"\\(1)\\(\"}\")\"", "if (true) \"{\" else \"}\"", "List(1, 2)", "let (x = 1) x", "\"a\" + \"b\""])
            .prop_map(Node::Computed),
    ];
    let node = leaf.prop_recursive(4, 40, 6, |inner| {
        let several = prop::collection::vec(inner, 1..6);
        prop_oneof![
            4 => (several.clone(), 0..6_usize).prop_map(|(nodes, style)| Node::Object(nodes, style)),
            1 => several.clone().prop_map(Node::Mapping),
            1 => (several, 0..3_usize).prop_map(|(nodes, style)| Node::Listing(nodes, style)),
        ]
    });
    let trivia = prop::collection::vec(0..TRIVIA.len(), 1..12);
    (prop::collection::vec(node, 2..7), trivia, 0..NOISE.len(), 0..4_u8).prop_map(|(nodes, trivia, noise, ends)| {
        let mut writer = Writer { text: String::new(), targets: Vec::new(), trivia, passed: 0, amending: 0 };
        writer.text.push_str("local inherited = new Dynamic { inherited = \"password = \\\"x\\\"\" }\n");
        writer.text.push_str(NOISE[noise]);
        for (number, node) in nodes.iter().enumerate() {
            writer.gap();
            writer.member(node, number, &[], true);
            writer.text.push('\n');
        }
        let Writer { mut text, targets, .. } = writer;
        if ends & 1 == 1 {
            text.truncate(text.trim_end_matches('\n').len());
        }
        if ends & 2 == 2 {
            text = text.replace('\n', "\r\n");
        }
        Document { text, targets }
    })
}

fn any_proptest<T: Arbitrary>() -> impl Strategy<Value = T> {
    proptest::prelude::any::<T>()
}

/// What may stand between members.
const TRIVIA: &[&str] = &[
    "",
    " ",
    "\n",
    "\n\n    ",
    "\t",
    " // password = \"comment\" {\n",
    "/* } \" */",
    "/* p0 = \"x\"\n */\n",
    ";\n",
    "  \n// é 😀 \\(\n",
];

/// What is no value of the document, or computed.
const NOISE: &[&str] = &[
    "",
    "class Login { password: String = \"class\" }\ntypealias Text = String\n",
    "function greet(name: String): String = \"hello \\(name) }\"\n",
    "generated { for (i in List(1, 2)) { [\"p\\(i)\"] { password = \"x\" } } when (true) { p1 = \"y\" } ...inherited }\n",
    "@Deprecated { message = \"p1 = \\\"x\\\" {\" }\nolder: String(length > 0)|Int = \"o\"\nhidden p9 = \"hidden\"\n",
    "/// A comment { of the document = \"\nfixed documented = \"\"\"\n  p1 = \"x\" }\n  \"\"\"\n",
];

struct Writer {
    text: String,
    targets: Vec<Target>,
    trivia: Vec<usize>,
    passed: usize,
    /// Within how many objects that amend another one.
    amending: usize,
}

impl Writer {
    fn gap(&mut self) {
        self.passed += 1;
        self.text.push_str(TRIVIA[self.trivia[self.passed % self.trivia.len()]]);
    }

    /// One that is also a boundary between members.
    fn boundary(&mut self) {
        self.gap();
        self.text.push('\n');
    }

    fn member(&mut self, node: &Node, number: usize, parent: &[Key], at_top: bool) {
        let odd = number % 4 == 3;
        let name = match number {
            0 => "password".to_owned(),
            _ if odd => format!("odd.{number} \"key\""),
            _ => format!("p{number}"),
        };
        let path = [parent, &[Key::Name(name.clone())]].concat();
        match number % 8 {
            3 if at_top => write!(self.text, "`{name}`").unwrap(),
            3 => write!(self.text, "[#\"{name}\"#]").unwrap(),
            7 if !at_top => write!(self.text, "[\"{}\"]", name.replace('"', "\\\"")).unwrap(),
            7 => write!(self.text, "`{name}`").unwrap(),
            1 if at_top && matches!(node, Node::Leaf(Leaf::Text(_), _)) => {
                write!(self.text, "const {name}: String").unwrap();
            }
            _ => self.text.push_str(&name),
        }
        // A semicolon cannot stand there.
        self.text.push(' ');
        match node {
            Node::Object(nodes, style @ (0 | 1)) => {
                self.object(nodes, &path);
                if *style == 1 && !at_top {
                    self.text.push_str(" {\n also = \"amended\" }");
                }
            }
            // Behind what the other object has, its elements could not be counted.
            Node::Listing(nodes, 0) if self.amending == 0 => self.listing(nodes, &path),
            _ => {
                self.text.push_str("= ");
                self.value(node, &path);
            }
        }
    }

    fn value(&mut self, node: &Node, path: &[Key]) {
        match node {
            Node::Computed(text) => self.text.push_str(text),
            Node::Leaf(leaf, form) => {
                let text = match leaf {
                    Leaf::Text(text) => literal(text, *form),
                    leaf => leaf.text(),
                };
                self.text.push_str(&text);
                self.targets.push(Target { path: Path(path.to_vec()), leaf: leaf.clone() });
            }
            Node::Object(nodes, style) => {
                self.text.push_str(match style {
                    2 => "(inherited) ",
                    3 => "(new Dynamic { before = \"x\" }) ",
                    _ => "new Dynamic ",
                });
                self.amending += usize::from(*style == 2);
                self.object(nodes, path);
                self.amending -= usize::from(*style == 2);
            }
            Node::Mapping(nodes) => {
                self.text.push_str("new Mapping {");
                for (number, node) in nodes.iter().enumerate() {
                    self.boundary();
                    let name = format!("key {number}");
                    write!(self.text, "[\"{name}\"] ").unwrap();
                    let path = [path, &[Key::Name(name)]].concat();
                    if let Node::Object(nodes, 0) = node {
                        self.object(nodes, &path);
                    } else {
                        self.text.push_str("= ");
                        self.value(node, &path);
                    }
                }
                self.boundary();
                self.text.push('}');
            }
            Node::Listing(nodes, style) => {
                self.text.push_str(if *style == 1 { "new Listing " } else { "new Dynamic " });
                self.listing(nodes, path);
            }
        }
    }

    fn object(&mut self, nodes: &[Node], path: &[Key]) {
        self.text.push('{');
        for (number, node) in nodes.iter().enumerate() {
            self.boundary();
            self.member(node, number, path, false);
        }
        self.boundary();
        self.text.push('}');
    }

    fn listing(&mut self, nodes: &[Node], path: &[Key]) {
        self.text.push('{');
        for (number, node) in nodes.iter().enumerate() {
            self.boundary();
            self.value(node, &[path, &[Key::Index(number)]].concat());
        }
        self.boundary();
        self.text.push('}');
    }
}

/// A string in one of the forms; another way to write it than the one under test.
fn literal(text: &str, form: usize) -> String {
    let pounds = "#".repeat(form % 4);
    let lines = form >= 4;
    let mut written = format!("{pounds}{}", if lines { "\"\"\"\n      " } else { "\"" });
    for character in text.chars() {
        match character {
            '\n' if lines => written.push_str("\n      "),
            'a'..='z' | ' ' | '(' | ')' | '{' | '}' | '=' => written.push(character),
            '\\' | '"' => write!(written, "\\{pounds}{character}").unwrap(),
            '\n' => write!(written, "\\{pounds}n").unwrap(),
            _ if character.is_control() || form == 1 => {
                write!(written, "\\{pounds}u{{{:X}}}", u32::from(character)).unwrap();
            }
            _ => written.push(character),
        }
    }
    written.push_str(if lines { "\n      \"\"\"" } else { "\"" });
    written + &pounds
}
