//! The containers of a task: their order, their health, their tags.

use std::time::Duration;

use crate::local::{Local, SOON, agent, network, shell, with_sandbox};
use sandbox::ecs::{Health, Status, StopCode, Task};
use serde_json::{Value, json};

async fn run(local: &Local, name: &str, containers: Value) -> Task {
    local.ecs("CreateCluster", json!({ "clusterName": name })).await;
    local.define(name, containers).await;
    let request = json!({
        "cluster": name, "taskDefinition": name, "launchType": "FARGATE", "networkConfiguration": network(),
    });
    let answer = local.ecs("RunTask", request).await;
    let arn = answer["tasks"][0]["taskArn"].as_str().unwrap();
    local.sandbox.ecs().task(arn.rsplit('/').next().unwrap()).unwrap()
}

async fn until(local: &Local, task: &Task, wanted: impl Fn(&Task) -> bool) -> Task {
    local.sandbox.ecs().wait_for_task(&task.id, SOON, wanted).await.unwrap()
}

fn after(mut container: Value, other: &str, condition: &str) -> Value {
    container["dependsOn"] = json!([{ "containerName": other, "condition": condition }]);
    container
}

#[test]
fn containers_start_after_what_they_depend_on_and_stop_before_it() {
    with_sandbox(async |local| {
        let stays = |name| shell(name, "trap 'sleep 0.1; exit 0' TERM; while :; do sleep 0.02; done", true);
        let containers = json!([
            after(stays("agent"), "proxy", "START"),
            after(stays("proxy"), "migration", "SUCCESS"),
            shell("migration", "sleep 0.2; exit 0", false),
        ]);
        let task = run(local, "ordered", containers).await;
        let running = until(local, &task, Task::is_running).await;
        let started = |name| running.container(name).unwrap().started.unwrap();
        assert!(running.container("migration").unwrap().ended.unwrap() <= started("proxy"));
        assert!(started("proxy") <= started("agent") && started("agent") <= running.times.started.unwrap());
        assert_eq!(running.container("migration").unwrap().exit_code, Some(0), "and the task runs without it");

        local.ecs("StopTask", json!({ "cluster": "ordered", "task": task.id })).await;
        let ended = until(local, &task, |task| task.status == Status::Stopped).await;
        assert_eq!(ended.container("proxy").unwrap().exit_code, Some(0));
        let ended = |name| ended.container(name).unwrap().ended.unwrap();
        // The proxy takes a while to end, and only begins when the agent is gone.
        assert!(ended("proxy") - ended("agent") >= Duration::from_millis(100), "the proxy outlives the agent");
        local.check_model();
    });
}

#[test]
fn a_dependency_that_fails_fails_the_task() {
    with_sandbox(async |local| {
        let containers = json!([
            after(shell("agent", "sleep 60", true), "migration", "SUCCESS"),
            shell("migration", "exit 3", false)
        ]);
        let task = run(local, "unmet", containers).await;
        let ended = until(local, &task, |task| task.status == Status::Stopped).await;
        let stop = ended.stop.clone().unwrap();
        assert_eq!(stop.code, StopCode::TaskFailedToStart);
        assert!(stop.reason.contains("dependency [migration] for target [agent]"), "{}", stop.reason);
        assert_eq!(ended.container("migration").unwrap().exit_code, Some(3));
        assert_eq!((ended.container("agent").unwrap().exit_code, ended.times.started), (None, None));
        local.check_model();
    });
}

#[test]
fn a_dependency_is_waited_for_until_its_start_timeout() {
    with_sandbox(async |local| {
        let mut slow = shell("slow", "sleep 60", false);
        slow["startTimeout"] = json!(2);
        let task = run(local, "late", json!([after(shell("agent", "sleep 60", true), "slow", "COMPLETE"), slow])).await;
        let ended = until(local, &task, |task| task.status == Status::Stopped).await;
        assert!(ended.stop.as_ref().unwrap().reason.ends_with("has timed out"), "{:?}", ended.stop);
        local.check_model();
    });
}

fn checked(environment: &Value, check: &str) -> Value {
    let mut container = agent(environment);
    container["healthCheck"] =
        json!({ "command": ["CMD-SHELL", check], "interval": 5, "retries": 2, "startPeriod": 0 });
    container
}

