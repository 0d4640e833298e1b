//! Connection URLs: what is found and written, by table, by property, and as libpq, `SQLAlchemy`, Python and Node read it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod flat_evaluators;
mod hostile;

use flat_evaluators::{Edits, sample};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use watchkeeper_documents::{Address, Refusal, Why, read, replace};

const PARTS: [&str; 5] = ["user", "password", "host", "port", "database"];

fn part(document: &str, part: &str) -> Result<String, Refusal> {
    read(document, &format!("url:{part}").parse::<Address>().unwrap())
}

fn edited(document: &str, part: &str, value: &str) -> Result<String, Refusal> {
    replace(document, &format!("url:{part}").parse().unwrap(), value).map(|edited| edited.text)
}

#[test]
fn all_parts_are_found() {
    for (document, expected) in [
        ("postgres://u:p@h:5432/db", ["u", "p", "h", "5432", "db"]),
        ("postgresql://a%40b:%25%3A:x@[::1]:1/d%2Fb?sslmode=require", ["a@b", "%::x", "::1", "1", "d/b"]),
        ("postgresql://%2Ftmp:1/db?user=u&password=p%26", ["u", "p&", "/tmp", "1", "db"]),
        ("postgresql:///?host=/tmp&port=1&dbname=d&user=u&password=p", ["u", "p", "/tmp", "1", "d"]),
        ("jdbc:postgresql://h:5432/db?ssl=true&user=a+b&password=%2B", ["a b", "+", "h", "5432", "db"]),
        ("jdbc:mysql://u:p@h:3306/db", ["u", "p", "h", "3306", "db"]),
        ("redis://:p@10.0.0.1:6379/0#x", ["", "p", "10.0.0.1", "6379", "0"]),
        ("amqp+tls://u:@h.example:1/%C3%A9", ["u", "", "h.example", "1", "é"]),
    ] {
        assert_eq!(PARTS.map(|name| part(document, name).unwrap()), expected, "{document}");
    }
}

#[test]
fn a_part_is_written_percent_encoded() {
    for (document, name, value, expected) in [
        ("postgres://u:p@h/db", "password", "a b:@/?#%+é", "postgres://u:a%20b%3A%40%2F%3F%23%25%2B%C3%A9@h/db"),
        ("postgres://u:@h/db", "password", "p", "postgres://u:p@h/db"),
        ("postgres://u:p@h:1/db", "host", "::1", "postgres://u:p@[::1]:1/db"),
        ("postgres://u:p@[::1]:1/db", "host", "db.internal", "postgres://u:p@db.internal:1/db"),
        ("postgres://h:1/db", "host", "/run/pg", "postgres://%2Frun%2Fpg:1/db"),
        ("postgres://u:p@h:1/db?x=%20", "port", "65535", "postgres://u:p@h:65535/db?x=%20"),
        (
            "jdbc:postgresql://h/db?user=u&password=p&x=1",
            "password",
            "+ &",
            "jdbc:postgresql://h/db?user=u&password=%2B%20%26&x=1",
        ),
        ("mysql://h/db", "database", "a/b", "mysql://h/a%2Fb"),
    ] {
        assert_eq!(edited(document, name, value).unwrap(), expected, "{document}");
    }
}

