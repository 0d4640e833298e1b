//! Requests about services.

use serde_json::Value;

use super::identifiers::{is_name, of_cluster};
use super::known::Known;
use super::{fargate, tags};
use crate::ecs::refusal::Refusal;
use crate::ecs::service::ServiceStatus;

/// `DescribeServices` takes so many (its API reference).
const AT_ONCE: usize = 10;

/// As many as there are addresses for tasks in a sandbox.
const MOST_TASKS: i64 = 253;

pub(crate) fn create(request: &Value, known: &Known) -> Result<(), Refusal> {
    if !request["serviceName"].as_str().is_some_and(is_name) {
        return Err(Refusal::invalid("A service's name has 1 to 255 letters, numbers, hyphens and underscores."));
    }
    match known.service {
        Some(ServiceStatus::Active) if known.repeated => {}
        Some(ServiceStatus::Active) => return Err(Refusal::invalid("Creation of service was not idempotent.")),
        Some(ServiceStatus::Draining) => {
            return Err(Refusal::invalid("Unable to Start a service that is still Draining."));
        }
        Some(ServiceStatus::Inactive) | None => {}
    }
    one_launch_choice(request)?;
    numbers(request)?;
    tags::given(request)?;
    if request["deploymentController"]["type"].as_str().is_some_and(|controller| controller != "ECS") {
        // Such a service has its definition and network from its task sets; the sandbox does not run it.
        return Ok(());
    }
    let definition = usable_definition(known)?;
    stored_revision(known)?;
    fargate::can_be_placed(request, definition)
}

pub(crate) fn update(request: &Value, known: &Known) -> Result<(), Refusal> {
    match known.service {
        None => return Err(Refusal::no_service()),
        Some(ServiceStatus::Active) => {}
        Some(_) => return Err(Refusal::new("ServiceNotActiveException", "Service was not ACTIVE.")),
    }
    numbers(request)?;
    if request["taskDefinition"].is_string() {
        let definition = usable_definition(known)?;
        stored_revision(known)?;
        fargate::is_supported(definition)?;
    }
    if !request["networkConfiguration"].is_null() {
        fargate::has_network(request)?;
    }
    Ok(())
}

pub(crate) fn delete(known: &Known) -> Result<(), Refusal> {
    known.service.map(|_| ()).ok_or_else(Refusal::no_service)
}

pub(crate) fn describe(request: &Value, known: &Known) -> Result<(), Refusal> {
    let services = request["services"].as_array().map(Vec::as_slice).unwrap_or_default();
    if services.is_empty() {
        return Err(Refusal::invalid("Services cannot be empty."));
    }
    if services.len() > AT_ONCE {
        return Err(Refusal::invalid(format!("service names can have at most {AT_ONCE} items.")));
    }
    for service in services.iter().filter_map(Value::as_str) {
        of_cluster(service, "service", &known.cluster)?;
    }
    Ok(())
}

/// The definition that a service or task is to run.
pub(super) fn usable_definition(known: &Known) -> Result<&Value, Refusal> {
    let definition = known.definition.as_ref().ok_or_else(|| Refusal::client("TaskDefinition not found."))?;
    if definition["status"] != "ACTIVE" {
        return Err(Refusal::invalid("TaskDefinition is inactive"));
    }
    Ok(definition)
}

pub(super) fn one_launch_choice(request: &Value) -> Result<(), Refusal> {
    let strategy = request["capacityProviderStrategy"].as_array().is_some_and(|strategy| !strategy.is_empty());
    if strategy && request["launchType"].is_string() {
        let text = "Specifying both a launch type and capacity provider strategy is not supported. \
                    Remove one and try again.";
        return Err(Refusal::invalid(text));
    }
    Ok(())
}

/// ministack stores the newest revision of a family, ACTIVE or not; ECS takes the newest that is ACTIVE.
fn stored_revision(known: &Known) -> Result<(), Refusal> {
    if known.older_revision {
        return Err(Refusal::not_modelled("a family whose newest revision is inactive (name the revision)"));
    }
    Ok(())
}

