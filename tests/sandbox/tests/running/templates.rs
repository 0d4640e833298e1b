//! Services that CloudFormation makes: it calls ECS through the front door, and waits for what it asked for.

use sandbox::ecs::ServiceStatus;
use serde_json::{Value, json};

use crate::local::{Local, SOON, agent, with_sandbox};
use crate::stacks::{Stack, definition, service, texts};

/// A cluster, a definition and a service `agent`, all of the stack's.
fn whole(name: &str, image: &str, more: &Value) -> Value {
    json!({
        "Cluster": { "Type": "AWS::ECS::Cluster", "Properties": { "ClusterName": name } },
        "Definition": definition(image, &json!([])),
        "Service": service(&json!({ "Ref": "Cluster" }), &merged(json!({ "ServiceName": "agent" }), more)),
    })
}

const AGENT: &str = "sample-agent:1";
/// Its tasks never come to run.
const NO_IMAGE: &str = "no-such-image:1";

fn merged(mut value: Value, more: &Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

/// Has all it wants, as `DescribeServices` says it at this moment.
async fn is_steady(local: &Local, cluster: &str, desired: u32) -> Value {
    let service = local.describe(cluster).await;
    assert_eq!(
        (&service["runningCount"], &service["desiredCount"], &service["deployments"][0]["rolloutState"]),
        (&json!(desired), &json!(desired), &json!("COMPLETED")),
        "{service}"
    );
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1, "{service}");
    service
}

#[test]
fn a_stack_is_complete_when_its_service_is_steady_and_gone_when_it_is_gone() {
    with_sandbox(async |local| {
        let from = local.sandbox.door().call_count();
        let stack = Stack::create(local, "whole", &whole("whole", AGENT, &json!({}))).await;
        stack.comes_to("CREATE_COMPLETE").await;
        let first = is_steady(local, "whole", 1).await;

        stack.update(&whole("whole", "sample-agent:2", &json!({ "DesiredCount": "2" }))).await;
        stack.comes_to("UPDATE_COMPLETE").await;
        let second = is_steady(local, "whole", 2).await;
        assert_ne!(first["taskDefinition"], second["taskDefinition"]);
        let old = json!({ "taskDefinition": first["taskDefinition"] });
        assert_eq!(local.ecs("DescribeTaskDefinition", old).await["taskDefinition"]["status"], "INACTIVE");

        stack.update(&whole("whole", "sample-agent:2", &json!({ "DesiredCount": 0 }))).await;
        stack.comes_to("UPDATE_COMPLETE").await;
        is_steady(local, "whole", 0).await;

        stack.delete().await;
        stack.is_deleted().await;
        let service = local.sandbox.ecs().service("whole", "agent").unwrap();
        assert_eq!(service.status, ServiceStatus::Inactive);
        let clusters = local.ecs("DescribeClusters", json!({ "clusters": ["whole"] })).await;
        assert_eq!(clusters["clusters"][0]["status"], "INACTIVE");
        let deleted =
            |call: &sandbox::Call| call.is("ecs", "DeleteCluster") && call.resource.as_deref() == Some("whole");
        assert_eq!(local.sandbox.door().calls_where(from, deleted)[0].caller, "cloudformation");
        local.check_model();
    });
}

