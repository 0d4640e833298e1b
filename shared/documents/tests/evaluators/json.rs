use watchkeeper_documents::Why;

use crate::{Case, check, mutated, refusal};

const DOCUMENTS: &[Case] = &[
    ("{\"a\": \"old\"}\n", "a", None),
    ("{ \"x\" : [1, {\"a\\u0062\" :\t\"o\\\"ld\\n\" , \"z\":null}, true],\n  \"y\": \"é😀\"}\n", "x[1].ab", None),
    ("{\"é\":{\"b c\":\"\"},\"n\":-1.5e+3}", "é.\"b c\"", None),
    ("{\"é\":{\"b c\":\"\"},\"n\":-1.5}", "n", Some("2.25")),
    ("{\"port\": 5432, \"a\": 1}", "port", Some("6432")),
    ("{\"on\": true, \"off\": false}", "on", Some("false")),
];

#[test]
fn real_parsers_agree() {
    check("json", DOCUMENTS, None);
}

#[test]
fn a_broken_document_is_no_danger() {
    mutated("json", DOCUMENTS);
}

#[test]
fn what_is_no_single_written_value_is_refused() {
    assert!(matches!(refusal("{\"a\":1,\"a\":2}", "json:a").why, Why::Ambiguous { .. }));
    assert!(matches!(refusal("{\"a\":{}}", "json:a.b").why, Why::Missing { .. }));
    for what in ["null", "{}", "[]"] {
        assert!(matches!(refusal(&format!("{{\"a\":{what}}}"), "json:a").why, Why::NotScalar { .. }), "{what}");
    }
    for broken in [
        "",
        "{",
        "{\"a\":1} x",
        "{\"a\":01}",
        "{\"a\":\"\n\"}",
        "{\"a\":\u{a0}1}",
        "{a:1}",
        "{\"a\":'x'}",
        "{\"a\":\"\\ud800\"}",
    ] {
        assert!(matches!(refusal(broken, "json:a").why, Why::NotParsed { .. }), "{broken:?}");
    }
}

#[test]
fn comments_and_trailing_commas_stay() {
    let document = "// c\r\n{ \"a\": \"x\", /* \"a\": */ \"b\": [ \"y\", ], }";
    let edited = watchkeeper_documents::replace(document, &"json:b[0]".parse().unwrap(), "\"").unwrap();
    assert_eq!(edited.text, document.replace("\"y\"", "\"\\\"\""));
}

#[test]
fn a_value_of_another_kind_is_refused() {
    for (document, value) in
        [("{\"a\":1}", "x"), ("{\"a\":1}", "1 "), ("{\"a\":1}", "1//"), ("{\"a\":true}", "1"), ("{\"a\":1}", "null")]
    {
        let refused = watchkeeper_documents::replace(document, &"json:a".parse().unwrap(), value).err().unwrap();
        assert!(matches!(refused.why, Why::NotWritable { .. }), "{document} {value}");
    }
}
