//! What a Console said, fit for ops: one line, and no secret in it.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use watchkeeper_secrets::Hidden;

/// More says nothing more at 3 a.m.
const LONGEST: usize = 200;

/// Keeps secrets out of what is passed on.
#[derive(Clone)]
pub(crate) struct Hush(Vec<String>);

impl Hush {
    /// Of these. Consoles may echo them as they came, or as they write things themselves.
    pub(crate) fn of(secrets: &[&Hidden]) -> Self {
        let forms =
            secrets.iter().map(|secret| secret.reveal()).filter(|secret| !secret.is_empty()).flat_map(|secret| {
                let json = serde_json::Value::from(secret).to_string();
                let html = ['&', '<', '>', '"', '\''].into_iter().zip(["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"]);
                [
                    secret.to_owned(),
                    form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
                    utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
                    json[1..json.len() - 1].to_owned(),
                    html.fold(secret.to_owned(), |text, (letter, written)| text.replace(letter, written)),
                ]
            });
        let mut forms: Vec<String> = forms.collect();
        // The longest first, so that no end of one is left over.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self(forms)
    }

    /// The first line of this that says something.
    pub(crate) fn line(&self, text: &str) -> String {
        // Before the lines are told apart: a password may have more than one.
        let hushed = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"));
        let lines = hushed.lines().map(one_line).find(|line| !line.is_empty());
        lines.map_or_else(|| "it said nothing".to_owned(), |line| cut(&line))
    }
}

/// Every run of blanks and control characters is one blank; what turns the direction of writing is left out.
fn one_line(text: &str) -> String {
    let turns =
        |letter: char| matches!(letter, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let plain: String = text
        .chars()
        .filter(|letter| !turns(*letter))
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        Hush::of(&[&Hidden::from("p\"w&1\n2 "), &Hidden::from("")]).line(text)
    }

    #[test]
    fn it_is_one_line_without_secrets() {
        for (text, wanted) in [
            ("\n \t\nERROR:\u{1b}[31m no\r\nmore", "ERROR: [31m no"),
            ("", "it said nothing"),
            ("bad p\"w&1\n2 !", "bad [redacted]!"),
            ("?password=p%22w%261%0A2+&x", "?password=[redacted]&x"),
            ("?password=p%22w%261%0A2%20&x", "?password=[redacted]&x"),
            (r#"{"password":"p\"w&1\n2 "}"#, r#"{"password":"[redacted]"}"#),
            ("<b>p&quot;w&amp;1\n2 </b>", "<b>[redacted]</b>"),
            ("a\u{202E}b", "ab"),
        ] {
            assert_eq!(said(text), wanted);
        }
        assert_eq!(said(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
    }
}
