//! What a message of the queue asks for: it only names what to look at.

use time::{Duration, OffsetDateTime};
use watchkeeper_events::{Event, QueueMessage, ServiceArn};

/// A sweep that waited longer than this has been overtaken by the next ones.
const SWEEP_LIFE: Duration = Duration::minutes(2);

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// One service.
    Service {
        /// Which.
        service: ServiceArn,
        /// Whether it may be looked at once more later: a message that this function sent itself asks for no other.
        again: bool,
    },
    /// All.
    Sweep,
    /// Nothing, and why.
    Nothing(&'static str),
}

/// What a message that was put into the queue at that time asks for.
#[must_use]
pub fn wake(message: &QueueMessage, sent_at: Option<OffsetDateTime>, now: OffsetDateTime) -> Wake {
    match message {
        QueueMessage::Event(Event::Task(task)) => match task.service_arn() {
            Some(service) => Wake::Service { service, again: true },
            None => Wake::Nothing("a task of no service"),
        },
        QueueMessage::Recheck(service) => Wake::Service { service: service.clone(), again: false },
        QueueMessage::Sweep if sent_at.is_some_and(|sent_at| now - sent_at > SWEEP_LIFE) => {
            Wake::Nothing("a sweep that came too late")
        }
        QueueMessage::Sweep => Wake::Sweep,
        QueueMessage::Event(_) | QueueMessage::Observation(_) | QueueMessage::Look(_) | QueueMessage::Rollout(_) => {
            Wake::Nothing("a message for another function")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn woken(message: &serde_json::Value, ago: Duration) -> Wake {
        wake(&QueueMessage::parse(&message.to_string()).unwrap(), Some(NOW - ago), NOW)
    }

    fn task(group: &str) -> serde_json::Value {
        json!({
            "id": "1", "account": "123456789012", "region": "eu-west-1", "time": "2026-11-21T12:00:00Z", "resources": [],
            "source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {
                "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/demo/1", "lastStatus": "RUNNING", "group": group,
                "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/demo", "containers": []
            }
        })
    }

    #[test]
    fn a_message_names_what_to_look_at_and_one_of_our_own_asks_for_no_other() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:service/demo/agent";
        let service = ServiceArn::parse(arn).unwrap();
        let of_service = Wake::Service { service: service.clone(), again: true };
        assert_eq!(woken(&task("service:agent"), Duration::ZERO), of_service);
        assert_eq!(woken(&task("service:agent"), Duration::hours(3)), of_service, "late is not too late");
        assert!(matches!(woken(&task("family:job"), Duration::ZERO), Wake::Nothing(_)));
        let recheck = json!({"watchkeeper": "recheck", "service": arn});
        assert_eq!(woken(&recheck, Duration::ZERO), Wake::Service { service, again: false });
    }

    #[test]
    fn a_sweep_that_was_overtaken_is_dropped() {
        let sweep = json!({"watchkeeper": "sweep"});
        assert_eq!(woken(&sweep, SWEEP_LIFE), Wake::Sweep);
        assert!(matches!(woken(&sweep, SWEEP_LIFE + Duration::SECOND), Wake::Nothing(_)));
    }
}
