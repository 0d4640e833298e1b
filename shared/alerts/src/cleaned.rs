//! A report whose every text from outside was cleaned, once for all channels, before any of them cuts from it.

use std::borrow::Cow;

use crate::alert::{Fact, Link};
use crate::clean::{address, identifier, one_line, outside};
use crate::evidence::{Evidence, LogTail};
use crate::report::Report;

/// Cleans every text; what is empty then is not there.
pub(crate) fn cleaned(report: &Report) -> Report {
    let mut report = report.clone();
    report.incident = identifier(&report.incident);
    report.speaks_for = report.speaks_for.iter().map(|id| identifier(id)).collect();
    report.owner = known(report.owner.as_deref());
    report.runbook = known(report.runbook.as_deref());
    report.notes = lines(&report.notes);
    let alert = &mut report.alert;
    alert.key.subject = one_line(&alert.key.subject);
    alert.cause = one_line(&alert.cause);
    alert.about = one_line(&alert.about);
    alert.summary = one_line(&alert.summary);
    alert.cluster = known(alert.cluster.as_deref());
    alert.service = known(alert.service.as_deref());
    alert.next_step = known(alert.next_step.as_deref());
    let fact = |fact: &Fact| Some(Fact { label: Cow::Owned(one_line(&fact.label)), value: known(Some(&fact.value))? });
    alert.facts = alert.facts.iter().filter_map(fact).collect();
    let link = |link: &Link| Some(Link { label: Cow::Owned(one_line(&link.label)), url: address(&link.url)? });
    alert.links = alert.links.iter().filter_map(link).collect();
    if let Some(evidence) = &mut report.evidence {
        clean_evidence(evidence);
    }
    report
}

fn clean_evidence(evidence: &mut Evidence) {
    evidence.logs.iter_mut().for_each(clean_log);
    for moment in &mut evidence.timeline {
        moment.what = one_line(&moment.what);
    }
    evidence.compared_with = known(evidence.compared_with.as_deref());
    evidence.aftermath = known(evidence.aftermath.as_deref());
    evidence.deployment = known(evidence.deployment.as_deref());
    evidence.changes = written(&evidence.changes);
    evidence.gaps = lines(&evidence.gaps);
}

fn clean_log(log: &mut LogTail) {
    (log.container, log.group, log.stream) = (one_line(&log.container), one_line(&log.group), one_line(&log.stream));
    (log.head, log.tail) = (written(&log.head), written(&log.tail));
    log.url = log.url.as_deref().and_then(address);
}

fn known(text: Option<&str>) -> Option<String> {
    text.map(one_line).filter(|text| !text.is_empty())
}

fn lines(texts: &[String]) -> Vec<String> {
    texts.iter().filter_map(|text| known(Some(text))).collect()
}

/// Lines whose inner white space says something: columns, the depth of a stack trace.
fn written(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| outside(line).trim_end().to_owned()).collect()
}
