//! The calls about tasks, which are the sandbox's alone. Their requests have passed the checks.

use std::sync::Arc;

use serde_json::{Value, json};

use super::checks::{Known, task_id};
use super::engine::{Engine, NewTask};
use super::pages;
use super::refusal::Refusal;
use super::render::{self, View};
use super::task::{StopCode, Task};

type Answer = Result<Value, Refusal>;

pub(crate) async fn run_task(engine: &Arc<Engine>, request: &Value, known: &Known) -> Answer {
    let provider = request["capacityProviderStrategy"][0]["capacityProvider"].as_str();
    if provider.is_none() && request["launchType"] != "FARGATE" {
        return Err(Refusal::not_modelled("RunTask with another launchType than FARGATE"));
    }
    let name = known.definition.as_ref().and_then(|definition| definition["taskDefinitionArn"].as_str());
    let definition = engine.definition(name.unwrap_or_default()).await.map_err(|error| Refusal::server(&error))?;
    let count = request["count"].as_u64().unwrap_or(1);
    let subnets = request["networkConfiguration"]["awsvpcConfiguration"]["subnets"].as_array().into_iter().flatten();
    let subnets: Vec<String> = subnets.filter_map(Value::as_str).map(str::to_owned).collect();
    let group = request["group"].as_str().map_or_else(|| format!("family:{}", definition.family), str::to_owned);
    let cluster_arn = cluster_arn(engine, known);

    // Held until the tasks are there, so that the same request at the same time gets them too.
    let mut memory = engine.memory();
    let mut world = engine.world();
    if let Some(earlier) = memory.earlier_run(&known.cluster, request) {
        let tasks: Vec<&Task> = earlier.tasks.iter().filter_map(|id| world.task(id)).collect();
        if earlier.request == *request {
            return Ok(json!({ "tasks": tasks.into_iter().map(api).collect::<Vec<_>>(), "failures": [] }));
        }
        let mut conflict =
            Refusal::new("ConflictException", "The clientToken is already in use with a different RunTask request.");
        conflict.resource_ids = tasks.iter().map(|task| task.arn.clone()).collect();
        return Err(conflict);
    }
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
        started.push(engine.start_task(&mut world, new));
    }
    memory.ran(&known.cluster, request, started.iter().map(|task| task.id.clone()).collect());
    let shown = started.iter().map(|task| {
        let mut shown = api(task);
        shown["tags"] = json!(task.tags);
        shown
    });
    Ok(json!({ "tasks": shown.collect::<Vec<_>>(), "failures": [] }))
}

pub(crate) fn stop_task(engine: &Engine, request: &Value, known: &Known) -> Answer {
    let mut world = engine.world();
    let name = request["task"].as_str().unwrap_or_default();
    let not_found = || Refusal::invalid("The referenced task was not found.");
    let id = find(&world.tasks, engine, known, name)?.map(|task| task.id.clone()).ok_or_else(not_found)?;
    let reason = request["reason"].as_str().unwrap_or("Task stopped by user");
    world.order_stop(&id, StopCode::UserInitiated, reason);
    engine.wake();
    let task = world.task(&id).ok_or_else(not_found)?;
    Ok(json!({ "task": api(task) }))
}

pub(crate) fn list_tasks(engine: &Engine, request: &Value, known: &Known) -> Answer {
    if !request["containerInstance"].is_null() {
        return Err(Refusal::not_modelled("ListTasks with containerInstance"));
    }
    let cluster_arn = cluster_arn(engine, known);
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

    let world = engine.world();
    let chosen = world.tasks.iter().filter(|task| {
        task.cluster_arn == cluster_arn
            && task.is_wanted() == running
            && family.as_ref().is_none_or(|family| task.definition_arn.contains(family.as_str()))
            && service.is_none_or(|service| task.service() == Some(service))
            && given("startedBy").is_none_or(|starter| task.started_by.as_deref() == Some(starter))
            && given("launchType").is_none_or(|launch_type| launch_type == "FARGATE")
    });
    pages::page("ListTasks", request, "taskArns", chosen.map(|task| task.arn.clone()).collect())
}

pub(crate) fn describe_tasks(engine: &Engine, request: &Value, known: &Known) -> Answer {
    let with_tags = request["include"].as_array().is_some_and(|include| include.iter().any(|one| one == "TAGS"));
    let world = engine.world();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in request["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if let Some(task) = find(&world.tasks, engine, known, name)? {
            let mut shown = api(task);
            shown["tags"] = if with_tags { json!(task.tags) } else { json!([]) };
            tasks.push(shown);
        } else {
            let prefix = cluster_arn(engine, known).replacen(":cluster/", ":task/", 1);
            let arn = if name.starts_with("arn:") { name.to_owned() } else { format!("{prefix}/{name}") };
            failures.push(json!({ "arn": arn, "reason": "MISSING" }));
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

fn api(task: &Task) -> Value {
    render::task(task, View::Api)
}

/// A task of the request's cluster, by id or ARN.
fn find<'a>(tasks: &'a [Task], engine: &Engine, known: &Known, name: &str) -> Result<Option<&'a Task>, Refusal> {
    let id = task_id(name, &known.cluster)?;
    let cluster_arn = cluster_arn(engine, known);
    Ok(tasks.iter().find(|task| task.cluster_arn == cluster_arn && task.id == id))
}

fn cluster_arn(engine: &Engine, known: &Known) -> String {
    format!("arn:aws:ecs:{}:{}:cluster/{}", engine.region, engine.account, known.cluster)
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
