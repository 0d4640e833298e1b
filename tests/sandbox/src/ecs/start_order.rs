//! Which container may start when (`dependsOn`): a pure function of the definition and what the others do.

use std::time::Duration;

use time::OffsetDateTime;

use super::definition::{Condition, ContainerDefinition, Dependency};
use super::task::{Container, Health, Status};

/// Whether a container may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Now,
    /// It waits for another container; at the longest until then, when that one has a start time-out.
    Waits(Option<OffsetDateTime>),
    /// What it waits for will not come to pass.
    Never(String),
}

/// `others` are the containers of the task with their definitions.
pub(crate) fn readiness(
    container: &ContainerDefinition,
    others: &[(&ContainerDefinition, &Container)],
    now: OffsetDateTime,
) -> Readiness {
    let mut until = None;
    let mut ready = true;
    for dependency in &container.depends_on {
        let Some((definition, other)) = others.iter().find(|(other, _)| other.name == dependency.container) else {
            return never(container, dependency, "is not in the task definition");
        };
        if is_met(dependency.condition, other) {
            continue;
        }
        if other.status == Status::Stopped {
            return never(container, dependency, "did not exit successfully");
        }
        ready = false;
        let deadline = deadline(definition.start_timeout, other, dependency.condition);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return never(container, dependency, "has timed out");
        }
        until = until.into_iter().chain(deadline).min();
    }
    if ready { Readiness::Now } else { Readiness::Waits(until) }
}

fn is_met(condition: Condition, other: &Container) -> bool {
    match condition {
        Condition::Start => other.status >= Status::Running,
        Condition::Complete => other.status == Status::Stopped,
        Condition::Success => other.status == Status::Stopped && other.exit_code == Some(0),
        Condition::Healthy => other.status == Status::Running && other.health == Some(Health::Healthy),
    }
}

/// `startTimeout` belongs to the container that is waited for, from its start on, for all conditions but START (API
/// reference of `ContainerDefinition`).
fn deadline(timeout: Option<Duration>, other: &Container, condition: Condition) -> Option<OffsetDateTime> {
    Some(other.started.filter(|_| condition != Condition::Start)? + timeout?)
}

fn never(container: &ContainerDefinition, dependency: &Dependency, why: &str) -> Readiness {
    Readiness::Never(format!(
        "failed to resolve container ordering dependency [{}] for target [{}]: dependency {why}",
        dependency.container, container.name
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BEGAN: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn definition(container: &serde_json::Value) -> ContainerDefinition {
        ContainerDefinition::read(container, "eu-west-1").unwrap()
    }

    fn container(status: Status, exit_code: Option<i32>, health: Option<Health>) -> Container {
        let started = Some(BEGAN).filter(|_| status >= Status::Running);
        Container {
            status,
            health,
            started,
            exit_code,
            ..Container::new(&definition(&json!({ "name": "first", "image": "i" })), String::new())
        }
    }

    fn after(seconds: i64, condition: &str, first: &Container) -> Readiness {
        let first_definition = definition(&json!({ "name": "first", "image": "i", "startTimeout": 10 }));
        let second = definition(&json!({ "name": "second", "image": "i",
            "dependsOn": [{ "containerName": "first", "condition": condition }] }));
        readiness(&second, &[(&first_definition, first)], BEGAN + time::Duration::seconds(seconds))
    }

    #[test]
    fn each_condition_is_met_by_what_it_names() {
        let pending = container(Status::Pending, None, None);
        let running = container(Status::Running, None, Some(Health::Unknown));
        let healthy = container(Status::Running, None, Some(Health::Healthy));
        let (ended, failed) = (container(Status::Stopped, Some(0), None), container(Status::Stopped, Some(3), None));
        let met = |condition, state| after(0, condition, state) == Readiness::Now;
        for (condition, expected) in [
            ("START", [false, true, true, true, true]),
            ("COMPLETE", [false, false, false, true, true]),
            ("SUCCESS", [false, false, false, true, false]),
            ("HEALTHY", [false, false, true, false, false]),
        ] {
            assert_eq!(
                [&pending, &running, &healthy, &ended, &failed].map(|state| met(condition, state)),
                expected,
                "{condition}"
            );
        }
    }

    #[test]
    fn what_cannot_come_to_pass_is_said() {
        let failed = container(Status::Stopped, Some(3), None);
        for condition in ["SUCCESS", "HEALTHY"] {
            let Readiness::Never(why) = after(0, condition, &failed) else { panic!("{condition}") };
            assert!(why.contains("[first] for target [second]") && why.ends_with("did not exit successfully"), "{why}");
        }
        let lost = definition(&json!({ "name": "second", "image": "i",
            "dependsOn": [{ "containerName": "nobody", "condition": "START" }] }));
        assert!(matches!(readiness(&lost, &[], BEGAN), Readiness::Never(_)));
    }

    #[test]
    fn waiting_ends_with_the_others_start_timeout() {
        let running = container(Status::Running, None, Some(Health::Unknown));
        assert_eq!(after(9, "HEALTHY", &running), Readiness::Waits(Some(BEGAN + time::Duration::seconds(10))));
        assert!(matches!(after(10, "HEALTHY", &running), Readiness::Never(why) if why.ends_with("has timed out")));
        assert_eq!(after(99, "START", &container(Status::Pending, None, None)), Readiness::Waits(None));
    }
}
