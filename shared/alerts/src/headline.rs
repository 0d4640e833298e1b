//! A report in one line: what broke, how often, and whether it is over.

use crate::alert::Kind;
use crate::moment;
use crate::report::{Notice, Report};
use crate::tight::Line;

/// `agent: container "agent" exited with code 1, 12 times in 3 min`.
pub(crate) fn headline(report: &Report) -> String {
    line(report).whole()
}

/// The same, in its parts.
pub(crate) fn line(report: &Report) -> Line {
    let lasted = moment::roughly(report.last_at - report.first_at);
    let (turn, after) = match report.notice {
        // What tells that it is over already says so.
        Notice::Resolved if report.alert.kind == Kind::Resolved => (String::new(), String::new()),
        Notice::Resolved => (format!("over after {lasted}: "), times(report)),
        Notice::Repeated if report.last_at > report.first_at => (format!("still so after {lasted}: "), times(report)),
        Notice::Repeated => ("still so: ".to_owned(), String::new()),
        Notice::Escalated => (String::new(), format!("{}, {} now", often(report), report.severity)),
        Notice::Opened | Notice::More | Notice::Done => (String::new(), often(report)),
    };
    Line {
        before: String::new(),
        about: report.alert.about.clone(),
        between: format!(": {turn}"),
        summary: report.alert.summary.clone(),
        after,
        place: None,
    }
}

/// `, 12 times`; nothing for once.
fn times(report: &Report) -> String {
    if report.count > 1 { format!(", {} times", report.count) } else { String::new() }
}

fn often(report: &Report) -> String {
    let span = report.last_at - report.first_at;
    if report.count > 1 && span.whole_seconds() > 0 {
        format!("{} in {}", times(report), moment::roughly(span))
    } else {
        times(report)
    }
}

/// Which word begins the subject line: the notice's own, or else the news'.
pub(crate) fn word(report: &Report) -> &'static str {
    match report.notice {
        Notice::Resolved => Kind::Resolved.word(),
        Notice::Done => Kind::Done.word(),
        Notice::Opened | Notice::More | Notice::Escalated | Notice::Repeated => report.alert.kind.word(),
    }
}

/// When it happened: one instant, or from the first to the last.
pub(crate) fn when(report: &Report) -> String {
    let (first, last) = (moment::utc(report.first_at), moment::utc(report.last_at));
    let lasted = moment::duration(report.last_at - report.first_at);
    match report.notice {
        Notice::Resolved if first != last => format!("{first} to {last}, for {lasted}"),
        _ if first == last => first,
        _ if report.count > 1 => format!("first {first}, last {last}"),
        _ => format!("since {first}, last seen {last}"),
    }
}
