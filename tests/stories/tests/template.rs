//! AWS's rules that the local AWS does not enforce, held by reading the template.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use serde_json::{Map, Value};
use stories::template::{about, default_of, list, may, resources, statements};

fn of_type<'a>(resources: &'a Map<String, Value>, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let all = resources.iter().filter(|(_, resource)| resource["Type"] == kind);
    let found: Vec<_> = all.map(|(id, resource)| (id.as_str(), &resource["Properties"])).collect();
    assert!(!found.is_empty(), "the template has no {kind}");
    found
}

/// Actions for which IAM knows no resource, or none that the function's calls name (Service Authorization Reference).
const WITHOUT_RESOURCE: [&str; 11] = [
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ecs:DescribeTaskDefinition",
    "ecs:ListClusters",
    "ecs:ListServices",
    "ecs:ListTasks",
    "servicediscovery:GetInstance",
    "servicediscovery:GetOperation",
    "servicediscovery:ListInstances",
    "servicediscovery:ListTagsForResource",
    "ssm:DescribeParameters",
];

/// What changes secrets, parameters, services and tasks of others.
const CHANGES_OF_OTHERS: [&str; 5] = [
    "ecs:StopTask",
    "ecs:UpdateService",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
    "ssm:PutParameter",
];

#[test]
fn a_message_stays_invisible_six_times_as_long_as_the_function_may_run() {
    let resources = resources().unwrap();
    for (id, mapping) in of_type(&resources, "AWS::Lambda::EventSourceMapping") {
        let queue = &resources[&about(&mapping["EventSourceArn"])]["Properties"];
        let function = &resources[&about(&mapping["FunctionName"])]["Properties"];
        let window = mapping["MaximumBatchingWindowInSeconds"].as_u64().unwrap();
        let needed = 6 * function["Timeout"].as_u64().unwrap() + window;
        assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= needed, "{id}");
        assert!(mapping["BatchSize"].as_u64().unwrap() <= 10 || window >= 1, "{id}: a batch over 10 needs a window");
        assert_eq!(mapping["FunctionResponseTypes"], serde_json::json!(["ReportBatchItemFailures"]), "{id}");
        // An outage of an hour loses nothing; the function puts aside by itself what it cannot understand.
        let tries = queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap();
        assert!(tries * queue["VisibilityTimeout"].as_u64().unwrap() >= 3600, "{id}");
    }
}

