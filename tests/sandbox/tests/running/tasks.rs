//! Standalone tasks of the sandbox's ECS, and its refusals.

use crate::local::{Local, SOON, network, shell, with_sandbox};
use sandbox::ecs::{Status, StopCode, Task};
use serde_json::{Value, json};

async fn run(local: &Local, name: &str, containers: Value, more: Value) -> Task {
    local.ecs("CreateCluster", json!({ "clusterName": name })).await;
    local.define(name, containers).await;
    let mut request = json!({
        "cluster": name, "taskDefinition": name, "launchType": "FARGATE", "networkConfiguration": network(),
    });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = local.ecs("RunTask", request).await;
    let arn = answer["tasks"][0]["taskArn"].as_str().unwrap();
    local.sandbox.ecs().task(arn.rsplit('/').next().unwrap()).unwrap()
}

async fn stopped(local: &Local, task: &Task) -> Task {
    local.sandbox.ecs().wait_for_task(&task.id, SOON, |task| task.status == Status::Stopped).await.unwrap()
}

#[test]
fn a_task_that_ends_takes_its_containers_along() {
    with_sandbox(async |local| {
        let containers = json!([
            shell("job", "sleep 0.2; exit 3", true),
            shell("side", "trap 'exit 9' TERM; while :; do sleep 0.05; done", false),
            shell("first", "exit 5", false),
        ]);
        let task = run(local, "job", containers, json!({ "startedBy": "tests" })).await;
        let ended = stopped(local, &task).await;
        let stop = ended.stop.clone().unwrap();
        assert_eq!(
            (stop.code, stop.reason.as_str()),
            (StopCode::EssentialContainerExited, "Essential container in task exited")
        );
        let codes: Vec<_> = ended.containers.iter().map(|container| container.exit_code).collect();
        assert_eq!(codes, [Some(3), Some(9), Some(5)]);
        assert_eq!((ended.group.as_str(), ended.started_by.as_deref()), ("family:job", Some("tests")));
        assert_eq!(ended.network.as_ref().map(|network| network.attached), Some(false));
        local.check_model();
    });
}

#[test]
fn a_container_that_ignores_sigterm_is_killed_after_its_stop_timeout() {
    with_sandbox(async |local| {
        let mut agent = crate::local::agent(&json!([{ "name": "IGNORE_SIGTERM", "value": "1" }]));
        agent["stopTimeout"] = json!(1);
        let task = run(local, "stubborn", json!([agent]), json!({})).await;
        local.sandbox.ecs().wait_for_task(&task.id, SOON, Task::is_running).await.unwrap();
        let stop = json!({ "cluster": "stubborn", "task": task.arn, "reason": "maintenance" });
        let answer = local.ecs("StopTask", stop).await;
        assert_eq!(
            (&answer["task"]["desiredStatus"], &answer["task"]["lastStatus"]),
            (&json!("STOPPED"), &json!("RUNNING"))
        );
        let ended = stopped(local, &task).await;
        assert_eq!(ended.containers[0].exit_code, Some(137));
        let stop = ended.stop.unwrap();
        assert_eq!((stop.code, stop.reason.as_str()), (StopCode::UserInitiated, "maintenance"));
        local.check_model();
    });
}

#[test]
fn what_a_container_sees_is_its_definition_and_nothing_of_this_machine() {
    with_sandbox(async |local| {
        let mut container = shell("env", "env", true);
        container["environment"] = json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }]);
        let overrides =
            json!({ "containerOverrides": [{ "name": "env", "environment": [{ "name": "B", "value": "3" }] }] });
        let task = run(local, "seen", json!([container]), json!({ "overrides": overrides })).await;
        let ended = stopped(local, &task).await;
        let log = local.sandbox.options().scratch.join("tasks").join(&task.id).join("env.log");
        let text = std::fs::read_to_string(log).unwrap();
        let mut names: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        names.retain(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name)); // the shell's own
        names.sort_unstable();
        assert_eq!(names, ["A", "B", "PATH", "TASK_IP"], "{text}");
        assert!(text.contains("B=3") && text.contains(&format!("TASK_IP={}", ended.address().unwrap())), "{text}");
        local.check_model();
    });
}

#[test]
fn tasks_are_listed_in_pages_and_described_with_their_tags() {
    with_sandbox(async |local| {
        let more = json!({ "count": 3, "tags": [{ "key": "owner", "value": "ops" }] });
        let task = run(local, "pages", json!([shell("job", "sleep 60", true)]), more).await;
        let first = local.ecs("ListTasks", json!({ "cluster": "pages", "maxResults": 2 })).await;
        let request = json!({ "cluster": "pages", "maxResults": 2, "nextToken": first["nextToken"] });
        let second = local.ecs("ListTasks", request).await;
        assert_eq!((first["taskArns"].as_array().unwrap().len(), second["taskArns"].as_array().unwrap().len()), (2, 1));
        assert_eq!(second["nextToken"], Value::Null);

        let request = json!({ "cluster": "pages", "tasks": [task.id, "f00d".repeat(8)], "include": ["TAGS"] });
        let answer = local.ecs("DescribeTasks", request).await;
        assert_eq!(answer["tasks"][0]["tags"], json!([{ "key": "owner", "value": "ops" }]));
        assert_eq!(answer["failures"][0]["reason"], "MISSING");
        local.check_model();
    });
}

#[test]
fn what_is_not_modelled_is_refused_by_name() {
    with_sandbox(async |local| {
        local.cluster("refused", json!([])).await;
        let error = local.try_ecs("ExecuteCommand", json!({ "cluster": "refused" })).await.unwrap_err();
        assert_eq!(error.code, "NotModelledBySandbox");
        assert!(error.message.ends_with("ExecuteCommand"), "{error}");
        let elsewhere = json!({ "cluster": "refused", "taskDefinition": "refused", "networkConfiguration": network() });
        let error = local.try_ecs("RunTask", elsewhere).await.unwrap_err();
        assert!(error.message.contains("FARGATE"), "{error}");
        let error =
            local.try_ecs("StopTask", json!({ "cluster": "refused", "task": "f00d".repeat(8) })).await.unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("InvalidParameterException", "The referenced task was not found.")
        );
        assert!(local.sandbox.ecs().not_modelled().contains(&"ecs:ExecuteCommand".to_owned()));
        local.check_model();
    });
}
