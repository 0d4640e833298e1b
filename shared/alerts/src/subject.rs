//! The subject line: ASCII, one line, fewer than 100 characters, the most telling part first.

use crate::clean::{ascii, shortened};
use crate::digest::Digest;
use crate::headline::word;
use crate::report::{Notice, Report};
use crate::tight::Line;

/// SNS takes fewer than 100 characters (SNS API Reference, "Publish", `Subject`).
pub(crate) const CHARACTERS: usize = 99;

/// `CRASH agent x12: container "agent" exited with code 1 [dbward]`.
pub(crate) fn of_report(report: &Report) -> String {
    line(report).within(CHARACTERS)
}

/// The same in its parts, for whoever writes it in another way.
pub(crate) fn line(report: &Report) -> Line {
    let still = if report.notice == Notice::Repeated { "STILL " } else { "" };
    let ended = matches!(report.notice, Notice::Resolved | Notice::Done);
    let count = if report.count > 1 && !ended { format!(" x{}", report.count) } else { String::new() };
    let urgent = if report.notice == Notice::Escalated { format!(", {}", report.severity) } else { String::new() };
    let line = Line {
        before: format!("{still}{} ", word(report)),
        about: report.alert.about.clone(),
        between: format!("{count}{urgent}: "),
        summary: report.alert.summary.clone(),
        after: String::new(),
        place: report.alert.cluster.clone().map(|cluster| (" [", cluster, "]")),
    };
    line.in_ascii()
}

/// `STORM: 31 incidents in 5 min: application-exit 20, out-of-memory 11`.
pub(crate) fn of_digest(digest: &Digest<'_>) -> String {
    shortened(&ascii(&format!("{}: {}", digest.word(), digest.headline())), CHARACTERS)
}
