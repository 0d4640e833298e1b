//! Requests about tasks.

use serde_json::Value;

use super::known::Known;
use super::services::{one_launch_choice, usable_definition};
use super::{fargate, identifiers, tags};
use crate::ecs::refusal::Refusal;

/// `DescribeTasks` takes so many (its API reference).
const AT_ONCE: usize = 100;
/// `RunTask` starts so many (its API reference).
const STARTS_AT_ONCE: i64 = 10;
/// The longest `startedBy` and `clientToken` (API reference of `RunTask`).
const STARTED_BY: usize = 128;
const CLIENT_TOKEN: usize = 64;

pub(crate) fn run(request: &Value, known: &Known) -> Result<(), Refusal> {
    if request["count"].as_i64().is_some_and(|count| !(1..=STARTS_AT_ONCE).contains(&count)) {
        return Err(Refusal::invalid(format!("count must be from 1 to {STARTS_AT_ONCE}")));
    }
    words(request)?;
    tags::given(request)?;
    one_launch_choice(request)?;
    let definition = usable_definition(known)?;
    overrides(request, definition)?;
    fargate::can_be_placed(request, definition)
}

pub(crate) fn stop(request: &Value, known: &Known) -> Result<(), Refusal> {
    identifiers::task(request["task"].as_str().unwrap_or_default(), &known.cluster).map(|_| ())
}

pub(crate) fn describe(request: &Value, known: &Known) -> Result<(), Refusal> {
    let tasks = request["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if tasks.is_empty() {
        return Err(Refusal::invalid("Tasks cannot be empty."));
    }
    if tasks.len() > AT_ONCE {
        return Err(Refusal::invalid(format!("taskIds can have at most {AT_ONCE} items.")));
    }
    for task in tasks.iter().filter_map(Value::as_str) {
        identifiers::task(task, &known.cluster)?;
    }
    Ok(())
}

pub(crate) fn list(request: &Value, known: &Known) -> Result<(), Refusal> {
    let given = |name: &str| !request[name].is_null();
    if given("serviceName") && known.service.is_none() {
        return Err(Refusal::no_service());
    }
    // "When you specify startedBy as the filter, it must be the only filter that you use."
    if given("startedBy") && ["family", "serviceName", "containerInstance"].into_iter().any(given) {
        return Err(Refusal::invalid("startedBy must be the only filter."));
    }
    Ok(())
}

fn words(request: &Value) -> Result<(), Refusal> {
    let started_by = request["startedBy"].as_str().unwrap_or_default();
    if started_by.chars().count() > STARTED_BY {
        return Err(Refusal::invalid(format!("startedBy longer than {STARTED_BY}.")));
    }
    if !started_by.chars().all(|one| one.is_ascii_alphanumeric() || "-/_".contains(one)) {
        return Err(Refusal::invalid("startedBy has letters, numbers, hyphens, slashes and underscores only."));
    }
    if let Some(token) = request["clientToken"].as_str()
        && !((1..=CLIENT_TOKEN).contains(&token.len()) && token.bytes().all(|byte| (33..=126).contains(&byte)))
    {
        return Err(Refusal::invalid(format!("clientToken has 1 to {CLIENT_TOKEN} characters of the range 33-126.")));
    }
    // "An error will be received if you specify the SERVICE option when running a task."
    if request["propagateTags"] == "SERVICE" {
        return Err(Refusal::invalid("propagateTags cannot be SERVICE when a task is run."));
    }
    // Such groups are those of services.
    if request["group"].as_str().is_some_and(|group| group.starts_with("service:")) {
        return Err(Refusal::invalid("group cannot begin with service: when a task is run."));
    }
    Ok(())
}

fn overrides(request: &Value, definition: &Value) -> Result<(), Refusal> {
    let containers = definition["containerDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for over in request["overrides"]["containerOverrides"].as_array().into_iter().flatten() {
        if !containers.iter().any(|container| container["name"] == over["name"]) {
            let name = over["name"].as_str().unwrap_or_default();
            let text = format!("Override for container named {name} is not a container in the TaskDefinition.");
            return Err(Refusal::invalid(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ecs::checks::fargate::tests::definition;
    use crate::ecs::service::ServiceStatus;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn run_with(more: Value) -> Result<(), Refusal> {
        let mut request = json!({
            "taskDefinition": "agent", "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        });
        let Value::Object(more) = more else { unreachable!() };
        request.as_object_mut().unwrap().extend(more);
        run(&request, &Known { definition: Some(definition(json!({ "status": "ACTIVE" }))), ..Known::default() })
    }

    #[test]
    fn what_runs_no_task() {
        let unknown = json!({ "containerOverrides": [{ "name": "side" }] });
        let cases = [
            (json!({ "count": 0 }), "from 1 to 10"),
            (json!({ "count": 11 }), "from 1 to 10"),
            (json!({ "startedBy": "s".repeat(129) }), "startedBy longer than 128."),
            (json!({ "startedBy": "a b" }), "startedBy has"),
            (json!({ "clientToken": "a b" }), "clientToken has"),
            (json!({ "clientToken": "t".repeat(65) }), "clientToken has"),
            (json!({ "propagateTags": "SERVICE" }), "propagateTags"),
            (json!({ "group": "service:agent" }), "group"),
            (
                json!({ "overrides": unknown }),
                "Override for container named side is not a container in the TaskDefinition.",
            ),
            (json!({ "networkConfiguration": null }), "Network Configuration must be provided"),
            (json!({ "tags": [{ "key": "" }] }), "key"),
            (json!({ "capacityProviderStrategy": [{ "capacityProvider": "FARGATE" }] }), "Specifying both"),
        ];
        for (more, text) in cases {
            let refused = run_with(more.clone()).unwrap_err();
            assert!(
                refused.code == "InvalidParameterException" && refused.message.contains(text),
                "{more}: {refused:?}"
            );
        }
    }

    #[test]
    fn what_runs() {
        let overrides = json!({ "containerOverrides": [{ "name": "agent" }] });
        let good = [
            json!({}),
            json!({ "count": 10, "startedBy": "s".repeat(128), "clientToken": "t".repeat(64), "group": "family:x" }),
            json!({ "propagateTags": "TASK_DEFINITION", "overrides": overrides }),
        ];
        for more in good {
            assert_eq!(run_with(more.clone()), Ok(()), "{more}");
        }
    }

    #[test]
    fn a_hundred_tasks_are_described_at_once() {
        let text = |tasks: Value| describe(&json!({ "tasks": tasks }), &Known::default()).err().map(|one| one.message);
        assert_eq!(text(json!([])).unwrap(), "Tasks cannot be empty.");
        assert_eq!(text(json!(vec![ID; 101])).unwrap(), "taskIds can have at most 100 items.");
        assert_eq!(text(json!(vec![ID; 100])), None);
        assert_eq!(stop(&json!({ "task": ID }), &Known::default()), Ok(()));
    }

    #[test]
    fn tasks_are_listed_by_a_service_that_is_there_or_by_their_starter_alone() {
        let there = Known { service: Some(ServiceStatus::Inactive), ..Known::default() };
        let by_service = json!({ "serviceName": "agent", "family": "agent" });
        assert_eq!(list(&by_service, &there), Ok(()));
        assert_eq!(list(&by_service, &Known::default()), Err(Refusal::no_service()));
        assert_eq!(list(&json!({ "startedBy": "me", "desiredStatus": "STOPPED" }), &there), Ok(()));
        assert!(list(&json!({ "startedBy": "me", "family": "agent" }), &there).is_err());
    }
}
