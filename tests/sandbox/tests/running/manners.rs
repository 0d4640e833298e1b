//! How the sandbox's ECS answers: its pages, what it includes, what it lists as failures, and what it refuses.

use sandbox::AwsError;
use sandbox::ecs::Status;
use serde_json::{Value, json};

use crate::local::{Local, SOON, agent, network, shell, with_sandbox};

async fn refused(local: &Local, action: &str, request: Value) -> (String, String) {
    let AwsError { code, message, .. } = local.try_ecs(action, request).await.unwrap_err();
    (code, message)
}

async fn refused_with(local: &Local, action: &str, request: Value, code: &str, message: &str) {
    let (given_code, given_message) = refused(local, action, request.clone()).await;
    assert_eq!((given_code.as_str(), given_message.as_str()), (code, message), "{action} {request}");
}

/// Every item of every page, and how many pages there were.
async fn pages(local: &Local, action: &str, mut request: Value, member: &str) -> (Vec<String>, usize) {
    let (mut items, mut count) = (Vec::new(), 0);
    loop {
        let answer = local.ecs(action, request.clone()).await;
        items.extend(answer[member].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()));
        count += 1;
        if answer["nextToken"].is_null() {
            return (items, count);
        }
        request["nextToken"] = answer["nextToken"].clone();
    }
}

fn run(cluster: &str) -> Value {
    json!({ "cluster": cluster, "taskDefinition": cluster, "launchType": "FARGATE", "networkConfiguration": network() })
}

fn service(cluster: &str, name: &str, desired: u32) -> Value {
    json!({
        "cluster": cluster, "serviceName": name, "taskDefinition": cluster, "desiredCount": desired,
        "launchType": "FARGATE", "networkConfiguration": network(),
    })
}

fn with(mut request: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more} is no object") };
    request.as_object_mut().unwrap().extend(more);
    request
}

#[test]
fn a_cluster_that_is_not_there_is_not_found_by_any_operation() {
    with_sandbox(async |local| {
        let cluster = json!({ "cluster": "nowhere" });
        let cases = [
            ("CreateService", service("nowhere", "agent", 1)),
            ("UpdateService", json!({ "service": "agent" })),
            ("DeleteService", json!({ "service": "agent" })),
            ("DescribeServices", json!({ "services": ["agent"] })),
            ("ListServices", json!({})),
            ("RunTask", run("nowhere")),
            ("StopTask", json!({ "task": "f00d".repeat(8) })),
            ("ListTasks", json!({})),
            ("DescribeTasks", json!({ "tasks": ["f00d".repeat(8)] })),
            ("DeleteCluster", json!({})),
            ("UpdateCluster", json!({})),
            ("PutClusterCapacityProviders", json!({ "capacityProviders": [], "defaultCapacityProviderStrategy": [] })),
        ];
        for (action, request) in cases {
            let request = with(request, cluster.clone());
            refused_with(local, action, request, "ClusterNotFoundException", "Cluster not found.").await;
        }
        let listed = local.ecs("ListClusters", json!({})).await;
        assert!(!listed.to_string().contains("nowhere"), "nothing made it: {listed}");
        let described = local.ecs("DescribeClusters", json!({ "clusters": ["nowhere"] })).await;
        assert_eq!((&described["clusters"], &described["failures"][0]["reason"]), (&json!([]), &json!("MISSING")));
        local.check_model();
    });
}

