//! The containers of a task definition.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::identifiers::is_name;
use crate::ecs::refusal::Refusal;

/// What a health check's numbers may be (API reference of `HealthCheck`).
const HEALTH_CHECK: [(&str, i64, i64); 4] =
    [("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)];

/// Checks all containers of a definition.
pub(crate) fn fit(definition: &Value) -> Result<(), Refusal> {
    let containers = definition["containerDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        return Err(Refusal::client("Container list cannot be empty."));
    }
    let mut names = HashSet::new();
    for container in containers {
        let name = one(container, definition)?;
        if !names.insert(name) {
            return Err(Refusal::client(format!("Two containers are named {name}.")));
        }
    }
    if !containers.iter().any(is_essential) {
        return Err(Refusal::client("Task definition doesn't have any essential container."));
    }
    dependencies(containers)
}

/// "If this parameter is omitted, a container is assumed to be essential."
fn is_essential(container: &Value) -> bool {
    container["essential"].as_bool().unwrap_or(true)
}

fn one<'a>(container: &'a Value, definition: &Value) -> Result<&'a str, Refusal> {
    let text = |member: &str| container[member].as_str().filter(|text| !text.is_empty());
    let name = text("name").ok_or_else(|| Refusal::client("Container.name should not be null or empty."))?;
    if !is_name(name) {
        let text = "A container's name has 1 to 255 letters, numbers, hyphens and underscores.";
        return Err(Refusal::client(text));
    }
    text("image").ok_or_else(|| Refusal::client("Container.image should not be null or empty."))?;
    let no_memory = |value: &Value, member: &str| value[member].is_null();
    if no_memory(definition, "memory") && no_memory(container, "memory") && no_memory(container, "memoryReservation") {
        return Err(Refusal::client(format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified."
        )));
    }
    secrets(container, definition)?;
    logs(container)?;
    health_check(container, name)?;
    Ok(name)
}

fn secrets(container: &Value, definition: &Value) -> Result<(), Refusal> {
    let names =
        |member: &str| container[member].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str());
    if names("secrets").next().is_none() {
        return Ok(());
    }
    if definition["executionRoleArn"].as_str().is_none_or(str::is_empty) {
        let text = "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.";
        return Err(Refusal::client(text));
    }
    let mut taken: HashSet<&str> = names("environment").collect();
    for name in names("secrets") {
        if !taken.insert(name) {
            let text = format!("The name {name} is that of two of a container's secrets and environment variables.");
            return Err(Refusal::client(text));
        }
    }
    Ok(())
}

fn logs(container: &Value) -> Result<(), Refusal> {
    let logs = &container["logConfiguration"];
    let required = ["awslogs-region", "awslogs-group"];
    let missing = required.into_iter().filter(|option| logs["options"][option].is_null()).collect::<Vec<_>>();
    if logs["logDriver"] == "awslogs" && !missing.is_empty() {
        return Err(Refusal::client(format!("Log driver awslogs requires options: {}", missing.join(", "))));
    }
    Ok(())
}

fn health_check(container: &Value, name: &str) -> Result<(), Refusal> {
    let check = &container["healthCheck"];
    if check.is_null() {
        return Ok(());
    }
    let command = check["command"].as_array().map(Vec::as_slice).unwrap_or_default();
    if command.len() < 2 || !["CMD", "CMD-SHELL"].iter().any(|first| command[0] == **first) {
        let text = format!("The health check of container {name} needs a command that begins with CMD or CMD-SHELL.");
        return Err(Refusal::client(text));
    }
    for (member, smallest, largest) in HEALTH_CHECK {
        if check[member].as_i64().is_some_and(|number| !(smallest..=largest).contains(&number)) {
            let text = format!("The health check's {member} of container {name} is from {smallest} to {largest}.");
            return Err(Refusal::client(text));
        }
    }
    Ok(())
}

