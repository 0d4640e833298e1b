//! Requests about task definitions.

use serde_json::Value;

use super::identifiers::is_name;
use super::{containers, fargate, tags};
use crate::ecs::refusal::Refusal;
use crate::ecs::revisions::is_family;

/// `DeleteTaskDefinitions` takes so many (its API reference).
const AT_ONCE: usize = 10;

/// A definition that is not for Fargate may be registered; the sandbox does not run it.
pub(crate) fn register(request: &Value) -> Result<(), Refusal> {
    if !request["family"].as_str().is_some_and(is_name) {
        return Err(Refusal::client("A family's name has 1 to 255 letters, numbers, hyphens and underscores."));
    }
    tags::given(request)?;
    if fargate::is_required(request) {
        fargate::fits(request)?;
    }
    containers::fit(request)
}

/// "The `family` and `revision` … You must specify a `revision`."
pub(crate) fn deregister(request: &Value) -> Result<(), Refusal> {
    has_revision(&request["taskDefinition"])
}

pub(crate) fn delete(request: &Value) -> Result<(), Refusal> {
    let definitions = request["taskDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if definitions.is_empty() || definitions.len() > AT_ONCE {
        return Err(Refusal::invalid(format!("DeleteTaskDefinitions takes 1 to {AT_ONCE} task definitions.")));
    }
    definitions.iter().try_for_each(has_revision)
}

fn has_revision(definition: &Value) -> Result<(), Refusal> {
    if definition.as_str().is_none_or(is_family) {
        return Err(Refusal::client("A task definition is named by family and revision, or by its ARN."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ecs::checks::fargate::tests::definition;

    #[test]
    fn a_definition_for_fargate_is_checked_as_one() {
        let text = |more| register(&definition(more)).err().map(|refused| refused.message).unwrap_or_default();
        assert_eq!(text(json!({})), "");
        assert!(text(json!({ "family": "a b" })).contains("family"));
        assert!(text(json!({ "cpu": null })).contains("'cpu'"));
        assert_eq!(text(json!({ "containerDefinitions": [] })), "Container list cannot be empty.");
        assert_eq!(text(json!({ "cpu": null, "networkMode": "bridge", "requiresCompatibilities": ["EC2"] })), "");
    }

    #[test]
    fn a_revision_is_named_with_its_number() {
        assert!(deregister(&json!({ "taskDefinition": "agent" })).is_err());
        assert_eq!(deregister(&json!({ "taskDefinition": "agent:1" })), Ok(()));
        assert!(delete(&json!({ "taskDefinitions": ["agent:1", "agent"] })).is_err());
        assert!(delete(&json!({ "taskDefinitions": vec!["agent:1"; 11] })).is_err());
        assert_eq!(delete(&json!({ "taskDefinitions": vec!["agent:1"; 10] })), Ok(()));
    }
}