#[test]
fn a_cluster_is_deleted_when_it_is_empty_and_stays_describable() {
    with_sandbox(async |local| {
        local.cluster("emptied", json!([])).await;
        local.service("emptied", 1, json!({})).await;
        let task = local.steady("emptied").await.remove(0);
        let delete = json!({ "cluster": "emptied" });
        let text = "The Cluster cannot be deleted while Services are active.";
        refused_with(local, "DeleteCluster", delete.clone(), "ClusterContainsServicesException", text).await;
        let text = "The service cannot be stopped while it is scaled above 0.";
        let gentle = json!({ "cluster": "emptied", "service": "agent" });
        refused_with(local, "DeleteService", gentle.clone(), "InvalidParameterException", text).await;
        local.ecs("DeleteService", with(gentle, json!({ "force": true }))).await;
        let ecs = local.sandbox.ecs();
        ecs.wait_for_task(&task.id, SOON, |task| task.status == Status::Stopped).await.unwrap();
        let inactive = |service: &sandbox::ecs::Service| service.status == sandbox::ecs::ServiceStatus::Inactive;
        ecs.wait_for_service("emptied", "agent", SOON, inactive).await.unwrap();

        let ran = local.ecs("RunTask", run("emptied")).await;
        let text = "The Cluster cannot be deleted while Tasks are active.";
        refused_with(local, "DeleteCluster", delete.clone(), "ClusterContainsTasksException", text).await;
        let stop = json!({ "cluster": "emptied", "task": ran["tasks"][0]["taskArn"] });
        let id = ran["tasks"][0]["taskArn"].as_str().unwrap().rsplit('/').next().unwrap();
        local.ecs("StopTask", stop).await;
        ecs.wait_for_task(id, SOON, |task| task.status == Status::Stopped).await.unwrap();

        assert_eq!(local.ecs("DeleteCluster", delete.clone()).await["cluster"]["status"], "INACTIVE");
        refused_with(local, "DeleteCluster", delete, "ClusterNotFoundException", "Cluster not found.").await;
        let described = local.ecs("DescribeClusters", json!({ "clusters": ["emptied"] })).await;
        assert_eq!((&described["clusters"][0]["status"], &described["failures"]), (&json!("INACTIVE"), &json!([])));
        local.ecs("CreateCluster", json!({ "clusterName": "emptied" })).await;
        let described = local.ecs("DescribeClusters", json!({ "clusters": ["emptied"] })).await;
        assert_eq!(
            (described["clusters"].as_array().unwrap().len(), &described["clusters"][0]["status"]),
            (1, &json!("ACTIVE"))
        );
        local.check_model();
    });
}

#[test]
fn services_are_created_once_listed_in_pages_and_described_with_their_tags() {
    with_sandbox(async |local| {
        local.cluster("paged", json!([])).await;
        for number in 0..11 {
            let tags = json!({ "tags": [{ "key": "number", "value": number.to_string() }] });
            local.ecs("CreateService", with(service("paged", &format!("agent-{number:02}"), 0), tags)).await;
        }
        let (all, count) = pages(local, "ListServices", json!({ "cluster": "paged" }), "serviceArns").await;
        assert_eq!((all.len(), count), (11, 2), "ten on a page, if nobody says otherwise");
        let (again, count) =
            pages(local, "ListServices", json!({ "cluster": "paged", "maxResults": 4 }), "serviceArns").await;
        assert_eq!((&again, count), (&all, 3));
        let ec2 = local.ecs("ListServices", json!({ "cluster": "paged", "launchType": "EC2" })).await;
        assert_eq!(ec2, json!({ "serviceArns": [] }));
        let daemons = local.ecs("ListServices", json!({ "cluster": "paged", "schedulingStrategy": "DAEMON" })).await;
        assert_eq!(daemons["serviceArns"], json!([]));

        let names = json!({ "cluster": "paged", "services": ["agent-03", all[4], "nobody"] });
        let plain = local.ecs("DescribeServices", names.clone()).await;
        assert_eq!(
            (&plain["services"][0]["tags"], &plain["services"][1]["serviceArn"]),
            (&Value::Null, &json!(all[4]))
        );
        let failure = &plain["failures"][0];
        assert!(failure["arn"].as_str().unwrap().ends_with(":service/paged/nobody"), "{failure}");
        assert_eq!(failure["reason"], "MISSING");
        let tagged = local.ecs("DescribeServices", with(names, json!({ "include": ["TAGS"] }))).await;
        assert_eq!(tagged["services"][0]["tags"], json!([{ "key": "number", "value": "3" }]));

        for (services, text) in
            [(json!([]), "Services cannot be empty."), (json!(all), "service names can have at most 10 items.")]
        {
            let request = json!({ "cluster": "paged", "services": services });
            refused_with(local, "DescribeServices", request, "InvalidParameterException", text).await;
        }
        let token = json!({ "cluster": "paged", "nextToken": "10" });
        refused_with(local, "ListServices", token.clone(), "InvalidParameterException", "Invalid token").await;
        refused_with(local, "ListTasks", token, "InvalidParameterException", "Invalid token").await;

        let same = with(service("paged", "agent-03", 0), json!({ "tags": [{ "key": "number", "value": "3" }] }));
        let answer = local.ecs("CreateService", same.clone()).await;
        assert_eq!(answer["service"]["serviceArn"], plain["services"][0]["serviceArn"], "the same request again");
        let other = with(same, json!({ "desiredCount": 1 }));
        let text = "Creation of service was not idempotent.";
        refused_with(local, "CreateService", other, "InvalidParameterException", text).await;
        local.check_model();
    });
}

