//! How much of a report a channel has room for, and a report cut to it.

use crate::clean::cut;
use crate::evidence::{Evidence, LogTail};
use crate::report::Report;

/// What a channel has room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Bytes of one text.
    pub(crate) text: usize,
    /// Entries of one list: facts, changes, moments, gaps, notes.
    pub(crate) list: usize,
    /// The last lines of one log, of which there are at most [`Room::LOGS`].
    pub(crate) tail: usize,
    /// The first lines of one log.
    pub(crate) head: usize,
    /// Bytes of one log line.
    pub(crate) line: usize,
}

impl Room {
    /// Containers whose logs are told.
    const LOGS: usize = 4;

    /// Half as much, and so on, so that in the end everything fits.
    pub(crate) fn smaller(self, times: u32) -> Self {
        let half = |n: usize, least: usize| (n >> times).max(least.min(n));
        Self {
            text: half(self.text, 64),
            list: half(self.list, 4),
            tail: half(self.tail, 2),
            head: half(self.head, 1),
            line: half(self.line, 64),
        }
    }
}

/// A report that fits, and what was left out of it, in words.
pub(crate) struct Fitted {
    pub(crate) report: Report,
    pub(crate) cuts: Vec<String>,
}

/// Cuts a report that was cleaned.
pub(crate) fn fit(report: &Report, room: Room) -> Fitted {
    let mut cuts = Vec::new();
    let mut report = report.clone();
    let shorten = |text: &mut String| *text = cut(text, room.text);
    report.owner.iter_mut().chain(&mut report.runbook).for_each(shorten);
    keep_first(&mut report.notes, room.list, "notes", &mut cuts);
    report.notes.iter_mut().for_each(shorten);
    keep_first(&mut report.speaks_for, room.list * 5, "incidents that this one speaks for", &mut cuts);

    let alert = &mut report.alert;
    [&mut alert.key.subject, &mut alert.cause, &mut alert.about, &mut alert.summary].into_iter().for_each(shorten);
    alert.cluster.iter_mut().chain(&mut alert.service).chain(&mut alert.next_step).for_each(shorten);
    keep_first(&mut alert.facts, room.list, "facts", &mut cuts);
    for fact in &mut alert.facts {
        fact.label = cut(&fact.label, room.text).into();
        shorten(&mut fact.value);
    }
    keep_first(&mut alert.links, room.list.min(10), "links", &mut cuts);
    for link in &mut alert.links {
        link.label = cut(&link.label, room.text).into();
    }
    if let Some(evidence) = &mut report.evidence {
        fit_evidence(evidence, room, &mut cuts);
    }
    Fitted { report, cuts }
}

fn fit_evidence(evidence: &mut Evidence, room: Room, cuts: &mut Vec<String>) {
    let shorten = |text: &mut String| *text = cut(text, room.text);
    keep_first(&mut evidence.logs, Room::LOGS, "containers' logs", cuts);
    for log in &mut evidence.logs {
        fit_log(log, room, cuts);
    }
    keep_first(&mut evidence.timeline, room.list, "moments of the timeline", cuts);
    evidence.timeline.iter_mut().for_each(|moment| shorten(&mut moment.what));
    let words = [&mut evidence.compared_with, &mut evidence.deployment, &mut evidence.aftermath];
    words.into_iter().flatten().for_each(shorten);
    keep_first(&mut evidence.changes, room.list, "changes", cuts);
    evidence.changes.iter_mut().for_each(shorten);
    keep_first(&mut evidence.gaps, room.list, "gaps", cuts);
    evidence.gaps.iter_mut().for_each(shorten);
}

fn fit_log(log: &mut LogTail, room: Room, cuts: &mut Vec<String>) {
    let left_out = log.head.len().saturating_sub(room.head) + log.tail.len().saturating_sub(room.tail);
    log.head.truncate(room.head);
    log.tail.drain(..log.tail.len().saturating_sub(room.tail));
    log.head.iter_mut().chain(&mut log.tail).for_each(|line| *line = cut(line, room.line));
    for name in [&mut log.container, &mut log.group, &mut log.stream] {
        *name = cut(name, room.text);
    }
    if left_out > 0 {
        log.gap = true;
        cuts.push(format!("{left_out} log lines of container {}", log.container));
    }
}

fn keep_first<T>(list: &mut Vec<T>, most: usize, what: &str, cuts: &mut Vec<String>) {
    if list.len() > most {
        cuts.push(format!("{} more {what}", list.len() - most));
        list.truncate(most);
    }
}
