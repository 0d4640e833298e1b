//! The revisions of task definitions, as ECS chooses and lists them; ministack stores them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::engine::Engine;
use super::refusal::Refusal;

/// A task definition as it is stored; of a family the newest revision, whatever its status.
pub(crate) async fn stored(engine: &Engine, name: &str) -> Option<Value> {
    // The store refuses only what it does not have.
    let mut answer = engine.store.task_definition(name).await.ok()?;
    Some(answer["taskDefinition"].take())
}

/// "The `family` for the latest ACTIVE revision" (API reference of `DescribeTaskDefinition`): its ARN.
pub(crate) async fn newest_active(engine: &Engine, family: &str) -> Result<Option<String>, Refusal> {
    let arns = with_status(engine, "ACTIVE").await?;
    let own = arns.into_iter().filter(|arn| family_of(arn) == family);
    Ok(own.max_by_key(|arn| arn.rsplit(':').next().and_then(|revision| revision.parse::<u64>().ok())))
}

/// The ARNs of all revisions that a `ListTaskDefinitions` asks for, of all its pages.
pub(crate) async fn list(engine: &Engine, request: &Value) -> Result<Vec<String>, Refusal> {
    let mut arns = with_status(engine, request["status"].as_str().unwrap_or("ACTIVE")).await?;
    // "The full family name to filter the ListTaskDefinitions results with": the store takes it for a beginning.
    if let Some(family) = request["familyPrefix"].as_str() {
        arns.retain(|arn| family_of(arn) == family);
    }
    Ok(arns)
}

/// The names of all families that a `ListTaskDefinitionFamilies` asks for, of all its pages.
pub(crate) async fn families(engine: &Engine, request: &Value) -> Result<Vec<String>, Refusal> {
    let families = async |status| {
        let arns = with_status(engine, status).await?;
        Ok::<BTreeSet<String>, Refusal>(arns.iter().map(|arn| family_of(arn).to_owned()).collect())
    };
    let (active, inactive) = (families("ACTIVE").await?, families("INACTIVE").await?);
    // "By default, both ACTIVE and INACTIVE task definition families are listed"; an INACTIVE one has no ACTIVE revision.
    let chosen: BTreeSet<_> = match request["status"].as_str() {
        Some("ACTIVE") => active,
        Some("INACTIVE") => inactive.difference(&active).cloned().collect(),
        _ => active.union(&inactive).cloned().collect(),
    };
    let prefix = request["familyPrefix"].as_str().unwrap_or_default();
    Ok(chosen.into_iter().filter(|family| family.starts_with(prefix)).collect())
}

/// Whether a task definition is named without its revision.
pub(crate) fn is_family(name: &str) -> bool {
    !name.contains(':')
}

async fn with_status(engine: &Engine, status: &str) -> Result<Vec<String>, Refusal> {
    let all = json!({ "status": status, "maxResults": i32::MAX });
    let answer = engine.store.call("ListTaskDefinitions", &all).await.map_err(|error| Refusal::server(&error))?;
    let arns = answer["taskDefinitionArns"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(arns.map(str::to_owned).collect())
}

/// `arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:REVISION`.
fn family_of(arn: &str) -> &str {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:1";

    #[test]
    fn a_family_is_a_name_without_a_revision() {
        assert!(super::is_family("agent"));
        assert!(!super::is_family("agent:1") && !super::is_family(ARN));
        assert_eq!(super::family_of(ARN), "agent");
    }
}
