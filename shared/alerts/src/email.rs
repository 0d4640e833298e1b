//! The e-mail. On the first screen: what broke and why, how bad it is, what to do, and the last log lines. Then what changed
//! and how it went; at the end what identifies the thing, and where to look.

use crate::digest::Digest;
use crate::evidence::{Evidence, LogTail, Running};
use crate::headline::{headline, when};
use crate::last_words;
use crate::moment;
use crate::paper::Paper;
use crate::report::{Notice, Report};
use crate::room::{Fitted, Room};

/// What an e-mail has room for; a reader does not read more, and the machines' JSON has the rest.
pub(crate) const ROOM: Room = Room { text: 2_000, list: 40, tail: 20, head: 8, line: 500 };

/// Lines of a digest that name an incident.
const LINES_OF_DIGEST: usize = 60;

/// Facts that say why; they stand above all others.
const WHY: [&str; 5] = ["Cause", "Reason", "For", "Detail", "Concerns"];
/// Facts that say where, for whom has more than one cluster or account.
const WHERE: [&str; 2] = ["Cluster", "Account"];

pub(crate) fn of_report(fitted: &Fitted, log_lines: bool) -> String {
    let (report, mut paper) = (&fitted.report, Paper::default());
    let over = matches!(report.notice, Notice::Resolved | Notice::Done);
    paper.prose(&headline(report));
    paper.line("");
    glance(&mut paper, report, log_lines);
    if let Some(aftermath) = aftermath(report) {
        paper.line("");
        paper.prose(aftermath);
    }
    notes(&mut paper, report);
    if let Some(next) = report.alert.next_step.as_ref().filter(|_| !over || report.notice == Notice::Done) {
        paper.heading("What to do next");
        paper.prose(next);
        if let Some(way_back) = way_back(report) {
            paper.prose(&way_back);
        }
    }
    let evidence = report.evidence.as_ref().filter(|_| !over);
    if let Some(evidence) = evidence {
        for log in &evidence.logs {
            tail(&mut paper, log, log_lines, as_of(report));
        }
        changes(&mut paper, report, evidence);
        timeline(&mut paper, evidence);
    }
    details(&mut paper, report);
    if let Some(evidence) = evidence.filter(|evidence| !evidence.gaps.is_empty()) {
        paper.heading("Not known");
        evidence.gaps.iter().for_each(|gap| paper.item(gap));
    }
    if !over && !fitted.cuts.is_empty() {
        paper.heading(&format!("Left out here: {}.", fitted.cuts.join(", ")));
    }
    for link in &report.alert.links {
        paper.line(&format!("\n{}\n{}", link.label, link.url));
    }
    footer(&mut paper, report);
    paper.done()
}

/// What a reader needs first, in one column.
fn glance(paper: &mut Paper, report: &Report, log_lines: bool) {
    facts(paper, report, |label| WHY.contains(&label));
    if let Some(last) = last_words(report).filter(|_| log_lines) {
        paper.labelled("It said", &last);
    }
    paper.labelled("When", &when(report));
    let evidence = report.evidence.as_ref().filter(|_| report.notice != Notice::Resolved);
    if let Some(running) = evidence.and_then(|evidence| evidence.running) {
        let as_of = if report.notice == Notice::Opened { " when this was looked at" } else { as_of(report) };
        paper.labelled("Tasks", &format!("{}{as_of}", tasks(running)));
    }
    facts(paper, report, |label| WHERE.contains(&label));
    if let Some(owner) = &report.owner {
        paper.labelled("Owner", owner);
    }
    if let Some(runbook) = &report.runbook {
        paper.labelled("Runbook", runbook);
    }
}

/// What the container said at its end, which often says why.
pub(crate) fn last_words(report: &Report) -> Option<String> {
    let evidence = report.evidence.as_ref().filter(|_| report.notice != Notice::Resolved)?;
    last_words::of(&evidence.logs.first()?.tail)
}

