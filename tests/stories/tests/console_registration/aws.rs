//! AWS's own registries; and that the role grants what is used, and no more.

use std::collections::BTreeSet;

use sandbox::Call;
use sandbox::stage::PATIENCE;
use serde_json::{Value, json};
use stories::cli::aws;
use stories::role;
use tokio::time::{Duration, interval, timeout};

use crate::declared::{registration, with};
use crate::scene::{AGENT, Scene};

/// Actions that the local AWS does not check, or makes use of by itself (docs/fidelity.md).
const NOT_CHECKED_HERE: [&str; 5] =
    ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];

/// Whether the function itself does not call it here. Lambda calls EC2 with the function's role, to reach a VPC.
fn is_beside(action: &str) -> bool {
    NOT_CHECKED_HERE.contains(&action) || action.starts_with("ec2:")
}

/// The IAM action of a call.
fn action(call: &Call) -> String {
    if call.service != "route53" {
        return format!("{}:{}", call.service, call.action);
    }
    let is = |part: &str| call.action.contains(part);
    let name = match call.action.split(' ').next() {
        Some("POST") => "ChangeResourceRecordSets",
        _ if is("rrset") => "ListResourceRecordSets",
        _ => "GetHostedZone",
    };
    format!("route53:{name}")
}

/// The addresses that a registry has, once they are as many as the service has tasks and the same.
async fn follows(scene: &Scene, count: u32, listed: impl AsyncFn() -> BTreeSet<String>) {
    scene.steady(AGENT, count).await;
    let right = async {
        let mut poll = interval(Duration::from_millis(100));
        loop {
            poll.tick().await;
            let tasks: BTreeSet<_> =
                scene.tasks(AGENT).iter().map(|task| task.address().unwrap().to_string()).collect();
            if listed().await == tasks {
                return;
            }
        }
    };
    timeout(PATIENCE, right).await.unwrap();
}

fn strings(values: &Value, name: &str) -> BTreeSet<String> {
    values.as_array().into_iter().flatten().filter_map(|value| value[name].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn cloud_map_and_route_53_follow_and_all_that_the_role_grants_is_used() {
    let scene = Scene::set().await;
    let stage = &scene.stage;
    scene.service(AGENT, 2).await;
    aws(stage, &["servicediscovery", "create-http-namespace", "--name", "agents"]).await.unwrap();
    let namespaces = aws(stage, &["servicediscovery", "list-namespaces"]).await.unwrap();
    let namespace = namespaces["Namespaces"][0]["Id"].as_str().unwrap();
    let create = ["servicediscovery", "create-service", "--name", "agents", "--namespace-id", namespace];
    let service = aws(stage, &create).await.unwrap()["Service"]["Id"].as_str().unwrap().to_owned();
    let create = ["route53", "create-hosted-zone", "--name", "example.internal", "--caller-reference", "1"];
    let zone = aws(stage, &create).await.unwrap()["HostedZone"]["Id"].as_str().unwrap().to_owned();
    let zone = zone.rsplit('/').next().unwrap();

    let instances = async || {
        let listed = aws(stage, &["servicediscovery", "list-instances", "--service-id", &service]).await.unwrap();
        listed["Instances"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|instance| instance["Attributes"]["AWS_INSTANCE_IPV4"].as_str().map(str::to_owned))
            .collect()
    };
    let records = async |name: &str| -> BTreeSet<String> {
        let listed = aws(stage, &["route53", "list-resource-record-sets", "--hosted-zone-id", zone]).await.unwrap();
        let sets = listed["ResourceRecordSets"].as_array().unwrap().iter();
        let sets = sets.filter(|set| set["Name"] == format!("{name}.") && set["Type"] == "A");
        sets.flat_map(|set| strings(&set["ResourceRecords"], "Value")).collect()
    };
    let (each, all) = ("each.example.internal", "all.example.internal");
    let in_zone =
        |name: &str, records: &str| json!({"Route53": {"HostedZoneId": zone, "Name": name, "Records": records}});
    let map = scene.stack("map", registration(&json!({"CloudMap": {"ServiceId": service}}))).await;
    let per_task = scene.stack("per-task", registration(&in_zone(each, "per-task"))).await;
    let one_name = scene.stack("one-name", registration(&in_zone(all, "one-name"))).await;
    for stack in [&map, &per_task, &one_name] {
        let described = stack.comes_to("CREATE_COMPLETE").await;
        assert!(described.contains("<OutputValue>CAP-1, CAP-2</OutputValue>"), "{described}");
    }
    for count in [2, 3, 1] {
        scene.scale(AGENT, count).await;
        follows(&scene, count, &instances).await;
        follows(&scene, count, async || records(each).await).await;
        follows(&scene, count, async || records(all).await).await;
    }
    for stack in [&map, &per_task, &one_name] {
        stack.delete().await;
        stack.is_deleted().await;
    }
    assert_eq!((instances().await, records(each).await, records(all).await), Default::default());
    let left = aws(stage, &["route53", "list-resource-record-sets", "--hosted-zone-id", zone]).await.unwrap();
    assert!(!left.to_string().contains("watchkeeper"), "{left}");

    // Beside them a Console, and a message that nobody understands: all that the function can call.
    let console = scene.stack("agent", with(registration(&scene.rest()), json!({"Port": 8080}))).await;
    console.comes_to("CREATE_COMPLETE").await;
    scene.send("no event").await;
    scene.stage.receive(stage.stack.output("ConsoleRegistrarDeadLetterQueueUrl").unwrap()).await.unwrap();
    let granted = role::granted(stage, "ConsoleRegistrarFunctionName").await.unwrap();
    let checked: BTreeSet<String> = granted.iter().filter(|action| !is_beside(action)).cloned().collect();
    let called: BTreeSet<String> =
        stage.sandbox.door().calls_where(0, |call| call.caller == "console-registrar").iter().map(action).collect();
    assert_eq!(called, checked, "left: called by the function; right: granted by the template");
    scene.ends_well(&[&map, &per_task, &one_name, &console]).await;
}
