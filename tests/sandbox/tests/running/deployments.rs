//! Deployments that fail, and what the circuit breaker makes of them.

use crate::local::{Local, SOON, agent, shell, with_sandbox};
use sandbox::ecs::{Health, Rollout, Service, Status, StopCode, Task};
use serde_json::{Value, json};

fn breaker(rollback: bool) -> Value {
    json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": rollback } })
}

/// A revision whose image cannot be pulled.
async fn define_broken(local: &Local, family: &str) -> String {
    local.define(family, json!([{ "name": "agent", "image": "no-such-image:9" }])).await
}

async fn update(local: &Local, cluster: &str, change: Value) -> Value {
    let mut request = json!({ "cluster": cluster, "service": "agent" });
    request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    local.ecs("UpdateService", request).await["service"].clone()
}

async fn until(local: &Local, cluster: &str, wanted: impl Fn(&Service) -> bool) -> Service {
    local.sandbox.ecs().wait_for_service(cluster, "agent", SOON, wanted).await.unwrap()
}

/// Type, name, deployment and reason of each deployment event of a service, with ids replaced by the given names.
fn story(local: &Local, cluster: &str, names: &[(&str, &str)]) -> Vec<String> {
    let events = local.events_about(&format!(":service/{cluster}/agent"));
    let events = events.iter().filter(|event| event["detail-type"] == "ECS Deployment State Change");
    let line = |event: &Value| {
        let text = |name: &str| event["detail"][name].as_str().unwrap().to_owned();
        let line = [text("eventType"), text("eventName"), text("deploymentId"), text("reason")].join(" | ");
        names.iter().fold(line, |line, (id, name)| line.replace(id, name))
    };
    events.map(line).collect()
}

#[test]
fn the_circuit_breaker_rolls_back_to_the_deployment_completed_last() {
    with_sandbox(async |local| {
        local.cluster("rollback", json!([])).await;
        local.service("rollback", 1, breaker(true)).await;
        let before = local.steady("rollback").await.remove(0);
        let good = before.started_by.clone().unwrap();
        let broken = define_broken(local, "rollback").await;
        let answer = update(local, "rollback", json!({ "taskDefinition": broken })).await;
        assert_eq!(answer["taskDefinition"], broken);
        let bad = answer["deployments"][0]["id"].as_str().unwrap().to_owned();

        let gone_back = |service: &Service| service.is_steady() && service.primary().unwrap().id == good;
        until(local, "rollback", |service| service.primary().unwrap().rollout != Rollout::Completed).await;
        let service = until(local, "rollback", gone_back).await;
        assert_eq!(service.deployments.len(), 1);
        let running = local.sandbox.ecs().running("rollback", "agent");
        assert_eq!(running.iter().map(|task| &task.id).collect::<Vec<_>>(), [&before.id], "it ran all the time");
        let tried = local.sandbox.ecs().tasks();
        let tried: Vec<_> = tried.iter().filter(|task| task.started_by.as_deref() == Some(&bad)).collect();
        assert_eq!(tried.len(), 3, "the threshold of a service with one task");
        assert!(tried.iter().all(|task| task.stop.as_ref().unwrap().code == StopCode::TaskFailedToStart));

        assert_eq!(
            story(local, "rollback", &[(&good, "GOOD"), (&bad, "BAD")]),
            [
                "INFO | SERVICE_DEPLOYMENT_IN_PROGRESS | GOOD | ECS deployment GOOD in progress.",
                "INFO | SERVICE_DEPLOYMENT_COMPLETED | GOOD | ECS deployment GOOD completed.",
                "INFO | SERVICE_DEPLOYMENT_IN_PROGRESS | BAD | ECS deployment BAD in progress.",
                "ERROR | SERVICE_DEPLOYMENT_FAILED | BAD | ECS deployment circuit breaker: task failed to start.",
                "INFO | SERVICE_DEPLOYMENT_IN_PROGRESS | GOOD | ECS deployment circuit breaker: rolling back to deploymentId GOOD.",
                "INFO | SERVICE_DEPLOYMENT_COMPLETED | GOOD | ECS deployment GOOD completed.",
            ]
        );
        let described = local.describe("rollback").await;
        assert_eq!(described["taskDefinition"], before.definition_arn, "the service has its old revision again");
        let said: Vec<_> =
            described["events"].as_array().unwrap().iter().map(|event| event["message"].clone()).collect();
        for message in [
            format!("(service agent) (deployment {bad}) deployment failed: tasks failed to start."),
            format!("(service agent) rolling back to deployment {good}."),
        ] {
            assert!(said.contains(&json!(message)), "{said:?}");
        }

        // The store knows: the same broken revision again is a new deployment, the old one is none.
        let answer = update(local, "rollback", json!({ "taskDefinition": before.definition_arn })).await;
        assert_eq!(answer["deployments"][0]["id"], good);
        let answer = update(local, "rollback", json!({ "taskDefinition": broken })).await;
        assert!(![good.as_str(), &bad].contains(&answer["deployments"][0]["id"].as_str().unwrap()), "{answer}");
        until(local, "rollback", |service| service.deployments.len() == 2).await;
        until(local, "rollback", gone_back).await;
        local.check_model();
    });
}

