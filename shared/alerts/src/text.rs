//! An alert as text: the subject line and the body that ops read in an e-mail.

use textwrap::{Options, WordSplitter};

use crate::alert::Alert;
use crate::clean::{ascii, cut, one_line};

/// SNS takes fewer than 100 characters (SNS API Reference, "Publish", `Subject`).
const SUBJECT_CHARACTERS: usize = 99;
/// A value longer than this says nothing more at 3 a.m., in bytes. All values of an alert together stay
/// far below the 256 KB that SNS takes.
const VALUE_BYTES: usize = 4_000;
/// Characters a line, so that it stands in a narrow window.
const WIDTH: usize = 72;
const LABEL_WIDTH: usize = 11;

/// The subject: ASCII, one line, fewer than 100 characters, the most telling part first.
#[must_use]
pub fn subject(alert: &Alert) -> String {
    let place = alert.cluster.as_ref().map(|cluster| format!(" [{cluster}]")).unwrap_or_default();
    let text = ascii(&format!("{} {}: {}{place}", alert.kind.word(), one_line(&alert.about), alert.summary));
    if text.len() <= SUBJECT_CHARACTERS {
        return text;
    }
    format!("{}...", text[..SUBJECT_CHARACTERS - 3].trim_end())
}

/// The body. `repeat` says that an earlier delivery of the same alert may have gone out already.
#[must_use]
pub fn body(alert: &Alert, repeat: bool) -> String {
    let mut text = String::new();
    paragraph(&mut text, &format!("{}: {}", one_line(&alert.about), cut(&one_line(&alert.summary), VALUE_BYTES)));
    text.push('\n');
    for fact in &alert.facts {
        let label = format!("{:<LABEL_WIDTH$}", fact.label);
        let indent = " ".repeat(LABEL_WIDTH);
        let options = options().initial_indent(&label).subsequent_indent(&indent);
        line(&mut text, &textwrap::fill(&cut(&one_line(&fact.value), VALUE_BYTES), options));
    }
    if let Some(next) = &alert.next_step {
        line(&mut text, "\nWhat to do next");
        paragraph(&mut text, &cut(&one_line(next), VALUE_BYTES));
    }
    for link in &alert.links {
        line(&mut text, &format!("\n{}\n{}", link.label, link.url));
    }
    let severity = alert.severity;
    line(
        &mut text,
        &format!("\nSeverity {severity}, cause {}, alert {}", one_line(&alert.cause), alert.key.alert_id()),
    );
    if repeat {
        paragraph(&mut text, "This may be a repeat: sending it was cut off once before.");
    }
    text
}

/// A long word (an image, an ARN) is never broken: it must survive copy and paste.
fn options<'a>() -> Options<'a> {
    Options::new(WIDTH).break_words(false).word_splitter(WordSplitter::NoHyphenation)
}

fn paragraph(text: &mut String, prose: &str) {
    line(text, &textwrap::fill(prose, options()));
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