/// What became of a service whose deployment failed, as long as that is news.
pub(crate) fn aftermath(report: &Report) -> Option<&str> {
    let is_news = report.notice == Notice::Opened;
    report.evidence.as_ref().filter(|_| is_news)?.aftermath.as_deref()
}

/// What a revision changed may be what broke it, and the one before is known.
pub(crate) fn way_back(report: &Report) -> Option<String> {
    let evidence = report.evidence.as_ref().filter(|evidence| !evidence.changes.is_empty())?;
    let other = evidence.compared_with.as_ref()?;
    let why = if evidence.steady_since.is_some() {
        "This revision has not run for long"
    } else if is_standalone(report) {
        "This revision is not the one that ended well before"
    } else {
        "This revision is not the one that was last seen steady"
    };
    Some(format!("{why}: if what changed explains it, go back to {other}."))
}

/// Whether it is about tasks that no service started: they are never steady, they end well.
fn is_standalone(report: &Report) -> bool {
    report.alert.service.is_none()
}

/// What the revision is compared with: `agent:7, which was last seen steady`.
fn other_revision(report: &Report, evidence: &Evidence, other: &str) -> String {
    match (evidence.steady_since, evidence.compared_with_since) {
        (Some(_), Some(since)) => format!("{other}, which ran before it since {}", moment::utc(since)),
        (Some(_), None) => format!("{other}, which ran before it"),
        (None, _) if is_standalone(report) => format!("{other}, which ended well before"),
        (None, _) => format!("{other}, which was last seen steady"),
    }
}

/// `1 of 2 running, 1 about to`.
pub(crate) fn tasks(Running { running, desired, pending }: Running) -> String {
    let pending = if pending > 0 { format!(", {pending} about to") } else { String::new() };
    format!("{running} of {desired} running{pending}")
}

/// What was found out is as old as the incident.
pub(crate) fn as_of(report: &Report) -> &'static str {
    if report.notice == Notice::Opened { "" } else { ", when it began" }
}

/// The facts whose labels are wanted.
fn facts(paper: &mut Paper, report: &Report, wanted: impl Fn(&str) -> bool) {
    let facts = report.alert.facts.iter().filter(|fact| wanted(&fact.label));
    facts.for_each(|fact| paper.labelled(&fact.label, &fact.value));
}

fn notes(paper: &mut Paper, report: &Report) {
    if !report.notes.is_empty() || !report.speaks_for.is_empty() {
        paper.line("");
    }
    report.notes.iter().for_each(|note| paper.prose(note));
    match report.speaks_for.len() {
        0 => {}
        1 => paper.prose("This message takes the place of those about that: no more of them will come."),
        others => {
            paper.prose(&format!("This message takes the place of those about these {others}: no more will come."));
        }
    }
}

fn tail(paper: &mut Paper, log: &LogTail, log_lines: bool, as_of: &str) {
    if log_lines {
        paper.heading(&format!("Last log lines of container {}{as_of}", log.container));
        log.head.iter().for_each(|line| log_line(paper, line));
        if log.gap {
            paper.line("  [...]");
        }
        log.tail.iter().for_each(|line| log_line(paper, line));
        if log.head.is_empty() && log.tail.is_empty() {
            paper.line("  (none)");
        }
        paper.prose(&format!("From {} in {}", log.stream, log.group));
    } else {
        paper.heading(&format!("The log lines of container {} are kept out of messages. They are in", log.container));
        paper.line(&format!("{}\n{}", log.group, log.stream));
    }
    if let Some(url) = &log.url {
        paper.line(url);
    }
}

/// Log lines are not folded: who looks for one must find it as it was written.
fn log_line(paper: &mut Paper, line: &str) {
    paper.line(format!("  {line}").trim_end());
}

