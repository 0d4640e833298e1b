//! Environment files: what is found and written, by table, by property, and as python-dotenv, Node's dotenv and `sh` read it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod flat_evaluators;
mod hostile;

use flat_evaluators::{Edits, sample};
use proptest::prelude::*;
use serde_json::{Value, json};
use watchkeeper_documents::{Address, Refusal, Why, read, replace};

fn address(name: &str) -> Address {
    format!("dotenv:{name}").parse().unwrap()
}

fn edited(document: &str, value: &str) -> Result<String, Refusal> {
    replace(document, &address("A"), value).map(|edited| edited.text)
}

#[test]
fn a_value_is_found_in_each_form() {
    for (document, value) in [
        ("A=x", "x"),
        ("A=", ""),
        ("A= # none", ""),
        ("A = x y \t# c", "x y"),
        ("export A=x\r\nB=y\r\n", "x"),
        ("\u{feff}# c\n\n  A='x # y' # c", "x # y"),
        ("A=\"x\\ny'\"", "x\ny'"),
        ("A='x\r\ny'\r\n", "x\ny"),
        ("A=it's", "it's"),
        ("A=a$", "a$"),
        ("A='$x `y`'", "$x `y`"),
    ] {
        assert_eq!(read(document, &address("A")).unwrap(), value, "{document:?}");
    }
}

#[test]
fn a_value_is_written_in_the_form_of_the_old_one() {
    for (document, value, expected) in [
        ("A=x # c\nB=1", "y", "A=y # c\nB=1"),
        ("A=x # c", "y z", "A='y z' # c"),
        ("A= # c", "y", "A=y # c"),
        ("A=x", "", "A=''"),
        ("A=\"x\"\r\n", "y", "A=\"y\"\r\n"),
        ("A=\"x\"", "$y", "A='$y'"),
        ("A='x'", "it's", "A=\"it's\""),
        ("A='x'", "1\n2", "A='1\n2'"),
        ("export A = x", "\\d", "export A = '\\d'"),
    ] {
        assert_eq!(edited(document, value).unwrap(), expected, "{document:?}");
    }
}

#[test]
fn what_no_quoting_carries_is_refused() {
    for value in ["'\"", "'$", "'`", "\r", "\0", "${x}", "a\\", "\\\\", "'\\n", "${x:-y}"] {
        let refusal = edited("A=x", value).unwrap_err();
        assert!(matches!(refusal.why, Why::NotWritable { .. }), "{value:?}: {refusal}");
    }
}

#[test]
fn what_is_not_one_value_there_is_refused() {
    for document in [
        "A=$B",
        "A=\"${B}\"",
        "A='${B}'",
        "A=$(id)",
        "A=\"`id`\"",
        "A=\"\\$B\"",
        "A=x#y",
        "A=#y",
        "A=\"a\\\"b\"",
        "A='a\\'b'",
    ] {
        let refusal = edited(document, "new").unwrap_err();
        assert!(matches!(refusal.why, Why::Computed { .. }), "{document}: {refusal}");
    }
    for document in [
        "A",
        "A: x",
        "A='x",
        "A='x' y",
        "A=`x`",
        "echo\nA=x",
        "A=x\rB=y",
        "A=x\u{2028}y",
        "A=\"x\\\\\"",
        "'A'=x",
        "A=x\nB='\0'",
    ] {
        let refusal = edited(document, "new").unwrap_err();
        assert!(matches!(refusal.why, Why::NotParsed { .. }), "{document}: {refusal}");
    }
    assert!(matches!(edited("B=x", "new").unwrap_err().why, Why::Missing { .. }));
    let twice = edited("A=x\nexport A=y", "new").unwrap_err();
    assert_eq!(twice.to_string(), "the document has A more than once (line 2, column 10); looked for dotenv:A");
}

