//! A text message: 140 characters of ASCII, each of which is one septet, so that it is one part and not cut by SNS. No links:
//! they cost more than they tell. ASCII characters that GSM 03.38 writes as two are replaced.

use crate::clean::{ascii, shortened};
use crate::digest::Digest;
use crate::headline::{headline, word};
use crate::report::Report;

/// What SNS sends as one part, whatever the alphabet's table (SNS Developer Guide, "Publishing SMS messages").
const CHARACTERS: usize = 140;

pub(crate) fn of_report(report: &Report) -> String {
    let place = report.alert.cluster.as_ref().map(|cluster| format!(" ({cluster})")).unwrap_or_default();
    fitting(&format!("{} {}{place}", word(report), headline(report)))
}

pub(crate) fn of_digest(digest: &Digest<'_>) -> String {
    fitting(&format!("{}: {}", digest.word(), digest.headline()))
}

fn fitting(text: &str) -> String {
    let text = ascii(text).replace(['[', '{'], "(").replace([']', '}'], ")").replace(['^', '~', '|', '\\', '`'], "-");
    shortened(&text, CHARACTERS)
}