#[test]
fn a_service_that_cannot_be_is_refused_and_not_made() {
    with_sandbox(async |local| {
        local.cluster("strict", json!([])).await;
        let gone = local.define("strict-gone", json!([agent(&json!([]))])).await;
        local.ecs("DeregisterTaskDefinition", json!({ "taskDefinition": gone })).await;
        let ec2 = json!({ "family": "strict-ec2", "containerDefinitions": [with(agent(&json!([])), json!({ "memory": 64 }))] });
        local.ecs("RegisterTaskDefinition", ec2).await;
        let cases = [
            (json!({ "taskDefinition": "strict-unknown" }), "ClientException", "TaskDefinition not found."),
            (json!({ "taskDefinition": gone }), "InvalidParameterException", "TaskDefinition is inactive"),
            (json!({ "taskDefinition": "strict-gone" }), "InvalidParameterException", "TaskDefinition is inactive"),
            (
                json!({ "taskDefinition": "strict-ec2" }),
                "InvalidParameterException",
                "Task definition does not support launch_type FARGATE.",
            ),
            (
                json!({ "networkConfiguration": null }),
                "InvalidParameterException",
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            ),
            (
                json!({ "propagateTags": "MOON" }),
                "InvalidParameterException",
                r#"CreateService.propagateTags: "MOON" is none of PropagateTags's values: TASK_DEFINITION, SERVICE, NONE"#,
            ),
            (
                json!({ "desiredCount": "1" }),
                "SerializationException",
                "CreateService.desiredCount: this is not a integer",
            ),
        ];
        for (more, code, text) in cases {
            refused_with(local, "CreateService", with(service("strict", "agent", 1), more), code, text).await;
        }
        let listed = local.ecs("ListServices", json!({ "cluster": "strict" })).await;
        assert_eq!(listed["serviceArns"], json!([]));

        let update = json!({ "cluster": "strict", "service": "agent", "desiredCount": 1 });
        refused_with(local, "UpdateService", update.clone(), "ServiceNotFoundException", "Service not found.").await;
        refused_with(local, "DeleteService", update.clone(), "ServiceNotFoundException", "Service not found.").await;
        let listing = json!({ "cluster": "strict", "serviceName": "agent" });
        refused_with(local, "ListTasks", listing, "ServiceNotFoundException", "Service not found.").await;

        local.service("strict", 0, json!({})).await;
        let unknown = with(update.clone(), json!({ "taskDefinition": "strict-unknown" }));
        refused_with(local, "UpdateService", unknown, "ClientException", "TaskDefinition not found.").await;
        assert_eq!(local.describe("strict").await["desiredCount"], 0);
        local.ecs("DeleteService", json!({ "cluster": "strict", "service": "agent" })).await;
        refused_with(local, "UpdateService", update, "ServiceNotActiveException", "Service was not ACTIVE.").await;
        local.check_model();
    });
}

