//! The custom notification of Amazon Q Developer in chat applications, and nothing else: what it does not know it drops with
//! the whole message ("Custom notifications" in its Administrator Guide). Lengths are chosen so that a text fits into a block of
//! Slack's.

use serde_json::{Value, json};

use crate::clean::address;
use crate::digest::Digest;
use crate::email::{aftermath, as_of, tasks};
use crate::evidence::LogTail;
use crate::headline::{headline, line, when};
use crate::machine::{state, state_of_digest};
use crate::markdown::{code, prose, within};
use crate::report::Notice;
use crate::room::{Fitted, Room};
use crate::subject;
use crate::tight::Line;

/// What a chat has room for.
pub(crate) const ROOM: Room = Room { text: 400, list: 10, tail: 12, head: 4, line: 200 };

const TITLE: usize = 150;
/// Bytes of the description, without its last line.
const DESCRIPTION: usize = 2_800;
/// Bytes of one log's lines, so that there is room for what changed.
const LOG: usize = 1_400;
const NEXT_STEP: usize = 300;
const NEXT_STEPS: usize = 5;
const KEYWORD: usize = 70;

pub(crate) fn of_report(fitted: &Fitted, log_lines: bool) -> Value {
    let report = &fitted.report;
    let alert = &report.alert;
    let over = matches!(report.notice, Notice::Resolved | Notice::Done);
    let mut description = Description::default();
    description.add(&format!("*{}*", prose(&headline(report))));
    for fact in alert.facts.iter().filter(|fact| matches!(fact.label.as_ref(), "Cause" | "Reason" | "Detail" | "For")) {
        description.add(&format!("{}: {}", prose(&fact.label), prose(&fact.value)));
    }
    description.add(&format!("When: {}", when(report)));
    if let Some(owner) = &report.owner {
        description.add(&format!("Owner: {}", prose(owner)));
    }
    if let Some(aftermath) = aftermath(report) {
        description.add(&prose(aftermath));
    }
    report.notes.iter().take(3).for_each(|note| description.add(&prose(note)));
    if let Some(evidence) = report.evidence.as_ref().filter(|_| !over) {
        if let Some(running) = evidence.running {
            description.add(&format!("Tasks: {}{}", tasks(running), as_of(report)));
        }
        for log in &evidence.logs {
            description.log(log, log_lines, as_of(report));
        }
        if !evidence.changes.is_empty() {
            let since = evidence.compared_with.as_ref().map(|with| format!(" against {}", prose(with)));
            description.add(&format!("Changed{}:", since.unwrap_or_default()));
            evidence.changes.iter().for_each(|change| description.add(&format!("• {}", prose(change))));
        }
    }
    let mut next = Vec::new();
    if !over || report.notice == Notice::Done {
        next.extend(alert.next_step.as_deref().map(|step| within(step, NEXT_STEP)));
    }
    next.extend(report.runbook.as_deref().map(runbook));
    // An address that is cut leads nowhere.
    let links = alert.links.iter().map(|link| format!("{}: {}", prose(&link.label), link.url));
    next.extend(links.filter(|link| link.chars().count() <= NEXT_STEP));
    next.truncate(NEXT_STEPS);

    let severity = report.severity.to_string();
    let keywords = [Some(severity.as_str()), Some(&alert.cause), alert.cluster.as_deref(), alert.service.as_deref()];
    let keywords: Vec<_> = keywords.into_iter().flatten().filter(|word| !word.is_empty()).map(keyword).collect();
    let resource = alert.key.subject.split_once('#').map_or(alert.key.subject.as_str(), |(_, resource)| resource);
    json!({
        "version": "1.0",
        "source": "custom",
        "id": format!("{}-{}", report.incident, report.number),
        "content": {
            "textType": "client-markdown",
            "title": telling(&subject::line(report), subject::CHARACTERS),
            "description": description.done(),
            "nextSteps": next,
            "keywords": keywords,
        },
        "metadata": {
            "threadId": report.incident,
            "summary": telling(&line(report), TITLE),
            "eventType": format!("watchkeeper-{}", state(report.notice)),
            "relatedResources": Some(within(resource, NEXT_STEP)).into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>(),
            "additionalContext": {
                "incident": report.incident,
                "number": report.number.to_string(),
                "state": state(report.notice),
                "severity": severity,
                "cause": keyword(&alert.cause),
            },
        },
    })
}