#[test]
fn a_definition_comes_out_as_the_api_would_have_it() {
    with_sandbox(async |local| {
        let with = |image: &str, tag: &str| {
            let trust = json!({ "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole",
            }] });
            let role = json!({ "Type": "AWS::IAM::Role", "Properties": { "AssumeRolePolicyDocument": trust } });
            json!({ "Role": role, "Definition": { "Type": "AWS::ECS::TaskDefinition", "Properties": {
                "ExecutionRoleArn": { "Fn::GetAtt": ["Role", "Arn"] }, "Family": "described", "Cpu": 256, "Memory": "512", "RequiresCompatibilities": ["FARGATE"],
                "NetworkMode": "awsvpc", "EphemeralStorage": { "SizeInGiB": "21" },
                "RuntimePlatform": { "CpuArchitecture": "X86_64" }, "Tags": [{ "Key": "own", "Value": tag }],
                "Volumes": [{ "Name": "files", "EFSVolumeConfiguration": {
                    "FilesystemId": "fs-1", "TransitEncryption": "ENABLED", "AuthorizationConfig": { "IAM": "ENABLED" },
                } }],
                "ContainerDefinitions": [{
                    "Name": "agent", "Image": image, "Essential": "true", "EntryPoint": ["/bin/agent"], "Command": ["-v"],
                    "Secrets": [{ "Name": "PASSWORD", "ValueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/p" }],
                    "HealthCheck": { "Command": ["CMD", "true"], "Interval": "5", "Retries": 3 },
                    "DependsOn": [{ "ContainerName": "side", "Condition": "START" }],
                    "Ulimits": [{ "Name": "nofile", "SoftLimit": "1024", "HardLimit": 4096 }],
                    "LogConfiguration": { "LogDriver": "awslogs", "Options": {
                        "awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p", "max-buffer-size": 5,
                    } },
                    "DockerLabels": { "Kept.As.It.Is": "x" }, "LinuxParameters": { "InitProcessEnabled": true },
                }, { "Name": "side", "Image": image }],
            } } })
        };
        let stack = Stack::create(local, "described", &with(AGENT, "one")).await;
        stack.comes_to("CREATE_COMPLETE").await;
        let first = stack.resource("Definition").await;
        assert!(first.ends_with(":task-definition/described:1"), "{first}");
        let describe = async |arn: &str| {
            local.ecs("DescribeTaskDefinition", json!({ "taskDefinition": arn, "include": ["TAGS"] })).await
        };
        let described = describe(&first).await;
        let expected = json!([{
            "name": "agent", "image": AGENT, "essential": true, "entryPoint": ["/bin/agent"], "command": ["-v"], "cpu": 0,
            "secrets": [{ "name": "PASSWORD", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/p" }],
            "healthCheck": { "command": ["CMD", "true"], "interval": 5, "retries": 3 },
            "dependsOn": [{ "containerName": "side", "condition": "START" }],
            "ulimits": [{ "name": "nofile", "softLimit": 1024, "hardLimit": 4096 }],
            "logConfiguration": { "logDriver": "awslogs", "options": {
                "awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p", "max-buffer-size": "5",
            } },
            "dockerLabels": { "Kept.As.It.Is": "x" }, "linuxParameters": { "initProcessEnabled": true },
        }, { "name": "side", "image": AGENT, "essential": true, "cpu": 0 }]);
        assert_eq!(described["taskDefinition"]["containerDefinitions"], expected);
        assert_eq!(described["taskDefinition"]["cpu"], "256");
        assert_eq!(described["taskDefinition"]["ephemeralStorage"], json!({ "sizeInGiB": 21 }));
        let files = json!({
            "fileSystemId": "fs-1", "transitEncryption": "ENABLED", "authorizationConfig": { "iam": "ENABLED" },
        });
        assert_eq!(described["taskDefinition"]["volumes"][0]["efsVolumeConfiguration"], files);
        for tag in [("own", "one"), ("team", "blue"), ("aws:cloudformation:stack-name", "described")] {
            let tag = json!({ "key": tag.0, "value": tag.1 });
            assert!(described["tags"].as_array().unwrap().contains(&tag), "{tag} in {}", described["tags"]);
        }

        stack.update(&with(AGENT, "two")).await;
        stack.comes_to("UPDATE_COMPLETE").await;
        assert_eq!(stack.resource("Definition").await, first, "tags alone make no revision");
        assert!(describe(&first).await["tags"].to_string().contains("two"));

        stack.update(&with("sample-agent:2", "two")).await;
        stack.comes_to("UPDATE_COMPLETE").await;
        let second = stack.resource("Definition").await;
        assert!(second.ends_with("/described:2"), "{second}");
        stack.delete().await;
        stack.is_deleted().await;
        for revision in [first, second] {
            assert_eq!(describe(&revision).await["taskDefinition"]["status"], "INACTIVE");
        }
        local.check_model();
    });
}

