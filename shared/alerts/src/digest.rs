//! Several reports in one message: counted by cause, grouped by cluster.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};
use watchkeeper_stops::Severity;

use crate::alert::Kind;
use crate::moment;
use crate::report::{Notice, Report};

/// A digest that is fit to be written out.
pub(crate) struct Digest<'a> {
    pub(crate) id: &'a str,
    pub(crate) number: u32,
    pub(crate) why: &'a str,
    pub(crate) over: bool,
    pub(crate) storm: bool,
    pub(crate) severity: Severity,
    pub(crate) since: OffsetDateTime,
    pub(crate) reports: &'a [Report],
}

impl Digest<'_> {
    /// Causes with how many incidents have them, the most frequent first.
    pub(crate) fn causes(&self) -> Vec<(&str, usize)> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for report in self.reports {
            *counts.entry(&report.alert.cause).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// Reports by their cluster and cause; those of no cluster come last.
    pub(crate) fn groups(&self) -> Vec<(Option<&str>, &str, Vec<&Report>)> {
        let mut groups = BTreeMap::<(bool, &str, &str), Vec<&Report>>::new();
        for report in self.reports {
            let cluster = report.alert.cluster.as_deref();
            let place = (cluster.is_none(), cluster.unwrap_or_default(), report.alert.cause.as_str());
            groups.entry(place).or_default().push(report);
        }
        groups
            .into_iter()
            .map(|((elsewhere, cluster, cause), reports)| ((!elsewhere).then_some(cluster), cause, reports))
            .collect()
    }

    /// The most urgent of all. What is over counts, so that a filter that took its beginning takes its end.
    pub(crate) fn severity(&self) -> Severity {
        self.reports.iter().map(|report| report.severity).fold(self.severity, Severity::max)
    }

    /// From when the reports are collected to when the last of them happened: `in 5 min`, or `at once`.
    pub(crate) fn span(&self) -> String {
        let last = self.reports.iter().map(|report| report.last_at).max().unwrap_or(self.since);
        let lasted = last - self.since;
        if lasted < Duration::SECOND { "at once".to_owned() } else { format!("in {}", moment::roughly(lasted)) }
    }

    /// What to do about many at once; nothing about what is over.
    pub(crate) fn next_step(&self) -> Option<&'static str> {
        let any = self.reports.iter().any(|report| !matches!(report.notice, Notice::Resolved | Notice::Done));
        (any && !self.over).then_some(
            "Look first for what they share: the cluster, a database or secret, a deployment, the network. What was told on its \
             own before is not listed here: its messages have log lines. What follows comes in further digests, and one message \
             says when all of it is over.",
        )
    }

    /// The first word of its subject.
    pub(crate) fn word(&self) -> &'static str {
        let all = |notice| !self.reports.is_empty() && self.reports.iter().all(|report| report.notice == notice);
        if self.over || all(Notice::Resolved) {
            Kind::Resolved.word()
        } else if all(Notice::Done) {
            Kind::Done.word()
        } else if self.storm {
            "STORM"
        } else {
            "DIGEST"
        }
    }

    /// `31 incidents in 5 min: application-exit 20, out-of-memory 11`. The end of all names none: why it comes says it.
    pub(crate) fn headline(&self) -> String {
        if self.reports.is_empty() {
            return self.why.to_owned();
        }
        let incidents = if self.reports.len() == 1 { "incident" } else { "incidents" };
        let causes: Vec<_> = self.causes().iter().map(|(cause, count)| format!("{cause} {count}")).collect();
        let causes = if causes.is_empty() { String::new() } else { format!(": {}", causes.join(", ")) };
        format!("{} {incidents} {}{causes}", self.reports.len(), self.span())
    }
}
