//! What stacks declare.

use serde_json::{Value, json};

use stories::agents::CLUSTER;

use crate::scene::AGENT;

/// A service of that name.
pub(crate) fn arn(service: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:service/{CLUSTER}/{service}")
}

/// The agent `CAP` for the service `agent`.
pub(crate) fn registration(registry: &Value) -> Value {
    json!({"Type": "Custom::ConsoleRegistration", "Properties": {
        "ServiceToken": {"Fn::ImportValue": "watchkeeper-ConsoleRegistrarServiceToken"},
        "Service": arn(AGENT), "AgentId": "CAP", "Port": 8080, "Registry": registry,
    }})
}

/// The same with other properties; those that are null are left out.
pub(crate) fn with(mut resource: Value, properties: Value) -> Value {
    let all = resource["Properties"].as_object_mut().unwrap();
    if let Value::Object(properties) = properties {
        all.extend(properties);
    }
    all.retain(|_, value| !value.is_null());
    resource
}