#[test]
fn what_is_not_one_part_there_is_refused() {
    let refused = |document: &str, name: &str| edited(document, name, "1").unwrap_err().why;
    for name in PARTS {
        assert!(matches!(refused("postgres://u:p@h1:1,h2:2/db", name), Why::NotScalar { .. }));
        assert!(matches!(refused("postgres://", name), Why::Missing { .. }));
        for document in [
            "jdbc:oracle:thin:@h",
            "postgres:db",
            "",
            "host=h",
            "postgres://u:p%4@h/db",
            "postgres://u:p@ss@h/db",
            "postgres://u:p@h/db\n",
            "postgres://${H}/db",
            "postgres://u@[::g]/db",
            "jdbc:sqlserver://h:1;user=u",
            "postgres://u:p@h/db#x",
            "postgres://h?x=u@v/w",
        ] {
            assert!(matches!(refused(document, name), Why::NotParsed { .. }), "{document}");
        }
    }
    for (document, name) in [
        ("postgres://u@h/", "password"),
        ("postgres://u@h", "port"),
        ("postgres://u@h:/", "port"),
        ("postgres://u@h/", "database"),
        ("mysql://h/d?user=u", "user"),
    ] {
        assert!(matches!(refused(document, name), Why::Missing { .. }), "{document}");
    }
    for (document, name) in [
        ("postgres://u@h/db?user=v", "user"),
        ("jdbc:postgresql://h/?password=a&password=b", "password"),
        ("postgres://h/d?h%6Fst=g", "host"),
    ] {
        assert!(matches!(refused(document, name), Why::Ambiguous { .. }), "{document}");
    }
    assert!(matches!(refused("postgres:///d?host=a,b", "host"), Why::NotScalar { .. }));
    assert!(matches!(refused("redis://h/a/b", "database"), Why::NotScalar { .. }));
    assert!(matches!(refused("postgres://u:%ff@h/db", "password"), Why::NotParsed { .. }));
    assert!(matches!(refused("postgres://u:%00@h/db", "password"), Why::NotParsed { .. }));
}

#[test]
fn a_value_that_is_no_such_part_is_refused() {
    for (name, values) in [
        ("user", &["", "\0"][..]),
        ("password", &["", "a\0"]),
        ("host", &["", "a b", "a/b", "h,g", "é", "h:1", "[::1]", "1.2.3", "256.1.1.1", "a%", ".", "u@h"]),
        ("port", &["", "0", "65536", "+1", "01", " 1", "x", "5432 "]),
        ("database", &["", ".", "..", "\0"]),
    ] {
        for value in values {
            let refusal = edited("postgres://u:p@h:1/db", name, value).unwrap_err();
            assert!(matches!(refusal.why, Why::NotWritable { .. }), "{name} {value:?}: {refusal}");
        }
    }
}

/// A URL, who can read it, and the parts that it has.
fn url() -> impl Strategy<Value = (String, Vec<&'static str>, Vec<&'static str>)> {
    let text = "([a-zA-Z0-9._~-]|%[2-7][0-9A-E]|%C3%A9|[!*;&=]){1,8}";
    let user = prop_oneof![Just(None), text.prop_map(Some)];
    let password =
        prop_oneof![1 => Just(None), 3 => "([a-zA-Z0-9._~-]|%[2-7][0-9A-E]|%E2%82%AC|[!:&=]){1,12}".prop_map(Some)];
    let host = select(vec!["h", "db.example.com", "10.1.2.3", "[::1]", "[2001:db8::7]", "my_host"]);
    let port = prop_oneof![1 => Just(None), 3 => (1024u16..).prop_map(Some)];
    let database = prop_oneof![1 => Just(None), 4 => "([a-zA-Z0-9_~-]|%2[0-9A-D]|%C3%A9){1,8}".prop_map(Some)];
    let scheme = select(vec!["postgres", "postgresql", "mysql", "redis", "amqp", "jdbc:postgresql", "jdbc:mysql"]);
    (scheme, user, password, host, port, database, any::<bool>()).prop_map(
        |(scheme, user, password, host, port, database, more)| {
            let jdbc = scheme.starts_with("jdbc:");
            let (mut text, mut parts) = (format!("{scheme}://"), vec!["host"]);
            let mut query = Vec::new();
            let password = password.filter(|_| user.is_some());
            if let Some(user) = user {
                parts.push("user");
                if jdbc {
                    let plain = |text: String| text.replace(['&', '='], "");
                    query.push(format!("user=u{}", plain(user)));
                    query.extend(password.clone().map(|password| format!("password=p{}", plain(password))));
                } else {
                    text += &user;
                    text += &password.clone().map(|password| format!(":{password}")).unwrap_or_default();
                    text.push('@');
                }
                parts.extend(password.map(|_| "password"));
            }
            text += host;
            if let Some(port) = port {
                parts.push("port");
                text = format!("{text}:{port}");
            }
            if let Some(database) = database {
                parts.push("database");
                text = format!("{text}/{database}");
            } else if more {
                text.push('/');
            }
            if more {
                query.push(if scheme.starts_with("postgres") {
                    "sslmode=require&application_name=a%20b".into()
                } else {
                    "x=%41".into()
                });
            }
            if !query.is_empty() {
                text = format!("{text}?{}", query.join("&"));
            }
            let readers = match scheme {
                _ if jdbc => vec!["jdbc"],
                "postgres" => vec!["urllib", "whatwg", "libpq"],
                "postgresql" => vec!["urllib", "whatwg", "libpq", "sqlalchemy"],
                "mysql" => vec!["urllib", "whatwg", "sqlalchemy"],
                _ => vec!["urllib", "whatwg"],
            };
            (text, readers, parts)
        },
    )
}

