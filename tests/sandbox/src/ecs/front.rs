//! ECS as its callers see it: ministack's answers with our parts in them, and our own answers about tasks.
//!
//! ministack checks the caller's permissions when a call is forwarded to it. What would change its store is checked before
//! that, everything else after it, so that who may not call is told just that.

use std::sync::Arc;

use serde_json::{Value, json};

use super::engine::Engine;
use super::refusal::Refusal;
use super::service::ServiceStatus;
use super::store::Stored;
use super::{checks, pages, render, requests, revisions, tagging};

/// The caller as which tests/sandbox/ministack makes what templates ask for.
const CLOUDFORMATION: &str = "cloudformation";

/// Answered by ministack, whose store they change.
const WRITES: [&str; 13] = [
    "CreateCluster",
    "CreateService",
    "DeleteCluster",
    "DeleteService",
    "DeleteTaskDefinitions",
    "DeregisterTaskDefinition",
    "PutClusterCapacityProviders",
    "RegisterTaskDefinition",
    "TagResource",
    "UntagResource",
    "UpdateCluster",
    "UpdateClusterSettings",
    "UpdateService",
];

/// Answered from what ministack stores, and from our tasks.
const READS: [&str; 12] = [
    "DescribeClusters",
    "DescribeServices",
    "DescribeTaskDefinition",
    "DescribeTasks",
    "ListClusters",
    "ListServices",
    "ListTagsForResource",
    "ListTaskDefinitionFamilies",
    "ListTaskDefinitions",
    "ListTasks",
    "RunTask",
    "StopTask",
];

/// What ministack's ECS says to a caller who may call: that it does not know our tasks or our page tokens, and what our checks
/// have better words for.
const SAID_TO_THE_ALLOWED: [&str; 5] = [
    "ClientException",
    "ClusterNotFoundException",
    "InternalError",
    "InvalidParameterException",
    "ServiceNotFoundException",
];

/// The status and body to refuse `action` with, if it must not reach ministack.
pub(crate) async fn refuses(engine: &Arc<Engine>, caller: &str, action: &str, request: &Value) -> Option<(u16, Value)> {
    if !WRITES.contains(&action) && !READS.contains(&action) {
        engine.note_not_modelled(format!("ecs:{action}"));
        return Some(Refusal::not_modelled(action).answer());
    }
    // ministack makes the cluster that a RunTask names.
    if !WRITES.contains(&action) && action != "RunTask" {
        return None;
    }
    let checked = if caller == CLOUDFORMATION {
        checks::check(engine, action, &without_system_tags(request)).await
    } else {
        checks::check(engine, action, request).await
    };
    checked.err().map(|refusal| refusal.answer())
}

/// The status and body to answer `action` with, given what ministack answered.
pub(crate) async fn answer(
    engine: &Arc<Engine>,
    action: &str,
    request: &Value,
    status: u16,
    stored: Value,
) -> (u16, Value) {
    if status >= 400 && !is_said_to_the_allowed(&stored) {
        return (status, stored);
    }
    let stored = if status < 400 { Ok(stored) } else { Err((status, stored)) };
    let answer = match action {
        "TagResource" | "UntagResource" | "ListTagsForResource" if tagging::is_about_a_task(request) => {
            tagging::answer(engine, action, request).map(Ok)
        }
        _ if WRITES.contains(&action) => written(engine, action, request, stored).await,
        _ => read(engine, action, request, stored).await,
    };
    match answer {
        Ok(Ok(answer)) => {
            engine.model.check_answer(action, &answer);
            (200, answer)
        }
        Ok(Err(refused_by_ministack)) => refused_by_ministack,
        Err(refusal) => refusal.answer(),
    }
}

/// CloudFormation alone may give the tags of its own name.
fn without_system_tags(request: &Value) -> Value {
    let mut request = request.clone();
    if let Some(tags) = request["tags"].as_array_mut() {
        tags.retain(|tag| tag["key"].as_str().is_none_or(|key| !key.starts_with("aws:cloudformation:")));
    }
    request
}

fn is_said_to_the_allowed(refused: &Value) -> bool {
    let code = refused["__type"].as_str().unwrap_or_default();
    // `prefix#Code` is how some services write it.
    SAID_TO_THE_ALLOWED.contains(&code.rsplit('#').next().unwrap_or(code))
}

/// What ministack answered: a body, or status and body of its refusal.
type FromMinistack = Result<Value, (u16, Value)>;

