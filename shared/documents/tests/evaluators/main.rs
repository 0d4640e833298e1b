#![allow(clippy::unwrap_used, reason = "tests")]

//! Edited documents as real parsers of Python read them: one value changed, to the one wanted, and nothing else.

mod json;
mod toml;
mod yaml;

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestRng, TestRunner};
use venv::Venv;
use watchkeeper_documents::{Address, Edited, Key, Refusal, Step, read, replace};

/// A document, an address in it, and another value for what is there if that is no string.
type Case = (&'static str, &'static str, Option<&'static str>);

const REQUIREMENTS: &str = include_str!("requirements.txt");

const HOSTILE: &[&str] = &[
    "",
    " ",
    "  x  ",
    "hunter2",
    "p@ss:w/rd",
    "a b",
    "#x",
    "x #y",
    "a: b",
    "- x",
    "? x",
    "*x",
    "&x",
    "!x",
    "%x",
    "@x",
    "`x",
    "|",
    ">",
    "=",
    "<<",
    "~",
    "{a}",
    "[a]",
    "a,b",
    "'",
    "''",
    "'''",
    "\"",
    "\"\"\"",
    "\\",
    "\\\\",
    "x\\",
    "it's",
    "a\"b",
    "ab'''",
    "a''",
    "\\(x)",
    "${X}",
    "$x",
    "\n",
    "a\nb",
    "a\nb\n",
    "\na",
    "a\n\nb",
    "a\n\n",
    " a\nb",
    "a\n b\n",
    "a\n \nb",
    "a \nb ",
    "\r",
    "a\r\nb",
    "\t",
    "\ta",
    "a\tb",
    "\0",
    "\u{1b}[0m",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{feff}a",
    "é",
    "😀",
    "\u{10ffff}",
    "\u{fffe}",
    "---",
    "...",
    "--- a",
    "a\n---\nb",
    "yes",
    "No",
    "on",
    "y",
    "null",
    "true",
    "False",
    "0",
    "0123",
    "0o17",
    "0x1F",
    "1e3",
    "1_000",
    "+1",
    "-1",
    "1.5",
    ".5",
    "1.",
    ".inf",
    ".NaN",
    "1:30",
    "2001-01-01",
    "2001-01-01 00:00:00",
    "10.0.0.1",
    "postgres://u:p@h:5/d?x=y",
    "a:",
    ":a",
    "inf",
    "nan",
    "-----BEGIN KEY-----\nabc+/=\n-----END KEY-----\n",
];

fn values() -> Vec<String> {
    let printable: String = (' '..='~').collect();
    let controls: String = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{a0}').collect();
    let mut values: Vec<String> = HOSTILE.iter().map(|value| (*value).to_owned()).collect();
    values.extend([printable.clone(), controls, printable.repeat(700)]);
    let mut runner = TestRunner::deterministic();
    values.extend((0..40).map(|_| any::<String>().new_tree(&mut runner).unwrap().current()));
    values.extend((0..40).map(|_| "[ -~\n\t'\"\\\\#:]{0,12}".new_tree(&mut runner).unwrap().current()));
    values
}

/// Each document also with CRLF, without its last line break, and (with some of the values) with 80 KB before it.
fn check(format: &str, documents: &[Case], comment: Option<&str>) {
    let mut cases = Vec::new();
    for (document, path, other) in documents {
        let mut variants = vec![(*document).to_owned(), document.replace('\n', "\r\n"), document.trim_end().to_owned()];
        variants.extend(comment.map(|comment| format!("{comment} {}\n{document}", "é😀 x".repeat(8000))));
        let address: Address = format!("{format}:{path}").parse().unwrap();
        for (number, variant) in variants.into_iter().enumerate() {
            let values = other.map_or_else(values, |other| vec![other.to_owned()]);
            read(&variant, &address).unwrap();
            for value in values.into_iter().step_by(if number == 3 { 40 } else { 1 }) {
                let edited = replace(&variant, &address, &value);
                let Ok(edited) = edited else { panic!("{format}:{path} of {variant:?} did not take {value:?}") };
                cases.push(Edit { before: variant.clone(), edited, address: address.clone(), value });
            }
        }
    }
    judge(format, &cases);
}

struct Edit {
    before: String,
    edited: Edited,
    address: Address,
    value: String,
}

/// All edits are as the real parsers, started once for them all, want them.
fn judge(format: &str, edits: &[Edit]) {
    let mut lines = String::new();
    for Edit { before, edited, address, value } in edits {
        assert!(edited.text.starts_with(&before[..edited.range.start]));
        assert!(edited.text.ends_with(&before[edited.range.end..]));
        let case = serde_json::json!({
            "format": format, "before": before, "after": edited.text, "path": keys(address), "value": value,
        });
        lines.push_str(&case.to_string());
        lines.push('\n');
    }
    let folder = tempfile::tempdir().unwrap();
    let (cases, program) = (folder.path().join("cases"), folder.path().join("judge.py"));
    std::fs::write(&cases, lines).unwrap();
    std::fs::write(&program, include_str!("judge.py")).unwrap();
    let answer = venv::run(Command::new(python()).arg(program).arg(cases)).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    println!("{format}: {} edits; read after by {}", edits.len(), answer["tried"]);
    let wrong = answer["wrong"].as_array().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!edits.is_empty());
}

fn keys(address: &Address) -> Vec<serde_json::Value> {
    let (Step::Json(path) | Step::Toml(path) | Step::Yaml(path)) = &address.steps()[0] else { unreachable!() };
    let key = |key: &Key| match key {
        Key::Name(name) => name.as_str().into(),
        Key::Index(index) => (*index).into(),
    };
    path.0.iter().map(key).collect()
}

fn python() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("evaluators");
    std::fs::create_dir_all(&folder).unwrap();
    let venv = Venv::of(&folder, REQUIREMENTS, 1, "this test");
    venv.make(|_| Ok(())).unwrap();
    venv.python()
}

/// What comes of reading an address of a document.
fn refusal(document: &str, address: &str) -> Refusal {
    read(document, &address.parse().unwrap()).unwrap_err()
}

/// Documents with some of their bytes changed: never a panic, and never an edit that changes more than it says.
fn mutated(format: &str, documents: &[Case]) {
    let strategy = (
        proptest::sample::select(documents.to_vec()),
        proptest::collection::vec((any::<proptest::sample::Index>(), "[ -~\n\r\té]{0,2}"), 1..4),
        "[ -~\n\r\té😀]{0,8}",
    );
    let config = ProptestConfig { cases: 20000, failure_persistence: None, ..ProptestConfig::default() };
    let generator = TestRng::deterministic_rng(config.rng_algorithm);
    let edits = RefCell::new(Vec::new());
    TestRunner::new_with_rng(config, generator)
        .run(&strategy, |((document, path, _), changes, value)| {
            let mut characters: Vec<String> = document.chars().map(String::from).collect();
            for (at, text) in changes {
                let at = at.index(characters.len());
                characters[at] = text;
            }
            let before = characters.concat();
            let address: Address = format!("{format}:{path}").parse().unwrap();
            if let Ok(edited) = replace(&before, &address, &value) {
                prop_assert_eq!(&read(&edited.text, &address), &Ok(value.clone()));
                edits.borrow_mut().push(Edit { before, edited, address, value });
            }
            Ok(())
        })
        .unwrap();
    judge(format, &edits.into_inner());
}
