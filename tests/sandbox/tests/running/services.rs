//! Services of the sandbox's ECS: real processes that are kept, scaled, replaced and rolled.

use std::collections::HashSet;

use crate::local::{SOON, agent, with_sandbox};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::ecs::{Status, StopCode, Task};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[test]
fn a_service_runs_real_processes_on_addresses_of_their_own() {
    with_sandbox(async |local| {
        local.cluster("real", json!([{ "name": "PORT", "value": "8081" }])).await;
        let created = local.service("real", 2, json!({})).await;
        assert_eq!(created["deployments"][0]["rolloutState"], "IN_PROGRESS", "{created}");
        let tasks = local.steady("real").await;

        let addresses: HashSet<_> = tasks.iter().map(|task| task.address().unwrap()).collect();
        assert_eq!(addresses.len(), 2);
        let zones: HashSet<_> = tasks.iter().map(|task| &task.placement.zone).collect();
        assert_eq!(zones.len(), 2, "one task in each subnet");
        for address in addresses {
            let answer = reqwest::get(format!("http://{address}:8081/health")).await.unwrap();
            assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "status": "ok" }));
        }
        for task in &tasks {
            assert_eq!(local.statuses(&task.id), ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"]);
        }

        let service = local.describe("real").await;
        assert_eq!((&service["runningCount"], &service["pendingCount"]), (&json!(2), &json!(0)));
        let deployment = &service["deployments"][0];
        let id = deployment["id"].as_str().unwrap();
        assert_eq!(deployment["rolloutStateReason"], format!("ECS deployment {id} completed."));
        assert_eq!(service["events"][0]["message"], "(service agent) has reached a steady state.");
        let names: Vec<_> = local
            .events_about(":service/real/agent")
            .iter()
            .map(|event| event["detail"]["eventName"].clone())
            .collect();
        assert_eq!(names, ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"]);

        let listed = local.ecs("ListTasks", json!({ "cluster": "real", "serviceName": "agent" })).await;
        let described = local.ecs("DescribeTasks", json!({ "cluster": "real", "tasks": listed["taskArns"] })).await;
        for task in described["tasks"].as_array().unwrap() {
            assert_eq!((&task["startedBy"], &task["group"]), (&json!(id), &json!("service:agent")));
        }
        assert_eq!(described["tasks"].as_array().unwrap().len(), 2, "no task but ours: {described}");
        let clusters = local.ecs("DescribeClusters", json!({ "clusters": ["real"], "include": ["STATISTICS"] })).await;
        assert_eq!(clusters["clusters"][0]["runningTasksCount"], 2);
        local.check_model();
    });
}