#[test]
fn what_ecs_does_not_know_or_refuses_fails_the_stack_with_its_name() {
    with_sandbox(async |local| {
        let strategy = json!([{ "CapacityProvider": "FARGATE", "Weight": "1" }]);
        for (name, more, reason) in [
            ("misspelt", json!({ "DesiredCounts": 1 }), "#: extraneous key [DesiredCounts] is not permitted"),
            ("mistyped", json!({ "DesiredCount": "some" }), "#/DesiredCount: expected type: Integer, found: String"),
            ("ambiguous", json!({ "CapacityProviderStrategy": strategy }), "Error Code: InvalidParameterException"),
            ("incomplete", json!({ "NetworkConfiguration": { "AwsvpcConfiguration": {} } }), "networkConfiguration"),
        ] {
            let stack = Stack::create(local, name, &whole(name, AGENT, &more)).await;
            stack.comes_to("ROLLBACK_COMPLETE").await;
            let events = stack.events().await;
            assert!(texts(&events, "ResourceStatusReason").iter().any(|text| text.contains(reason)), "{events}");
            assert!(local.sandbox.ecs().service(name, "agent").is_none());
            stack.delete().await;
            stack.is_deleted().await;
        }
        local.check_model();
    });
}

#[test]
fn a_new_name_makes_a_new_service_and_then_ends_the_old_one() {
    with_sandbox(async |local| {
        let stack = Stack::create(local, "renamed", &whole("renamed", AGENT, &json!({}))).await;
        stack.comes_to("CREATE_COMPLETE").await;
        let old = stack.resource("Service").await;
        stack.update(&whole("renamed", AGENT, &json!({ "ServiceName": "agent-2" }))).await;
        stack.comes_to("UPDATE_COMPLETE").await;
        let new = stack.resource("Service").await;
        assert_eq!((old.rsplit('/').next(), new.rsplit('/').next()), (Some("agent"), Some("agent-2")));
        let status = |name: &str| local.sandbox.ecs().service("renamed", name).unwrap().status;
        assert_eq!((status("agent"), status("agent-2")), (ServiceStatus::Inactive, ServiceStatus::Active));

        stack.update(&whole("renamed", AGENT, &json!({ "ServiceName": "agent-2", "LaunchType": "EC2" }))).await;
        stack.comes_to("UPDATE_ROLLBACK_COMPLETE").await;
        let events = stack.events().await;
        assert!(events.contains("cannot update a stack when a custom-named resource requires replacing"), "{events}");
        assert_eq!(status("agent-2"), ServiceStatus::Active);
        stack.delete().await;
        stack.is_deleted().await;
        assert_eq!(status("agent-2"), ServiceStatus::Inactive);
        local.check_model();
    });
}