#[test]
fn all_instances_together_publish_less_than_ten_a_second() {
    let resources = resources().unwrap();
    let mapping = &resources["CrashAlertsMapping"]["Properties"];
    let instances = mapping["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap();
    assert!(instances >= 2, "Lambda accepts no less");
    let between = u64::try_from(crash_alerts::BETWEEN_PUBLISHES.as_millis()).unwrap();
    assert!(instances * 1000 / between < 10, "SNS cuts an e-mail subscriber off at 10 a second");
}

#[test]
fn what_cannot_be_delivered_is_kept_and_queues_let_the_rules_in() {
    let resources = resources().unwrap();
    let lets_in = |queue: &str, rule: &str| {
        of_type(&resources, "AWS::SQS::QueuePolicy").iter().any(|(_, policy)| {
            list(&policy["Queues"]).iter().any(|of| about(of) == queue)
                && list(&policy["PolicyDocument"]["Statement"]).iter().any(|statement| {
                    statement["Effect"] == "Allow"
                        && statement["Principal"]["Service"] == "events.amazonaws.com"
                        && list(&statement["Condition"]["ArnEquals"]["aws:SourceArn"])
                            .iter()
                            .any(|of| about(of) == rule)
                })
        })
    };
    for (rule, properties) in of_type(&resources, "AWS::Events::Rule") {
        for target in list(&properties["Targets"]) {
            let (queue, dead) = (about(&target["Arn"]), about(&target["DeadLetterConfig"]["Arn"]));
            assert_ne!(queue, dead, "{rule}");
            assert!(lets_in(&queue, rule), "{queue} does not let {rule} in");
            assert!(lets_in(&dead, rule), "{dead} does not let {rule} in");
            assert!(target["RetryPolicy"]["MaximumEventAgeInSeconds"].as_u64().unwrap() >= 60, "{rule}");
            assert!(
                target.get("InputTransformer").is_none() && target.get("Input").is_none(),
                "{rule}: events as they are"
            );
        }
    }
    for (schedule, properties) in of_type(&resources, "AWS::Scheduler::Schedule") {
        let target = &properties["Target"];
        let role = about(&target["RoleArn"]);
        for queue in [&target["Arn"], &target["DeadLetterConfig"]["Arn"]].map(about) {
            assert!(may(&resources, &role, "sqs:SendMessage", &queue), "{schedule}: {role} may not send to {queue}");
        }
        let input: Value = serde_json::from_str(properties["Target"]["Input"].as_str().unwrap()).unwrap();
        assert_eq!(input, stories::messages::sweep(), "{schedule}");
    }
}

#[test]
fn one_schedule_that_stops_is_missed() {
    let resources = resources().unwrap();
    let schedules = of_type(&resources, "AWS::Scheduler::Schedule");
    let alarms = of_type(&resources, "AWS::CloudWatch::Alarm");
    let missed: Vec<_> = alarms.iter().filter(|(_, alarm)| alarm["MetricName"] == "InvocationAttemptCount").collect();
    assert_eq!(missed.len(), 1, "the schedules share a group, whose sweeps one alarm counts");
    let (id, alarm) = missed[0];
    for (schedule, properties) in &schedules {
        assert_eq!(properties["ScheduleExpression"], "rate(1 minute)", "{schedule}");
        assert_eq!(properties["GroupName"]["Ref"], alarm["Dimensions"][0]["Value"]["Ref"], "{schedule}");
        assert!(
            about(&alarm["AlarmDescription"]).contains(&format!("${{{schedule}}}")),
            "{id} does not name {schedule}"
        );
    }
    // Each sends one a minute, one more or less at the period's edges.
    let minutes = alarm["Period"].as_u64().unwrap() / 60;
    assert_eq!((&alarm["Period"], &alarm["Statistic"]), (&(60 * minutes).into(), &"Sum".into()));
    assert_eq!(
        (&alarm["ComparisonOperator"], &alarm["TreatMissingData"]),
        (&"LessThanThreshold".into(), &"breaching".into())
    );
    let threshold = alarm["Threshold"].as_u64().unwrap();
    let schedules = schedules.len() as u64;
    assert!(threshold <= (minutes - 1) * schedules, "{id} goes off although all sweeps go out");
    assert!(threshold > (minutes + 1) * (schedules - 1), "{id} stays silent although one schedule is gone");
}

#[test]
fn what_a_function_died_of_comes_back_to_it() {
    let resources = resources().unwrap();
    let mappings = of_type(&resources, "AWS::Lambda::EventSourceMapping");
    for (id, config) in of_type(&resources, "AWS::Lambda::EventInvokeConfig") {
        let function = about(&config["FunctionName"]);
        let queue = about(&config["DestinationConfig"]["OnFailure"]["Destination"]);
        let comes_back = mappings.iter().any(|(_, mapping)| {
            about(&mapping["EventSourceArn"]) == queue
                && about(&mapping["FunctionName"]) == function
                && mapping["BatchSize"] == 1
        });
        assert!(comes_back, "{id}: nothing takes {queue} to {function}");
        let role = about(&resources[&function]["Properties"]["Role"]);
        assert!(may(&resources, &role, "sqs:SendMessage", &queue), "{id}: {role} may not send to {queue}");
        // CloudFormation waits an hour at most.
        assert!(config["MaximumEventAgeInSeconds"].as_u64().unwrap() < 3600, "{id}");
    }
}

#[test]
fn who_publishes_to_an_encrypted_topic_may_use_its_key() {
    let resources = resources().unwrap();
    let topics = of_type(&resources, "AWS::SNS::Topic");
    let encrypted: Vec<_> = topics.iter().filter(|(_, topic)| topic.get("KmsMasterKeyId").is_some()).collect();
    assert_eq!(encrypted.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["AlertTopic", "FifoAlertTopic"]);
    for (id, topic) in encrypted {
        let key = about(&topic["KmsMasterKeyId"]);
        let policy = &resources[&key]["Properties"]["KeyPolicy"]["Statement"];
        for service in ["cloudwatch.amazonaws.com", "events.amazonaws.com"] {
            let may = list(policy).into_iter().any(|statement| {
                let services = list(&statement["Principal"]["Service"]);
                let actions = list(&statement["Action"]);
                // EventBridge sends no SourceArn and no SourceAccount to KMS: a condition would shut it out.
                services.contains(&service.into())
                    && actions.contains(&"kms:Decrypt".into())
                    && actions.contains(&"kms:GenerateDataKey*".into())
                    && statement.get("Condition").is_none()
            });
            assert!(may, "{id}: {service} may not use {key}");
        }
    }
    for (id, _) in of_type(&resources, "AWS::IAM::Role") {
        let granted: Vec<Value> =
            statements(&resources, id).iter().flat_map(|statement| list(&statement["Action"])).collect();
        if granted.contains(&"sns:Publish".into()) {
            assert!(
                granted.contains(&"kms:Decrypt".into()) && granted.contains(&"kms:GenerateDataKey*".into()),
                "{id}"
            );
        }
    }
}

#[test]
fn roles_grant_named_actions_on_named_resources() {
    let resources = resources().unwrap();
    for (id, role) in of_type(&resources, "AWS::IAM::Role") {
        assert!(role.get("ManagedPolicyArns").is_none(), "{id}: say what it may do, here");
        for statement in statements(&resources, id) {
            let actions = list(&statement["Action"]);
            for action in &actions {
                let action = action.as_str().unwrap();
                assert!(!action.contains('*') || action == "kms:GenerateDataKey*", "{id}: {action}");
            }
            let anywhere = statement["Effect"] == "Allow" && list(&statement["Resource"]).contains(&"*".into());
            for action in actions.iter().filter(|_| anywhere) {
                assert!(WITHOUT_RESOURCE.contains(&action.as_str().unwrap()), "{id}: {action} on anything");
            }
        }
    }
}

#[test]
fn what_belongs_to_others_is_changed_only_where_its_tag_allows_it() {
    let resources = resources().unwrap();
    let mut changes = Vec::new();
    for (id, _) in of_type(&resources, "AWS::IAM::Role") {
        for statement in statements(&resources, id) {
            for action in list(&statement["Action"]) {
                let action = action.as_str().unwrap().to_owned();
                if CHANGES_OF_OTHERS.contains(&action.as_str()) {
                    // Whose stack the tag's value names is the function's to check; IAM knows no declarations.
                    let tag = &statement["Condition"]["Null"]["aws:ResourceTag/watchkeeper:allow"];
                    assert_eq!(tag, "false", "{id}: {action}");
                    changes.push(action);
                }
            }
        }
    }
    changes.sort_unstable();
    assert_eq!(changes, CHANGES_OF_OTHERS, "each is granted once");
}

#[test]
fn custom_resources_do_not_touch_what_ops_were_told() {
    let resources = resources().unwrap();
    for role in ["StackResourcesRole", "ConsoleRegistrarRole", "ConfigSyncRole"] {
        let on_table = |statement: &Value| list(&statement["Resource"]).iter().any(|of| about(of) == "StateTable");
        for statement in statements(&resources, role).into_iter().filter(on_table) {
            let named = statement["Condition"].as_object().unwrap().iter().next().unwrap();
            assert!(["ForAllValues:StringLike", "ForAllValues:StringEquals"].contains(&named.0.as_str()), "{role}");
            for partition in list(&named.1["dynamodb:LeadingKeys"]) {
                let begins = partition.as_str().unwrap().split('*').next().unwrap().to_owned();
                let theirs = ["alarm#", "observation#", "service#", "task#"];
                let touches = |of: &&str| of.starts_with(&begins) || begins.starts_with(of);
                assert!(!theirs.iter().any(touches), "{role}: {partition} may be crash-alerts'");
            }
            // Each names a partition in every call. Of a call that names none, ForAllValues would be true.
            for action in list(&statement["Action"]) {
                let keyed = ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"];
                let action = action.as_str().unwrap().strip_prefix("dynamodb:").unwrap().to_owned();
                assert!(keyed.contains(&action.as_str()), "{role}: {action}");
            }
        }
    }
}

#[test]
fn the_function_gets_every_setting_it_needs() {
    let resources = resources().unwrap();
    let variables = &resources["CrashAlertsFunction"]["Properties"]["Environment"]["Variables"];
    let get = |name: &str| {
        let variable = variables.get(name)?;
        variable["Ref"].as_str().and_then(|name| default_of(name).unwrap()).or_else(|| Some(about(variable)))
    };
    let settings = crash_alerts::Settings::from_env(get).unwrap();
    // Our own alarms are known by this prefix; else they would alert on themselves.
    for (id, alarm) in of_type(&resources, "AWS::CloudWatch::Alarm") {
        assert!(about(&alarm["AlarmName"]).starts_with(&settings.alarms.own_prefix), "{id}");
        assert_eq!(list(&alarm["AlarmActions"]).iter().map(about).collect::<Vec<_>>(), ["SelfAlarmTopic"], "{id}");
    }
}

#[test]
fn every_metric_of_our_own_has_its_alarm() {
    let resources = resources().unwrap();
    let alarms = of_type(&resources, "AWS::CloudWatch::Alarm");
    let own: Vec<_> = alarms.iter().filter(|(_, alarm)| alarm["Namespace"] == "Watchkeeper").collect();
    let mut names: Vec<_> = own.iter().map(|(_, alarm)| alarm["MetricName"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["FailedMessages", "UnconfirmedSubscriptions"]);
    for (id, alarm) in own {
        assert_eq!(alarm["Dimensions"][0]["Name"], "Stack", "{id}");
        // The function writes them only when there is something to say.
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{id}");
    }
}

#[test]
fn whatever_takes_tags_is_tagged() {
    let untaggable = [
        "AWS::IAM::Policy",
        "AWS::KMS::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::Scheduler::Schedule",
    ];
    for (id, resource) in &resources().unwrap() {
        if untaggable.contains(&resource["Type"].as_str().unwrap()) {
            continue;
        }
        let tags = list(&resource["Properties"]["Tags"]);
        for key in ["app", "watchkeeper:stack"] {
            assert!(tags.iter().any(|tag| tag["Key"] == key), "{id} has no tag {key}");
        }
    }
}

#[test]
fn a_panic_is_answered() {
    let manifest = std::fs::read_to_string(sandbox::stack::root().join("Cargo.toml")).unwrap();
    let (_, release) = manifest.split_once("[profile.release]").unwrap();
    assert!(release.contains("panic = \"unwind\""), "cargo lambda would set abort, which answers nobody");
}
