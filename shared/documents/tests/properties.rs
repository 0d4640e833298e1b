//! Java properties: what is found and written, by table, by property, and as a reader of its own reads it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod flat_evaluators;
mod hostile;

use flat_evaluators::{Edits, sample};
use proptest::prelude::*;
use serde_json::json;
use watchkeeper_documents::{Address, Refusal, Why, read, replace};

fn address(key: &str) -> Address {
    format!("properties:\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")).parse().unwrap()
}

fn edited(document: &str, value: &str) -> Result<String, Refusal> {
    replace(document, &address("a.b"), value).map(|edited| edited.text)
}

#[test]
fn a_value_is_found_in_each_form() {
    for (document, value) in [
        ("a.b=x", "x"),
        ("a.b: x ", "x "),
        ("a.b x=y", "x=y"),
        ("a.b", ""),
        ("a.b=", ""),
        ("  a.b \t=\u{c} x\r\nc=d", "x"),
        ("! c\n# a.b=c \\\na.b==x", "=x"),
        ("a.b=x\\\n   y\\\r\n#z", "xy#z"),
        ("a\\.\\u0062=\\u0041\\t\\ \\=\\\\\\q", "A\t =\\q"),
        ("a.b=x\\", "x"),
        ("a.b=\\uD83D\\uDE00é", "😀é"),
        ("a\\\n.b=\\u00\\\n  41", "A"),
        ("a.b=\\\n   ", ""),
        ("\\\n a.b=x", "x"),
    ] {
        assert_eq!(read(document, &address("a.b")).unwrap(), value, "{document:?}");
    }
}

#[test]
fn a_value_is_written_in_one_line() {
    for (document, value, expected) in [
        ("a.b=x # no comment\nc=d", "y", "a.b=y\nc=d"),
        ("a.b = x\\\n  y\nc=d", "z", "a.b = z\nc=d"),
        ("a.b", "y", "a.b=y"),
        ("a.b x", "=y", "a.b \\=y"),
        ("a.b=x\\", "y\\", "a.b=y\\\\"),
        ("a.b=x\\\n", "y", "a.b=y\n"),
        ("a.b=x\r\n", " é😀 ", "a.b=\\ \\u00E9\\uD83D\\uDE00\\ \r\n"),
        ("a.b=", "\t\n\r\u{c}\0", "a.b=\\t\\n\\r\\f\\u0000"),
        ("a.b=x", "", "a.b="),
    ] {
        assert_eq!(edited(document, value).unwrap(), expected, "{document:?}");
    }
}

#[test]
fn what_is_not_one_value_there_is_refused() {
    for document in ["a.b=${x}", "a.b=#{x}", "a.b=\\u0024{x}"] {
        assert!(matches!(edited(document, "new").unwrap_err().why, Why::Computed { .. }), "{document}");
    }
    for document in ["a.b=\\u00g0", "x=\\u1\na.b=y", "a.b=\\uD83D", "\\\n#a.b=x", "a.b=x\n\\", "a.b=\\u+123"] {
        assert!(matches!(edited(document, "new").unwrap_err().why, Why::NotParsed { .. }), "{document}");
    }
    for value in ["${x}", "#{x}"] {
        assert!(matches!(edited("a.b=x", value).unwrap_err().why, Why::NotWritable { .. }));
    }
    assert!(matches!(edited("a=x", "new").unwrap_err().why, Why::Missing { .. }));
    assert!(matches!(edited("a.b=x\na\\u002eb=y", "new").unwrap_err().why, Why::Ambiguous { .. }));
}

fn document() -> impl Strategy<Value = (String, Vec<String>)> {
    let value = prop_oneof![
        "[ -\\[\\]-~]{0,12}".prop_map(|value| value.replace("${", "").replace("#{", "")),
        "([a-z]{0,3}(\\\\[tnrf:=# q]|\\\\u00[0-9a-f][0-9A-F]|\\\\\\\\)){0,4}",
        "([a-z =]{0,4}\\\\\n[ \t]{0,3}[a-z#!=]{1,3}){1,3}",
        "[a-zéĀ😀 ]{0,6}",
        Just("${other}".to_owned()),
    ];
    let separator = proptest::sample::select(vec!["=", ":", " ", " = ", "\t:", " =\t", "\\\n  = ", "=\\\n \t"]);
    let entry = ("[a-zé]{1,4}(\\.|\\\\:|\\\\u0041|\\\\ )?", separator, value);
    let between = prop_oneof![3 => Just(String::new()), 1 => "(\n|[ \t]*[#!] [a-z =:]{0,12}\\\\?\n| \t\n){1,3}"];
    let ends = proptest::sample::select(vec!["\n", "\r\n", "\r"]);
    (proptest::collection::vec((entry, between, "[ \t\u{c}]{0,2}"), 1..8), ends, any::<bool>()).prop_map(
        |(entries, end, last)| {
            let mut text = String::new();
            let mut keys = Vec::new();
            for (at, ((key, separator, value), between, indent)) in entries.into_iter().enumerate() {
                text = format!("{text}{between}{indent}{key}.{at}{separator}{value}\n");
                keys.push(format!("{}.{at}", key.replace("\\u0041", "A").replace('\\', "")));
            }
            if !last {
                text.pop();
            }
            (text.replace('\n', end), keys)
        },
    )
}

#[test]
fn a_reader_of_properties_reads_what_was_written() {
    let mut edits = Edits::default();
    for value in hostile::table() {
        for target in ["a.b=x", "a.b: x\\\n   y", "a.b", "a.b x", "a.b ="] {
            let document = format!("# first\nz=\\u0041\n{target}\nlast = one\\\n two");
            let _ = edits.attempt(&document, "properties", "\"a.b\"", &value, &json!({ "name": "a.b" }));
        }
    }
    for ((document, keys), value, at) in sample(&(document(), hostile::any(), any::<prop::sample::Index>()), 3000) {
        let key = at.get(&keys);
        let quoted = format!("\"{key}\"");
        let _ = edits.attempt(&document, "properties", &quoted, &value, &json!({ "name": key }));
    }
    let tried = edits.check();
    println!("properties: {tried:?} edits read alike; refused: {:?}", edits.refused);
    assert!(tried["javaproperties"] > 3000, "{tried:?}");
}

proptest! {
    #[test]
    fn all_but_placeholders_is_carried((document, keys) in document(), value in hostile::any()) {
        prop_assume!(!document.contains("${") && !value.contains("${") && !value.contains("#{"));
        let new = replace(&document, &address(&keys[0]), &value).unwrap().text;
        prop_assert_eq!(read(&new, &address(&keys[0])).unwrap(), value);
    }

    #[test]
    fn any_text_is_read_and_edited_without_panic(document in "([ -~\n\r\t]|a\\.b|[=:\\\\#!\n]|\\\\u|\\PC){0,60}", value in hostile::any()) {
        if let Ok(new) = edited(&document, &value) {
            prop_assert_eq!(read(&new, &address("a.b")).unwrap(), value);
        }
    }

    #[test]
    fn a_broken_document_gives_no_wrong_edit((text, keys) in document(), at in any::<prop::sample::Index>(), byte in 0u8..128, value in hostile::any()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let document = String::from_utf8_lossy(&bytes).into_owned();
        if let Ok(edit) = replace(&document, &address(&keys[0]), &value) {
            prop_assert_eq!(read(&edit.text, &address(&keys[0])).unwrap(), value);
            for other in &keys[1..] {
                prop_assert_eq!(read(&edit.text, &address(other)).ok(), read(&document, &address(other)).ok());
            }
        }
    }
}