#[test]
fn a_service_without_a_name_in_another_stacks_cluster() {
    with_sandbox(async |local| {
        let platform = json!({ "Cluster": { "Type": "AWS::ECS::Cluster" } });
        let platform = Stack::create(local, "platform", &platform).await;
        platform.comes_to("CREATE_COMPLETE").await;
        let cluster = platform.resource("Cluster").await;
        assert!(cluster.starts_with("platform-Cluster-"), "{cluster}");
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{cluster}");

        let with = |desired: u32| {
            let tags = json!([{ "Key": "own", "Value": "one" }]);
            let more = json!({ "DesiredCount": desired, "EnableExecuteCommand": "true", "Tags": tags });
            let name = json!({ "Fn::GetAtt": ["Service", "Name"] });
            json!({
                "Definition": definition(AGENT, &json!([])), "Service": service(&json!(arn), &more),
                "Name": { "Type": "AWS::SSM::Parameter", "Properties": { "Type": "String", "Value": name } },
            })
        };
        let stack = Stack::create(local, "nameless", &with(1)).await;
        stack.comes_to("CREATE_COMPLETE").await;
        let service_arn = stack.resource("Service").await;
        let prefix = format!("arn:aws:ecs:eu-west-1:123456789012:service/{cluster}/nameless-Service-");
        assert!(service_arn.starts_with(&prefix), "{service_arn}");
        let describe = json!({ "cluster": cluster, "services": [service_arn], "include": ["TAGS"] });
        let described = local.ecs("DescribeServices", describe.clone()).await["services"][0].clone();
        assert_eq!(described["enableExecuteCommand"], true);
        // A service gets no tags of CloudFormation's own.
        let tags = json!([{ "key": "own", "value": "one" }, { "key": "team", "value": "blue" }]);
        assert_eq!(described["tags"], tags);
        let parameter = json!({ "Name": stack.resource("Name").await });
        let parameter = local.sandbox.aws().json("ssm", "AmazonSSM.GetParameter", &parameter).await.unwrap();
        assert_eq!(parameter["Parameter"]["Value"], described["serviceName"]);

        // What was changed by hand is put back by the next update of the service.
        let by_hand = json!({ "cluster": cluster, "service": service_arn, "desiredCount": 3 });
        local.ecs("UpdateService", by_hand).await;
        stack.update(&with(2)).await;
        stack.comes_to("UPDATE_COMPLETE").await;
        assert_eq!(stack.resource("Service").await, service_arn);
        let described = local.ecs("DescribeServices", describe).await["services"][0].clone();
        assert_eq!((&described["desiredCount"], &described["runningCount"]), (&json!(2), &json!(2)));

        // One that is gone already is no failure.
        local.ecs("DeleteService", json!({ "cluster": cluster, "service": service_arn, "force": true })).await;
        stack.delete().await;
        stack.is_deleted().await;
        platform.delete().await;
        platform.is_deleted().await;
        local.check_model();
    });
}

#[test]
fn a_rollback_puts_the_old_definition_back_and_waits_for_it() {
    with_sandbox(async |local| {
        let with = |image: &str, more: &Value, last: &Value| {
            let last = json!({ "Type": "AWS::ECS::TaskDefinition", "DependsOn": "Service", "Properties": last });
            merged(whole("back", image, more), &json!({ "Last": last }))
        };
        let good = definition(AGENT, &json!([]))["Properties"].clone();
        let stack = Stack::create(local, "back", &with(AGENT, &json!({}), &good)).await;
        stack.comes_to("CREATE_COMPLETE").await;
        let before = is_steady(local, "back", 1).await;

        let bad = merged(good.clone(), &json!({ "Nonsense": 1 }));
        stack.update(&with("sample-agent:2", &json!({ "DesiredCount": 2 }), &bad)).await;
        stack.comes_to("UPDATE_ROLLBACK_COMPLETE").await;
        assert_eq!(is_steady(local, "back", 1).await["taskDefinition"], before["taskDefinition"]);

        // One that never becomes steady is waited for until the update is cancelled.
        let ecs = local.sandbox.ecs();
        stack.update(&with(NO_IMAGE, &json!({}), &good)).await;
        let failing = ecs.wait_for_service("back", "agent", SOON, |service| service.failed_starts > 1);
        failing.await.unwrap();
        stack.cancel_update().await;
        stack.comes_to("UPDATE_ROLLBACK_COMPLETE").await;
        assert!(stack.events().await.contains("Resource update cancelled"));
        assert_eq!(is_steady(local, "back", 1).await["taskDefinition"], before["taskDefinition"]);
        stack.delete().await;
        stack.is_deleted().await;
        local.check_model();
    });
}

#[test]
fn deleting_a_stack_ends_the_wait_for_its_service() {
    with_sandbox(async |local| {
        let ecs = local.sandbox.ecs();
        let stack = Stack::create(local, "stuck", &whole("stuck", NO_IMAGE, &json!({}))).await;
        ecs.wait_for_service("stuck", "agent", SOON, |service| service.failed_starts > 1).await.unwrap();
        stack.delete().await;
        stack.is_deleted().await;
        assert_eq!(ecs.service("stuck", "agent").unwrap().status, ServiceStatus::Inactive);
        let clusters = local.ecs("DescribeClusters", json!({ "clusters": ["stuck"] })).await;
        assert_eq!(clusters["clusters"][0]["status"], "INACTIVE");
        local.check_model();
    });
}

