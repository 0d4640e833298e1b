//! The subject line: ASCII, one line, fewer than 100 characters, the most telling part first.

use crate::clean::{ascii, shortened};
use crate::digest::Digest;
use crate::headline::word;
use crate::report::{Notice, Report};

/// SNS takes fewer than 100 characters (SNS API Reference, "Publish", `Subject`).
const CHARACTERS: usize = 99;

/// `CRASH agent x12: container "agent" exited with code 1 [dbward]`.
pub(crate) fn of_report(report: &Report) -> String {
    let still = if report.notice == Notice::Repeated { "STILL " } else { "" };
    let ended = matches!(report.notice, Notice::Resolved | Notice::Done);
    let count = if report.count > 1 && !ended { format!(" x{}", report.count) } else { String::new() };
    let urgent = if report.notice == Notice::Escalated { format!(", {}", report.severity) } else { String::new() };
    let place = report.alert.cluster.as_ref().map(|cluster| format!(" [{cluster}]")).unwrap_or_default();
    let (about, summary) = (&report.alert.about, &report.alert.summary);
    fitting(&format!("{still}{} {about}{count}{urgent}: {summary}{place}", word(report)))
}

/// `STORM: 31 incidents in 5 min: application-exit 20, out-of-memory 11`.
pub(crate) fn of_digest(digest: &Digest<'_>) -> String {
    fitting(&format!("{}: {}", digest.word(), digest.headline()))
}

fn fitting(text: &str) -> String {
    shortened(&ascii(text), CHARACTERS)
}
