//! Pkl, edited and then read by the real evaluator: one leaf is another, to exactly the new value, and no other byte.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod documents;
mod evaluator;
mod values;

use std::fmt::Write as _;

use documents::{Document, Leaf, Target};
use evaluator::Evaluator;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use watchkeeper_documents::{Address, Key, Path, Step, Why, read, replace};

/// The same documents each time.
fn runner(seed: u8) -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

fn address(path: &Path) -> Address {
    Step::Pkl(path.clone()).to_string().parse().unwrap()
}

/// The document's value at a path, to be replaced in the evaluator's reading of it.
fn leaf<'v>(document: &'v mut Value, path: &Path) -> &'v mut Value {
    path.0.iter().fold(document, |value, key| match key {
        Key::Name(name) => value.get_mut(name).unwrap(),
        Key::Index(index) => value.get_mut(index).unwrap(),
    })
}

/// Replaces, and checks that it is only the bytes of the old value.
fn edit(text: &str, path: &Path, value: &str) -> String {
    let edited = replace(text, &address(path), value).unwrap_or_else(|refusal| panic!("{refusal}\n{text}\n{value:?}"));
    let (before, after) = (&text[..edited.range.start], &text[edited.range.end..]);
    assert!(edited.text.starts_with(before) && edited.text.ends_with(after));
    assert!(edited.text.len() >= before.len() + after.len());
    edited.text
}

#[test]
fn generated_documents_change_in_one_leaf() {
    let evaluator = Evaluator::fetched();
    let mut runner = runner(1);
    let documents: Vec<Document> =
        (0..180).map(|_| documents::any().new_tree(&mut runner).unwrap().current()).collect();
    let before = evaluator.read(documents.iter().map(|document| &document.text[..]));
    let (mut texts, mut expected) = (Vec::new(), Vec::new());
    let mut values = values::HOSTILE.iter().cycle();
    for (document, before) in documents.iter().zip(&before) {
        for Target { path, leaf: old } in &document.targets {
            assert_eq!(read(&document.text, &address(path)).unwrap(), old.text(), "{path}\n{}", document.text);
            let tries = match old {
                Leaf::Text(_) => {
                    vec![json!(values.next().unwrap()), json!(any::<String>().new_tree(&mut runner).unwrap().current())]
                }
                Leaf::Int(_) => vec![json!(any::<i64>().new_tree(&mut runner).unwrap().current())],
                Leaf::Float(number) => vec![json!(number * 3.5 + 0.25)],
                Leaf::Boolean(boolean) => vec![json!(!boolean)],
            };
            for value in tries {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                texts.push(edit(&document.text, path, &text));
                let mut document = before.clone();
                *leaf(&mut document, path) = value;
                expected.push(document);
            }
        }
    }
    for ((after, expected), text) in
        evaluator.read(texts.iter().map(|text| &text[..])).iter().zip(&expected).zip(&texts)
    {
        assert_eq!(after, expected, "{text}");
    }
    assert!(texts.len() > 1000, "{}", texts.len());
    println!("{} documents, {} edits: the evaluator agrees with each", documents.len(), texts.len());
}

#[test]
fn every_form_carries_every_value() {
    let evaluator = Evaluator::fetched();
    let (mut texts, mut expected) = (Vec::new(), Vec::new());
    let values: Vec<String> = values::all().collect();
    for form in values::FORMS {
        for line_break in ["\n", "\r\n"] {
            if line_break == "\r\n" && !form.contains('\n') {
                continue;
            }
            let document = format!("a {{ b = {form} c = \"}}\" }}").replace('\n', line_break);
            for value in &values {
                texts.push(edit(&document, &Path(vec![Key::Name("a".into()), Key::Name("b".into())]), value));
                expected.push(json!({ "a": { "b": value, "c": "}" } }));
            }
        }
    }
    let after = evaluator.read(texts.iter().map(|text| &text[..]));
    for (at, (after, expected)) in after.iter().zip(&expected).enumerate() {
        assert!(after == expected, "{}", texts[at]);
    }
    println!(
        "{} values in {} forms, {} edits: the evaluator agrees with each",
        values.len(),
        values::FORMS.len(),
        texts.len()
    );
}