pub(crate) fn of_digest(digest: &Digest<'_>) -> Value {
    let mut description = Description::default();
    description.add(&format!("*{}*", prose(&format!("{}: {}", digest.word(), digest.headline()))));
    description.add(&prose(digest.why));
    for (cluster, cause, reports) in digest.groups() {
        let place = cluster.unwrap_or("no cluster");
        description.add(&format!("*{}: {}, {}*", prose(place), prose(cause), reports.len()));
        for report in reports {
            let over = if report.notice == Notice::Resolved { "RESOLVED " } else { "" };
            description.add(&format!("• {over}{}", prose(&headline(report))));
        }
    }
    let keywords: Vec<_> = std::iter::once(digest.severity().to_string())
        .chain(digest.causes().into_iter().take(4).map(|(cause, _)| cause.to_owned()))
        .map(|word| keyword(&word))
        .filter(|word| !word.is_empty())
        .collect();
    json!({
        "version": "1.0",
        "source": "custom",
        "id": format!("{}-{}", digest.id, digest.number),
        "content": {
            "textType": "client-markdown",
            "title": title(&subject::of_digest(digest)),
            "description": description.done(),
            "nextSteps": digest.next_step().into_iter().collect::<Vec<_>>(),
            "keywords": keywords,
        },
        "metadata": {
            "threadId": digest.id,
            "summary": title(&digest.headline()),
            "eventType": format!("watchkeeper-{}", state_of_digest(digest)),
            "additionalContext": {
                "incident": digest.id,
                "number": digest.number.to_string(),
                "state": state_of_digest(digest),
                "severity": digest.severity().to_string(),
            },
        },
    })
}

/// An address is not escaped: it must lead there.
fn runbook(runbook: &str) -> String {
    match address(runbook).filter(|address| address.len() < NEXT_STEP - 20) {
        Some(address) => format!("Runbook: {address}"),
        None => within(&format!("Runbook: {runbook}"), NEXT_STEP),
    }
}

fn title(text: &str) -> String {
    within(text, TITLE)
}

/// As [`title`]; where what is escaped takes room, names give way to what happened once more.
fn telling(line: &Line, mut room: usize) -> String {
    loop {
        let escaped = prose(&line.clone().within(room));
        if room == 0 || escaped.chars().count() <= TITLE {
            return escaped;
        }
        room -= 1;
    }
}

fn keyword(text: &str) -> String {
    within(text, KEYWORD)
}

/// Lines that are added for as long as there is room.
#[derive(Default)]
struct Description {
    text: String,
    /// After a line that was left out none follows: what is there is the beginning of what there is to say.
    is_full: bool,
    is_cut: bool,
}

impl Description {
    fn room(&self) -> usize {
        if self.is_full { 0 } else { DESCRIPTION.saturating_sub(self.text.len()) }
    }

    fn add(&mut self, line: &str) {
        if line.len() < self.room() {
            self.text.push_str(line);
            self.text.push('\n');
        } else {
            (self.is_full, self.is_cut) = (true, true);
        }
    }

    /// The last lines of a log, as many as there is room for, in a block of its own.
    fn log(&mut self, log: &LogTail, log_lines: bool, as_of: &str) {
        let container = prose(&log.container);
        if !log_lines {
            let (stream, group) = (prose(&log.stream), prose(&log.group));
            self.add(&format!("Log lines of {container} are kept out of messages: {stream} in {group}"));
            return;
        }
        let (begin, end) = (format!("Last log lines of {container}{as_of}:\n```\n"), "```\n");
        let mut room = self.room().min(LOG).saturating_sub(begin.len() + end.len());
        let mut lines = Vec::new();
        for line in log.tail.iter().rev().map(|line| code(line)) {
            if line.len() >= room {
                break;
            }
            room -= line.len() + 1;
            lines.push(line);
        }
        self.is_cut |= lines.len() < log.tail.len() || log.gap;
        if !lines.is_empty() {
            lines.reverse();
            self.text.extend([&begin, lines.join("\n").as_str(), "\n", end]);
        }
    }

    fn done(mut self) -> String {
        if self.is_cut {
            self.text.push_str("More is in the e-mail.\n");
        }
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}
