//! The sandbox's ECS as its real clients see it: the Rust SDK, and version 1 of the AWS CLI.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::process::Output;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::client::Waiters;
use aws_sdk_ecs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Compatibility, ContainerDefinition, LaunchType, NetworkConfiguration, NetworkMode,
    ServiceField, Tag, TaskDefinitionField, TaskField,
};
use sandbox::stage::PATIENCE;
use sandbox::{Options, Sandbox};

const CLUSTER: &str = "clients";

fn sdk(sandbox: &Sandbox) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(sandbox.endpoint())
        .region(Region::new(sandbox.options().region.clone()))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
    Client::from_conf(config.build())
}

fn network() -> NetworkConfiguration {
    let subnets = AwsVpcConfiguration::builder().subnets("subnet-1").build().unwrap();
    NetworkConfiguration::builder().awsvpc_configuration(subnets).build()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// A container that is a line of shell and lasts.
fn job() -> ContainerDefinition {
    let script = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
    ContainerDefinition::builder().name("job").image("busybox:1").command("sh").command("-c").command(script).build()
}

async fn register(ecs: &Client) {
    ecs.create_cluster().cluster_name(CLUSTER).send().await.unwrap();
    let definition = ecs
        .register_task_definition()
        .family(CLUSTER)
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .cpu("256")
        .memory("512")
        .container_definitions(job())
        .tags(tag("owner", "ops"));
    definition.send().await.unwrap();
}

async fn create_service(ecs: &Client, name: &str, desired: i32) {
    let service = ecs
        .create_service()
        .cluster(CLUSTER)
        .service_name(name)
        .task_definition(CLUSTER)
        .desired_count(desired)
        .launch_type(LaunchType::Fargate)
        .network_configuration(network())
        .tags(tag("name", name));
    service.send().await.unwrap();
}

#[tokio::test]
async fn the_rust_sdk_drives_it() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let ecs = sdk(&sandbox);
    register(&ecs).await;
    let describe = ecs.describe_task_definition().task_definition(CLUSTER).include(TaskDefinitionField::Tags);
    assert_eq!(describe.send().await.unwrap().tags(), [tag("owner", "ops")]);

    for (name, desired) in [("agent", 3), ("other", 0), ("third", 0)] {
        create_service(&ecs, name, desired).await;
    }
    // Its first look comes too early or in time: the waiter looks again, after 15 seconds.
    let waiter = ecs.wait_until_services_stable().cluster(CLUSTER).services("agent").wait(PATIENCE);
    let (stable, ()) = tokio::join!(waiter, typed_exceptions(&ecs));
    assert_eq!(stable.unwrap().into_result().unwrap().services()[0].running_count(), 3);

    let tasks = ecs.list_tasks().cluster(CLUSTER).max_results(2).into_paginator();
    let mut pages = tasks.send();
    let mut arns = Vec::new();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.task_arns().len());
        arns.extend(page.task_arns().to_vec());
    }
    assert_eq!(sizes, [2, 1]);
    let services = ecs.list_services().cluster(CLUSTER).into_paginator().page_size(1).items().send();
    assert_eq!(services.collect::<Result<Vec<_>, _>>().await.unwrap().len(), 3);

    ecs.tag_resource().resource_arn(&arns[0]).tags(tag("seen", "yes")).send().await.unwrap();
    let describe = ecs.describe_tasks().cluster(CLUSTER).set_tasks(Some(arns.clone()));
    let plain = describe.clone().send().await.unwrap();
    assert!(plain.tasks().iter().all(|task| task.tags().is_empty()), "{plain:?}");
    let tagged = describe.include(TaskField::Tags).send().await.unwrap();
    let tags = tagged.tasks().iter().find(|task| task.task_arn() == Some(&arns[0])).unwrap().tags();
    assert_eq!(tags, [tag("seen", "yes")]);
    let describe = ecs.describe_services().cluster(CLUSTER).services("other").services("nobody");
    let described = describe.include(ServiceField::Tags).send().await.unwrap();
    assert_eq!(described.services()[0].tags(), [tag("name", "other")]);
    assert_eq!(described.failures()[0].reason(), Some("MISSING"));

    assert_eq!(sandbox.model_faults(), Vec::<String>::new());
    sandbox.stop().await.unwrap();
}

