//! Values that tempt every format.

use proptest::prelude::*;

/// Each one alone, and all printable ASCII together.
pub(crate) fn table() -> Vec<String> {
    let mut values: Vec<String> = (0u8..128).map(|byte| char::from(byte).to_string()).collect();
    values.extend((0u8..128).map(|byte| format!("a{}b", char::from(byte))));
    values.push((' '..='~').collect());
    values.push((' '..='~').filter(|character| *character != '\'').collect());
    let words = [
        "",
        " ",
        "  two  ",
        "\\(x)",
        "${HOME}",
        "$HOME",
        "$(id)",
        "`id`",
        "$$",
        "a$",
        "${",
        "#{1}",
        "%41",
        "%",
        "%zz",
        "100%",
        "# no",
        "a #b",
        "a=b",
        "a: b",
        "it's",
        "\"so\"",
        "'",
        "''",
        "\"",
        "\"\"",
        "'\"'",
        "\\",
        "\\\\",
        "\\n",
        "a\\",
        "C:\\dir",
        "\\'",
        "a\nb",
        "\n",
        "a\r\nb",
        "\r",
        "\tx\t",
        "\0",
        "\u{1b}[0m",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{feff}x",
        "é",
        "ÿ",
        "Ā",
        "日本語",
        "😀",
        "a\u{301}",
        "export A=1",
        "~",
        "~root",
        "*",
        "!",
        "&&",
        ";",
        "x;id",
        "<x>",
        "user@host",
        "a/b?c#d",
        "a,b",
        "[::1]",
        "::1",
        "5432",
        "127.0.0.1",
        "db.example.com",
        "null",
        "true",
        "-",
        "\u{10ffff}",
    ];
    values.extend(words.map(String::from));
    values.push("x".repeat(64 * 1024));
    values.push("é\\x =#'".repeat(8 * 1024));
    values.push("long\nlines ".repeat(6 * 1024));
    values
}

/// Mixed from the same.
pub(crate) fn any() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,6}",
        2 => "[a-zA-Z0-9_.~-]{1,12}",
        2 => proptest::sample::select(vec!["'", "\"", "\\", "$", "`", "#", "=", ":", " ", "\n", "\t", "%", "@", "/", "${a}", "é", "😀", "\u{2028}"]).prop_map(String::from),
        1 => any_text(),
    ];
    proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::char::any(), 0..4).prop_map(String::from_iter)
}
