//! The calls about tasks, which are the sandbox's alone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::engine::{Engine, NewTask};
use super::front::Refusal;
use super::render::{self, View};
use super::task::{StopCode, Task};

/// `DescribeTasks` takes a hundred, `ListTasks` gives at most as many.
const AT_ONCE: usize = 100;

/// `RunTask` starts at most ten.
const STARTS_AT_ONCE: u64 = 10;

const NOT_FOUND: &str = "The referenced task was not found.";

type Answer = Result<Value, Refusal>;

pub(crate) async fn run_task(engine: &Arc<Engine>, request: &Value) -> Answer {
    let provider = request["capacityProviderStrategy"][0]["capacityProvider"].as_str();
    if provider.is_none() && request["launchType"] != "FARGATE" {
        return Err(Refusal::not_modelled("RunTask with another launchType than FARGATE"));
    }
    let name = request["taskDefinition"].as_str().unwrap_or_default();
    let definition = engine.definition(name).await.map_err(|error| Refusal::invalid(format!("{error:#}")))?;
    let count = request["count"].as_u64().unwrap_or(1);
    if !(1..=STARTS_AT_ONCE).contains(&count) {
        return Err(Refusal::invalid(format!("count must be from 1 to {STARTS_AT_ONCE}")));
    }
    let subnets = request["networkConfiguration"]["awsvpcConfiguration"]["subnets"].as_array().into_iter().flatten();
    let subnets: Vec<String> = subnets.filter_map(Value::as_str).map(str::to_owned).collect();
    if subnets.is_empty() {
        return Err(Refusal::invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."));
    }
    let group = request["group"].as_str().map_or_else(|| format!("family:{}", definition.family), str::to_owned);
    let cluster_arn = cluster_arn(engine, request);

    let mut world = engine.world();
    let mut started = Vec::new();
    for _ in 0..count {
        let mut placement = engine.place(&world, &group, &cluster_arn, &subnets);
        placement.capacity_provider = provider.map(str::to_owned);
        placement.execute_command = request["enableExecuteCommand"].as_bool().unwrap_or(false);
        let new = NewTask {
            cluster_arn: cluster_arn.clone(),
            group: group.clone(),
            started_by: request["startedBy"].as_str().map(str::to_owned),
            definition: Arc::clone(&definition),
            placement,
            overrides: overrides(
                request,
                &definition.containers.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ),
            tags: super::tags::of_run_task(request, &cluster_arn, &definition),
        };
        started.push(render::task(&engine.start_task(&mut world, new), View::Api));
    }
    Ok(json!({ "tasks": started, "failures": [] }))
}

pub(crate) fn stop_task(engine: &Engine, request: &Value) -> Answer {
    let mut world = engine.world();
    let id =
        find(&world.tasks, engine, request, request["task"].as_str().unwrap_or_default()).map(|task| task.id.clone());
    let id = id.ok_or_else(|| Refusal::invalid(NOT_FOUND))?;
    let reason = request["reason"].as_str().unwrap_or("Task stopped by user");
    world.order_stop(&id, StopCode::UserInitiated, reason);
    engine.wake();
    let task = world.task(&id).ok_or_else(|| Refusal::invalid(NOT_FOUND))?;
    Ok(json!({ "task": render::task(task, View::Api) }))
}

pub(crate) fn list_tasks(engine: &Engine, request: &Value) -> Answer {
    if !request["containerInstance"].is_null() {
        return Err(Refusal::not_modelled("ListTasks with containerInstance"));
    }
    let cluster_arn = cluster_arn(engine, request);
    // "By default, this operation filters on the RUNNING desired status" (API reference of ListTasks).
    let running = match request["desiredStatus"].as_str().unwrap_or("RUNNING") {
        "STOPPED" => false,
        // "Although you can filter results based on a desired status of PENDING, this doesn't return any results."
        "PENDING" => return Ok(json!({ "taskArns": [] })),
        _ => true,
    };
    let given = |name: &str| request[name].as_str();
    let family = given("family").map(|family| format!(":task-definition/{family}:"));
    let service = given("serviceName").map(|service| service.rsplit('/').next().unwrap_or(service));
    let from: usize = given("nextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let at_once =
        request["maxResults"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(AT_ONCE).clamp(1, AT_ONCE);

    let world = engine.world();
    let chosen = world.tasks.iter().filter(|task| {
        task.cluster_arn == cluster_arn
            && task.is_wanted() == running
            && family.as_ref().is_none_or(|family| task.definition_arn.contains(family.as_str()))
            && service.is_none_or(|service| task.service() == Some(service))
            && given("startedBy").is_none_or(|starter| task.started_by.as_deref() == Some(starter))
            && given("launchType").is_none_or(|launch_type| launch_type == "FARGATE")
    });
    let arns: Vec<&str> = chosen.map(|task| task.arn.as_str()).skip(from).collect();
    let mut answer = json!({ "taskArns": arns.iter().take(at_once).collect::<Vec<_>>() });
    if arns.len() > at_once {
        answer["nextToken"] = json!((from + at_once).to_string());
    }
    Ok(answer)
}

pub(crate) fn describe_tasks(engine: &Engine, request: &Value) -> Answer {
    let wanted: Vec<&str> = request["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if wanted.is_empty() {
        return Err(Refusal::invalid("Tasks cannot be empty."));
    }
    if wanted.len() > AT_ONCE {
        return Err(Refusal::invalid(format!("Tasks cannot have more than {AT_ONCE} elements.")));
    }
    let with_tags = request["include"].as_array().is_some_and(|include| include.iter().any(|one| one == "TAGS"));
    let world = engine.world();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in wanted {
        if let Some(task) = find(&world.tasks, engine, request, name) {
            let mut shown = render::task(task, View::Api);
            shown["tags"] = if with_tags { json!(task.tags) } else { json!([]) };
            tasks.push(shown);
        } else {
            let cluster = cluster_arn(engine, request).replacen(":cluster/", ":task/", 1);
            let arn = if name.starts_with("arn:") { name.to_owned() } else { format!("{cluster}/{name}") };
            failures.push(json!({ "arn": arn, "reason": "MISSING" }));
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

/// A task of the request's cluster, by id or ARN.
fn find<'a>(tasks: &'a [Task], engine: &Engine, request: &Value, name: &str) -> Option<&'a Task> {
    let cluster_arn = cluster_arn(engine, request);
    tasks.iter().find(|task| task.cluster_arn == cluster_arn && (task.arn == name || task.id == name))
}

/// The cluster that a request names, by name or ARN; `default` when it names none.
fn cluster_arn(engine: &Engine, request: &Value) -> String {
    let name = request["cluster"].as_str().unwrap_or("default");
    let name = name.rsplit('/').next().unwrap_or(name);
    format!("arn:aws:ecs:{}:{}:cluster/{name}", engine.region, engine.account)
}

/// The request's overrides, with an entry for every container, as ECS shows them.
fn overrides(request: &Value, containers: &[&str]) -> Value {
    let mut overrides = request["overrides"].clone();
    if !overrides.is_object() {
        overrides = json!({});
    }
    let mut all = overrides["containerOverrides"].as_array().cloned().unwrap_or_default();
    for name in containers {
        if !all.iter().any(|over| over["name"] == *name) {
            all.push(json!({ "name": name }));
        }
    }
    overrides["containerOverrides"] = json!(all);
    if overrides["inferenceAcceleratorOverrides"].is_null() {
        overrides["inferenceAcceleratorOverrides"] = json!([]);
    }
    overrides
}
