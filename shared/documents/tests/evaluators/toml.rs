use watchkeeper_documents::Why;

use crate::{Case, check, mutated, refusal};

const DOCUMENTS: &[Case] = &[
    ("a = \"old\" # c\nb = 1\n", "a", None),
    ("# é\n[t.u]\nx.'y z' = 'old'\t# c\nd = 2001-01-01\n", "t.u.x.\"y z\"", None),
    ("a = \"\"\"\nold \\\n  x\"\"\"\nb = 1\n", "a", None),
    ("a = \"\"\"old\nx\"\"\"\n", "a", None),
    ("a = '''\nold\nx'''\nb = ''\n", "a", None),
    ("a = '''old'''\nb = '''x'''\n", "a", None),
    ("[[t]]\na = 1\n[[t]]\na = { b = [\"x\", { c = 'old' }] }\n", "t[1].a.b[1].c", None),
    ("a = 1_000\nb = 0x1F\n", "a", Some("-5")),
    ("a = 1.5\n", "a", Some("2.25")),
    ("a = true # c\n", "a", Some("false")),
    ("a = 2001-01-01 # c\n", "a", Some("2002-02-03")),
    ("a = 2001-01-01T10:00:00\n", "a", Some("2002-02-03T11:12:13")),
];

#[test]
fn real_parsers_agree() {
    check("toml", DOCUMENTS, Some("#"));
}

#[test]
fn a_broken_document_is_no_danger() {
    mutated("toml", DOCUMENTS);
}

#[test]
fn what_is_no_single_written_value_is_refused() {
    assert!(matches!(refusal("a = 1\na = 2\n", "toml:a").why, Why::NotParsed { .. }));
    assert!(matches!(refusal("[a]\n", "toml:a.b").why, Why::Missing { .. }));
    for document in ["[a]\n", "a = []\n", "a = {}\n", "[[a]]\n"] {
        assert!(matches!(refusal(document, "toml:a").why, Why::NotScalar { .. }), "{document}");
    }
}

#[test]
fn a_value_of_another_kind_is_refused() {
    for (old, value) in [
        ("1", "x"),
        ("1", "1.5"),
        ("1", "0x1F"),
        ("1", "2 # c"),
        ("1.5", "2"),
        ("true", "1"),
        ("07:00:00", "08:00"),
        ("1", "9223372036854775808"),
    ] {
        let document = format!("a = {old}\n");
        let refused = watchkeeper_documents::replace(&document, &"toml:a".parse().unwrap(), value).err().unwrap();
        assert!(matches!(refused.why, Why::NotWritable { .. }), "{document} {value}");
    }
}
