//! Pkl: what is found, what is refused, and how values are written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use proptest::prelude::*;
use watchkeeper_documents::{Address, Place, Refusal, Why, read, replace};

const CONFIGURATION: &str = r##"#!/usr/bin/env pkl
/// The agent's configuration: password = "doc"
amends "formae:/Config.pkl" // password = "header"
import "plugins:/Other.pkl" as other

local const fallback = "localhost" /* agent { datastore { postgres { password = "comment" } } } */

local class Login { password: String = "class" }
local typealias Text = String
local function greet(password: String): String = "hello \(password)"

agent {
  @Deprecated { message = "annotated" }
  server { hostname = fallback; port = 49_684 }
  datastore {
    datastoreType = "postgres"
    mssql { password = "mssql" }
    postgres {
      host = #"db\internal"#; user = """
        form\
        ae
        """
      `password` = "old\u{21}\\"
      sslmode = "require"
      schema = null
      pooled = true
      ratio = -1.5e3
    }
    other = (postgres) { password = "amended" } { host = "amended twice" }
  }
  auth = new Listing<Login> {
    new { password = "first" }
    new Login { password = "second" }
  }
  users = new Mapping { ["odd \"key\""] = "mapped"; [#"b"#] { password = "in a mapping" }; [7] = "seven" }
  list { "a"; "b" }
}
cli { auth { password = ("cli") } }
"##;

fn refused(document: &str, path: &str) -> Refusal {
    let address: Address = format!("pkl:{path}").parse().unwrap();
    let refusal = read(document, &address).unwrap_err();
    assert_eq!(replace(document, &address, "SECRET").map(|edited| edited.text).unwrap_err(), refusal);
    refusal
}

fn edited(document: &str, path: &str, value: &str) -> Result<String, Refusal> {
    Ok(replace(document, &format!("pkl:{path}").parse().unwrap(), value)?.text)
}

#[test]
fn each_form_of_a_value_is_found() {
    for (path, value) in [
        ("agent.datastore.datastoreType", "postgres"),
        ("agent.datastore.postgres.password", "old!\\"),
        ("agent.datastore.postgres.host", "db\\internal"),
        ("agent.datastore.postgres.user", "formae"),
        ("agent.datastore.postgres.sslmode", "require"),
        ("agent.datastore.postgres.pooled", "true"),
        ("agent.datastore.postgres.ratio", "-1.5e3"),
        ("agent.datastore.mssql.password", "mssql"),
        ("agent.datastore.other.password", "amended"),
        ("agent.datastore.other.host", "amended twice"),
        ("agent.server.port", "49684"),
        ("agent.auth[0].password", "first"),
        ("agent.auth[1].password", "second"),
        (r#"agent.users."odd \"key\"""#, "mapped"),
        ("agent.users.b.password", "in a mapping"),
        ("cli.auth.password", "cli"),
        ("fallback", "localhost"),
    ] {
        let address = format!("pkl:{path}").parse().unwrap();
        assert_eq!(read(CONFIGURATION, &address).as_deref(), Ok(value), "{path}");
    }
    assert_eq!(read("users = new Mapping { [7] = \"seven\" }", &"pkl:users[7]".parse().unwrap()).unwrap(), "seven");
}

#[test]
fn only_the_value_is_another() {
    let document = CONFIGURATION;
    let path = "agent.datastore.postgres.password";
    let expected = document.replace(r#""old\u{21}\\""#, r#""a\\(b)\"\n\u{0}""#);
    assert_eq!(edited(document, path, "a\\(b)\"\n\0").unwrap(), expected);
    assert_eq!(edited(&expected, path, "old!\\").unwrap(), document.replace(r"\u{21}", "!"));
    // What is in an interpolation moves with the edit.
    let text = "a = 1\nb = \"\\(a)\"";
    assert_eq!(edited(text, "a", "100").unwrap(), text.replace('1', "100"));
    let text = "a = 1\nb = NaN";
    assert_eq!(edited(text, "a", "2").unwrap(), "a = 2\nb = NaN");
    let expected = document.replace("49_684", "5432");
    assert_eq!(edited(document, "agent.server.port", "5432").unwrap(), expected);
    // What is there already is left as it is written.
    assert_eq!(edited(document, path, "old!\\").unwrap(), document);
}

#[test]
fn a_value_is_written_in_the_form_of_the_old_one() {
    for (old, value, written) in [
        (r#""""#, r#"a"\(b) #"#, r#""a\"\\(b) #""#),
        ("#\"\"#", r#"a"b\(c)"#, r##"#"a"b\(c)"#"##),
        ("#\"\"#", r##"a"#b\#(c)"##, r##"#"a\#"#b\#\#(c)"#"##),
        ("#\"\"#", "\"", "#\"\\#\"\"#"),
        (r###"##"x"##"###, "\"\"\n", r###"##"\##""\##n"##"###),
        ("\"\"\"\n    x\n    \"\"\"", "a\n\n b\"\"\"\\", "\"\"\"\n    a\n    \n     b\\\"\\\"\\\"\\\\\n    \"\"\""),
        ("\"\"\"\r\n\"\"\"", "a\nb", "\"\"\"\r\na\r\nb\r\n\"\"\""),
        ("#\"\"\"\n\t\\#(\"\")\n\t\"\"\"#", "", ""),
        ("1_000", "-7", "-7"),
        ("0xff", "16", "16"),
        ("- 1", "2", "2"),
        ("-.5", "1.25e-3", "1.25e-3"),
        ("true", "false", "false"),
    ] {
        let document = format!("a {{ b = {old} c = 1 }}");
        match edited(&document, "a.b", value) {
            Ok(text) => assert_eq!(text, format!("a {{ b = {written} c = 1 }}"), "{old}"),
            Err(refusal) => assert_eq!((refusal.why, written), (Why::Computed { what: "a string interpolation" }, "")),
        }
    }
}

#[test]
fn another_kind_of_value_is_refused() {
    for (old, value) in [
        ("1", "x"),
        ("1", "1.5"),
        ("1", ""),
        ("1", "007"),
        ("1", "0x10"),
        ("1", "1_0"),
        ("1", "--1"),
        ("1", " 1"),
        ("1", "9223372036854775808"),
        ("1.5", "2"),
        ("1.5", "NaN"),
        ("1.5", "2.5 "),
        ("1.5", "2.5//"),
        ("1.5", "2.5\nc = 1"),
        ("true", "True"),
        ("true", "1"),
    ] {
        let refusal = edited(&format!("a = {old}"), "a", value).unwrap_err();
        assert!(matches!(refusal.why, Why::NotWritable { .. }), "{old} {value}: {refusal}");
    }
    // It would subtract.
    assert!(edited("l { 1 2 }", "l[1]", "-2").is_err());
    assert_eq!(edited("l { 1; 2 }", "l[1]", "-2").unwrap(), "l { 1; -2 }");
}

#[test]
fn what_is_computed_is_refused() {
    for (value, what) in [
        (r#""\(b)""#, "a string interpolation"),
        (r##"#"\#(b)"#"##, "a string interpolation"),
        ("\"\"\"\n\\(b)\n\"\"\"", "a string interpolation"),
        (r#"read("env:PASSWORD")"#, "what is read from elsewhere"),
        (r#"read?("env:PASSWORD") ?? "x""#, "an expression"),
        (r#""a" + "b""#, "an expression"),
        ("b", "a reference"),
        ("this.b", "a reference"),
        ("b.c", "a reference"),
        ("b[0]", "a reference"),
        (r#"f("x")"#, "a function call"),
        (r#"if (b) "x" else "y""#, "an if or let expression"),
        (r#"let (x = "y") x"#, "an if or let expression"),
        (r#"import("x.pkl")"#, "an import"),
        (r#"(x) -> "y""#, "a function"),
        (r#"throw("x")"#, "an expression"),
        ("5.min", "a reference"),
        ("-(1)", "an expression"),
    ] {
        for document in [format!("a = {value}"), format!("a: String = {value}"), format!("// x\na =\n{value}\n")] {
            let refusal = refused(&document, "a");
            assert_eq!(refusal.why, Why::Computed { what }, "{document}");
            assert!(refusal.place.is_some());
        }
    }
    for (document, path, what) in [
        ("a { when (b) { p = \"x\" } else { p = \"y\" } }", "a.p", "a when generator"),
        ("a { p = \"x\"\n when (b) { p = \"y\" } }", "a.p", "a when generator"),
        ("a { for (i in b) { [\"p\"] = \"x\" } }", "a.p", "a for generator"),
        ("a { ...b }", "a.p", "a spread"),
        ("a { [b] = \"x\" }", "a.p", "keys that are computed"),
        ("a { [\"\\(b)\"] = \"x\" }", "a.p", "keys that are computed"),
        ("a = b", "a.p", "a reference"),
        ("a { p = (c) { x -> y = 1 } }", "a.p.y", "a function"),
        ("a = (b) { [[n == 1]] { p = 1 } [\"k\"] { p = 2 } }", "a.k.p", "members that a predicate amends"),
        ("a { p = 1 } { ...b }", "a.p", "a spread"),
        ("a = (new Dynamic { p = 1 }) { ...b }", "a.p", "a spread"),
        ("a = (new Mapping { [\"p\"] = 1 }) { [b] = 2 }", "a.p", "keys that are computed"),
        ("a { for (i in b) { i } \"x\" }", "a[0]", "a for generator"),
        ("a { ...b; \"x\" }", "a[0]", "a spread"),
        ("a = (b) { \"x\" }", "a[0]", "elements behind those of another object"),
        ("amends \"b.pkl\"\na { \"x\" }", "a[0]", "elements behind those of another object"),
        ("a = new B { c { \"x\" } }", "a.c[0]", "elements behind those of another object"),
        ("a { default { \"d\" } b { \"x\" } }", "a.b[0]", "elements behind those of another object"),
    ] {
        assert_eq!(refused(document, path).why, Why::Computed { what }, "{document}");
    }
}

#[test]
fn what_is_missing_or_no_value_is_refused() {
    let missing = |path: &str| Why::Missing { missing: path.to_owned() };
    for (document, path, why) in [
        ("", "a", missing("a")),
        ("a { b = 1 }", "a.c.d", missing("a.c")),
        ("a { b = 1 }", "a.b.c", missing("a.b.c")),
        ("a { b = 1 }", "b", missing("b")),
        ("a { \"x\" }", "a[1]", missing("a[1]")),
        ("a { \"x\" }", "a.\"0\"", missing("a.0")),
        ("a: String", "a", missing("a")),
        ("class a { b = 1 }", "a.b", missing("a")),
        ("function a() = \"x\"", "a", missing("a")),
        ("typealias a = \"x\"", "a", missing("a")),
        ("@A { b = 1 }\nc = 2", "b", missing("b")),
        ("a = (b) { c = 1 }", "a.d", missing("a.d")),
        ("a { b = 1 }", "a", Why::NotScalar { what: "an object" }),
        ("a = new Mapping {}", "a", Why::NotScalar { what: "an object" }),
        ("a = new Listing { 1 }", "a", Why::NotScalar { what: "a list" }),
        ("a = null", "a", Why::NotScalar { what: "null" }),
    ] {
        assert_eq!(refused(document, path).why, why, "{document}");
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    for (document, path, place) in [
        ("a = 1\na = 2", "a", (2, 1)),
        ("a { b = 1; b = 2 }", "a.b", (1, 12)),
        ("a { b = 1 } { b = 2 }", "a.b", (1, 15)),
        ("a { b { c = 1 } } { b { d = 2 } }", "a.b.c", (1, 21)),
        ("a = (x) { b = 1 } { b = 2 }", "a.b", (1, 21)),
        ("a = (new { b = 1 }) { b = 2 }", "a.b", (1, 23)),
        ("a { b = 1; [\"b\"] = 2 }", "a.b", (1, 13)),
        ("a { [\"b\"] = 1; [#\"b\"#] = 2 }", "a.b", (1, 17)),
        ("a { b = 1 }\na { c = 1 }", "a.b", (2, 1)),
    ] {
        let refusal = refused(document, path);
        assert!(matches!(refusal.why, Why::Ambiguous { .. }), "{document}: {refusal}");
        assert_eq!(refusal.place, Some(Place { line: place.0, column: place.1 }), "{document}");
    }
    // Beside these in one body it can only be alone.
    assert_eq!(edited("a { p = 1; ...b; [c] = 2 }", "a.p", "3").unwrap(), "a { p = 3; ...b; [c] = 2 }");
    // What others read is not the local one.
    assert_eq!(edited("a { local b = 1; b = 2 }", "a.b", "3").unwrap(), "a { local b = 1; b = 3 }");
    assert_eq!(edited("local a = \"x\"\nb = a", "a", "y").unwrap(), "local a = \"y\"\nb = a");
}

#[test]
fn what_is_not_pkl_is_refused_without_a_word_of_it() {
    for document in [
        "SECRET = \"",
        "SECRET",
        "a = \"SECRET\\x\"",
        "a = \"SECRET",
        "a { b = \"SECRET\"",
        "a = \"\"\"SECRET\"\"\"",
        "a = `SECRET",
        "/* SECRET",
        "a = 1 SECRET 2",
        "{\"SECRET\": 1}",
        "SECRET: 1\n",
        "a = #SECRET",
        "\u{feff}SECRET = 1",
    ] {
        let refusal = refused(document, "a");
        assert!(matches!(refusal.why, Why::NotParsed { .. }), "{document}: {refusal}");
        assert!(!format!("{refusal} {refusal:?}").contains("SECRET"), "{refusal}");
    }
}

#[test]
fn depth_is_refused_before_it_breaks_anything() {
    for unit in [
        "a{",
        "a=(",
        "a=new{",
        "a:A<",
        "m{[",
        "-",
        "!",
        "a:(",
        "if(",
        "if(x)1 else ",
        "(x)->",
        "let(x=1)",
        "f{\"\\(",
        "a:A(",
        "m{for(x in y){",
        "when(x){",
        "@A{",
        "class A{",
        "a:(A)->",
        "\"\\(",
        "#",
        "\"\"\"\n",
        "/*",
        "a.",
        "a+",
        "[[",
        "A|",
        "?",
    ] {
        for count in [60, 100, 3000] {
            for document in
                [unit.repeat(count), format!("a={}", unit.repeat(count)), format!("a:{}", unit.repeat(count))]
            {
                assert!(edited(&document, "a.b", "x").is_err());
            }
        }
    }
    // As deep as people write.
    let deep = ["a {".repeat(50), "b = \"x\"".to_owned(), "}".repeat(50)].concat();
    assert!(edited(&deep, &format!("{}b", "a.".repeat(50)), "y").unwrap().contains("b = \"y\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the value and the quotes, it comes back, and around it nothing changes.
    #[test]
    fn every_value_comes_back(value in any::<String>(), pounds in 0_usize..4, lines in any::<bool>(), crlf in any::<bool>()) {
        let pounds = "#".repeat(pounds);
        let old = if lines { format!("{pounds}\"\"\"\n   old\n  \"\"\"{pounds}") } else { format!("{pounds}\"old\"{pounds}") };
        let (before, after) = ("a { // \"\n  b = ", " c = \"}\" }\n");
        let line_break = if crlf { "\r\n" } else { "\n" };
        let document = format!("{before}{old}{after}").replace('\n', line_break);
        let text = edited(&document, "a.b", &value).unwrap();
        prop_assert!(text.starts_with(&before.replace('\n', line_break)) && text.ends_with(&after.replace('\n', line_break)));
        prop_assert_eq!(read(&text, &"pkl:a.b".parse().unwrap()).unwrap(), value);
    }

    /// Any text at all, and one that is almost right.
    #[test]
    fn no_document_breaks_anything(
        noise in any::<String>(),
        grammar in prop::collection::vec(
            prop::sample::select(vec![
                "a", "b", "=", "{", "}", "\"", "\"x\"", "#\"", "\"#", "\"\"\"", "\n", "\\(", ")", "(", "[", "]", "new", "local",
                "class", "1", "-", "0x", ".5", "when", "for", "in", "if", "else", "->", "<", ">", "|", "?", "@", ":", ";", "`",
                "/*", "*/", "//", "\\u{", "null", "true", "...", "amends", "import", "let", "é", "\r", "\0", "function", "typealias",
            ]), 0..40),
    ) {
        for document in [noise, grammar.join(" "), grammar.concat()] {
            for path in ["a", "a.b", "a[0]", "b.a"] {
                if let Ok(text) = edited(&document, path, "x\\(y)") {
                    prop_assert_eq!(read(&text, &format!("pkl:{path}").parse().unwrap()).unwrap(), "x\\(y)");
                }
            }
        }
    }
}
