//! Message attributes, by which a subscription's filter policy chooses. At most ten, which is what raw delivery to SQS takes;
//! SNS refuses an empty value, so what is not known is not there.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::machine::{state, state_of_digest};
use crate::report::Report;

/// Characters of a value: as many as a tag's, and more than any name's.
const CHARACTERS: usize = 256;
/// Values of one list …
const VALUES: usize = 50;
/// … and bytes of them: whatever the names are, the lists leave room for the message.
const BYTES: usize = 12_000;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `String`.
    Text(String),
    /// `String.Array`: a filter policy takes it if it takes any of its values.
    List(Vec<String>),
}

impl Attribute {
    /// SNS's data type.
    #[must_use]
    pub fn data_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "String",
            Self::List(_) => "String.Array",
        }
    }

    /// The value as SNS takes it: a list is JSON.
    #[must_use]
    pub fn string_value(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(values) => serde_json::Value::from(values.clone()).to_string(),
        }
    }
}

pub(crate) fn of_report(report: &Report) -> Vec<(&'static str, Attribute)> {
    let alert = &report.alert;
    let known = [
        ("incident", Some(report.incident.as_str())),
        ("about", Some(alert.about.as_str())),
        ("cluster", alert.cluster.as_deref()),
        ("service", alert.service.as_deref()),
        ("cause", Some(alert.cause.as_str())),
        ("owner", report.owner.as_deref()),
        ("runbook", report.runbook.as_deref()),
    ];
    let fixed = [("state", state(report.notice).to_owned()), ("severity", report.severity.to_string())];
    let known = known.into_iter().filter_map(|(name, value)| Some((name, short(value?)?)));
    fixed.into_iter().chain(known).map(|(name, value)| (name, Attribute::Text(value))).collect()
}

pub(crate) fn of_digest(digest: &Digest<'_>) -> Vec<(&'static str, Attribute)> {
    let mut attributes = vec![
        ("state", Attribute::Text(state_of_digest(digest).to_owned())),
        ("severity", Attribute::Text(digest.severity().to_string())),
    ];
    attributes.extend(short(digest.id).map(|id| ("incident", Attribute::Text(id))));
    let reports = digest.reports;
    let lists = [
        ("about", values(reports.iter().map(|report| report.alert.about.as_str()))),
        ("cluster", values(reports.iter().filter_map(|report| report.alert.cluster.as_deref()))),
        ("service", values(reports.iter().filter_map(|report| report.alert.service.as_deref()))),
        ("cause", values(reports.iter().map(|report| report.alert.cause.as_str()))),
        ("owner", values(reports.iter().filter_map(|report| report.owner.as_deref()))),
    ];
    let lists = lists.into_iter().filter(|(_, values)| !values.is_empty());
    attributes.extend(lists.map(|(name, values)| (name, Attribute::List(values))));
    attributes
}

/// Each value once.
fn values<'a>(all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let once = all.filter_map(short).collect::<BTreeSet<_>>();
    let mut bytes = 0;
    let fits = |value: &String| {
        bytes += value.len();
        bytes <= BYTES
    };
    once.into_iter().take(VALUES).take_while(fits).collect()
}

/// A filter compares whole values, so that nothing is said where one is cut.
fn short(value: &str) -> Option<String> {
    let value: String = value.chars().take(CHARACTERS).collect();
    (!value.is_empty()).then_some(value)
}
