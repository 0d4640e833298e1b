//! Requests about clusters.

use serde_json::Value;

use super::identifiers::is_name;
use super::known::Known;
use super::tags;
use crate::ecs::refusal::Refusal;

/// `DescribeClusters` takes so many (its API reference).
const AT_ONCE: usize = 100;

pub(crate) fn create(request: &Value) -> Result<(), Refusal> {
    if !is_name(request["clusterName"].as_str().unwrap_or("default")) {
        return Err(Refusal::invalid("A cluster's name has 1 to 255 letters, numbers, hyphens and underscores."));
    }
    tags::given(request)
}

pub(crate) fn describe(request: &Value) -> Result<(), Refusal> {
    if request["clusters"].as_array().is_some_and(|clusters| clusters.len() > AT_ONCE) {
        return Err(Refusal::invalid(format!("DescribeClusters takes at most {AT_ONCE} clusters.")));
    }
    Ok(())
}

pub(crate) fn delete(known: &Known) -> Result<(), Refusal> {
    if known.services > 0 {
        let text = "The Cluster cannot be deleted while Services are active.";
        return Err(Refusal::new("ClusterContainsServicesException", text));
    }
    if known.tasks > 0 {
        let text = "The Cluster cannot be deleted while Tasks are active.";
        return Err(Refusal::new("ClusterContainsTasksException", text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_goes_only_when_it_is_empty() {
        let code = |services, tasks| delete(&Known { services, tasks, ..Known::default() }).err().map(|one| one.code);
        assert_eq!(code(1, 1), Some("ClusterContainsServicesException"));
        assert_eq!(code(0, 1), Some("ClusterContainsTasksException"));
        assert_eq!(code(0, 0), None);
    }

    #[test]
    fn names_and_numbers_are_limited() {
        assert!(create(&json!({})).is_ok() && create(&json!({ "clusterName": "a b" })).is_err());
        assert!(describe(&json!({ "clusters": vec!["a"; 101] })).is_err() && describe(&json!({})).is_ok());
    }
}