#[test]
fn without_rollback_a_failed_deployment_stalls_and_the_old_tasks_serve_on() {
    with_sandbox(async |local| {
        local.cluster("stalled", json!([])).await;
        local.service("stalled", 2, breaker(false)).await;
        let before = local.steady("stalled").await;
        let broken = define_broken(local, "stalled").await;
        update(local, "stalled", json!({ "taskDefinition": broken })).await;
        let failed = |service: &Service| service.primary().unwrap().rollout == Rollout::Failed;
        until(local, "stalled", failed).await;

        let described = local.describe("stalled").await;
        let (primary, old) = (&described["deployments"][0], &described["deployments"][1]);
        assert_eq!((&primary["status"], &primary["rolloutState"]), (&json!("PRIMARY"), &json!("FAILED")));
        assert_eq!(primary["rolloutStateReason"], "ECS deployment circuit breaker: tasks failed to start.");
        assert_eq!((&old["status"], &old["rolloutState"]), (&json!("ACTIVE"), &json!("COMPLETED")));
        assert_eq!(old["runningCount"], 2);
        assert!(primary["failedTasks"].as_u64().unwrap() >= 3, "{primary}");

        // No more is started, whatever is wanted: the next deployment is what helps.
        let tasks = || local.sandbox.ecs().tasks().iter().filter(|task| task.cluster() == "stalled").count();
        let tried = tasks();
        update(local, "stalled", json!({ "desiredCount": 3 })).await;
        update(local, "stalled", json!({ "desiredCount": 2 })).await;
        assert_eq!(tasks(), tried);
        let still: Vec<_> = local.sandbox.ecs().running("stalled", "agent").into_iter().map(|task| task.id).collect();
        assert!(before.iter().all(|task| still.contains(&task.id)));
        let revision = local.define("stalled", json!([agent(&json!([]))])).await;
        update(local, "stalled", json!({ "taskDefinition": revision })).await;
        let after = local.steady("stalled").await;
        assert!(after.iter().all(|task| task.definition_arn == revision));
        assert_eq!(local.describe("stalled").await["deployments"].as_array().unwrap().len(), 1);
        local.check_model();
    });
}

#[test]
fn a_first_deployment_that_fails_has_nothing_to_go_back_to() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "first" })).await;
        define_broken(local, "first").await;
        local.service("first", 1, breaker(true)).await;
        let service = until(local, "first", |service| service.primary().unwrap().rollout == Rollout::Failed).await;
        assert_eq!((service.deployments.len(), service.running), (1, 0));
        let id = service.primary().unwrap().id.clone();
        assert_eq!(
            story(local, "first", &[(&id, "FIRST")])[1..],
            ["ERROR | SERVICE_DEPLOYMENT_FAILED | FIRST | ECS deployment circuit breaker: task failed to start."]
        );
        local.check_model();
    });
}

#[test]
fn the_circuit_breaker_does_not_see_tasks_that_ran_and_crashed() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "looping" })).await;
        local.define("looping", json!([shell("agent", "exit 1", true)])).await;
        local.service("looping", 1, breaker(true)).await;
        let crashed = |tasks: &[sandbox::ecs::Task]| {
            let exits =
                tasks.iter().filter(|task| task.cluster() == "looping" && task.containers[0].exit_code == Some(1));
            exits.count() >= 5
        };
        local.sandbox.ecs().wait_for_tasks(SOON, crashed).await.unwrap();
        let deployment = local.describe("looping").await["deployments"][0].clone();
        assert_eq!((&deployment["rolloutState"], &deployment["failedTasks"]), (&json!("IN_PROGRESS"), &json!(0)));
        local.ecs("DeleteService", json!({ "cluster": "looping", "service": "agent", "force": true })).await;
        local.check_model();
    });
}

