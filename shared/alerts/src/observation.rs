//! What another function of Watchkeeper observed.

use watchkeeper_events::{Observation, ObservedState, ServiceArn};
use watchkeeper_stops::Severity;

use crate::alert::{Alert, AlertKey, Facts, Kind};
use crate::moment;

/// The alert for an observation.
#[must_use]
pub fn observation(observation: &Observation) -> Alert {
    let (kind, severity) = match observation.state {
        ObservedState::Resolved => (Kind::Resolved, Severity::Info),
        ObservedState::Done => (Kind::Done, severity(&observation.severity)),
        ObservedState::Opened => (Kind::Trouble, severity(&observation.severity)),
    };
    let facts = Facts::default()
        .with("About", Some(observation.subject.as_str()))
        .with("Cause", Some(observation.cause.as_str()))
        .with("Detail", observation.detail.as_deref())
        .with("At", observation.at.map(moment::utc))
        .with("Seen by", Some(observation.from.as_str()));
    let subject = format!("observation#{}", observation.subject);
    let service = service_in(&observation.subject);
    Alert {
        key: AlertKey { subject, occurrence: format!("{}#{}", observation.cause, observation.id) },
        kind,
        severity,
        cause: observation.cause.clone(),
        about: service.as_ref().map_or(observation.subject.as_str(), ServiceArn::name).to_owned(),
        cluster: service.as_ref().and_then(ServiceArn::cluster_name).map(str::to_owned),
        service: service.as_ref().map(|service| service.name().to_owned()),
        summary: observation.summary.clone(),
        facts: facts.done(),
        next_step: observation.next.clone(),
        links: Vec::new(),
    }
}

/// The service that a subject names, by its ARN.
fn service_in(subject: &str) -> Option<ServiceArn> {
    subject.split([' ', '#']).find_map(|word| ServiceArn::parse(word).ok())
}

/// A word not known here counts as an error: better loud than lost.
fn severity(word: &str) -> Severity {
    match word {
        "critical" => Severity::Critical,
        "warning" => Severity::Warning,
        "info" => Severity::Info,
        _ => Severity::Error,
    }
}