#[test]
fn a_cluster_goes_after_tasks_that_take_their_time() {
    with_sandbox(async |local| {
        let slow = definition(AGENT, &json!([{ "Name": "IGNORE_SIGTERM", "Value": "1" }]));
        let resources = merged(whole("slow", AGENT, &json!({})), &json!({ "Definition": slow }));
        let stack = Stack::create(local, "slow", &resources).await;
        stack.comes_to("CREATE_COMPLETE").await;
        stack.delete().await;
        stack.is_deleted().await;
        let clusters = local.ecs("DescribeClusters", json!({ "clusters": ["slow"] })).await;
        assert_eq!(clusters["clusters"][0]["status"], "INACTIVE");
        local.check_model();
    });
}

#[test]
fn a_tripped_circuit_breaker_fails_the_stack_which_then_goes_back() {
    with_sandbox(async |local| {
        let triggered = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.";
        for (name, rollback) in [("tripped-rolled-back", true), ("tripped-left", false)] {
            let breaker = json!({ "Enable": true, "Rollback": rollback });
            let breaker = json!({ "DeploymentConfiguration": { "DeploymentCircuitBreaker": breaker } });
            let stack = Stack::create(local, name, &whole(name, AGENT, &breaker)).await;
            stack.comes_to("CREATE_COMPLETE").await;
            let before = is_steady(local, name, 1).await;
            stack.update(&whole(name, NO_IMAGE, &breaker)).await;
            stack.comes_to("UPDATE_ROLLBACK_COMPLETE").await;
            let events = stack.events().await;
            assert!(events.contains(triggered), "{events}");
            assert_eq!(is_steady(local, name, 1).await["taskDefinition"], before["taskDefinition"]);
            stack.delete().await;
            stack.is_deleted().await;
        }

        // One failed task is over so quickly that the answer to the update must not show what became of it.
        let threshold = json!({ "Type": "COUNT", "Value": 1 });
        let breaker = json!({ "Enable": true, "Rollback": true, "ThresholdConfiguration": threshold });
        let more = json!({ "DeploymentConfiguration": { "DeploymentCircuitBreaker": breaker } });
        let stack = Stack::create(local, "tripped-new", &whole("tripped-new", NO_IMAGE, &more)).await;
        stack.comes_to("ROLLBACK_COMPLETE").await;
        let events = stack.events().await;
        assert!(events.contains(triggered), "{events}");
        let service = local.sandbox.ecs().service("tripped-new", "agent").unwrap();
        assert_eq!(service.status, ServiceStatus::Inactive);
        local.check_model();
    });
}

#[test]
fn a_cluster_with_somebody_elses_service_does_not_go() {
    with_sandbox(async |local| {
        let cluster = json!({ "Cluster": { "Type": "AWS::ECS::Cluster", "Properties": { "ClusterName": "shared" } } });
        let stack = Stack::create(local, "shared", &cluster).await;
        stack.comes_to("CREATE_COMPLETE").await;
        local.define("shared", json!([agent(&json!([]))])).await;
        local.service("shared", 0, json!({})).await;
        stack.delete().await;
        stack.comes_to("DELETE_FAILED").await;
        let events = stack.events().await;
        assert!(events.contains("Error Code: ClusterContainsServicesException"), "{events}");
        local.ecs("DeleteService", json!({ "cluster": "shared", "service": "agent", "force": true })).await;
        stack.delete().await;
        stack.is_deleted().await;
        local.check_model();
    });
}

#[test]
fn a_stack_that_names_what_is_not_there_fails_with_ecs_words() {
    with_sandbox(async |local| {
        for (name, change, words) in [
            ("no-definition", json!({ "TaskDefinition": "nobody:7" }), "TaskDefinition not found."),
            ("no-cluster", json!({ "Cluster": "nowhere" }), "Cluster not found."),
        ] {
            let stack = Stack::create(local, name, &whole(name, AGENT, &change)).await;
            stack.comes_to("ROLLBACK_COMPLETE").await;
            let events = stack.events().await;
            assert!(events.contains(words), "{events}");
        }
        local.check_model();
    });
}