/// A document that somebody has damaged: it is refused, or what comes out is right all the same.
#[test]
fn damaged_documents_are_never_edited_wrongly() {
    let evaluator = Evaluator::fetched();
    let mut runner = runner(2);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), values::fragment(), 0_usize..6), 1..3);
    let (mut tried, mut edited, mut evaluated) = (0, 0, 0);
    while evaluated < 120 {
        let document = documents::any().new_tree(&mut runner).unwrap().current();
        for Target { path, leaf: old } in document.targets.iter().take(4) {
            let mut text = document.text.clone();
            for (at, fragment, removed) in damage.new_tree(&mut runner).unwrap().current() {
                let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
                let start = at.index(boundaries.len());
                let end = (start + removed).min(boundaries.len() - 1);
                text.replace_range(boundaries[start]..boundaries[end], fragment);
            }
            tried += 1;
            let value = if matches!(old, Leaf::Text(_)) { "new\\(1)\"" } else { "7" };
            let Ok(after) = replace(&text, &address(path), value) else { continue };
            edited += 1;
            let (Some(mut before), after) = (evaluator.read_one(&text), evaluator.read_one(&after.text)) else {
                continue;
            };
            evaluated += 1;
            let kind = leaf(&mut before, path);
            *kind = if kind.is_string() { json!(value) } else { json!(7) };
            assert_eq!(after, Some(before), "{path}\n{text}");
        }
    }
    println!(
        "{tried} damaged documents, {edited} not refused, {evaluated} of them still Pkl: the evaluator agrees with each"
    );
}

#[test]
fn what_is_read_is_what_the_evaluator_reads() {
    let evaluator = Evaluator::fetched();
    let cases = [
        (r#"a { b = "\u{1F600}\u{41}\u{0}\t\r\n\"\\" }"#, "a.b"),
        ("a { b = \"\"\"\n     x\n     y \\u{7a}\n\n      z\n     \"\"\" }", "a.b"),
        ("a { b = ##\"\"\"\r\n  \"\"\" \\#n \\##n\r\n  \"\"\"## }", "a.b"),
        ("a { local b = 1; b = 2 }", "a.b"),
        ("a { b = 0xff }", "a.b"),
        ("a { b = -0b11 }", "a.b"),
        ("a { b = 0o17 }", "a.b"),
        ("a { b = 1_000 }", "a.b"),
        ("a { b = 9223372036854775807 }", "a.b"),
        ("a { b = -9223372036854775808 }", "a.b"),
        ("a { b = (((\"x\"))) }", "a.b"),
        ("a { b = 1 } { c = 2 }", "a.c"),
        ("l = new Listing { \"a\" } \n m = (l) { [0] = \"b\" }", "m[0]"),
        ("l = (new Listing { \"a\" }) { \"b\" }", "l[1]"),
        ("l { \"a\" \"b\"; new { c = \"d\" } }", "l[2].c"),
        ("local x = \"y\"\nfixed `a b` = \"z\"\nconst c = 1", "\"a b\""),
        ("a { [\"b\"] = \"c\" }\nb { [\"a.b\"] { c = 2 } }", "b.\"a.b\".c"),
        ("a: String|Int = \"b\"", "a"),
        ("a: Listing<String> = new { \"b\" }", "a[0]"),
    ];
    for (text, path) in cases {
        let found =
            read(text, &format!("pkl:{path}").parse().unwrap()).unwrap_or_else(|refusal| panic!("{refusal} {text}"));
        let mut document = evaluator.read_one(text).unwrap_or_else(|| panic!("{text}"));
        let leaf = leaf(&mut document, &path.parse().unwrap());
        assert_eq!(leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned), found, "{text}");
    }
}

/// A reference is followed by the evaluator: the local that it leads to is what may be addressed.
#[test]
fn a_local_gives_its_value_to_those_that_refer_to_it() {
    let evaluator = Evaluator::fetched();
    let text = "local secret = \"old\"\na { password = secret; url = \"x:\\(secret)@y\" }";
    for computed in ["pkl:a.password", "pkl:a.url"] {
        assert!(matches!(read(text, &computed.parse().unwrap()).unwrap_err().why, Why::Computed { .. }));
    }
    let edited = edit(text, &"secret".parse().unwrap(), "n\\(1)");
    let after = json!({ "a": { "password": "n\\(1)", "url": "x:n\\(1)@y" } });
    assert_eq!(evaluator.read_one(&edited), Some(after));
}

/// A large document with a large value.
#[test]
fn size_is_no_matter() {
    let evaluator = Evaluator::fetched();
    let mut text = String::new();
    for number in 0..1200 {
        writeln!(text, "// block {number}: password = \"x\"\nblock{number} {{ password = \"old\" }}").unwrap();
    }
    assert!(text.len() > 64 << 10);
    let value = "\\(a)\"\n#".repeat(10 << 10);
    let edited = edit(&text, &"block700.password".parse().unwrap(), &value);
    let mut expected = evaluator.read_one(&text).unwrap();
    expected["block700"]["password"] = json!(value);
    assert!(evaluator.read_one(&edited) == Some(expected));
}
