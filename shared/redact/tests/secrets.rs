//! What is redacted, and what is left as it is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;
use watchkeeper_redact::{REDACTED, Redactor, cut, plain, readable, redact, redacted_lines};

#[test]
fn secrets_go_and_the_rest_stays() {
    for (line, expected) in [
        (
            "dial postgres://formae:s3cr3t@db:5432/formae?sslmode=require: refused",
            "dial postgres://formae:[redacted]@db:5432/formae?sslmode=require: refused",
        ),
        ("redis://:p%40ss%2Fword@cache:6379/0", "redis://:[redacted]@cache:6379/0"),
        ("postgres://u:p@ss/w?rd#x@db/name", "postgres://u:[redacted]@db/name"),
        ("postgres://u:pw@h1:5432,h2:5432/db", "postgres://u:[redacted]@h1:5432,h2:5432/db"),
        ("redirect=postgres%3A%2F%2Fu%3Ap%2540s%40db%2Fname", "redirect=postgres%3A%2F%2Fu%3A[redacted]%40db%2Fname"),
        (
            "jdbc:postgresql://h1:5432,h2:5432/db?user=u&password=p@ss&ssl=true",
            "jdbc:postgresql://h1:5432,h2:5432/db?user=u&password=[redacted]&ssl=true",
        ),
        (
            "jdbc:sqlserver://h;user=sa;password=P;1;encrypt=true",
            "jdbc:sqlserver://h;user=sa;password=[redacted];encrypt=true",
        ),
        (r#"{"url":"mysql://root:a'b@db/x","ok":false}"#, r#"{"url":"mysql://root:[redacted]@db/x","ok":false}"#),
        ("could not connect to 'amqp://u:pw@mq' twice", "could not connect to 'amqp://u:[redacted]@mq' twice"),
        ("root:hunter2@tcp(db:3306)/app", "root:[redacted]@tcp(db:3306)/app"),
        ("host=db user=formae password=hun,ter2 dbname=x", "host=db user=formae password=[redacted] dbname=x"),
        ("password=a&b;c, user=x", "password=[redacted], user=x"),
        ("(password=abc)", "(password=[redacted])"),
        (r#"{"password": "a\"b,c", "user": "x"}"#, r#"{"password": "[redacted]", "user": "x"}"#),
        (
            r#"{"m":"{\"password\": \"a\\\"b\", \"user\": 1}"}"#,
            r#"{"m":"{\"password\": \"[redacted]\", \"user\": 1}"}"#,
        ),
        (r#"{"password":12345,"n":1}"#, r#"{"password":[redacted],"n":1}"#),
        ("  DB_PASSWORD: correct horse battery", "  DB_PASSWORD: [redacted]"),
        ("user: bob password: hunter2 from 10.0.0.1", "user: bob password: [redacted] from 10.0.0.1"),
        ("{'password': 'a''b c', 'x': 1}", "{'password': '[redacted]', 'x': 1}"),
        (r#"Config { password: Some("a b"), port: 1 }"#, r#"Config { password: Some("[redacted]"), port: 1 }"#),
        ("ALTER ROLE x WITH PASSWORD 'a b'", "ALTER ROLE x WITH PASSWORD '[redacted]'"),
        ("IDENTIFIED BY 'a b'", "IDENTIFIED BY '[redacted]'"),
        ("curl -u bob:hunter2 http://x", "curl -u bob:[redacted] http://x"),
        ("Driver={PG};Pwd={hunter2};Uid=x", "Driver={PG};Pwd=[redacted]};Uid=x"),
        ("run --password hunter2 --user x", "run --password [redacted] --user x"),
        ("<password>a b</password>", "<password>[redacted]</password>"),
        ("api_key=abcd1234", "api_key=[redacted]"),
        ("x-api-key: abcd1234", "x-api-key: [redacted]"),
        ("invalid token: abcd1234", "invalid token: [redacted]"),
        ("Authorization: Bearer abcd1234.x", "Authorization: Bearer [redacted]"),
        (r#"{"Authorization":"Basic dXNlcjpwYXNz"}"#, r#"{"Authorization":"Basic [redacted]"}"#),
        ("curl -H 'Authorization: hunter two' http://x", "curl -H '[redacted]' http://x"),
        ("map[Authorization:[Bearer abcd1234] Host:[x]]", "map[Authorization:[Bearer [redacted]] Host:[x]]"),
        ("got bearer abcdef123456 from x", "got bearer [redacted] from x"),
        ("Cookie: session=abc; theme=dark", "Cookie: [redacted]"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SECRET_ACCESS_KEY=[redacted]"),
        ("Secret access key: wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "Secret access key: [redacted]"),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key [redacted] is unknown"),
        (
            "https://b.s3.amazonaws.com/k?X-Amz-Signature=abcdef01&X-Amz-Expires=60",
            "https://b.s3.amazonaws.com/k?X-Amz-Signature=[redacted]&X-Amz-Expires=60",
        ),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_def bad", "jwt [redacted] bad"),
        ("dbw_0123456789abcdef0123456789abcdef was refused", "[redacted] was refused"),
        (
            "git clone https://ghp_abcdefghij0123456789abcdefghij012345@github.com/a/b",
            "git clone https://[redacted]@github.com/a/b",
        ),
        (
            "xoxb-1234567890-abc sk_live_abcdef1234 sk-proj-abcDEF0123456789 glpat-abcdefghij0123456789",
            "[redacted] [redacted] [redacted] [redacted]",
        ),
        (r"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n and more", r"[redacted]\n and more"),
    ] {
        let redacted = redact(line);
        let expected = expected.replace("'[redacted]' http", "'Authorization: [redacted]' http");
        assert_eq!(redacted, expected, "{line}");
        assert_eq!(redact(&redacted), redacted, "again: {line}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for line in [
        "password authentication failed for user \"formae\"",
        "FATAL: password authentication failed for user \"formae\" (SQLSTATE 28P01)",
        "token expired",
        "Error: token: expired",
        "Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
        "the password is required; set PASSWORD",
        "task 8f1c2e7a9b3d4c5e8f1c2e7a9b3d4c5e stopped",
        "commit 6d5bd24c94d85d9580ca116a8f4c59933d59df4464",
        "ghcr.io/dbward-dev/dbward-agent@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "docker://ghcr.io:443/a/b@sha256:9f86d081884c7d65",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dbward/agent-token-AbCdEf:password::",
        "{\"secret\":\"arn:aws:secretsmanager:eu-west-1:123456789012:secret:dbward/agent-token-AbCdEf\"}",
        "fetching secret dbward/agent-token: AccessDeniedException: not authorized to perform: secretsmanager:GetSecretValue",
        "unable to retrieve secret: ResourceNotFoundException: Secrets Manager can't find the specified secret",
        "max_tokens=4096 token_count=17 secret_name=dbward/agent key=value monkey=1",
        "http://127.0.0.1:8080/api/v1/health@2 and postgres://formae@db/formae",
        "git@github.com:a/b ssh://git@host:22/x mailto:ops@example.com",
        "Bearer authentication failed; Basic realm expected",
        "panicked at src/token.rs:12:5: called `Option::unwrap()` on a `None` value",
        "password=**** token=null secret=\"\" api_key=none",
        "PWD=/app OLDPWD=/root docker run -u 1000:1000 x",
        "npm_config_cache=/tmp task-1 disk-full risk-assessment-of-everything-else",
        "at Password::new (auth.js:10:3)",
        "",
    ] {
        assert_eq!(redact(line), line);
        assert!(matches!(redact(line), std::borrow::Cow::Borrowed(_)), "{line}");
    }
}

#[test]
fn terminals_words_are_left_out() {
    for (line, expected) in [
        ("\u{1b}[2m2026-11-20T10:00:00Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m x", "2026-11-20T10:00:00Z ERROR x"),
        ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{7} end", "link end"),
        ("\u{9b}31mred\u{9d}0;title\u{9c}!", "red!"),
        ("\u{1b}]no end", "no end"),
        ("\u{1b}(Bx\u{1b}7y", "xy"),
        ("10%\r20%\r100% done\r\n", "100% done"),
        ("gone\r", "gone"),
        ("\tat x\u{0}\u{8}", "    at x"),
        ("a\u{202e}b\u{200b}c\u{feff}", "abc"),
        ("añ🔥", "añ🔥"),
        ("one\ntwo", "one two"),
    ] {
        assert_eq!(plain(line), expected, "{line:?}");
    }
    assert_eq!(readable("pass\u{1b}[31mword=hun\u{1b}[0mter2\u{200b}x", 100), "password=[redacted]");
    assert_eq!(cut("añb", 2), "a [cut: 3 more bytes]");
}

#[test]
fn private_keys_are_dropped_line_by_line() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let key = [
        "loading",
        "-----BEGIN PRIVATE KEY-----",
        body,
        "GET /health 200",
        body,
        "ab12",
        "-----END PRIVATE KEY-----",
        "done",
    ];
    assert_eq!(redacted_lines(key), ["loading", REDACTED, "GET /health 200", "done"]);
    assert_eq!(
        redacted_lines([body, "short1", "-----END RSA PRIVATE KEY-----", "done"]),
        ["done"],
        "its beginning is gone"
    );
    assert_eq!(redacted_lines([body, body]), Vec::<String>::new(), "both ends are gone");
    assert_eq!(redacted_lines(["-----BEGIN CERTIFICATE-----", "word"]), ["-----BEGIN CERTIFICATE-----", "word"]);
}

/// Quick on long lines of what is looked for, none of which is complete.
#[test]
fn long_lines_take_no_long_time() {
    let pieces = [
        "password=",
        "\"password\": \"",
        "http://",
        "a:b@",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "eyJaaaaaaaaaa.",
        "Bearer ",
        "\\",
        "\u{1b}]",
        "\u{1b}[",
        "@tcp(",
        "%3A%2F%2F",
        "[redacted]",
        "a",
        ",",
        "password: ",
        "Authorization: ",
        "key ",
        "@",
        "a:b@c:1",
        "a:b@c ",
        "a://b:c",
        "a://b:1/",
        "passwords:[",
        "\"tokens\":[\"a1\",",
        "[",
        "mysql -p",
        "mysql -p-/",
        "mysql,-p'",
        "redis-cli ",
        "hooks.slack.com/services/",
        "hf_a-",
        "AKIAIOSFODNN7EXAMPLE/",
        "-----END PRIVATE KEY-----",
        "a -----END PRIVATE KEY-----",
        "\r",
        "\"",
    ];
    for piece in pieces {
        let line = piece.repeat(256 * 1024 / piece.len());
        let began = Instant::now();
        readable(&line, 500);
        redacted_lines([line.as_str()]);
        // Two looks at a quarter of a megabyte: quadratic ones take minutes.
        assert!(began.elapsed() < Duration::from_secs(10), "{piece:?}: {:?}", began.elapsed());
    }
}

/// A password of any characters that can stand where it is put.
fn password() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9!#$%^*()_+={}|~.-]{6,20}[A-Za-z0-9]"
        .prop_filter("there is an end of words for nothing", |text| text.bytes().any(|c| c.is_ascii_digit()))
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z][A-Za-z0-9]{22}[0-9]"
}

const AROUND_PASSWORDS: [(&str, &str); 22] = [
    ("password=", " user=x"),
    ("connecting with password=", ", user=x"),
    ("{\"password\":\"", "\",\"x\":1}"),
    ("{\"m\":\"{\\\"password\\\":\\\"", "\\\"}\"}"),
    ("DB_PASSWORD: ", ""),
    ("2026-11-20 spring.datasource.password: ", " x"),
    ("PGPASSWORD='", "' psql"),
    ("--db-password ", " --x"),
    ("--db-password=", ""),
    ("<adminPassword>", "</adminPassword>"),
    ("jdbc:mysql://db/x?user=u&password=", "&x=1"),
    ("Server=db;Pwd=", ";Database=x"),
    ("dial mongodb+srv://u:", "@h1,h2/db?x=y failed"),
    ("dial \"postgresql://u:", "@db:5432/x\": refused"),
    ("passw\u{1b}[1mord\u{1b}[0m=\u{1b}[33m", "\u{1b}[0m"),
    ("client_secret => \"", "\""),
    ("config[\"password\"] = '", "'"),
    ("Secret { passphrase: \"", "\" }"),
    ("{\"passwords\":[\"x\",\"", "\"]}"),
    ("redis-cli -a ", " ping"),
    ("[\"--password\",\"", "\"]"),
    ("dial u:", "@db:5432/x: refused"),
];

const AROUND_TOKENS: [(&str, &str); 12] = [
    ("token=", "&x=1"),
    ("x-api-key: ", ""),
    ("Authorization: Bearer ", " HTTP/1.1"),
    ("authorization: token ", ""),
    ("{\"headers\":{\"Authorization\":\"Bearer ", "\"}}"),
    ("Proxy-Authorization: Basic ", "=="),
    ("Cookie: a=", "; b=c"),
    ("AWS_SESSION_TOKEN=", ""),
    ("the api key: ", " is wrong"),
    ("ghp_", " is revoked"),
    ("sk-", "."),
    ("refused eyJhbGciOiJIUzI1NiJ9.", ".c2ln"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planted_passwords_never_survive(password in password(), around in prop::sample::select(&AROUND_PASSWORDS), before in "[a-z ]{0,12}") {
        let line = format!("{before} {}{password}{}", around.0, around.1);
        let line = if around.0.starts_with("DB_") { line[before.len() + 1..].to_owned() } else { line };
        let redacted = readable(&line, 4096);
        prop_assert!(!redacted.contains(&password), "{line:?} -> {redacted:?}");
        prop_assert!(redacted.contains(REDACTED));
        prop_assert_eq!(redact(&redacted), redacted.as_str());
    }

    #[test]
    fn planted_tokens_never_survive(token in token(), around in prop::sample::select(&AROUND_TOKENS)) {
        let line = format!("{}{token}{}", around.0, around.1);
        let redacted = readable(&line, 4096);
        prop_assert!(!redacted.contains(&token), "{line:?} -> {redacted:?}");
    }

    /// In JSON, in JSON that is a text in JSON, and so on, the value goes and everything else stays.
    #[test]
    fn json_stays_json(password in "[ -~ñ🔥]{4,20}[0-9]", levels in 0_usize..3, name in prop::sample::select(&["password", "clientSecret"])) {
        let made = |value: &str| {
            let mut text = json!({"a": "user x", name: value, "z": [1, "two"]}).to_string();
            for _ in 0..levels {
                text = json!({"m": text, "level": "info"}).to_string();
            }
            text
        };
        let line = made(&password);
        prop_assert_eq!(redact(&line), made(REDACTED));
    }

    #[test]
    fn any_password_in_a_url_goes(password in "[ -~ñ]{1,20}", scheme in prop::sample::select(&["postgres", "https", "redis"])) {
        let encoded = password.bytes().map(|c| format!("%{c:02X}")).collect::<Vec<_>>().concat();
        let url = |password: &str| format!("dial {scheme}://u:{password}@db:5432/x?y=z: refused");
        let line = url(&encoded);
        prop_assert_eq!(redact(&line), url(REDACTED));
    }

    #[test]
    fn any_text_is_dealt_with_and_twice_is_once(text in prop_oneof![
        any::<String>(),
        "([a-z\"'\\\\:=@/ ,;&\\[\\]{}]|password|token|://|Authorization: |Bearer |\\[redacted\\]|eyJ|mysql -p|redis-cli -a |@db:5432|@db/|u:p1@|passwords|tokens|7|-----BEGIN PRIVATE KEY-----|-----END PRIVATE KEY-----|\u{1b}\\[|\r|\n|ñ){0,40}",
    ]) {
        let once = redact(&text).into_owned();
        prop_assert_eq!(redact(&once), once.as_str());
        let shown = plain(&text);
        prop_assert_eq!(plain(&shown), shown.as_str());
        prop_assert!(!shown.chars().any(char::is_control));
        let mut redactor = Redactor::default();
        for line in text.lines() {
            redactor.line(line);
        }
        prop_assert!(cut(&text, 16).len() < 64);
    }

    #[test]
    fn prose_is_left_alone(words in prop::collection::vec("[a-z]{1,12}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9]{1,9}|/[a-z/]{1,20}", 0..12)) {
        let line = words.join(" ");
        prop_assert_eq!(redact(&line), line.as_str());
    }
}