/// Lines that `sh` takes too, and such that it does not.
fn line(name: String, for_sh: bool) -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[a-zA-Z0-9_./:@%+,=-]{0,12}",
        "'[ -&(-\\[\\]-~é😀]{0,10}'".prop_filter("no placeholder", |value| !value.contains("${")),
        "'[a-z #\"]{0,5}\n[a-z =]{0,5}'",
        "\"[a-z '#=;&|<>*?!~é]{0,12}\"",
        "\"[a-z]{0,3}\n[A-Z]{1,3}='x'\n\"",
    ];
    let loose = prop_oneof![
        3 => value.clone(),
        1 => "[a-z][a-z '\";&|]{0,10}[a-z]",
        1 => "\"[a-z]{1,3}(\\\\n|\\\\r|\\\\\"|\\\\d)[a-z]{1,3}\"",
        1 => Just("${UNSET_ANYWHERE}/x".to_owned()),
        1 => Just("a#b".to_owned()),
    ];
    let value = if for_sh { value.boxed() } else { loose.boxed() };
    let equals =
        if for_sh { Just("=").boxed() } else { proptest::sample::select(vec!["=", " =", "= ", "\t=  "]).boxed() };
    let export = proptest::sample::select(vec!["", "", "export ", "  ", " export\t"]);
    let after = proptest::sample::select(vec!["", "", " ", " # comment", "  # don't \"quote\" `x` ${y}=z", " #"]);
    (export, equals, value, after)
        .prop_map(move |(export, equals, value, after)| format!("{export}{name}{equals}{value}{after}"))
}

/// A document, the names in it, and whether it is one for `sh`.
fn document() -> impl Strategy<Value = (String, Vec<String>, bool)> {
    (1usize..7, any::<bool>()).prop_flat_map(|(count, for_sh)| {
        let names: Vec<String> =
            (0..count).map(|at| format!("WK_{}", char::from(b'A' + u8::try_from(at).unwrap()))).collect();
        let lines: Vec<_> = names.iter().map(|name| line(name.clone(), for_sh).boxed()).collect();
        let between = prop_oneof![3 => Just(String::new()), 1 => "(\n| *# [a-z ='\"]{0,12}\n| \t\n){1,3}"];
        let ends = if for_sh { Just("\n").boxed() } else { proptest::sample::select(vec!["\n", "\r\n"]).boxed() };
        (lines, proptest::collection::vec(between, count), ends, any::<bool>(), Just(names)).prop_map(
            move |(lines, between, end, last, names)| {
                let mut text: String = lines
                    .iter()
                    .zip(between)
                    .flat_map(|(line, between)| [between, line.clone(), "\n".to_owned()])
                    .collect();
                if !last {
                    text.pop();
                }
                (text.replace('\n', end), names, for_sh)
            },
        )
    })
}

fn readers(names: &[String], for_sh: bool) -> Value {
    let mut only = vec!["python-dotenv", "node dotenv", "node dotenv fast"];
    only.extend(for_sh.then_some("sh"));
    json!({ "only": only, "names": names })
}

#[test]
fn python_node_and_sh_read_what_was_written() {
    let mut edits = Edits::default();
    for value in hostile::table() {
        for old in ["x", "'x'", "\"x\"", ""] {
            let names = ["A1", "A", "Z"].map(String::from);
            let document = format!("# first\nA1='don\"t'\nexport A={old} # it's\nZ=\"last\"");
            let _ = edits.attempt(&document, "dotenv", "A", &value, &readers(&names, true));
        }
    }
    let cases = sample(&(document(), hostile::any(), any::<prop::sample::Index>()), 3000);
    for ((document, names, for_sh), value, at) in cases {
        let name = at.get(&names);
        let _ = edits.attempt(&document, "dotenv", name, &value, &readers(&names, for_sh));
    }
    let tried = edits.check();
    println!("environment files: {tried:?} edits read alike; refused: {:?}", edits.refused);
    assert!(tried["python-dotenv"] > 1500 && tried["sh"] > 1000, "{tried:?}");
}

proptest! {
    #[test]
    fn any_text_is_read_and_edited_without_panic(document in "([ -~\n\r\t]|A=|['\"\\\\$#\n]|\\PC){0,60}", value in hostile::any()) {
        if let Ok(new) = edited(&document, &value) {
            prop_assert_eq!(read(&new, &address("A")).unwrap(), value);
        }
    }

    #[test]
    fn a_broken_document_gives_no_wrong_edit((text, names, _) in document(), at in any::<prop::sample::Index>(), byte in 0u8..128, value in hostile::any()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let document = String::from_utf8_lossy(&bytes).into_owned();
        if let Ok(edit) = replace(&document, &address(&names[0]), &value) {
            prop_assert_eq!(read(&edit.text, &address(&names[0])).unwrap(), value);
            for other in &names[1..] {
                prop_assert_eq!(read(&edit.text, &address(other)).ok(), read(&document, &address(other)).ok());
            }
        }
    }
}