#[test]
fn a_container_waits_until_another_is_healthy() {
    with_sandbox(async |local| {
        let server = checked(&json!([]), "sample-agent check");
        let worker = after(shell("worker", "sleep 60", true), "agent", "HEALTHY");
        let task = run(local, "healthy", json!([worker, server])).await;
        let running = until(local, &task, Task::is_running).await;
        assert_eq!(
            (running.container("agent").unwrap().health, running.health()),
            (Some(Health::Healthy), Some(Health::Healthy))
        );
        let described = local.ecs("DescribeTasks", json!({ "cluster": "healthy", "tasks": [task.id] })).await;
        let shown = &described["tasks"][0];
        assert_eq!(shown["healthStatus"], "HEALTHY");
        assert_eq!(
            [&shown["containers"][0]["healthStatus"], &shown["containers"][1]["healthStatus"]],
            ["UNKNOWN", "HEALTHY"]
        );
        local.ecs("StopTask", json!({ "cluster": "healthy", "task": task.id })).await;
        local.check_model();
    });
}

#[test]
fn a_task_on_its_own_goes_on_when_it_is_unhealthy_and_no_event_tells_of_its_health() {
    with_sandbox(async |local| {
        // `localhost` of a definition made for ECS is the task itself here, too.
        let check = "test \"$(echo localhost)\" = \"$TASK_IP\" && sample-agent check";
        let task = run(local, "alone", json!([checked(&json!([]), check)])).await;
        let well = until(local, &task, |task| task.health() == Some(Health::Healthy)).await;
        let post = async |path: &str| {
            let address = well.address().unwrap();
            reqwest::Client::new().post(format!("http://{address}:8080/{path}")).send().await.unwrap()
        };
        post("sick").await;
        let sick = until(local, &task, |task| task.health() == Some(Health::Unhealthy)).await;
        assert!(sick.is_running());
        post("well").await;
        let well = until(local, &task, |task| task.health() == Some(Health::Healthy)).await;
        assert_eq!(local.statuses(&task.id).len() as u64, well.version, "health alone is no event and no version");
        local.ecs("StopTask", json!({ "cluster": "alone", "task": task.id })).await;
        local.check_model();
    });
}

#[test]
fn an_unhealthy_task_of_a_service_is_replaced_first_and_then_stopped() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "ill" })).await;
        local.define("ill", json!([checked(&json!([]), "sample-agent check")])).await;
        local.service("ill", 1, json!({})).await;
        let ill = local.steady("ill").await.remove(0);
        let address = ill.address().unwrap();
        reqwest::Client::new().post(format!("http://{address}:8080/sick")).send().await.unwrap();
        let stopping = until(local, &ill, |task| task.stop.is_some()).await;
        let running = local.sandbox.ecs().running("ill", "agent");
        assert!(running.len() == 1 && running[0].health() == Some(Health::Healthy), "{running:?}");
        let stop = stopping.stop.unwrap();
        let expected = (StopCode::ServiceSchedulerInitiated, "Task failed container health checks");
        assert_eq!((stop.code, stop.reason.as_str()), expected);
        until(local, &ill, |task| task.status == Status::Stopped).await;
        let told = local.events_about(&format!("/{}", ill.id)).pop().unwrap();
        assert_eq!(told["detail"]["healthStatus"], "UNHEALTHY");
        let said = local.describe("ill").await["events"].to_string();
        assert!(said.contains(&format!("(service agent) (task {}) failed container health checks.", ill.id)), "{said}");
        local.check_model();
    });
}

#[test]
fn tasks_get_the_tags_that_are_propagated_to_them() {
    with_sandbox(async |local| {
        let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
        local.ecs("CreateCluster", json!({ "clusterName": "tagged" })).await;
        let definition = json!({
            "family": "tagged", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": [agent(&json!([]))], "tags": [tag("from", "definition")],
        });
        let arn = local.ecs("RegisterTaskDefinition", definition).await["taskDefinition"]["taskDefinitionArn"].clone();
        let service = async |name: &str, more: Value| {
            let mut request = json!({
                "cluster": "tagged", "serviceName": name, "taskDefinition": "tagged", "desiredCount": 1,
                "launchType": "FARGATE", "networkConfiguration": network(), "tags": [tag("from", "service")],
            });
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            local.ecs("CreateService", request).await;
            local.sandbox.ecs().wait_for_steady_state("tagged", name, SOON).await.unwrap();
            local.sandbox.ecs().running("tagged", name)[0].tags.clone()
        };
        assert_eq!(service("plain", json!({})).await, [] as [Value; 0]);
        assert_eq!(service("own", json!({ "propagateTags": "SERVICE" })).await, [tag("from", "service")]);
        let managed = json!({ "propagateTags": "TASK_DEFINITION", "enableECSManagedTags": true });
        let expected =
            [tag("aws:ecs:clusterName", "tagged"), tag("aws:ecs:serviceName", "managed"), tag("from", "definition")];
        assert_eq!(service("managed", managed).await, expected);

        local.ecs("TagResource", json!({ "resourceArn": arn, "tags": [tag("from", "later")] })).await;
        assert_eq!(service("later", json!({ "propagateTags": "TASK_DEFINITION" })).await, [tag("from", "later")]);
        local.check_model();
    });
}
