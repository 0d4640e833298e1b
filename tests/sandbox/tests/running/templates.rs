//! Services that CloudFormation makes: they come to be inside ministack, and the sandbox's ECS notices.

use sandbox::ecs::ServiceStatus;
use serde_json::{Value, json};

use crate::local::{Local, SOON, network, with_sandbox};

fn template(desired: u32, variable: &str) -> String {
    let container = json!({
        "Name": "agent", "Image": "sample-agent:1", "Environment": [{ "Name": "VARIABLE", "Value": variable }],
    });
    let subnets = &network()["awsvpcConfiguration"]["subnets"];
    json!({ "Resources": {
        "Cluster": { "Type": "AWS::ECS::Cluster", "Properties": { "ClusterName": "templated" } },
        "Definition": { "Type": "AWS::ECS::TaskDefinition", "Properties": {
            "Family": "templated", "NetworkMode": "awsvpc", "RequiresCompatibilities": ["FARGATE"], "Cpu": "256",
            "Memory": "512", "ContainerDefinitions": [container],
        } },
        "Service": { "Type": "AWS::ECS::Service", "Properties": {
            "Cluster": { "Ref": "Cluster" }, "ServiceName": "agent", "TaskDefinition": { "Ref": "Definition" },
            "DesiredCount": desired, "LaunchType": "FARGATE",
            "NetworkConfiguration": { "AwsvpcConfiguration": { "Subnets": subnets } },
        } },
    } })
    .to_string()
}

async fn stack(local: &Local, action: &str, template: &str) {
    let parameters = [("StackName", "templated"), ("TemplateBody", template)];
    local.sandbox.aws().query("cloudformation", action, &parameters).await.unwrap();
}

#[test]
fn a_stack_makes_updates_and_deletes_a_service() {
    with_sandbox(async |local| {
        stack(local, "CreateStack", &template(1, "one")).await;
        let before = local.steady("templated").await;
        assert_eq!(before.len(), 1);

        stack(local, "UpdateStack", &template(2, "two")).await;
        let ecs = local.sandbox.ecs();
        let updated = ecs.wait_for_service("templated", "agent", SOON, |service| {
            service.is_steady() && service.running == 2 && service.stored.desired == 2
        });
        updated.await.unwrap();
        let after = ecs.running("templated", "agent");
        assert!(after.iter().all(|task| task.definition_arn != before[0].definition_arn), "{after:?}");
        let described = local.describe("templated").await;
        assert_eq!((&described["runningCount"], &described["deployments"][1]), (&json!(2), &Value::Null));

        local.sandbox.aws().query("cloudformation", "DeleteStack", &[("StackName", "templated")]).await.unwrap();
        let gone = |service: &sandbox::ecs::Service| service.status == ServiceStatus::Inactive;
        ecs.wait_for_service("templated", "agent", SOON, gone).await.unwrap();
        assert!(ecs.running("templated", "agent").is_empty());
        local.check_model();
    });
}