fn changes(paper: &mut Paper, report: &Report, evidence: &Evidence) {
    match (&evidence.compared_with, evidence.steady_since) {
        (Some(other), _) => {
            let other = other_revision(report, evidence, other);
            if evidence.changes.is_empty() {
                paper.heading("What changed");
                paper.prose(&format!("Nothing that is compared, against {other}."));
            } else {
                paper.heading(&format!("What changed against {other}"));
            }
        }
        (None, Some(since)) => {
            let revision = report.alert.facts.iter().find(|fact| fact.label == "Revision");
            let revision = revision.map_or("this revision", |fact| &fact.value);
            paper.heading("What changed");
            paper.prose(&format!("Nothing of late: {revision} has run since {}.", moment::utc(since)));
        }
        (None, None) if !evidence.changes.is_empty() => paper.heading("What changed"),
        (None, None) => {}
    }
    evidence.changes.iter().for_each(|change| paper.line(&format!("  {change}")));
    if let Some(deployment) = &evidence.deployment {
        paper.heading("Deployment under way");
        paper.prose(deployment);
    }
}

fn timeline(paper: &mut Paper, evidence: &Evidence) {
    let Some(first) = evidence.timeline.first() else { return };
    paper.heading(&format!("Timeline, from {}", moment::utc(first.at)));
    let mut day = moment::day(first.at);
    for moment in &evidence.timeline {
        // A task may run for months.
        let another_day = Some(moment::day(moment.at)).filter(|another| *another != day);
        let on = another_day.as_ref().map(|day| format!(", on {day}")).unwrap_or_default();
        paper.labelled(&moment::clock(moment.at), &format!("{}{on}", moment.what));
        day = another_day.unwrap_or(day);
    }
}

fn details(paper: &mut Paper, report: &Report) {
    let other = |label: &str| !WHY.contains(&label) && !WHERE.contains(&label);
    if report.alert.facts.iter().any(|fact| other(&fact.label)) {
        paper.line("");
    }
    facts(paper, report, other);
}

fn footer(paper: &mut Paper, report: &Report) {
    paper.line(&format!(
        "\nSeverity {}, cause {}, incident {}, message {}",
        report.severity, report.alert.cause, report.incident, report.number
    ));
}

pub(crate) fn of_digest(digest: &Digest<'_>, cuts: &[String]) -> String {
    let mut paper = Paper::default();
    paper.prose(&format!("{}: {}", digest.word(), digest.headline()));
    paper.line("");
    paper.labelled("Why", digest.why);
    paper.labelled("Since", &moment::utc(digest.since));
    if digest.over {
        paper.labelled("Now", "all of it is over");
    }
    if let Some(next) = digest.next_step() {
        paper.heading("What to do next");
        paper.prose(next);
    }
    let (mut left, mut untold) = (LINES_OF_DIGEST, 0);
    for (cluster, cause, reports) in digest.groups() {
        // One group does not use up the room of the others.
        let told = reports.len().min(left).min(LINES_OF_DIGEST / 3);
        left -= told;
        if told == 0 {
            untold += reports.len();
            continue;
        }
        let place = cluster.map_or_else(|| "No cluster".to_owned(), |cluster| format!("Cluster {cluster}"));
        paper.heading(&format!("{place}: {cause}, {}", reports.len()));
        for report in reports.iter().take(told) {
            let over = if report.notice == Notice::Resolved { "RESOLVED " } else { "" };
            paper.item(&format!("{over}{}", headline(report)));
        }
        if told < reports.len() {
            paper.item(&format!("and {} more of these", reports.len() - told));
        }
    }
    if untold > 0 {
        paper.heading(&format!("And {untold} more incidents, which the JSON for lambda and sqs names."));
    }
    if !cuts.is_empty() {
        paper.heading(&format!("Left out here: {}.", cuts.join(", ")));
    }
    let causes: Vec<_> = digest.causes().iter().take(10).map(|(cause, _)| (*cause).to_owned()).collect();
    paper.line(&format!(
        "\nSeverity {}, cause {}, incident {}, message {}",
        digest.severity(),
        if causes.is_empty() { "none".to_owned() } else { causes.join(" ") },
        digest.id,
        digest.number
    ));
    paper.done()
}
