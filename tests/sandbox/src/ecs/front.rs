//! ECS as its callers see it: ministack's answers with our parts in them, and our own answers about tasks.
//!
//! Every call went to ministack first, so that the caller's permissions were checked; a refusal there is passed on.

use std::sync::Arc;

use serde_json::{Value, json};

use super::engine::Engine;
use super::render;
use super::requests;

/// Answered by ministack, with our parts put into clusters and services.
const STORED: [&str; 21] = [
    "CreateCluster",
    "CreateService",
    "DeleteCluster",
    "DeleteService",
    "DeleteTaskDefinitions",
    "DeregisterTaskDefinition",
    "DescribeClusters",
    "DescribeServices",
    "DescribeTaskDefinition",
    "ListClusters",
    "ListServices",
    "ListTagsForResource",
    "ListTaskDefinitionFamilies",
    "ListTaskDefinitions",
    "PutClusterCapacityProviders",
    "RegisterTaskDefinition",
    "TagResource",
    "UntagResource",
    "UpdateCluster",
    "UpdateClusterSettings",
    "UpdateService",
];

/// ministack says this about tasks that only we know; the call itself was allowed.
const UNKNOWN_TO_MINISTACK: &str = "InvalidParameterException";

/// A refusal of ours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { code: "InvalidParameterException", message: message.into() }
    }

    pub(crate) fn not_modelled(what: &str) -> Self {
        Self { code: "NotModelledBySandbox", message: format!("the sandbox's ECS does not model {what}") }
    }
}

/// The status and body to answer `action` with, given what ministack answered.
pub(crate) async fn answer(
    engine: &Arc<Engine>,
    action: &str,
    request: &Value,
    status: u16,
    stored: Value,
) -> (u16, Value) {
    let own = matches!(action, "RunTask" | "StopTask" | "ListTasks" | "DescribeTasks");
    if !own && !STORED.contains(&action) {
        engine.note_not_modelled(format!("ecs:{action}"));
        return refused(&Refusal::not_modelled(action));
    }
    let about_tasks = own && stored["__type"].as_str().is_some_and(|code| code.ends_with(UNKNOWN_TO_MINISTACK));
    if status >= 400 && !about_tasks {
        return (status, stored);
    }
    let answer = match action {
        "RunTask" => requests::run_task(engine, request).await,
        "StopTask" => requests::stop_task(engine, request),
        "ListTasks" => requests::list_tasks(engine, request),
        "DescribeTasks" => requests::describe_tasks(engine, request),
        "TagResource" | "UntagResource" => {
            match engine.read_again(request["resourceArn"].as_str().unwrap_or_default()).await {
                Ok(()) => with_our_parts(engine, stored).await,
                Err(error) => Err(Refusal { code: "ServerException", message: format!("{error:#}") }),
            }
        }
        _ => with_our_parts(engine, stored).await,
    };
    match answer {
        Ok(answer) => {
            engine.model.check_answer(action, &answer);
            (200, answer)
        }
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> (u16, Value) {
    (400, json!({ "__type": refusal.code, "message": refusal.message }))
}

async fn with_our_parts(engine: &Arc<Engine>, mut answer: Value) -> Result<Value, Refusal> {
    leave_out_absent(&mut answer);
    let about_services = !answer["service"].is_null() || !answer["services"].is_null();
    if about_services {
        // A write through the front door, or by CloudFormation just now, shows at once.
        let synced = engine.sync().await;
        synced.map_err(|error| Refusal { code: "ServerException", message: format!("{error:#}") })?;
    }
    let world = engine.world();
    for shown in one_or_many(&mut answer, "service", "services") {
        let service = shown["serviceArn"].as_str().and_then(|arn| world.services.get(arn));
        if let Some(service) = service {
            let tasks: Vec<_> = world.tasks_of(service).collect();
            render::into_service(shown, service, &tasks);
        }
    }
    for shown in one_or_many(&mut answer, "cluster", "clusters") {
        let arn = shown["clusterArn"].as_str().unwrap_or_default().to_owned();
        let (running, pending) = world.counts_of(&arn);
        shown["runningTasksCount"] = json!(running);
        shown["pendingTasksCount"] = json!(pending);
        for statistic in shown["statistics"].as_array_mut().into_iter().flatten() {
            let value = match statistic["name"].as_str().unwrap_or_default() {
                "runningFargateTasksCount" => running,
                "pendingFargateTasksCount" => pending,
                name if name.ends_with("TasksCount") => 0,
                _ => continue,
            };
            statistic["value"] = json!(value.to_string());
        }
    }
    Ok(answer)
}

/// ministack writes members it has no value for as null or as empty text; AWS leaves them out.
fn leave_out_absent(answer: &mut Value) {
    let members = answer.as_object_mut().into_iter().flatten();
    let things = members.flat_map(|(_, member)| match member {
        Value::Array(things) => things.iter_mut().collect(),
        thing => vec![thing],
    });
    for members in things.filter_map(Value::as_object_mut) {
        members.retain(|_, member| !member.is_null() && member != "");
    }
}

fn one_or_many<'a>(answer: &'a mut Value, one: &str, many: &str) -> Vec<&'a mut Value> {
    let Some(members) = answer.as_object_mut() else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in members {
        if name == one && value.is_object() {
            found.push(value);
        } else if name == many {
            found.extend(value.as_array_mut().into_iter().flatten());
        }
    }
    found
}
