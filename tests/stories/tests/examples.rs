//! What infra/examples declares is understood.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use serde_json::Value;
use stories::template::resources_of;
use watchkeeper_custom_resources::Properties;

/// What CloudFormation puts in for these, of which `named` is what stands in the template.
fn resolved(named: &str) -> &'static str {
    match named {
        "AWS::Partition" => "aws",
        "AWS::Region" => "eu-west-1",
        "AWS::AccountId" => "123456789012",
        "ClusterArn" => "arn:aws:rds:eu-west-1:123456789012:cluster:agents",
        _ if named.ends_with("SecretArn") => "arn:aws:secretsmanager:eu-west-1:123456789012:secret:agents-AbCdEf",
        // A parameter's name, a bucket, a prefix.
        _ => "/agents/one",
    }
}

/// With all references resolved.
fn declared(value: &Value) -> Value {
    if let Some(name) = value.get("Ref") {
        return resolved(name.as_str().unwrap()).into();
    }
    if let Some(text) = value.get("Sub") {
        let text = text.as_str().unwrap().split("${").collect::<Vec<_>>();
        let parts = text[1..].iter().map(|part| {
            let (named, rest) = part.split_once('}').unwrap();
            format!("{}{rest}", resolved(named))
        });
        return format!("{}{}", text[0], parts.collect::<String>()).into();
    }
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), declared(value))).collect())
        }
        Value::Array(items) => items.iter().map(declared).collect(),
        other => other.clone(),
    }
}

#[test]
fn each_configuration_that_is_declared_is_understood() {
    let mut understood = Vec::new();
    for file in std::fs::read_dir(sandbox::stack::root().join("infra/examples")).unwrap() {
        let path = file.unwrap().path();
        for (id, resource) in resources_of(&path).unwrap() {
            if resource["Type"] != "Custom::ConfigSync" {
                continue;
            }
            let mut properties = declared(&resource["Properties"]);
            properties.as_object_mut().unwrap().remove("ServiceToken").unwrap();
            let read = Properties::read(&properties, config_sync::wanted::read);
            let read = read.unwrap_or_else(|faults| panic!("{}: {id}: {faults}", path.display()));
            understood.extend(read.values.iter().map(|value| format!("{} = {}", value.address, value.expression)));
            assert_eq!(read.values.is_empty(), id == "ServerConfig", "{id} is the one that is only watched");
        }
    }
    understood.sort_unstable();
    assert_eq!(
        understood,
        [
            "json:DATABASE_URL > url:password = {db.password}",
            "pkl:agent.datastore.postgres.password = {db.password}",
            "text = {newest.key}",
            "url:password = {db.password}",
        ]
    );
}