#[test]
fn a_deployment_fails_when_its_tasks_never_get_healthy() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "sick" })).await;
        let revision = async |sick: &str| {
            let mut container = agent(&json!([{ "name": "SICK", "value": sick }]));
            container["healthCheck"] =
                json!({ "command": ["CMD", "sample-agent", "check"], "interval": 5, "retries": 1 });
            local.define("sick", json!([container])).await
        };
        let good = revision("0").await;
        local.service("sick", 1, breaker(true)).await;
        let before = local.steady("sick").await.remove(0);
        update(local, "sick", json!({ "taskDefinition": revision("1").await })).await;
        until(local, "sick", |service| service.deployments.len() == 2).await;
        let service = until(local, "sick", Service::is_steady).await;
        assert_eq!(service.primary().unwrap().definition_arn, good);
        assert_eq!(local.sandbox.ecs().running("sick", "agent")[0].id, before.id);
        let stops: Vec<_> = local
            .sandbox
            .ecs()
            .tasks()
            .into_iter()
            .filter(|task| task.cluster() == "sick")
            .filter_map(|task| task.stop)
            .collect();
        assert_eq!(stops.len(), 3);
        for stop in stops {
            let expected = (StopCode::ServiceSchedulerInitiated, "Task failed container health checks");
            assert_eq!((stop.code, stop.reason.as_str()), expected);
        }
        local.check_model();
    });
}

#[test]
fn several_deployments_at_once_end_in_the_newest() {
    with_sandbox(async |local| {
        local.cluster("several", json!([])).await;
        local.service("several", 2, json!({})).await;
        local.steady("several").await;
        // The ones between never count as healthy, so that none of them completes.
        let unproven = |value: &str| {
            let mut container = agent(&json!([{ "name": "N", "value": value }]));
            container["healthCheck"] = json!({ "command": ["CMD", "true"], "interval": 300 });
            container
        };
        for value in ["1", "2"] {
            let revision = local.define("several", json!([unproven(value)])).await;
            update(local, "several", json!({ "taskDefinition": revision })).await;
            let starts = |tasks: &[Task]| {
                tasks.iter().any(|task| task.definition_arn == revision && task.status >= Status::Activating)
            };
            local.sandbox.ecs().wait_for_tasks(SOON, starts).await.unwrap();
        }
        let newest = local.define("several", json!([agent(&json!([{ "name": "N", "value": "3" }]))])).await;
        let described = update(local, "several", json!({ "taskDefinition": newest })).await;
        let statuses: Vec<_> =
            described["deployments"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
        assert_eq!(statuses[0], "PRIMARY");
        assert!(statuses.len() >= 2 && statuses[1..].iter().all(|status| status == "ACTIVE"), "{statuses:?}");
        let after = local.steady("several").await;
        assert!(after.len() == 2 && after.iter().all(|task| task.definition_arn == newest), "{after:?}");
        let completed = story(local, "several", &[]).iter().filter(|line| line.contains("COMPLETED")).count();
        assert_eq!(completed, 2, "the first and the last; what was overtaken is never completed");
        local.check_model();
    });
}

/// A service whose three tasks fail their health checks, before ECS has counted any of them.
async fn three_sick(local: &Local, cluster: &str) {
    local.ecs("CreateCluster", json!({ "clusterName": cluster })).await;
    let mut container = agent(&json!([{ "name": "SICK", "value": "1" }]));
    container["healthCheck"] = json!({ "command": ["CMD", "sample-agent", "check"], "interval": 10, "retries": 1 });
    local.define(cluster, json!([container])).await;
    // No room for replacements before all three are ill, and then they go one by one.
    local.service(cluster, 3, breaker(true)).await;
    let ill = |tasks: &[Task]| {
        let ill = |task: &&Task| task.cluster() == cluster && task.health() == Some(Health::Unhealthy);
        tasks.iter().filter(ill).count() >= 3
    };
    local.sandbox.ecs().wait_for_tasks(SOON, ill).await.unwrap();
}

#[test]
fn sick_tasks_that_are_scaled_in_or_deleted_are_no_failed_tasks() {
    with_sandbox(async |local| {
        for (cluster, call, request) in [
            ("scaled-in", "UpdateService", json!({ "cluster": "scaled-in", "service": "agent", "desiredCount": 0 })),
            ("put-away", "DeleteService", json!({ "cluster": "put-away", "service": "agent", "force": true })),
        ] {
            three_sick(local, cluster).await;
            local.ecs(call, request).await;
            let over = |tasks: &[Task]| {
                tasks.iter().filter(|task| task.cluster() == cluster).all(|task| task.status == Status::Stopped)
            };
            local.sandbox.ecs().wait_for_tasks(SOON, over).await.unwrap();
            let told = story(local, cluster, &[]);
            assert!(!told.iter().any(|line| line.contains("FAILED")), "{told:?}");
        }
        local.check_model();
    });
}

#[test]
fn a_task_that_is_unhealthy_before_it_runs_counts_as_failed() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "early" })).await;
        let mut sick = agent(&json!([{ "name": "SICK", "value": "1" }]));
        sick["healthCheck"] = json!({ "command": ["CMD", "sample-agent", "check"], "interval": 5, "retries": 1 });
        let mut late = shell("late", "sleep 600", true);
        late["dependsOn"] = json!([{ "containerName": "setup", "condition": "COMPLETE" }]);
        local.define("early", json!([sick, late, shell("setup", "sleep 0.5", false)])).await;
        local.service("early", 1, breaker(false)).await;
        until(local, "early", |service| service.primary().unwrap().rollout == Rollout::Failed).await;
        local.ecs("DeleteService", json!({ "cluster": "early", "service": "agent", "force": true })).await;
        local.check_model();
    });
}