fn value_for(name: &str) -> BoxedStrategy<String> {
    match name {
        "host" => prop_oneof![
            "[a-z]{1,8}(\\.[a-z]{2,5}){0,2}".prop_map(String::from),
            any::<std::net::IpAddr>().prop_map(|address| address.to_string()),
            hostile::any(),
        ]
        .boxed(),
        "port" => prop_oneof![4 => (1u16..).prop_map(|port| port.to_string()), 1 => hostile::any()].boxed(),
        _ => hostile::any().boxed(),
    }
}

#[test]
fn libpq_and_others_read_what_was_written() {
    let mut edits = Edits::default();
    for value in hostile::table() {
        for name in PARTS {
            for (document, only) in [
                (
                    "postgresql://us:pw@host:5432/base?sslmode=require",
                    json!({ "only": ["libpq", "sqlalchemy", "urllib", "whatwg"] }),
                ),
                ("postgresql:///?host=/tmp&port=1&dbname=d&user=u&password=p", json!({ "only": ["libpq"] })),
                ("jdbc:postgresql://host:5432/base?user=us&password=pw", json!({ "only": ["jdbc"] })),
            ] {
                let _ = edits.attempt(document, "url", name, &value, &only);
            }
        }
    }
    let cases = url().prop_flat_map(|(document, readers, parts)| {
        let named = select(parts).prop_flat_map(|name| (Just(name), value_for(name)));
        (Just(document), Just(readers), named)
    });
    for (document, only, (name, value)) in sample(&cases, 4000) {
        let _ = edits.attempt(&document, "url", name, &value, &json!({ "only": only }));
    }
    let tried = edits.check();
    println!("URLs: {tried:?} edits read alike; refused: {:?}", edits.refused);
    assert!(["libpq", "sqlalchemy", "urllib", "whatwg", "jdbc"].iter().all(|reader| tried[*reader] > 500), "{tried:?}");
}

proptest! {
    #[test]
    fn every_user_and_password_is_carried((document, _, parts) in url(), value in hostile::any()) {
        for name in parts.into_iter().filter(|name| ["user", "password"].contains(name)) {
            prop_assume!(!value.contains('\0') && !value.is_empty());
            let new = edited(&document, name, &value).unwrap();
            prop_assert_eq!(part(&new, name).unwrap(), value.clone());
        }
    }

    #[test]
    fn any_text_is_read_and_edited_without_panic(document in "(jdbc:)?([a-z]{1,4}:/?/?)?([ -~]|[:@/?#%\\[\\],&=]|\\PC){0,40}", name in select(&PARTS[..]), value in hostile::any()) {
        if let Ok(new) = edited(&document, name, &value) {
            prop_assert_eq!(part(&new, name).unwrap(), value);
        }
    }

    #[test]
    fn a_broken_document_gives_no_wrong_edit((text, _, _) in url(), at in any::<prop::sample::Index>(), byte in 0u8..128, name in select(&PARTS[..]), value in hostile::any()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let document = String::from_utf8_lossy(&bytes).into_owned();
        if let Ok(new) = edited(&document, name, &value) {
            prop_assert_eq!(part(&new, name).unwrap(), value);
            for other in PARTS.into_iter().filter(|other| *other != name) {
                prop_assert_eq!(part(&new, other).ok(), part(&document, other).ok());
            }
        }
    }
}
