//! One format inside another: each layer is escaped for itself, and nothing but the innermost value changes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod hostile;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use watchkeeper_documents::{Address, Key, Path, Why, read, replace};

/// A format that can have another one's document as a value: its step, and a document with that value and one other value.
struct Layer {
    step: &'static str,
    other: &'static str,
    around: &'static str,
}

/// The value to begin with takes the place of `@`. Another format is tested here by one more line.
const LAYERS: [Layer; 13] = [
    Layer { step: "dotenv:A", other: "dotenv:B", around: "# c\nB='b'\nexport A=@ # don't\n" },
    Layer { step: "dotenv:A", other: "dotenv:B", around: "A='@'\r\nB=\"b\"" },
    Layer { step: "dotenv:A", other: "dotenv:B", around: "B=\nA=\"@\"\n" },
    Layer { step: "properties:\"a.b\"", other: "properties:c", around: "a.b: @\n! c=d\nc = x\\\n y\n" },
    Layer { step: "properties:a", other: "properties:c", around: "c=\\u0041\r\n  a @" },
    Layer { step: "url:password", other: "url:user", around: "postgres://us%40er:@@host:5432/db?sslmode=require" },
    Layer {
        step: "url:password",
        other: "url:database",
        around: "jdbc:postgresql://host/d%2Fb?user=u&password=@&ssl=true",
    },
    Layer { step: "json:a.b", other: "json:c", around: "{ \"c\": \"x\",\r\n  \"a\": {\"b\": \"@\"} }" },
    Layer { step: "yaml:a[1]", other: "yaml:c", around: "a:\n- x\n- '@' # d\nc: &e x\n" },
    Layer { step: "toml:a.b", other: "toml:c", around: "c = 'x' # d\n[a]\nb = \"@\"" },
    Layer { step: "pkl:a.b", other: "pkl:c", around: "c = \"x\" // d\na {\n  b = \"@\"\n}\n" },
    Layer { step: "pkl:b", other: "pkl:c", around: "c = 1\nb = #\"@\"#" },
    Layer { step: "text", other: "text", around: "@" },
];

impl Layer {
    fn is_whole(&self) -> bool {
        self.step == "text"
    }

    /// Puts a document into it by its own means, from a value that every format carries.
    fn hold(&self, inner: &str) -> Option<String> {
        let (before, after) = self.around.rsplit_once("@@").map_or_else(
            || self.around.split_once('@').unwrap(),
            |(before, _)| (before, &self.around[before.len() + 1..]),
        );
        replace(&format!("{before}first{after}"), &self.step.parse().unwrap(), inner).ok().map(|edited| edited.text)
    }
}

/// Documents in one another, the outermost last; `None` where a layer cannot carry the one in it.
fn nest(layers: &[&Layer], innermost: &str) -> Option<(String, Address)> {
    let mut document = innermost.to_owned();
    for layer in layers {
        document = layer.hold(&document)?;
    }
    let steps: Vec<_> = layers.iter().rev().map(|layer| layer.step).collect();
    Some((document, steps.join(" > ").parse().unwrap()))
}

/// What else is in the documents, from the outermost to the innermost.
fn others(layers: &[&Layer], document: &str) -> Vec<String> {
    let mut text = document.to_owned();
    layers
        .iter()
        .rev()
        .filter(|layer| !layer.is_whole())
        .map(|layer| {
            let other = read(&text, &layer.other.parse().unwrap()).unwrap();
            text = read(&text, &layer.step.parse().unwrap()).unwrap();
            other
        })
        .collect()
}