async fn read(
    engine: &Arc<Engine>,
    action: &str,
    request: &Value,
    stored: FromMinistack,
) -> Result<FromMinistack, Refusal> {
    let known = checks::check(engine, action, request).await?;
    let answer = match action {
        "RunTask" => requests::run_task(engine, request, &known).await?,
        "StopTask" => requests::stop_task(engine, request, &known)?,
        "ListTasks" => requests::list_tasks(engine, request, &known)?,
        "DescribeTasks" => requests::describe_tasks(engine, request, &known)?,
        "DescribeTaskDefinition" => task_definition(engine, request, stored.unwrap_or_default()).await?,
        "ListTaskDefinitions" => {
            pages::page(action, request, "taskDefinitionArns", revisions::list(engine, request).await?)?
        }
        "ListTaskDefinitionFamilies" => {
            pages::page(action, request, "families", revisions::families(engine, request).await?)?
        }
        _ => match (action, stored) {
            ("ListClusters", Ok(stored)) => pages::page(action, request, "clusterArns", texts(&stored["clusterArns"]))?,
            ("ListServices", Ok(stored)) => {
                let mut arns = texts(&stored["serviceArns"]);
                arns.extend(draining(engine, &known.cluster));
                pages::page(action, request, "serviceArns", arns)?
            }
            ("DescribeClusters", Ok(stored)) => with_our_parts(engine, with_deleted_clusters(engine, stored)).await?,
            ("DescribeServices", Ok(stored)) => {
                let mut answer = with_our_parts(engine, stored).await?;
                if !includes_tags(request) {
                    for service in one_or_many(&mut answer, "service", "services") {
                        service.as_object_mut().map(|members| members.remove("tags"));
                    }
                }
                answer
            }
            (_, Ok(stored)) => stored,
            (_, Err(refused)) => return Ok(Err(refused)),
        },
    };
    Ok(Ok(answer))
}

async fn written(
    engine: &Arc<Engine>,
    action: &str,
    request: &Value,
    stored: FromMinistack,
) -> Result<FromMinistack, Refusal> {
    let stored = match stored {
        Ok(stored) => stored,
        Err((_, refused)) if is_unknown_definition(&refused) => return Err(unknown_definition()),
        Err(refused) if action == "CreateService" => return repeated(engine, request, refused).await,
        Err(refused) => return Ok(Err(refused)),
    };
    let cluster_arn = stored["cluster"]["clusterArn"].as_str().unwrap_or_default().to_owned();
    let service_arn = stored["service"]["serviceArn"].as_str().unwrap_or_default().to_owned();
    match action {
        "CreateService" => {
            let mut memory = engine.memory();
            memory.service_created(checks::cluster_name(request)?, request);
            memory.forget_unstored(&service_arn);
            memory.keep_unstored(&service_arn, request);
        }
        "UpdateService" => engine.memory().keep_unstored(&service_arn, request),
        "CreateCluster" => drop(engine.memory().deleted_clusters.remove(&cluster_arn)),
        "DeleteCluster" => drop(engine.memory().deleted_clusters.insert(cluster_arn, stored["cluster"].clone())),
        "TagResource" | "UntagResource" => {
            let arn = request["resourceArn"].as_str().unwrap_or_default();
            engine.tags_changed(arn).await.map_err(|error| Refusal::server(&error))?;
        }
        _ => {}
    }
    if !service_arn.is_empty() {
        engine.take_over(&stored["service"]).await;
    }
    let answer = rendered(engine, stored);
    // Only now, so that the answer shows what was asked for and nothing of what became of it.
    engine.wake();
    Ok(Ok(answer))
}

/// The same `CreateService` again is answered with the service that is there.
async fn repeated(engine: &Arc<Engine>, request: &Value, refused: (u16, Value)) -> Result<FromMinistack, Refusal> {
    let cluster = checks::cluster_name(request)?;
    if !engine.memory().is_repeated(cluster, request) {
        return Ok(Err(refused));
    }
    let there = json!({ "cluster": cluster, "services": [request["serviceName"]] });
    let mut described = engine.store.call("DescribeServices", &there).await.map_err(|error| Refusal::server(&error))?;
    Ok(Ok(rendered(engine, json!({ "service": described["services"][0].take() }))))
}