fn dependencies(containers: &[Value]) -> Result<(), Refusal> {
    let by_name: HashMap<&str, &Value> =
        containers.iter().filter_map(|container| Some((container["name"].as_str()?, container))).collect();
    let mut waiting: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, container) in &by_name {
        for dependency in container["dependsOn"].as_array().into_iter().flatten() {
            let on = dependency["containerName"].as_str().unwrap_or_default();
            let condition = dependency["condition"].as_str().unwrap_or_default();
            let Some(other) = by_name.get(on) else {
                let text = format!("Cannot depend on container + '{on}' because it does not exist");
                return Err(Refusal::client(text));
            };
            if ["COMPLETE", "SUCCESS"].contains(&condition) && is_essential(other) {
                let text = "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container";
                return Err(Refusal::client(text));
            }
            // "This requires that the dependent container has health checks configured" (`ContainerDependency`).
            if condition == "HEALTHY" && other["healthCheck"].is_null() {
                let text = format!("Container {name} waits for {on} to be HEALTHY, which has no health check.");
                return Err(Refusal::client(text));
            }
            waiting.entry(*name).or_default().push(on);
        }
    }
    // Whoever waits for nobody that still waits is done; in a cycle everybody waits.
    while !waiting.is_empty() {
        let before = waiting.len();
        let still: HashSet<&str> = waiting.keys().copied().collect();
        waiting.retain(|_, others| others.iter().any(|other| still.contains(other)));
        if waiting.len() == before {
            return Err(Refusal::client("The containers depend on each other in a circle."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(definition: &Value) -> String {
        let refusal = fit(definition).unwrap_err();
        assert_eq!(refusal.code, "ClientException", "{refusal:?}");
        refusal.message
    }

    fn container(name: &str, more: Value) -> Value {
        let mut container = json!({ "name": name, "image": "agent:1" });
        let Value::Object(more) = more else { unreachable!() };
        container.as_object_mut().unwrap().extend(more);
        container
    }

    fn of(containers: &Value) -> Value {
        json!({ "memory": "512", "containerDefinitions": containers })
    }

    fn on(name: &str, condition: &str) -> Value {
        json!({ "dependsOn": [{ "containerName": name, "condition": condition }] })
    }

    #[test]
    fn each_container_is_checked() {
        let secret = json!({ "name": "S", "valueFrom": "arn" });
        let check = |more: Value| {
            let mut check = json!({ "command": ["CMD-SHELL", "true"] });
            let Value::Object(more) = more else { unreachable!() };
            check.as_object_mut().unwrap().extend(more);
            json!({ "healthCheck": check })
        };
        let awslogs = json!({ "logDriver": "awslogs", "options": { "awslogs-group": "g" } });
        let cases = [
            (json!({ "name": "" }), "Container.name should not be null or empty."),
            (json!({ "name": "a b" }), "A container's name has"),
            (json!({ "image": null }), "Container.image should not be null or empty."),
            (json!({ "essential": false }), "Task definition doesn't have any essential container."),
            (json!({ "secrets": [secret] }), "When you are specifying container secrets, you must also specify"),
            (json!({ "logConfiguration": awslogs }), "Log driver awslogs requires options: awslogs-region"),
            (check(json!({ "command": ["true"] })), "CMD or CMD-SHELL"),
            (check(json!({ "command": ["CMD"] })), "CMD or CMD-SHELL"),
            (check(json!({ "interval": 4 })), "interval of container agent is from 5 to 300"),
            (check(json!({ "timeout": 61 })), "timeout"),
            (check(json!({ "retries": 0 })), "retries"),
            (check(json!({ "startPeriod": 301 })), "startPeriod"),
        ];
        for (more, text) in cases {
            let message = refused(&of(&json!([container("agent", more)])));
            assert!(message.contains(text), "{message} should say {text}");
        }
        assert_eq!(fit(&of(&json!([container("agent", check(json!({ "interval": 5, "retries": 10 })))]))), Ok(()));
        assert_eq!(refused(&of(&json!([]))), "Container list cannot be empty.");
        assert!(refused(&of(&json!([container("a", json!({})), container("a", json!({}))]))).contains("named a"));
        let unlimited = json!({ "containerDefinitions": [container("agent", json!({}))] });
        assert!(refused(&unlimited).starts_with("Invalid setting for container 'agent'. At least one of 'memory'"));
    }

    #[test]
    fn a_secret_takes_no_name_of_a_variable() {
        let more = json!({ "environment": [{ "name": "A", "value": "not to be repeated" }],
            "secrets": [{ "name": "A", "valueFrom": "arn" }] });
        let mut definition = of(&json!([container("agent", more)]));
        definition["executionRoleArn"] = json!("arn:aws:iam::123456789012:role/r");
        let message = refused(&definition);
        assert!(message.starts_with("The name A is that of two") && !message.contains("repeated"), "{message}");
    }

    #[test]
    fn dependencies_must_be_possible() {
        let side = |more: Value| container("side", more);
        let optional = json!({ "essential": false });
        let cases = [
            (json!([container("agent", on("none", "START"))]), "Cannot depend on container + 'none' because"),
            (
                json!([container("agent", on("side", "SUCCESS")), side(json!({}))]),
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
            ),
            (json!([container("agent", on("side", "HEALTHY")), side(json!({}))]), "no health check"),
            (json!([container("agent", on("side", "START")), side(on("agent", "START"))]), "in a circle"),
            (json!([container("agent", on("agent", "START"))]), "in a circle"),
        ];
        for (containers, text) in cases {
            let message = refused(&of(&containers));
            assert!(message.contains(text), "{message} should say {text}");
        }
        let chain = json!([
            container("agent", on("side", "COMPLETE")),
            side(optional),
            container("third", on("agent", "START")),
            container("fourth", on("third", "START")),
        ]);
        assert_eq!(fit(&of(&chain)), Ok(()));
    }
}
