//! A service of which fewer tasks run than should, for longer than a restart takes.

use time::OffsetDateTime;
use watchkeeper_stops::Severity;

use crate::alert::{Alert, AlertKey, Kind};
use crate::console;
use crate::sight::ServiceSight;

/// The cause's stable word.
pub const BELOW_DESIRED: &str = "below-desired";

/// The alert for a service that is below its desired count since then.
#[must_use]
pub fn below_desired(sight: &ServiceSight, since: OffsetDateTime, now: OffsetDateTime) -> Alert {
    let service = &sight.service;
    let (running, desired) = (sight.tasks.running, sight.tasks.desired);
    let summary = match (running, desired) {
        (0, 1) => "its task does not run".to_owned(),
        (0, _) => format!("none of its {desired} tasks runs"),
        (1, _) => format!("only 1 of its {desired} tasks runs"),
        _ => format!("only {running} of its {desired} tasks run"),
    };
    let next = "Read what ECS says, then why its last tasks stopped (their own alerts, or the service's tasks in the console). Where ECS could not place one, look at capacity, subnets with free addresses, quotas and the service's roles.";
    Alert {
        key: AlertKey {
            subject: format!("service#{service}"),
            occurrence: format!("{BELOW_DESIRED}#{}", since.unix_timestamp()),
        },
        kind: Kind::TasksMissing,
        severity: if running == 0 { Severity::Critical } else { Severity::Error },
        cause: BELOW_DESIRED.to_owned(),
        about: service.name().to_owned(),
        cluster: service.cluster_name().map(str::to_owned),
        service: Some(service.name().to_owned()),
        summary,
        facts: sight.facts(since, now).done(),
        next_step: Some(next.to_owned()),
        links: [console::service(service, "health"), console::service(service, "deployments")]
            .into_iter()
            .flatten()
            .collect(),
    }
}