#[test]
fn another_network_is_another_deployment_and_a_rollback_brings_the_old_one_back() {
    with_sandbox(async |local| {
        local.cluster("moved", json!([])).await;
        local.service("moved", 1, breaker(true)).await;
        let before = local.steady("moved").await.remove(0);
        let other = json!({ "awsvpcConfiguration": { "subnets": ["subnet-9"] } });
        let moved = update(local, "moved", json!({ "networkConfiguration": other, "propagateTags": "SERVICE" })).await;
        assert_ne!(moved["deployments"][0]["id"], json!(before.started_by.clone().unwrap()));
        assert_eq!((&moved["networkConfiguration"], &moved["propagateTags"]), (&other, &json!("SERVICE")));
        let after = local.steady("moved").await.remove(0);
        assert_eq!((before.placement.subnet.as_str(), after.placement.subnet.as_str()), ("subnet-1", "subnet-9"));
        // The same again changes nothing.
        let same = update(local, "moved", json!({ "networkConfiguration": other })).await;
        assert_eq!(same["deployments"][0]["id"], json!(after.started_by.clone().unwrap()));

        let broken = define_broken(local, "moved").await;
        let back = json!({ "awsvpcConfiguration": { "subnets": ["subnet-5"] } });
        update(local, "moved", json!({ "taskDefinition": broken, "networkConfiguration": back })).await;
        let gone_back = |service: &Service| {
            service.is_steady() && service.primary().unwrap().id == after.started_by.clone().unwrap()
        };
        until(local, "moved", gone_back).await;
        let stored = |described: &Value| {
            described["networkConfiguration"] == other && described["taskDefinition"] == json!(after.definition_arn)
        };
        let described = local.describe("moved").await;
        assert!(stored(&described), "{described}");
        update(local, "moved", json!({ "desiredCount": 2 })).await;
        let grown = local.steady("moved").await;
        assert!(grown.iter().all(|task| task.placement.subnet == "subnet-9" && task.started_by == after.started_by));
        local.check_model();
    });
}

#[test]
fn deployments_that_were_overtaken_go_with_their_last_task() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "overtaken" })).await;
        define_broken(local, "overtaken").await;
        local.service("overtaken", 1, json!({})).await;
        for _ in 0..3 {
            let revision = define_broken(local, "overtaken").await;
            update(local, "overtaken", json!({ "taskDefinition": revision })).await;
        }
        let service = until(local, "overtaken", |service| service.deployments.len() == 1).await;
        assert_eq!((service.running, service.is_steady()), (0, false));
        local.ecs("DeleteService", json!({ "cluster": "overtaken", "service": "agent", "force": true })).await;
        local.check_model();
    });
}

#[test]
fn a_service_whose_deployment_failed_is_never_called_steady() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "never" })).await;
        define_broken(local, "never").await;
        local.service("never", 1, breaker(false)).await;
        until(local, "never", |service| service.primary().unwrap().rollout == Rollout::Failed).await;
        update(local, "never", json!({ "desiredCount": 0 })).await;
        // A deployment that works is what makes it steady; all that was told before it is in the list by then.
        local.define("never", json!([agent(&json!([]))])).await;
        update(local, "never", json!({ "taskDefinition": "never", "desiredCount": 1 })).await;
        local.steady("never").await;
        let steady = |event: &Value| event["detail"]["eventName"] == "SERVICE_STEADY_STATE";
        let told = local.events_about(":service/never/agent");
        assert_eq!(told.iter().filter(|event| steady(event)).count(), 1, "{told:?}");
        local.check_model();
    });
}