/// "If you specify a family, the latest ACTIVE revision"; ministack gives the latest.
async fn task_definition(engine: &Engine, request: &Value, mut stored: Value) -> Result<Value, Refusal> {
    let name = request["taskDefinition"].as_str().unwrap_or_default();
    if revisions::is_family(name) && stored["taskDefinition"]["status"] != "ACTIVE" {
        let active = revisions::newest_active(engine, name).await?.ok_or_else(unknown_definition)?;
        let answer = engine.store.call("DescribeTaskDefinition", &json!({ "taskDefinition": active })).await;
        stored = answer.map_err(|error| Refusal::server(&error))?;
    }
    if stored["taskDefinition"].is_null() {
        return Err(unknown_definition());
    }
    if !includes_tags(request) {
        stored["tags"] = json!([]);
    }
    leave_out_absent(&mut stored);
    Ok(stored)
}

fn unknown_definition() -> Refusal {
    Refusal::client("Unable to describe task definition.")
}

fn is_unknown_definition(refused: &Value) -> bool {
    refused["message"].as_str().is_some_and(|message| message.starts_with("Unable to describe task definition"))
}

fn includes_tags(request: &Value) -> bool {
    request["include"].as_array().is_some_and(|include| include.iter().any(|one| one == "TAGS"))
}

/// Deleted clusters stay describable; ministack has forgotten them.
fn with_deleted_clusters(engine: &Engine, mut answer: Value) -> Value {
    let memory = engine.memory();
    let failures = answer["failures"].take();
    let mut missing = Vec::new();
    for failure in failures.as_array().into_iter().flatten() {
        let deleted = failure["arn"].as_str().and_then(|arn| memory.deleted_clusters.get(arn));
        match (deleted, answer["clusters"].as_array_mut()) {
            (Some(cluster), Some(clusters)) => clusters.push(cluster.clone()),
            _ => missing.push(failure.clone()),
        }
    }
    answer["failures"] = json!(missing);
    answer
}

/// Services that are deleted but still have tasks; ministack has none such.
fn draining(engine: &Engine, cluster: &str) -> Vec<String> {
    let world = engine.world();
    let own = world.services.values().filter(|one| one.cluster() == cluster && one.status == ServiceStatus::Draining);
    own.map(|service| service.stored.arn.clone()).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

async fn with_our_parts(engine: &Arc<Engine>, mut answer: Value) -> Result<Value, Refusal> {
    if !one_or_many(&mut answer, "service", "services").iter().all(|service| is_taken_over(engine, service)) {
        engine.sync().await.map_err(|error| Refusal::server(&error))?;
    }
    Ok(rendered(engine, answer))
}

/// What ministack answered, with our parts in it.
fn rendered(engine: &Engine, mut answer: Value) -> Value {
    for shown in one_or_many(&mut answer, "service", "services") {
        engine.memory().complete(shown);
        for name in ["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"] {
            // A deployment has them, a service has not.
            shown.as_object_mut().map(|members| members.remove(name));
        }
    }
    leave_out_absent(&mut answer);
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
    answer
}

/// Whether the scheduler already works with what ministack says about a service.
fn is_taken_over(engine: &Engine, stored: &Value) -> bool {
    let mut stored = stored.clone();
    engine.memory().complete(&mut stored);
    let stored = &stored;
    let world = engine.world();
    let known = stored["serviceArn"].as_str().and_then(|arn| world.services.get(arn));
    let active = stored["status"] == "ACTIVE";
    known.is_some_and(|known| {
        // Tags are shown only when they are asked for.
        let with_tags = |stored: Stored| Stored { tags: known.stored.tags.clone(), ..stored };
        let same = !active || Stored::read(stored).map(with_tags).as_ref() == Some(&known.stored);
        active == (known.status == ServiceStatus::Active) && same
    })
}

/// ministack writes members it has no value for as null or as empty text; AWS leaves them out.
fn leave_out_absent(answer: &mut Value) {
    let members = answer.as_object_mut().into_iter().flatten();
    // A tag may have no value.
    let things = members.filter(|(name, _)| *name != "tags").flat_map(|(_, member)| match member {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_call_is_told_so() {
        let said = |code: &str| is_said_to_the_allowed(&json!({ "__type": code, "message": "" }));
        assert!(said("ClientException") && said("com.amazonaws.ecs#InvalidParameterException"));
        for code in ["AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", ""] {
            assert!(!said(code), "{code}");
        }
    }

    #[test]
    fn each_answered_operation_is_listed_once() {
        let mut all: Vec<_> = WRITES.into_iter().chain(READS).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), WRITES.len() + READS.len());
    }
}
