//! Services as the sandbox's ECS shows them, deployed anew, their tasks stopped.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod ecs_local;

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentController, DeploymentControllerType, HealthCheck, Tag,
};
use config_sync::aws::ecs::Cluster;
use config_sync::document::{Place, Version};
use config_sync::service::{Asks, Controller, Deployment, Progress, Service, TaskId};
use ecs_local::{LASTS, Local, PARAMETER, SECRET, container, once};
use sandbox::Intervention;
use sandbox::ecs::{Health, Rollout};
use sandbox::stage::PATIENCE;
use serde_json::json;
use watchkeeper_events::ServiceArn;

async fn look(cluster: &Cluster, service: &ServiceArn) -> Service {
    cluster.service(service).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_service_is_deployed_anew_and_its_tasks_are_stopped() {
    let local = Local::start().await;
    let cluster = Cluster::new(local.ecs.clone());
    let role = local.execution_role().await;
    let secret = json!({ "Name": "team/db", "SecretString": r#"{"password":"hidden"}"# });
    let secret = local.call("secretsmanager", "secretsmanager.CreateSecret", secret).await;
    let (secret, version) = (secret["ARN"].as_str().unwrap(), secret["VersionId"].as_str().unwrap());
    let pinned = local
        .call("secretsmanager", "secretsmanager.CreateSecret", json!({ "Name": "old", "SecretString": "hidden" }))
        .await;
    let (pinned, pinned_to) = (pinned["ARN"].as_str().unwrap(), pinned["VersionId"].as_str().unwrap());
    for name in ["/team/token", "plain"] {
        local.call("ssm", "AmazonSSM.PutParameter", json!({ "Name": name, "Value": "hidden", "Type": "String" })).await;
    }
    let plain = "arn:aws:ssm:eu-west-1:123456789012:parameter/plain";
    let given = [
        &*format!("{secret}:password::"),
        &*format!("{secret}:::{version}"),
        &*format!("{pinned}:::{pinned_to}"),
        "/team/token",
        plain,
    ];
    local.cluster("agents").await;
    local.define("agent", Some(&role), container(LASTS, &given).build()).await;
    let create = local.service("agents", "agent", "agent", 2);
    create.tags(Tag::builder().key("watchkeeper:allow").value("agents").build()).send().await.unwrap();
    local.sandbox.ecs().wait_for_steady_state("agents", "agent", PATIENCE).await.unwrap();
    let arn = local.arn("agents", "agent");

    let before = local.sandbox.door().call_count();
    let service = look(&cluster, &arn).await;
    let first = ["DescribeServices", "DescribeTaskDefinition", "ListTasks", "DescribeTasks"];
    assert_eq!(local.ecs_calls_since(before), first);
    let before = local.sandbox.door().call_count();
    assert_eq!(cluster.service(&arn).await.unwrap().as_ref(), Some(&service));
    assert_eq!(local.ecs_calls_since(before), ["DescribeServices", "ListTasks", "DescribeTasks"]);

    let reads = BTreeMap::from([
        (Place::Secret(secret.to_owned()), Asks::Current),
        (Place::Secret(pinned.to_owned()), Asks::Pinned(Version(pinned_to.to_owned()))),
        (Place::Parameter(PARAMETER.to_owned()), Asks::Current),
        (Place::Parameter(plain.to_owned()), Asks::Current),
    ]);
    assert_eq!(service.reads, reads);
    assert_eq!((&service.controller, service.desired), (&Controller::Ecs, 2));
    assert_eq!((&*service.mutable_images, service.allow.as_deref()), (&["busybox:1".to_owned()][..], Some("agents")));
    let old = service.primary().unwrap().clone();
    assert_eq!((service.deployments.len(), old.progress, &old.evidence), (1, Progress::Completed, &None));
    assert!(service.is_steady() && service.tasks.len() == 2);
    assert!(service.tasks.iter().all(|task| task.deployment == old.id && task.made_at >= old.made_at), "{service:?}");

    let new = cluster.deploy(&arn).await.unwrap().unwrap();
    assert!(new.id != old.id && new.made_at > old.made_at, "{new:?}");
    assert_eq!((new.progress, &new.evidence), (Progress::InProgress, &None));
    let while_on_its_way = look(&cluster, &arn).await;
    assert!(while_on_its_way.is_in_flight() && !while_on_its_way.is_steady(), "{while_on_its_way:?}");
    assert_eq!(while_on_its_way.deployments, [new.clone(), old]);
    let is_new = |service: &sandbox::ecs::Service| service.is_steady() && service.deployments[0].id == new.id.0;
    local.sandbox.ecs().wait_for_service("agents", "agent", PATIENCE, is_new).await.unwrap();
    let done = look(&cluster, &arn).await;
    assert!(done.is_steady() && done.tasks.iter().all(|task| task.deployment == new.id), "{done:?}");
    assert_eq!(done.deployments, [Deployment { progress: Progress::Completed, ..new.clone() }]);
    assert!(done.tasks.iter().all(|task| task.made_at >= new.made_at), "{done:?}");

    let stopped = &done.tasks[0].id;
    cluster.stop(&arn, stopped).await.unwrap();
    let id = stopped.0.rsplit('/').next().unwrap();
    let task = local.sandbox.ecs().wait_for_task(id, PATIENCE, |task| task.stop.is_some()).await.unwrap();
    assert_eq!(task.stop.unwrap().reason, "Watchkeeper: its configuration has changed");
    cluster.stop(&arn, stopped).await.unwrap();
    let forgotten = TaskId(stopped.0.replace(id, &"0".repeat(32)));
    cluster.stop(&arn, &forgotten).await.unwrap();
    let is_replaced = |tasks: &[sandbox::ecs::Task]| {
        tasks.iter().filter(|task| task.is_running() && task.is_wanted() && task.id != id).count() == 2
    };
    local.sandbox.ecs().wait_for_tasks(PATIENCE, is_replaced).await.unwrap();
    let replaced = look(&cluster, &arn).await;
    assert!(replaced.is_steady());
    assert!(replaced.tasks.iter().all(|task| task.id != *stopped), "{replaced:?}");

    assert_eq!(local.sandbox.model_faults(), Vec::<String>::new());
    local.sandbox.stop().await.unwrap();
}

fn breaker(rollback: bool) -> DeploymentConfiguration {
    let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(rollback).build();
    DeploymentConfiguration::builder().deployment_circuit_breaker(breaker).build()
}

#[tokio::test]
async fn a_deployment_that_goes_badly_says_why() {
    let local = Local::start().await;
    let cluster = Cluster::new(local.ecs.clone());
    local.cluster("agents").await;
    let good = local.define("agent", None, container(LASTS, &[]).build()).await;
    let bad = local.define("agent", None, container(LASTS, &[]).image("nowhere/agent:2").build()).await;

    // Without a circuit breaker it is tried for ever.
    local.service("agents", "tries", &bad, 1).send().await.unwrap();
    let tries = local.arn("agents", "tries");
    let evidence = |service: &Service| service.primary().and_then(|primary| primary.evidence.clone());
    let has_failed = |service: &sandbox::ecs::Service| service.deployments[0].failed_tasks > 0;
    local.sandbox.ecs().wait_for_service("agents", "tries", PATIENCE, has_failed).await.unwrap();
    let trying = look(&cluster, &tries).await;
    assert_eq!(trying.primary().unwrap().progress, Progress::InProgress);
    let why = evidence(&trying).unwrap();
    assert!(why.contains("could not start: its image was not found: ") && why.contains("nowhere/agent:2"), "{why}");
    assert!(!why.contains(char::is_control), "{why}");

    local.service("agents", "fails", &bad, 1).deployment_configuration(breaker(false)).send().await.unwrap();
    let fails = local.arn("agents", "fails");
    let has_failed = |service: &sandbox::ecs::Service| service.deployments[0].rollout == Rollout::Failed;
    local.sandbox.ecs().wait_for_service("agents", "fails", PATIENCE, has_failed).await.unwrap();
    let failed = look(&cluster, &fails).await;
    assert_eq!(failed.primary().unwrap().progress, Progress::Failed);
    assert!(evidence(&failed).unwrap().contains("its image was not found"), "{failed:?}");
    assert!(!failed.is_in_flight() && !failed.is_steady());

    local.service("agents", "agent", &good, 1).deployment_configuration(breaker(true)).send().await.unwrap();
    local.sandbox.ecs().wait_for_steady_state("agents", "agent", PATIENCE).await.unwrap();
    let arn = local.arn("agents", "agent");
    let before = look(&cluster, &arn).await;
    let update = local.ecs.update_service().cluster("agents").service("agent").task_definition(&bad);
    let bad = update.send().await.unwrap().service.unwrap().deployments.unwrap().remove(0);
    let is_back = |service: &sandbox::ecs::Service| {
        service.is_steady() && service.messages.iter().any(|message| message.text.contains("rolling back"))
    };
    local.sandbox.ecs().wait_for_service("agents", "agent", PATIENCE, is_back).await.unwrap();
    let back = look(&cluster, &arn).await;
    let wanted = |service: &Service| service.primary().map(|primary| primary.id.clone());
    assert_eq!((wanted(&back), back.is_steady()), (wanted(&before), true));
    assert!(evidence(&back).unwrap().contains("its image was not found"), "{back:?}");
    assert_eq!(back.primary().unwrap().back_after.as_ref().map(|failed| failed.0.as_str()), bad.id());

    // A restart after that has nothing to do with it.
    let new = cluster.deploy(&arn).await.unwrap().unwrap();
    let is_new = |service: &sandbox::ecs::Service| service.is_steady() && service.deployments[0].id == new.id.0;
    local.sandbox.ecs().wait_for_service("agents", "agent", PATIENCE, is_new).await.unwrap();
    let after = look(&cluster, &arn).await;
    assert_eq!(after.deployments, [Deployment { progress: Progress::Completed, ..new }]);
    local.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn who_is_healthy_is_steady() {
    let local = Local::start().await;
    let cluster = Cluster::new(local.ecs.clone());
    local.cluster("agents").await;
    for (name, seconds) in [("soon", 5), ("late", 300)] {
        let check = HealthCheck::builder().command("CMD-SHELL").command("true").interval(seconds).build().unwrap();
        local.define(name, None, container(LASTS, &[]).health_check(check).build()).await;
        local.service("agents", name, name, 1).send().await.unwrap();
    }
    let is_running = |tasks: &[sandbox::ecs::Task]| tasks.iter().filter(|task| task.is_running()).count() == 2;
    local.sandbox.ecs().wait_for_tasks(PATIENCE, is_running).await.unwrap();
    let late = look(&cluster, &local.arn("agents", "late")).await;
    assert!(late.tasks.len() == 1 && !late.tasks[0].is_steady, "it was not checked yet: {late:?}");
    let soon = |task: &sandbox::ecs::Task| task.service() == Some("soon") && task.health() == Some(Health::Healthy);
    local.sandbox.ecs().wait_for_tasks(PATIENCE, |tasks| tasks.iter().any(soon)).await.unwrap();
    let soon = look(&cluster, &local.arn("agents", "soon")).await;
    assert!(soon.tasks.iter().all(|task| task.is_steady), "{soon:?}");
    local.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn others_deploy_some_services() {
    let local = Local::start().await;
    let cluster = Cluster::new(local.ecs.clone());
    local.cluster("agents").await;
    local.define("agent", None, container(LASTS, &[]).build()).await;
    for (name, kind) in
        [("blue", DeploymentControllerType::CodeDeploy), ("external", DeploymentControllerType::External)]
    {
        let controller = DeploymentController::builder().r#type(kind.clone()).build().unwrap();
        let create = local.service("agents", name, "agent", 1).deployment_controller(controller);
        create.send().await.unwrap();
        let service = look(&cluster, &local.arn("agents", name)).await;
        assert_eq!(service.controller, Controller::Other(kind.as_str().to_owned()));
        assert_eq!(service.desired, 1);
    }
    local.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_gone_is_none() {
    let local = Local::start().await;
    let cluster = Cluster::new(once(&local.ecs));
    local.cluster("agents").await;
    let role = local.execution_role().await;
    // Its tasks do not start, for there is no such secret.
    local.define("agent", Some(&role), container(LASTS, &[SECRET]).build()).await;
    for (name, desired) in [("deleted", 1), ("asleep", 0), ("fails", 1)] {
        local.service("agents", name, "agent", desired).send().await.unwrap();
    }
    let fails = look(&cluster, &local.arn("agents", "fails")).await;
    assert_eq!(fails.reads, BTreeMap::from([(Place::Secret(SECRET.to_owned()), Asks::Current)]));
    local.ecs.delete_service().cluster("agents").service("deleted").force(true).send().await.unwrap();

    for (its_cluster, name) in [("agents", "deleted"), ("agents", "never"), ("nowhere", "agent")] {
        let arn = local.arn(its_cluster, name);
        assert_eq!(cluster.service(&arn).await.unwrap(), None, "{arn}");
        assert_eq!(cluster.deploy(&arn).await.unwrap(), None, "{arn}");
    }
    let before = local.sandbox.door().call_count();
    assert_eq!(cluster.service(&local.arn("agents", "asleep")).await.unwrap(), None);
    assert_eq!(local.ecs_calls_since(before), ["DescribeServices"]);
    let task = TaskId("arn:aws:ecs:eu-west-1:123456789012:task/nowhere/0".to_owned());
    cluster.stop(&local.arn("nowhere", "agent"), &task).await.unwrap();

    for action in ["DescribeServices", "UpdateService"] {
        local.sandbox.door().on_call(Box::new(move |call| {
            let code = "AccessDeniedException".to_owned();
            let message = "User: tests is not authorized to perform it".to_owned();
            let denied = Intervention::Fail { status: 400, code, message };
            if call.is("ecs", action) { denied } else { Intervention::Pass }
        }));
        let arn = local.arn("agents", "fails");
        let trouble = match action {
            "UpdateService" => cluster.deploy(&arn).await.unwrap_err(),
            _ => cluster.service(&arn).await.unwrap_err(),
        };
        let says_the_tag = trouble.to_string().contains("tag the service watchkeeper:allow");
        assert_eq!((trouble.may_pass(), says_the_tag), (false, action == "UpdateService"), "{trouble}");
    }
    local.sandbox.door().clear_hook();
    local.sandbox.stop().await.unwrap();
}
