//! What declarations are understood, and what is told of those that are not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, also in its own functions")]

use config_sync::declared::{Declared, Restart, Source, Way};
use config_sync::document::Place;
use config_sync::wanted;
use serde_json::{Value, json};
use watchkeeper_custom_resources::Properties;

const CLUSTER: &str = "arn:aws:rds:eu-west-1:123456789012:cluster:agents";
const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:formae-config-AbCdEf";
const PARAMETER: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/dbward/server-config";
const SERVICE: &str = "arn:aws:ecs:eu-west-1:123456789012:service/formae/formae-agent";

fn read(properties: &Value) -> Result<Declared, String> {
    Properties::read(properties, wanted::read).map_err(|faults| faults.to_string())
}

fn formae() -> Value {
    json!({
        "Sources": {"db": {"Cluster": CLUSTER}},
        "Target": {"Secret": SECRET},
        "Values": [{"At": "pkl:agent.datastore.postgres.password", "Is": "{db.password}"}],
        "LogIn": {"Source": "db"},
    })
}

#[test]
fn formaes_declaration_is_short() {
    let declared = read(&formae()).unwrap();
    assert_eq!(declared.sources["db"], Source::Cluster(CLUSTER.to_owned()));
    assert_eq!(declared.target, Place::Secret(SECRET.to_owned()));
    assert_eq!(declared.values[0].address.to_string(), "pkl:agent.datastore.postgres.password");
    let route = declared.route.unwrap();
    let parts = [&route.host, &route.port, &route.database, &route.user, &route.password].map(ToString::to_string);
    assert_eq!(parts, ["{db.host}", "{db.port}", "{db.database}", "{db.username}", "{db.password}"]);
    assert_eq!((declared.restart, declared.way, declared.at_once), (Restart::Readers, Way::Deployment, 2));
}

#[test]
fn a_parameter_may_just_be_watched() {
    let declared =
        read(&json!({"Target": {"Parameter": PARAMETER}, "Restart": [SERVICE], "RestartBy": "replace-tasks"}));
    let declared = declared.unwrap();
    assert!(declared.sources.is_empty() && declared.values.is_empty());
    assert_eq!(declared.restart, Restart::These([SERVICE.to_owned()].into()));
    assert_eq!(declared.way, Way::ReplaceTasks);
}

#[test]
fn each_fault_is_told_with_its_place() {
    let with = |change: &[(&str, Value)]| {
        let mut value = formae();
        for (pointer, new) in change {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            value.pointer_mut(parent).unwrap()[name] = new.clone();
        }
        value
    };
    for (change, told) in [
        (vec![("/Target", json!({}))], "#/Target/Secret is missing; it must be the ARN of a secret, which !Ref gives"),
        (
            vec![("/Target", json!({"Secret": "hunter2"}))],
            "#/Target/Secret is not the ARN of a secret, which !Ref gives",
        ),
        (
            vec![("/Target", json!({"Secret": SECRET, "Parameter": PARAMETER}))],
            "#/Target/Parameter is one too many beside Secret; the target is one thing",
        ),
        (
            vec![("/Sources/db", json!({"Cluster": CLUSTER, "Instance": CLUSTER}))],
            "#/Sources/db/Instance is one too many beside Cluster; a source is one thing",
        ),
        (
            vec![("/Sources/db", json!({"Cluster": SECRET}))],
            "#/Sources/db/Cluster is not the ARN of a database, which !GetAtt gives (DBClusterArn, DBInstanceArn)",
        ),
        (
            vec![("/Sources/db", json!({"Secret": SECRET}))],
            "#/Target is one of the sources, too: a document cannot follow itself",
        ),
        (vec![("/Values/0/Is", json!("{aurora.password}"))], "#/Sources has no aurora, which is asked for; it has db"),
        (vec![("/Values/0/Is", json!("{db.password"))], "#/Values/0/Is a brace is not closed"),
        (vec![("/Values/0/At", json!("ini:a"))], "#/Values/0/At \"ini\" is no format"),
        (vec![("/Values/0/Form", json!("x"))], "#/Values/0/Form is not known"),
        (
            vec![("/Values", json!([{"At": "json:a", "Is": "1"}, {"At": "json:a", "Is": "2"}]))],
            "#/Values has json:a twice",
        ),
        (vec![("/LogIn", json!({"Host": "h"}))], "#/LogIn/Port is missing; it must be an expression"),
        (vec![("/LogIn", json!({"Source": "db", "Hots": "h"}))], "#/LogIn/Hots is not known; did you mean Host?"),
        (vec![("/Restart", json!("always"))], "#/Restart must be auto, none, or a list of the ARNs of ECS services"),
        (vec![("/Restart", json!([SERVICE, SERVICE]))], "each of them once"),
        (vec![("/Restart", json!(["formae-agent"]))], "#/Restart must be auto, none, or a list"),
        (vec![("/RestartBy", json!("hand"))], "#/RestartBy must be one of: deployment, replace-tasks"),
        (vec![("/RestartAtOnce", json!("0"))], "#/RestartAtOnce must be a whole number from 1 to 50"),
        (vec![("/OnDrift", json!("ignore"))], "#/OnDrift must be one of: repair, report"),
        (vec![("/Sources", json!([]))], "#/Sources must be an object with a source for each name, not a list"),
        (vec![("/Value", json!([]))], "#/Value is not known"),
    ] {
        let faults = read(&with(&change)).expect_err(told);
        assert!(faults.contains(told) && !faults.contains("hunter2"), "{faults}\ninstead of\n{told}");
        if told.contains("one too many") {
            assert!(!faults.contains("is not known"), "what is one too many is known: {faults}");
        }
    }
}
