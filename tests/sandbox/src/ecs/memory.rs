//! What ECS remembers of earlier requests, so that it can answer repeated ones, and show what was deleted.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

/// Requests and deleted clusters.
#[derive(Default)]
pub(crate) struct Memory {
    /// The answers to `DeleteCluster`, by the clusters' ARNs: "the cluster transitions to the INACTIVE state. Clusters with an
    /// INACTIVE status might remain discoverable in your account for a period of time" (its API reference).
    pub(crate) deleted_clusters: BTreeMap<String, Value>,
    /// The requests that made services, by cluster and name.
    created_services: HashMap<(String, String), Value>,
    /// What requests said of services that ministack does not store, by the services' ARNs.
    unstored: HashMap<String, Map<String, Value>>,
    /// What was run, by cluster and client token.
    runs: HashMap<(String, String), Run>,
}

/// A `RunTask` with a client token.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) request: Value,
    /// The ids of its tasks.
    pub(crate) tasks: Vec<String>,
}

/// What `CreateService` and `UpdateService` take and ministack forgets, always or of an update.
const UNSTORED: [&str; 9] = [
    "availabilityZoneRebalancing",
    "enableECSManagedTags",
    "placementConstraints",
    "placementStrategy",
    "propagateTags",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

impl Memory {
    /// Keeps of a request what ministack does not.
    pub(crate) fn keep_unstored(&mut self, service_arn: &str, request: &Value) {
        let members = UNSTORED.into_iter().filter(|name| !request[*name].is_null());
        let members = members.map(|name| (name.to_owned(), request[name].clone()));
        let kept = self.unstored.entry(service_arn.to_owned()).or_default();
        kept.extend(members);
        // ministack replaces the whole; what a request leaves out stays as it was, at first at its default.
        let configuration = kept.entry("deploymentConfiguration").or_insert_with(|| {
            json!({
                "maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING",
                "deploymentCircuitBreaker": { "enable": false, "rollback": false },
            })
        });
        if let (Some(kept), Some(given)) =
            (configuration.as_object_mut(), request["deploymentConfiguration"].as_object())
        {
            kept.extend(given.clone());
        }
    }

    /// Of a service that was made anew nothing is known.
    pub(crate) fn forget_unstored(&mut self, service_arn: &str) {
        self.unstored.remove(service_arn);
    }

    /// Puts what was kept into a service as ministack gave it.
    pub(crate) fn complete(&self, service: &mut Value) {
        let kept = service["serviceArn"].as_str().and_then(|arn| self.unstored.get(arn));
        if let (Some(kept), Some(members)) = (kept, service.as_object_mut()) {
            members.extend(kept.clone());
        }
    }

    pub(crate) fn service_created(&mut self, cluster: &str, request: &Value) {
        self.created_services.insert(service_key(cluster, request), without_token(request));
    }

    /// Whether this very request made the service of that name.
    pub(crate) fn is_repeated(&self, cluster: &str, request: &Value) -> bool {
        self.created_services.get(&service_key(cluster, request)) == Some(&without_token(request))
    }

    pub(crate) fn ran(&mut self, cluster: &str, request: &Value, tasks: Vec<String>) {
        if let Some(token) = request["clientToken"].as_str() {
            let run = Run { request: request.clone(), tasks };
            self.runs.insert((cluster.to_owned(), token.to_owned()), run);
        }
    }

    /// The earlier run with the request's client token.
    pub(crate) fn earlier_run(&self, cluster: &str, request: &Value) -> Option<&Run> {
        let token = request["clientToken"].as_str()?;
        self.runs.get(&(cluster.to_owned(), token.to_owned()))
    }
}

fn service_key(cluster: &str, request: &Value) -> (String, String) {
    (cluster.to_owned(), request["serviceName"].as_str().unwrap_or_default().to_owned())
}

fn without_token(request: &Value) -> Value {
    let mut request = request.clone();
    if let Some(members) = request.as_object_mut() {
        members.remove("clientToken");
    }
    request
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_is_repeated_by_the_same_request_whatever_its_token() {
        let mut memory = Memory::default();
        memory.service_created("a", &json!({ "serviceName": "s", "desiredCount": 1, "clientToken": "1" }));
        assert!(memory.is_repeated("a", &json!({ "serviceName": "s", "desiredCount": 1, "clientToken": "2" })));
        assert!(!memory.is_repeated("a", &json!({ "serviceName": "s", "desiredCount": 2 })));
        assert!(!memory.is_repeated("b", &json!({ "serviceName": "s", "desiredCount": 1 })));
    }

    #[test]
    fn a_run_is_found_by_cluster_and_token() {
        let mut memory = Memory::default();
        let request = json!({ "clientToken": "t" });
        memory.ran("a", &request, vec!["1".to_owned()]);
        memory.ran("a", &json!({}), vec!["2".to_owned()]);
        assert_eq!(memory.earlier_run("a", &request).unwrap().tasks, ["1"]);
        assert!(memory.earlier_run("b", &request).is_none() && memory.earlier_run("a", &json!({})).is_none());
    }
}