#[test]
fn scale_in_stops_tasks_in_ecs_words() {
    with_sandbox(async |local| {
        local.cluster("shrink", json!([])).await;
        local.service("shrink", 2, json!({})).await;
        let before = local.steady("shrink").await;
        local.ecs("UpdateService", json!({ "cluster": "shrink", "service": "agent", "desiredCount": 1 })).await;
        let after = local.steady("shrink").await;
        assert_eq!(after.len(), 1);

        let gone = before.iter().find(|task| task.id != after[0].id).unwrap();
        let gone =
            local.sandbox.ecs().wait_for_task(&gone.id, SOON, |task| task.status == Status::Stopped).await.unwrap();
        let stop = gone.stop.clone().unwrap();
        assert_eq!(stop.code, StopCode::ServiceSchedulerInitiated);
        let deployment = gone.started_by.clone().unwrap();
        assert_eq!(stop.reason, format!("Scaling activity initiated by (deployment {deployment})"));
        assert_eq!(gone.container("agent").unwrap().exit_code, Some(143));
        assert_eq!(
            local.statuses(&gone.id)[3..],
            ["RUNNING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]
        );
        let stopped = local.ecs("ListTasks", json!({ "cluster": "shrink", "desiredStatus": "STOPPED" })).await;
        assert_eq!(stopped["taskArns"], json!([gone.arn]));
        let said = local.describe("shrink").await["events"].to_string();
        assert!(said.contains(&format!("(service agent) has stopped 1 running tasks: (task {}).", gone.id)), "{said}");
        local.check_model();
    });
}

#[test]
fn a_rolling_deployment_replaces_every_task_without_going_below_the_minimum() {
    with_sandbox(async |local| {
        local.cluster("roll", json!([])).await;
        local.service("roll", 2, json!({ "minimumHealthyPercent": 100, "maximumPercent": 200 })).await;
        let before = local.steady("roll").await;
        let revision = local.define("roll", json!([agent(&json!([{ "name": "NEW", "value": "1" }]))])).await;
        let update = json!({ "cluster": "roll", "service": "agent", "taskDefinition": "roll" });
        let answer = local.ecs("UpdateService", update).await;
        let deployments = answer["service"]["deployments"].as_array().unwrap();
        let statuses: Vec<_> = deployments.iter().map(|deployment| &deployment["status"]).collect();
        assert_eq!(statuses, ["PRIMARY", "ACTIVE"], "{answer}");

        let after = local.steady("roll").await;
        assert!(after.len() == 2 && after.iter().all(|task| task.definition_arn == revision), "{after:?}");
        let about = |task: &Task| local.events_about(&format!("/{}", task.id));
        let last_left = before.iter().map(|task| first(&about(task), "desiredStatus", "STOPPED")).max().unwrap();
        let mut ran: Vec<_> = after.iter().map(|task| first(&about(task), "lastStatus", "RUNNING")).collect();
        ran.sort();
        let first_left = before.iter().map(|task| first(&about(task), "desiredStatus", "STOPPED")).min().unwrap();
        assert!(ran[0] < first_left && ran[1] < last_left, "as many new tasks ran as old ones had left");
        let primary = after[0].started_by.clone().unwrap();
        let reasons = local.sandbox.ecs().tasks().into_iter().filter(|task| before.iter().any(|old| old.id == task.id));
        for stop in reasons.map(|task| task.stop.unwrap()) {
            assert_eq!(stop.reason, format!("Scaling activity initiated by (deployment {primary})"));
        }
        assert_eq!(local.describe("roll").await["deployments"].as_array().unwrap().len(), 1);
        local.check_model();
    });
}

/// When the task was first seen as RUNNING, or as meant to be STOPPED.
fn first(events: &[Value], member: &str, status: &str) -> String {
    let event = events.iter().find(|event| event["detail"][member] == status).unwrap();
    event["detail"]["updatedAt"].as_str().unwrap().to_owned()
}

#[test]
fn a_deployment_without_room_stops_before_it_starts() {
    with_sandbox(async |local| {
        local.cluster("one", json!([])).await;
        local.service("one", 1, json!({ "minimumHealthyPercent": 0, "maximumPercent": 100 })).await;
        let before = local.steady("one").await;
        let forced = json!({ "cluster": "one", "service": "agent", "forceNewDeployment": true });
        local.ecs("UpdateService", forced).await;
        let after = local.steady("one").await;
        assert_ne!(after[0].id, before[0].id);
        let left = local.sandbox.ecs().task(&before[0].id).unwrap().times.stopping.unwrap();
        assert!(left <= after[0].times.created, "the only task went before its replacement was made");
        local.check_model();
    });
}

#[test]
fn a_killed_process_is_replaced() {
    with_sandbox(async |local| {
        local.cluster("killed", json!([])).await;
        local.service("killed", 1, json!({})).await;
        let task = local.steady("killed").await.remove(0);
        let pid = local.sandbox.ecs().pid(&task.id, "agent").unwrap();
        kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();

        let ended =
            local.sandbox.ecs().wait_for_task(&task.id, SOON, |task| task.status == Status::Stopped).await.unwrap();
        assert_eq!(ended.stop.as_ref().unwrap().code, StopCode::EssentialContainerExited);
        assert_eq!(ended.stop.unwrap().reason, "Essential container in task exited");
        assert_eq!(ended.containers[0].exit_code, Some(137));
        let replaced = local.sandbox.ecs().wait_for_tasks(SOON, |tasks| {
            tasks.iter().any(|other| other.cluster() == "killed" && other.id != task.id && other.is_running())
        });
        replaced.await.unwrap();
        let event = local.events_about(&format!("/{}", task.id)).pop().unwrap();
        assert_eq!(event["detail-type"], "ECS Task State Change");
        assert_eq!(event["detail"]["containers"][0]["exitCode"], 137);
        assert_eq!(event["detail"]["attachments"][0]["status"], "DELETED");
        local.check_model();
    });
}

#[test]
fn a_service_that_cannot_start_its_tasks_is_held_back_and_says_so() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "missing" })).await;
        local.define("missing", json!([{ "name": "agent", "image": "no-such-image:9" }])).await;
        local.service("missing", 1, json!({})).await;
        let bus = local.sandbox.bus();
        let impaired = |event: &Value| {
            event["detail"]["eventName"] == "SERVICE_TASK_START_IMPAIRED"
                && event["resources"][0].as_str().unwrap().ends_with("missing/agent")
        };
        let event = bus.wait_for(0, SOON, impaired).await.unwrap();
        assert_eq!(event["detail"]["eventType"], "WARN");
        let told: OffsetDateTime =
            OffsetDateTime::parse(event["detail"]["createdAt"].as_str().unwrap(), &Rfc3339).unwrap();
        let tasks = local.sandbox.ecs().tasks();
        let mut tried = tasks.iter().filter(|task| task.cluster() == "missing" && task.times.created <= told);
        let stop = tried.next().unwrap().stop.clone().unwrap();
        assert_eq!(stop.code, StopCode::TaskFailedToStart);
        let text = "CannotPullContainerError: pull image manifest has been retried 5 time(s): \
                    failed to resolve ref no-such-image:9: not found";
        assert_eq!(stop.reason, text);
        assert_eq!(tried.count(), 2, "the third failure says it");
        assert!(local.describe("missing").await["deployments"][0]["failedTasks"].as_u64().unwrap() >= 3);
        local.ecs("DeleteService", json!({ "cluster": "missing", "service": "agent", "force": true })).await;
        local.check_model();
    });
}

