//! The tags that a task gets when it is made ("Tagging Amazon ECS resources" in the developer guide).

use serde_json::{Value, json};

use super::definition::Definition;
use super::store::{PropagateTags, Stored};

/// Of a task that its service starts.
pub(crate) fn of_service(service: &Stored, definition: &Definition) -> Vec<Value> {
    let propagated = match service.propagate_tags {
        PropagateTags::Nobodys => &[][..],
        PropagateTags::TaskDefinitions => &definition.tags,
        PropagateTags::Services => &service.tags,
    };
    let managed = [("aws:ecs:clusterName", last(&service.cluster_arn)), ("aws:ecs:serviceName", &service.name)];
    let managed = managed.map(tag);
    merged(if service.managed_tags { &managed } else { &[] }, propagated)
}

/// Of a task that `RunTask` starts.
pub(crate) fn of_run_task(request: &Value, cluster_arn: &str, definition: &Definition) -> Vec<Value> {
    let own = request["tags"].as_array().cloned().unwrap_or_default();
    let propagated = match PropagateTags::read(&request["propagateTags"]) {
        PropagateTags::TaskDefinitions => &definition.tags[..],
        PropagateTags::Nobodys | PropagateTags::Services => &[],
    };
    let managed = [tag(("aws:ecs:clusterName", last(cluster_arn)))];
    let managed: &[Value] = if request["enableECSManagedTags"] == true { &managed } else { &[] };
    merged(managed, &merged(&own, propagated))
}

/// All tags, where the first one of a key counts.
fn merged(first: &[Value], second: &[Value]) -> Vec<Value> {
    let mut tags = first.to_vec();
    tags.extend(second.iter().filter(|tag| first.iter().all(|other| other["key"] != tag["key"])).cloned());
    tags
}

fn tag((key, value): (&str, &str)) -> Value {
    json!({ "key": key, "value": value })
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_given_once_and_the_callers_value_counts() {
        let definition = json!({ "taskDefinition": { "taskDefinitionArn": "a", "containerDefinitions": [] },
            "tags": [tag(("owner", "platform")), tag(("app", "formae"))] });
        let definition = Definition::read(&definition).unwrap();
        let request = json!({ "tags": [tag(("owner", "ops"))], "propagateTags": "TASK_DEFINITION", "enableECSManagedTags": true });
        let expected = [tag(("aws:ecs:clusterName", "demo")), tag(("owner", "ops")), tag(("app", "formae"))];
        assert_eq!(of_run_task(&request, "arn:aws:ecs:eu-west-1:1:cluster/demo", &definition), expected);
        assert_eq!(of_run_task(&json!({ "tags": [] }), "demo", &definition), [] as [Value; 0]);
    }
}