#[test]
fn a_task_definition_is_checked_and_its_newest_active_revision_is_taken() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "defined" })).await;
        let bad = json!({
            "family": "defined", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024",
            "memory": "1024", "containerDefinitions": [agent(&json!([]))],
        });
        let text = "No Fargate configuration exists for given values: 1024 CPU, 1024 memory. \
                    See the Amazon ECS documentation for the valid values.";
        refused_with(local, "RegisterTaskDefinition", bad.clone(), "ClientException", text).await;
        let (code, _) = refused(local, "RegisterTaskDefinition", json!({ "family": "defined" })).await;
        assert_eq!(code, "ClientException");

        let tagged = with(bad, json!({ "memory": "2 GB", "tags": [{ "key": "owner", "value": "ops" }] }));
        let first = local.ecs("RegisterTaskDefinition", tagged.clone()).await;
        assert_eq!(first["taskDefinition"]["revision"], 1, "the refused ones took no number: {first}");
        let second = local.define("defined", json!([agent(&json!([]))])).await;
        local.ecs("DeregisterTaskDefinition", json!({ "taskDefinition": second })).await;

        let described = local.ecs("DescribeTaskDefinition", json!({ "taskDefinition": "defined" })).await;
        assert_eq!((&described["taskDefinition"]["revision"], &described["tags"]), (&json!(1), &json!([])));
        let include = json!({ "taskDefinition": "defined:1", "include": ["TAGS"] });
        assert_eq!(local.ecs("DescribeTaskDefinition", include).await["tags"], tagged["tags"]);
        let text = "Unable to describe task definition.";
        let unknown = json!({ "taskDefinition": "defined:9" });
        refused_with(local, "DescribeTaskDefinition", unknown.clone(), "ClientException", text).await;
        refused_with(local, "DeregisterTaskDefinition", unknown, "ClientException", text).await;
        let ran = local.ecs("RunTask", run("defined")).await;
        assert!(ran["tasks"][0]["taskDefinitionArn"].as_str().unwrap().ends_with("/defined:1"), "{ran}");

        for _ in 0..3 {
            local.define("defined", json!([agent(&json!([]))])).await;
        }
        local.define("defined-too", json!([agent(&json!([]))])).await;
        let list = json!({ "familyPrefix": "defined", "maxResults": 3, "sort": "DESC" });
        let (listed, count) = pages(local, "ListTaskDefinitions", list, "taskDefinitionArns").await;
        let revisions: Vec<_> = listed.iter().map(|arn| arn.rsplit('/').next().unwrap()).collect();
        assert_eq!((revisions, count), (vec!["defined:5", "defined:4", "defined:3", "defined:1"], 2));
        let list = json!({ "familyPrefix": "defined", "maxResults": 1 });
        let (families, count) = pages(local, "ListTaskDefinitionFamilies", list, "families").await;
        assert_eq!((families, count), (vec!["defined".to_owned(), "defined-too".to_owned()], 2));
        local.check_model();
    });
}

