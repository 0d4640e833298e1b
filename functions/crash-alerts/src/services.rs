//! What ECS says of services.

use std::collections::HashSet;

use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
use aws_sdk_ecs::types::ServiceField;
use watchkeeper_events::{ClusterArn, ServiceArn, TaskDefinitionArn};

use crate::clients::Clients;
use crate::error::Trouble;
use crate::evidence::ServiceSeen;
use crate::watch;

/// So many services ECS describes in one call.
const AT_ONCE: usize = 10;

/// ECS's services.
pub trait Services: Sync {
    /// The services of one cluster, with their tags. One that is gone is not among them.
    fn describe(
        &self,
        cluster: &ClusterArn,
        services: &[ServiceArn],
    ) -> impl Future<Output = Result<Vec<ServiceSeen>, Trouble>> + Send;

    /// The revision that a service is steady on just now; none if it is not steady, or gone.
    fn steady_revision(
        &self,
        service: &ServiceArn,
    ) -> impl Future<Output = Result<Option<TaskDefinitionArn>, Trouble>> + Send {
        async move {
            let Some(cluster) = service.cluster() else { return Ok(None) };
            let seen = self.describe(&cluster, std::slice::from_ref(service)).await?;
            Ok(seen.first().and_then(|service| service.steady_on().cloned()))
        }
    }
}

impl Services for Clients {
    async fn describe(&self, cluster: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<ServiceSeen>, Trouble> {
        Ok(describe(&self.ecs, cluster, services).await?.seen)
    }
}

/// What ECS says of some services of a cluster. Of one that is neither seen nor gone ECS said nothing that is known here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Described {
    /// Those that are there.
    pub(crate) seen: Vec<ServiceSeen>,
    /// The names of those that are not, as ECS itself says.
    pub(crate) gone: HashSet<String>,
}

/// Looks at services of a cluster.
pub(crate) async fn describe(
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterArn,
    services: &[ServiceArn],
) -> Result<Described, Trouble> {
    let mut described = Described::default();
    for some in services.chunks(AT_ONCE) {
        let names = some.iter().map(|service| service.as_str().to_owned()).collect();
        let call = ecs.describe_services().cluster(cluster.as_str()).set_services(Some(names));
        match call.include(ServiceField::Tags).send().await {
            Ok(answer) => {
                described.seen.extend(answer.services().iter().filter_map(ServiceSeen::of));
                described.gone.extend(watch::missing(answer.failures()).map(str::to_owned));
            }
            Err(error) => {
                let gone = error.as_service_error().is_some_and(DescribeServicesError::is_cluster_not_found_exception);
                if !gone {
                    return Err(Trouble::call("looking at the service", &error));
                }
                let gone = services.iter().map(|service| service.name().to_owned());
                return Ok(Described { seen: Vec::new(), gone: gone.collect() });
            }
        }
    }
    Ok(described)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    use crate::answering::answering;

    fn service(number: usize) -> ServiceArn {
        ServiceArn::parse(&format!("arn:aws:ecs:eu-west-1:123456789012:service/dbward/s{number}")).unwrap()
    }

    #[tokio::test]
    async fn ten_services_are_described_in_a_call_with_their_tags() {
        let cluster = service(1).cluster().unwrap();
        let page = |numbers: std::ops::Range<usize>| {
            let described: Vec<Value> = numbers
                .map(|n| {
                    let tags = json!([{"key": "watchkeeper:owner", "value": "team-a"}]);
                    json!({"serviceArn": service(n).as_str(), "status": "ACTIVE", "runningCount": 1, "desiredCount": 2, "tags": tags})
                })
                .collect();
            (200, json!({"services": described, "failures": []}))
        };
        let (config, asked) = answering(vec![page(0..10), page(10..12)]).await;
        let services: Vec<ServiceArn> = (0..12).map(service).collect();
        let Described { seen, gone } = describe(&aws_sdk_ecs::Client::new(&config), &cluster, &services).await.unwrap();
        assert!(gone.is_empty());
        assert_eq!(seen.iter().map(|seen| &seen.service).collect::<Vec<_>>(), services.iter().collect::<Vec<_>>());
        assert_eq!((seen[0].running, seen[0].desired, seen[0].owner.as_deref()), (1, 2, Some("team-a")));
        let asked = asked.lock().unwrap();
        assert_eq!(asked[0].1["services"].as_array().unwrap().len(), 10);
        assert_eq!((&asked[1].1["include"], &asked[1].1["cluster"]), (&json!(["TAGS"]), &json!(cluster.as_str())));
    }

    #[tokio::test]
    async fn a_service_is_gone_only_where_ecs_says_that_it_is_missing() {
        let cluster = service(1).cluster().unwrap();
        let failure = |n: usize, reason: &str| json!({"arn": service(n).as_str(), "reason": reason});
        let failures = json!([failure(1, "MISSING"), failure(2, "ACCESS_DENIED")]);
        let (config, _) = answering(vec![(200, json!({"services": [], "failures": failures}))]).await;
        let ecs = aws_sdk_ecs::Client::new(&config);
        let described = describe(&ecs, &cluster, &[service(1), service(2), service(3)]).await.unwrap();
        assert_eq!((described.seen, described.gone), (vec![], ["s1".to_owned()].into()));
    }

    #[tokio::test]
    async fn in_a_cluster_that_is_gone_there_are_none_and_a_refusal_is_told() {
        let cluster = service(1).cluster().unwrap();
        let refused = |code: &str| vec![(400, json!({"__type": code, "message": "no"}))];
        let (config, _) = answering(refused("ClusterNotFoundException")).await;
        let described = describe(&aws_sdk_ecs::Client::new(&config), &cluster, &[service(1)]).await.unwrap();
        assert_eq!((described.seen, described.gone), (vec![], ["s1".to_owned()].into()));
        let (config, _) = answering(refused("AccessDeniedException")).await;
        let seen = describe(&aws_sdk_ecs::Client::new(&config), &cluster, &[service(1)]).await;
        assert_eq!(seen.unwrap_err().to_string(), "looking at the service: AccessDeniedException: no");
    }
}