async fn typed_exceptions(ecs: &Client) {
    let error = ecs.list_services().cluster("nowhere").send().await.unwrap_err().into_service_error();
    assert!(error.is_cluster_not_found_exception() && error.message() == Some("Cluster not found."), "{error:?}");
    let update = ecs.update_service().cluster(CLUSTER).service("nobody").desired_count(1);
    let error = update.send().await.unwrap_err().into_service_error();
    assert!(error.is_service_not_found_exception(), "{error:?}");
    let error = ecs.describe_tasks().cluster(CLUSTER).set_tasks(Some(Vec::new())).send().await;
    let error = error.unwrap_err().into_service_error();
    assert!(error.is_invalid_parameter_exception() && error.message() == Some("Tasks cannot be empty."), "{error:?}");
    let error = ecs.describe_task_definition().task_definition("nothing").send().await;
    let error = error.unwrap_err().into_service_error();
    assert!(error.is_client_exception(), "{error:?}");
    let error = ecs.delete_cluster().cluster(CLUSTER).send().await.unwrap_err().into_service_error();
    assert!(error.is_cluster_contains_services_exception(), "{error:?}");
    let run = ecs.run_task().cluster(CLUSTER).task_definition(CLUSTER).launch_type(LaunchType::Fargate);
    let run = run.network_configuration(network()).client_token("once");
    let first = run.clone().started_by("tests").send().await.unwrap().tasks()[0].task_arn().unwrap().to_owned();
    let error = run.send().await.unwrap_err().into_service_error();
    assert!(error.is_conflict_exception(), "{error:?}");
    ecs.stop_task().cluster(CLUSTER).task(&first).send().await.unwrap();
}

async fn aws(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    tokio::process::Command::new(sandbox.aws_cli()).args(arguments).output().await.unwrap()
}

/// What a call printed, without its last line break; it must go well.
async fn printed(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = aws(sandbox, &[&["ecs"], arguments].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// What a refused call printed.
async fn complaint(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = aws(sandbox, &[&["ecs"], arguments].concat()).await;
    assert!([254, 255].contains(&output.status.code().unwrap()), "{:?}", output.status);
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_cli_drives_it() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let ecs = sdk(&sandbox);
    register(&ecs).await;
    create_service(&ecs, "agent", 2).await;
    sandbox.ecs().wait_for_steady_state(CLUSTER, "agent", PATIENCE).await.unwrap();

    let own = ["--cluster", CLUSTER];
    let call = |action: &'static str, more: &[&'static str]| [&[action], &own[..], more].concat();
    assert_eq!(
        printed(&sandbox, &[&["wait"], &call("services-stable", &["--services", "agent"])[..]].concat()).await,
        ""
    );
    let described = call("describe-services", &["--services", "agent", "--output", "text", "--query"]);
    let described = printed(&sandbox, &[&described[..], &["services[0].[status,runningCount]"]].concat()).await;
    assert_eq!(described, "ACTIVE\t2");
    let listed = call("list-tasks", &["--page-size", "1", "--output", "text", "--query", "taskArns[]"]);
    assert_eq!(printed(&sandbox, &listed).await.split_whitespace().count(), 2);
    let cut = call("list-tasks", &["--page-size", "1", "--max-items", "1", "--output", "json"]);
    assert!(printed(&sandbox, &cut).await.contains("NextToken"));

    let network = "awsvpcConfiguration={subnets=[subnet-1]}";
    let run = ["--task-definition", CLUSTER, "--launch-type", "FARGATE", "--network-configuration", network];
    let run = call("run-task", &[&run[..], &["--output", "text", "--query", "tasks[0].taskArn"]].concat());
    let task = printed(&sandbox, &run).await;
    let stop =
        ["stop-task", "--cluster", CLUSTER, "--output", "text", "--query", "task.desiredStatus", "--task", &task];
    assert_eq!(printed(&sandbox, &stop).await, "STOPPED");
    let wait = ["wait", "tasks-stopped", "--cluster", CLUSTER, "--tasks", &task];
    let id = task.rsplit('/').next().unwrap();
    let stopped = |task: &sandbox::ecs::Task| task.status == sandbox::ecs::Status::Stopped;
    sandbox.ecs().wait_for_task(id, PATIENCE, stopped).await.unwrap();
    assert_eq!(printed(&sandbox, &wait).await, "");

    let refused = complaint(&sandbox, &["list-tasks", "--cluster", "nowhere"]).await;
    let text = "An error occurred (ClusterNotFoundException) when calling the ListTasks operation: Cluster not found.";
    assert_eq!(refused.trim(), text);
    let refused = complaint(&sandbox, &call("update-service", &["--service", "nobody"])).await;
    assert!(refused.contains("(ServiceNotFoundException) when calling the UpdateService operation"), "{refused}");
    let refused = complaint(&sandbox, &["describe-capacity-providers"]).await;
    assert!(refused.contains("(NotModelledBySandbox)") && refused.contains("DescribeCapacityProviders"), "{refused}");

    assert_eq!(sandbox.model_faults(), Vec::<String>::new());
    sandbox.stop().await.unwrap();
}
