//! Which tasks stop of what, in which order that is told.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::mapping::Message;

/// Each has an outage.
pub const CLUSTERS: [&str; 2] = ["storm-a", "storm-b"];
/// Services of each cluster.
pub const SERVICES: usize = 25;
/// Of a hundred events so many are told twice.
const TWICE: usize = 10;

/// Why the tasks of an outage stop: (of a hundred so many, stop code, reason, exit code, the container's reason).
type Why = (u32, &'static str, &'static str, Option<i64>, Option<&'static str>);

const EXITED: &str = "EssentialContainerExited";
const ESSENTIAL: &str = "Essential container in task exited";
const OUTAGES: [&[Why]; 2] = [
    // A database is gone: agents end, and those that hoard work run out of memory.
    &[
        (75, EXITED, ESSENTIAL, Some(1), None),
        (25, EXITED, ESSENTIAL, Some(137), Some("OutOfMemoryError: Container killed due to memory usage")),
    ],
    // A zone is cut off: health checks fail, and what is started anew finds no image.
    &[
        (60, "ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group tg-storm)", Some(143), None),
        (40, "TaskFailedToStart", NO_IMAGE, None, Some(NO_IMAGE)),
    ],
];
const NO_IMAGE: &str =
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): dial tcp: i/o timeout";

/// An incident: a service, by its ARN, and the cause, by its place among its outage's.
pub type Incident = (String, usize);

/// A storm, message by message.
#[derive(Debug, Clone)]
pub struct Storm {
    /// In the order in which they come, those that come twice twice.
    pub messages: Vec<Message>,
    /// How often each incident's tasks stop.
    pub stops: BTreeMap<Incident, u64>,
    /// How many messages are repetitions.
    pub duplicates: usize,
}

impl Storm {
    /// So many stops, half of them in each outage; the same for the same seed, but for the times, which are about `now`.
    #[must_use]
    pub fn new(stops: usize, seed: u64, now: OffsetDateTime) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut storm = Self { messages: Vec::new(), stops: BTreeMap::new(), duplicates: 0 };
        for (outage, causes) in OUTAGES.iter().enumerate() {
            let count = (stops + outage) / OUTAGES.len();
            let mut messages: Vec<Message> = (0..count).map(|_| storm.stop(outage, causes, now, &mut rng)).collect();
            for _ in 0..count * TWICE / 100 {
                let again = messages[rng.usize(..count)].clone();
                messages.push(again);
                storm.duplicates += 1;
            }
            rng.shuffle(&mut messages);
            storm.messages.append(&mut messages);
        }
        // A message that comes twice has an id each time.
        for (number, message) in storm.messages.iter_mut().enumerate() {
            message.id = format!("m{number}");
        }
        storm
    }

    fn stop(&mut self, outage: usize, causes: &[Why], now: OffsetDateTime, rng: &mut Rng) -> Message {
        let cluster = CLUSTERS[outage];
        let name = service_name(rng.usize(..SERVICES));
        let mut left = rng.u32(..100);
        let cause = causes.iter().position(|(percent, ..)| {
            let here = left < *percent;
            left = left.saturating_sub(*percent);
            here
        });
        let cause = cause.unwrap_or_default();
        let at = now - Duration::milliseconds(rng.i64(0..60_000));
        let incident = (service_arn(cluster, &name), cause);
        *self.stops.entry(incident.clone()).or_default() += 1;
        let body = stopped(cluster, &name, &causes[cause], at, rng.u128(..));
        Message { id: String::new(), body: body.to_string(), incident: Some(incident) }
    }

    /// How many tasks stop.
    #[must_use]
    pub fn stopped(&self) -> usize {
        self.messages.len() - self.duplicates
    }
}

/// A service's name.
#[must_use]
pub fn service_name(number: usize) -> String {
    format!("agent-{number:02}")
}

/// A service's ARN.
#[must_use]
pub fn service_arn(cluster: &str, name: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:service/{cluster}/{name}")
}

/// The event, with the members that there are always.
fn stopped(cluster: &str, service: &str, why: &Why, at: OffsetDateTime, id: u128) -> Value {
    let (_, code, reason, exit, container_reason) = why;
    let arn = |kind: &str, rest: &str| format!("arn:aws:ecs:eu-west-1:123456789012:{kind}/{cluster}{rest}");
    let task = arn("task", &format!("/{id:032x}"));
    let at = at.format(&Rfc3339).unwrap_or_default();
    let mut container = json!({
        "containerArn": arn("container", &format!("/{id:032x}/agent")), "name": "agent", "image": "agent:1", "taskArn": task,
        "lastStatus": "STOPPED", "runtimeId": format!("{id:032x}-1"), "cpu": "0", "networkInterfaces": []
    });
    if let Some(exit) = exit {
        container["exitCode"] = json!(exit);
    }
    if let Some(reason) = container_reason {
        container["reason"] = json!(reason);
    }
    json!({
        "version": "0", "id": format!("{id:032x}"), "detail-type": "ECS Task State Change", "source": "aws.ecs",
        "account": "123456789012", "time": at, "region": "eu-west-1", "resources": [task],
        "detail": {
            "taskArn": task, "clusterArn": arn("cluster", ""), "group": format!("service:{service}"), "launchType": "FARGATE",
            "taskDefinitionArn": format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{cluster}:1"),
            "startedBy": "ecs-svc/1547882311908730512", "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "version": 5,
            "containers": [container], "cpu": "256", "memory": "512", "createdAt": at, "updatedAt": at,
            "stoppedAt": at, "stoppingAt": at, "stopCode": code, "stoppedReason": reason
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_whole_and_the_same_for_the_same_seed() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let storm = Storm::new(2_001, 7, now);
        assert_eq!((storm.stopped(), storm.duplicates, storm.messages.len()), (2_001, 200, 2_201));
        assert_eq!(storm.stops.values().sum::<u64>(), 2_001);
        assert_eq!(storm.stops.len(), 2 * CLUSTERS.len() * SERVICES, "each service stops of each of its two causes");
        let bodies = |storm: &Storm| storm.messages.iter().map(|message| message.body.clone()).collect::<Vec<_>>();
        let mut distinct = bodies(&storm);
        assert_eq!(bodies(&Storm::new(2_001, 7, now)), distinct);
        assert_ne!(bodies(&Storm::new(2_001, 8, now)), distinct);
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 2_001);
        let first_of_second = storm.messages.iter().position(|message| message.body.contains(CLUSTERS[1])).unwrap();
        assert_eq!(first_of_second, 1_100, "one outage after the other");
    }
}