#[test]
fn each_layer_is_escaped_for_itself() {
    for (document, address, value, expected) in [
        (
            "A=postgres://u:old@h/db # c\nB=1",
            "dotenv:A > url:password",
            "it's $5 & 100%",
            "A=postgres://u:it%27s%20%245%20%26%20100%25@h/db # c\nB=1",
        ),
        ("a=postgres://u:old@h/db\n", "properties:a > url:password", "é\\", "a=postgres://u:%C3%A9%5C@h/db\n"),
        ("a=X='x y'\\nY=1\nb=c", "properties:a > dotenv:X", "it's", "a=X=\"it's\"\\nY=1\nb=c"),
        ("A=\"k=v\nl = \\u0041\n\"\n", "dotenv:A > properties:k", "new'", "A=\"k=new'\nl = \\u0041\n\"\n"),
        (
            "A='U=redis://:old@h/0'",
            "dotenv:A > dotenv:U > url:password",
            "'\"$`\\",
            "A='U=redis://:%27%22%24%60%5C@h/0'",
        ),
        (
            "a.b = jdbc:postgresql://h/db?password=old",
            "properties:a.b > url:password > text",
            "+ =",
            "a.b = jdbc:postgresql://h/db?password=%2B%20%3D",
        ),
        (
            "postgres://u:A%3D%27x%27%0AB%3D1@h/db",
            "url:password > dotenv:A",
            "y z",
            "postgres://u:A%3D%27y%20z%27%0AB%3D1@h/db",
        ),
    ] {
        let address: Address = address.parse().unwrap();
        assert_eq!(replace(document, &address, value).unwrap().text, expected, "{address}");
        assert_eq!(read(expected, &address).unwrap(), value, "{address}");
    }
}

#[test]
fn an_inner_refusal_names_the_step_and_tells_no_value() {
    let document = "A=postgres://u:s3cret@h1,h2/db";
    let refusal = replace(document, &"dotenv:A > url:password".parse().unwrap(), "n3w").err().unwrap();
    assert_eq!(
        refusal.to_string(),
        "the document has a list of hosts there, not a single value (line 1, column 23); looked for url:password of dotenv:A > url:password"
    );
    // The inner format can carry it, the outer one cannot.
    let both = replace("A=\"X='x'\"", &"dotenv:A > dotenv:X".parse().unwrap(), "$").err().unwrap();
    assert!(matches!(both.why, Why::NotWritable { .. }), "{both}");
}

#[test]
fn hostile_values_go_through_every_pair() {
    let (mut written, mut refused) = (0, 0);
    for outer in &LAYERS {
        for inner in &LAYERS {
            let Some((document, address)) = nest(&[inner, outer], "first") else { continue };
            let before = others(&[inner, outer], &document);
            for value in hostile::table() {
                match replace(&document, &address, &value) {
                    Ok(edited) => {
                        written += 1;
                        assert_eq!(read(&edited.text, &address).unwrap(), value, "{address}");
                        assert_eq!(others(&[inner, outer], &edited.text), before, "{address} {value:?}");
                    }
                    Err(refusal) => {
                        refused += 1;
                        assert!(matches!(refusal.why, Why::NotWritable { .. }), "{address}: {refusal}");
                    }
                }
            }
        }
    }
    println!("two layers: {written} edits, {refused} values that a layer cannot carry");
    assert!(written > 10_000, "{written} {refused}");
}

#[test]
fn a_password_of_any_characters_goes_through_a_url_in_each_layer() {
    let url = LAYERS.iter().find(|layer| layer.around.starts_with("postgres:")).unwrap();
    for outer in LAYERS.iter().filter(|layer| !layer.is_whole()) {
        let (document, address) = nest(&[url, outer], "first").unwrap();
        for value in hostile::table().into_iter().filter(|value| !value.is_empty() && !value.contains('\0')) {
            let edited = replace(&document, &address, &value).unwrap_or_else(|refusal| panic!("{value:?}: {refusal}"));
            assert_eq!(read(&edited.text, &address).unwrap(), value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]
    #[test]
    fn three_layers_change_nothing_else(layers in proptest::collection::vec(any::<Index>(), 3), value in hostile::any()) {
        let layers: Vec<&Layer> = layers.iter().map(|index| index.get(&LAYERS)).collect();
        let Some((document, address)) = nest(&layers, "first") else { return Err(TestCaseError::reject("a layer cannot carry another")) };
        prop_assert_eq!(read(&document, &address).unwrap(), "first");
        let before = others(&layers, &document);
        if let Ok(edited) = replace(&document, &address, &value) {
            prop_assert_eq!(read(&edited.text, &address).unwrap(), value);
            prop_assert_eq!(others(&layers, &edited.text), before);
        }
    }

    #[test]
    fn a_path_as_it_is_written_is_read_back(name in "[ -~]{0,8}", format in select(vec!["dotenv", "properties"])) {
        let path = Path(vec![Key::Name(name)]);
        let address: Address = format!("{format}:{path} > url:host").parse().unwrap();
        prop_assert_eq!(address.to_string(), format!("{format}:{path} > url:host"));
    }
}