#[test]
fn a_deleted_service_drains() {
    with_sandbox(async |local| {
        local.cluster("deleted", json!([])).await;
        local.service("deleted", 2, json!({})).await;
        let tasks = local.steady("deleted").await;
        let answer =
            local.ecs("DeleteService", json!({ "cluster": "deleted", "service": "agent", "force": true })).await;
        // On a busy machine the tasks may have begun to stop before the answer is put together.
        let status = answer["service"]["status"].as_str().unwrap();
        assert!(["DRAINING", "INACTIVE"].contains(&status), "{answer}");
        for task in tasks {
            local.sandbox.ecs().wait_for_task(&task.id, SOON, |task| task.status == Status::Stopped).await.unwrap();
        }
        assert_eq!(local.describe("deleted").await["status"], "INACTIVE");

        local.service("deleted", 1, json!({})).await;
        assert_eq!(local.steady("deleted").await.len(), 1, "it can be created again");
        local.check_model();
    });
}

#[test]
fn a_service_that_is_not_run_says_so_and_can_be_deleted() {
    with_sandbox(async |local| {
        local.cluster("idle", json!([])).await;
        let request = json!({ "cluster": "idle", "serviceName": "agent", "taskDefinition": "idle", "desiredCount": 1,
            "launchType": "EC2", "networkConfiguration": crate::local::network() });
        local.ecs("CreateService", request).await;
        let said = local.describe("idle").await["events"][0]["message"].as_str().unwrap().to_owned();
        assert!(said.contains("does not model the launch type EC2 (say FARGATE)"), "{said}");
        local.ecs("DeleteService", json!({ "cluster": "idle", "service": "agent", "force": true })).await;
        let gone = |service: &sandbox::ecs::Service| service.status == sandbox::ecs::ServiceStatus::Inactive;
        local.sandbox.ecs().wait_for_service("idle", "agent", SOON, gone).await.unwrap();
        local.ecs("DeleteCluster", json!({ "cluster": "idle" })).await;
        local.check_model();
    });
}

#[test]
fn what_an_update_leaves_out_stays_as_it_was() {
    with_sandbox(async |local| {
        local.cluster("kept", json!([])).await;
        let created = local.service("kept", 0, json!({ "maximumPercent": 150, "minimumHealthyPercent": 50 })).await;
        assert_eq!(created["deploymentConfiguration"]["maximumPercent"], 150);
        let breaker = json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } });
        let request = json!({ "cluster": "kept", "service": "agent", "deploymentConfiguration": breaker,
            "enableECSManagedTags": true });
        local.ecs("UpdateService", request).await;
        let configuration = local.describe("kept").await;
        assert_eq!(configuration["enableECSManagedTags"], true);
        let configuration = &configuration["deploymentConfiguration"];
        assert_eq!(
            (&configuration["maximumPercent"], &configuration["minimumHealthyPercent"]),
            (&json!(150), &json!(50))
        );
        assert_eq!(configuration["deploymentCircuitBreaker"], breaker["deploymentCircuitBreaker"]);
        local.check_model();
    });
}