#[test]
fn tasks_are_run_once_for_a_token_and_tagged() {
    with_sandbox(async |local| {
        local.ecs("CreateCluster", json!({ "clusterName": "tokens" })).await;
        local.ecs("CreateCluster", json!({ "clusterName": "tokens-too" })).await;
        local.define("tokens", json!([shell("job", "sleep 60", true)])).await;
        let once = with(run("tokens"), json!({ "clientToken": "once", "count": 2 }));
        let first = local.ecs("RunTask", once.clone()).await;
        let second = local.ecs("RunTask", once.clone()).await;
        let arns = |answer: &Value| {
            let tasks = answer["tasks"].as_array().unwrap().iter();
            tasks.map(|task| task["taskArn"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(arns(&first), arns(&second));
        assert_eq!(pages(local, "ListTasks", json!({ "cluster": "tokens", "maxResults": 1 }), "taskArns").await.1, 2);
        let (code, _) = refused(local, "RunTask", with(once, json!({ "count": 1 }))).await;
        assert_eq!(code, "ConflictException");

        let over = json!({ "overrides": { "containerOverrides": [{ "name": "side" }] } });
        let text = "Override for container named side is not a container in the TaskDefinition.";
        refused_with(local, "RunTask", with(run("tokens"), over), "InvalidParameterException", text).await;
        let (code, _) = refused(local, "RunTask", with(run("tokens"), json!({ "count": 11 }))).await;
        assert_eq!(code, "InvalidParameterException");

        let task = arns(&first).remove(0);
        for action in ["DescribeTasks", "StopTask"] {
            let request = json!({ "cluster": "tokens-too", "tasks": [task], "task": task });
            let text = "Invalid identifier: Identifier is for cluster tokens. Your cluster is tokens-too";
            refused_with(local, action, request, "InvalidParameterException", text).await;
        }
        for (tasks, text) in [
            (json!([]), "Tasks cannot be empty."),
            (json!(vec!["f00d".repeat(8); 101]), "taskIds can have at most 100 items."),
            (json!(["f00d"]), "taskId length should be one of [32,36]"),
        ] {
            let request = json!({ "cluster": "tokens", "tasks": tasks });
            refused_with(local, "DescribeTasks", request, "InvalidParameterException", text).await;
        }

        let tags = json!([{ "key": "a", "value": "1" }, { "key": "b", "value": "2" }]);
        local.ecs("TagResource", json!({ "resourceArn": task, "tags": tags })).await;
        local.ecs("UntagResource", json!({ "resourceArn": task, "tagKeys": ["a"] })).await;
        let listed = local.ecs("ListTagsForResource", json!({ "resourceArn": task })).await;
        assert_eq!(listed, json!({ "tags": [{ "key": "b", "value": "2" }] }));
        let describe = json!({ "cluster": "tokens", "tasks": [task] });
        assert_eq!(local.ecs("DescribeTasks", describe.clone()).await["tasks"][0]["tags"], json!([]));
        let described = local.ecs("DescribeTasks", with(describe, json!({ "include": ["TAGS"] }))).await;
        assert_eq!(described["tasks"][0]["tags"], listed["tags"]);
        let (code, _) =
            refused(local, "TagResource", json!({ "resourceArn": task, "tags": [{ "key": "aws:a" }] })).await;
        assert_eq!(code, "InvalidParameterException");

        let stop = json!({ "cluster": "tokens", "task": task, "reason": "first" });
        local.ecs("StopTask", stop.clone()).await;
        let id = task.rsplit('/').next().unwrap();
        local.sandbox.ecs().wait_for_task(id, SOON, |task| task.status == Status::Stopped).await.unwrap();
        let again = local.ecs("StopTask", with(stop, json!({ "reason": "second" }))).await;
        assert_eq!(again["task"]["stoppedReason"], "first", "a stopped task stays as it is");
        local.check_model();
    });
}

#[test]
fn what_is_not_answered_changes_nothing() {
    with_sandbox(async |local| {
        let (code, message) = refused(local, "PutAccountSetting", json!({ "name": "a", "value": "b" })).await;
        assert_eq!(code, "NotModelledBySandbox");
        assert!(message.ends_with("PutAccountSetting"), "{message}");
        let calls = local.sandbox.door().calls_where(0, |call| call.is("ecs", "PutAccountSetting"));
        let outcome = calls.last().unwrap().outcome.clone().unwrap();
        assert_eq!(outcome.error.as_deref(), Some("NotModelledBySandbox"), "it is in the record");
    });
}
