//! What ECS says of services.

use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
use aws_sdk_ecs::types::ServiceField;
use watchkeeper_events::{ClusterArn, ServiceArn, TaskDefinitionArn};

use crate::clients::Clients;
use crate::error::Trouble;
use crate::evidence::ServiceSeen;

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
        describe(&self.ecs, cluster, services).await
    }
}

async fn describe(
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterArn,
    services: &[ServiceArn],
) -> Result<Vec<ServiceSeen>, Trouble> {
    let mut seen = Vec::with_capacity(services.len());
    for some in services.chunks(AT_ONCE) {
        let names = some.iter().map(|service| service.as_str().to_owned()).collect();
        let call = ecs.describe_services().cluster(cluster.as_str()).set_services(Some(names));
        match call.include(ServiceField::Tags).send().await {
            Ok(answer) => seen.extend(answer.services().iter().filter_map(ServiceSeen::of)),
            Err(error) => {
                let gone = error.as_service_error().is_some_and(DescribeServicesError::is_cluster_not_found_exception);
                return if gone { Ok(Vec::new()) } else { Err(Trouble::call("looking at the service", &error)) };
            }
        }
    }
    Ok(seen)
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
        let seen = describe(&aws_sdk_ecs::Client::new(&config), &cluster, &services).await.unwrap();
        assert_eq!(seen.iter().map(|seen| &seen.service).collect::<Vec<_>>(), services.iter().collect::<Vec<_>>());
        assert_eq!((seen[0].running, seen[0].desired, seen[0].owner.as_deref()), (1, 2, Some("team-a")));
        let asked = asked.lock().unwrap();
        assert_eq!(asked[0].1["services"].as_array().unwrap().len(), 10);
        assert_eq!((&asked[1].1["include"], &asked[1].1["cluster"]), (&json!(["TAGS"]), &json!(cluster.as_str())));
    }

    #[tokio::test]
    async fn in_a_cluster_that_is_gone_there_are_none_and_a_refusal_is_told() {
        let cluster = service(1).cluster().unwrap();
        let refused = |code: &str| vec![(400, json!({"__type": code, "message": "no"}))];
        let (config, _) = answering(refused("ClusterNotFoundException")).await;
        let seen = describe(&aws_sdk_ecs::Client::new(&config), &cluster, &[service(1)]).await;
        assert_eq!(seen.unwrap(), []);
        let (config, _) = answering(refused("AccessDeniedException")).await;
        let seen = describe(&aws_sdk_ecs::Client::new(&config), &cluster, &[service(1)]).await;
        assert_eq!(seen.unwrap_err().to_string(), "looking at the service: AccessDeniedException: no");
    }
}
