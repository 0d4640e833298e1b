//! A text message: 140 characters of ASCII, each of which is one septet, so that it is one part and not cut by SNS. No links:
//! they cost more than they tell. ASCII characters that GSM 03.38 writes as two are replaced.

use crate::clean::{ascii, shortened};
use crate::digest::Digest;
use crate::headline::{line, word};
use crate::report::Report;
use crate::tight::Line;

/// What SNS sends as one part, whatever the alphabet's table (SNS Developer Guide, "Publishing SMS messages").
const CHARACTERS: usize = 140;

pub(crate) fn of_report(report: &Report) -> String {
    let place = report.alert.cluster.clone().map(|cluster| (" (", cluster, ")"));
    let line = Line { before: format!("{} ", word(report)), place, ..line(report) };
    of_one_septet(&line.in_ascii().within(CHARACTERS))
}

pub(crate) fn of_digest(digest: &Digest<'_>) -> String {
    of_one_septet(&shortened(&ascii(&format!("{}: {}", digest.word(), digest.headline())), CHARACTERS))
}

fn of_one_septet(text: &str) -> String {
    text.replace(['[', '{'], "(").replace([']', '}'], ")").replace(['^', '~', '|', '\\', '`'], "-")
}