fn numbers(request: &Value) -> Result<(), Refusal> {
    let configuration = &request["deploymentConfiguration"];
    let (minimum, maximum) = (&configuration["minimumHealthyPercent"], &configuration["maximumPercent"]);
    let below_zero = |number: &Value| number.as_i64().is_some_and(|number| number < 0);
    if below_zero(&request["desiredCount"]) || below_zero(&request["healthCheckGracePeriodSeconds"]) {
        return Err(Refusal::invalid("desiredCount and healthCheckGracePeriodSeconds cannot be negative."));
    }
    if request["desiredCount"].as_i64().is_some_and(|count| count > MOST_TASKS) {
        return Err(Refusal::not_modelled(&format!(
            "services of more than {MOST_TASKS} tasks: it has no more addresses"
        )));
    }
    // The ranges that the console's help gives for rolling updates.
    if minimum.as_i64().is_some_and(|percent| !(0..=100).contains(&percent))
        || maximum.as_i64().is_some_and(|percent| percent < 100)
    {
        return Err(Refusal::invalid("minimumHealthyPercent is from 0 to 100, maximumPercent at least 100."));
    }
    if maximum == 100 && minimum.as_i64().unwrap_or(100) == 100 {
        return Err(Refusal::invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ecs::checks::fargate::tests::definition;

    fn request(more: Value) -> Value {
        let mut request = json!({
            "serviceName": "agent", "taskDefinition": "agent", "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        });
        let Value::Object(more) = more else { unreachable!() };
        request.as_object_mut().unwrap().extend(more);
        request
    }

    fn known(service: Option<ServiceStatus>) -> Known {
        Known { service, definition: Some(definition(json!({ "status": "ACTIVE" }))), ..Known::default() }
    }

    #[test]
    fn what_creates_no_service() {
        let both = json!({ "capacityProviderStrategy": [{ "capacityProvider": "FARGATE" }] });
        let cases = [
            (json!({ "serviceName": "a b" }), "A service's name has"),
            (both, "Specifying both a launch type and capacity provider strategy is not supported."),
            (json!({ "desiredCount": -1 }), "cannot be negative"),
            (
                json!({ "networkConfiguration": null }),
                "Network Configuration must be provided when networkMode 'awsvpc'",
            ),
            (json!({ "deploymentConfiguration": { "maximumPercent": 100 } }), "will block deployments"),
            (json!({ "deploymentConfiguration": { "maximumPercent": 99 } }), "at least 100"),
            (json!({ "deploymentConfiguration": { "minimumHealthyPercent": 101 } }), "from 0 to 100"),
            (json!({ "tags": [{ "key": "aws:x" }] }), "reserved"),
        ];
        for (more, text) in cases {
            let refused = create(&request(more.clone()), &known(None)).unwrap_err();
            assert!(
                refused.code == "InvalidParameterException" && refused.message.contains(text),
                "{more}: {refused:?}"
            );
        }
        assert_eq!(create(&request(json!({})), &known(None)), Ok(()));
    }

    #[test]
    fn a_name_is_free_again_once_its_service_is_gone() {
        let text = |known: &Known| create(&request(json!({})), known).err().map(|refused| refused.message);
        let active = known(Some(ServiceStatus::Active));
        assert_eq!(text(&active).unwrap(), "Creation of service was not idempotent.");
        assert_eq!(text(&Known { repeated: true, ..active }), None);
        let draining = text(&known(Some(ServiceStatus::Draining)));
        assert_eq!(draining.unwrap(), "Unable to Start a service that is still Draining.");
        assert_eq!(text(&known(Some(ServiceStatus::Inactive))), None);
    }

    #[test]
    fn a_definition_must_be_there_active_and_for_fargate() {
        let cases = [
            (None, "TaskDefinition not found."),
            (Some(definition(json!({ "status": "INACTIVE" }))), "TaskDefinition is inactive"),
            (
                Some(definition(json!({ "status": "ACTIVE", "cpu": null }))),
                "Task definition does not support launch_type FARGATE.",
            ),
        ];
        for (definition, text) in cases {
            let service = Some(ServiceStatus::Active);
            let known = Known { definition, repeated: true, service, ..Known::default() };
            assert_eq!(create(&request(json!({})), &known).unwrap_err().message, text);
            assert_eq!(update(&json!({ "taskDefinition": "agent" }), &known).unwrap_err().message, text);
            assert_eq!(update(&json!({ "desiredCount": 2 }), &known), Ok(()), "it is not asked for");
        }
    }

    #[test]
    fn a_service_must_be_there_and_active_to_be_updated() {
        let code = |service| update(&json!({}), &known(service)).err().map(|refused| refused.code);
        assert_eq!(code(None), Some("ServiceNotFoundException"));
        assert_eq!(code(Some(ServiceStatus::Draining)), Some("ServiceNotActiveException"));
        assert_eq!(code(Some(ServiceStatus::Inactive)), Some("ServiceNotActiveException"));
        assert_eq!(code(Some(ServiceStatus::Active)), None);
    }

    #[test]
    fn ten_services_are_described_at_once() {
        let known = Known { cluster: "one".to_owned(), ..Known::default() };
        let text = |services: Value| describe(&json!({ "services": services }), &known).err().map(|one| one.message);
        assert_eq!(text(json!([])).unwrap(), "Services cannot be empty.");
        assert_eq!(text(json!(vec!["a"; 11])).unwrap(), "service names can have at most 10 items.");
        assert_eq!(text(json!(vec!["a"; 10])), None);
        let other = text(json!(["arn:aws:ecs:eu-west-1:123456789012:service/two/a"]));
        assert_eq!(other.unwrap(), "Invalid identifier: Identifier is for cluster two. Your cluster is one");
    }
}
