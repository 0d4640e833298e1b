use watchkeeper_documents::{Why, replace};

use crate::{Case, check, mutated, refusal};

const DOCUMENTS: &[Case] = &[
    ("a: old # c\nb: 1\n", "a", None),
    ("a: 'o''ld'  # c\nb: x\n", "a", None),
    ("a: \"o\\\"ld\" # c\nb: x\n", "a", None),
    ("a: &x !!str old # c\nb: x\n", "a", None),
    ("a: &x 'old' # c\nb: x\n", "a", None),
    ("a: |\n  old\n  x\n# c\nb: x\n", "a", None),
    ("a:\n  - b: |- # c\n      old\n    c: x\n", "a[0].b", None),
    ("a: >\n  old\n  x\n\n  y\n\nb: x\n", "a", None),
    ("a: |+\n  old\n\n\nb: x\n", "a", None),
    ("a: &x |2\n    old\n   x\nb: x\n", "a", None),
    ("é: {a: old , b: [1, \"x\"], c: 'y'}\n", "é.a", None),
    ("é: {a: [old, [x, \"y\"]], c: 'y'} # z\n", "é.a[1][1]", None),
    ("a:\n- b:\n  - old\n    more # c\n  - x\nc: y\n", "a[0].b[0]", None),
    ("--- # c\n\"a\": \"old\n\n  x\"\nb: x\n", "a", None),
    ("a:\n  old\nb: x\n", "a", None),
    ("x: &x {a: 1}\ny:\n  <<: *x\n  b: old\n", "y.b", None),
    ("a: 5432 # c\n", "a", Some("6432")),
    ("a: [true, x]\n", "a[0]", Some("false")),
    ("a: 1.5\n", "a", Some("2.25")),
];

#[test]
fn real_parsers_agree() {
    check("yaml", DOCUMENTS, Some("#"));
}

#[test]
fn a_broken_document_is_no_danger() {
    mutated("yaml", DOCUMENTS);
}

#[test]
fn what_is_no_single_written_value_is_refused() {
    assert!(matches!(refusal("a: 1\n\"a\": 2\n", "yaml:a").why, Why::Ambiguous { .. }));
    assert!(matches!(refusal("a: 1\n---\na: 2\n", "yaml:a").why, Why::Ambiguous { .. }));
    assert!(matches!(refusal("a: {b: 1}\n", "yaml:a.c").why, Why::Missing { .. }));
    for document in
        ["x: &x 1\na: *x\n", "x: &x {a: 1}\n<<: *x\n", "a: !env X\n", "a: !!binary eA==\n", "x: &x a\n*x : 1\n"]
    {
        assert!(matches!(refusal(document, "yaml:a").why, Why::Computed { .. }), "{document}");
    }
    for document in ["a:\n", "a: ~\n", "a: []\n", "a: {}\n", "a: &x\n"] {
        assert!(matches!(refusal(document, "yaml:a").why, Why::NotScalar { .. }), "{document}");
    }
    for document in ["", "a: [", "a: 'x\n", "a: b\u{2028}\n"] {
        assert!(matches!(refusal(document, "yaml:a").why, Why::NotParsed { .. }), "{document}");
    }
}

#[test]
fn a_value_of_another_kind_or_of_a_disputed_one_is_refused() {
    for (old, value) in [("1", "x"), ("1", "1e3"), ("true", "yes"), ("yes", "no"), ("0123", "1"), ("2001-01-01", "x")] {
        let refused = replace(&format!("a: {old}\n"), &"yaml:a".parse().unwrap(), value).err().unwrap();
        assert!(matches!(refused.why, Why::NotWritable { .. }), "{old} {value}");
    }
}

#[test]
fn what_an_alias_repeats_is_read_and_not_replaced() {
    for (document, path) in [
        ("a: &x old\nb: *x\n", "a"),
        ("a: &x {b: old}\nc: *x\n", "a.b"),
        ("a: &x\n- y\n- b: old\nc:\n  <<: *x\n", "a[1].b"),
        ("é: &x 'old'\nb: [*x]\n", "é"),
    ] {
        let address = format!("yaml:{path}").parse().unwrap();
        assert_eq!(watchkeeper_documents::read(document, &address).unwrap(), "old");
        let refused = replace(document, &address, "new").err().unwrap();
        assert!(matches!(refused.why, Why::Computed { what } if what.contains("alias")), "{document}");
    }
    let beside = replace("a: &x {b: 1}\nc: *x\nd: old\n", &"yaml:d".parse().unwrap(), "new").unwrap();
    assert_eq!(beside.text, "a: &x {b: 1}\nc: *x\nd: new\n");
}

#[test]
fn the_form_stays_where_it_can() {
    for (old, value, new) in [
        ("a: x # c\n", "z", "a: z # c\n"),
        ("a: x # c\n", "yes", "a: \"yes\" # c\n"),
        ("a: 'x'\n", "it's", "a: 'it''s'\n"),
        ("a: |\r\n  x\r\nb: 1\r\n", "p\nq\n", "a: |\r\n  p\r\n  q\r\nb: 1\r\n"),
        ("a: >- # c\n  x\nb: 1\n", "z", "a: >- # c\n  z\nb: 1\n"),
        ("a: | # c\n  x\nb: 1\n", "\u{7}", "a: \"\\x07\" # c\nb: 1\n"),
    ] {
        assert_eq!(replace(old, &"yaml:a".parse().unwrap(), value).unwrap().text, new);
    }
}
