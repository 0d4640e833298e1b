//! Whether a service is one that we may keep instances in.

use aws_sdk_servicediscovery::types::{RecordType, Service};

use super::CloudMap;
use crate::registry::Trouble;

/// What Service Connect puts on the services that it makes.
const ECS_TAG: &str = "AmazonECSManaged";
/// How the attributes begin that ECS gives to instances which it registers itself (`serviceRegistries`):
/// `ECS_SERVICE_NAME`, `ECS_CLUSTER_NAME`, `ECS_TASK_DEFINITION_FAMILY` (Amazon ECS developer guide, "Service discovery").
const ECS_ATTRIBUTES: &str = "ECS_";

impl CloudMap {
    /// Refuses a service that is not there, that ECS registers tasks in by itself, or that cannot take plain addresses. To be
    /// called when a declaration is made: an ECS service that has no tasks at that time is not seen here.
    pub async fn check(&self) -> Result<(), Trouble> {
        let doing = self.doing("looking at");
        let service = self.client.get_service().id(&self.service).send().await;
        let service = service.map_err(|error| self.trouble(&doing, &error))?.service;
        let service = service.ok_or_else(|| Trouble::Unavailable(format!("{doing}: Cloud Map's answer is empty")))?;
        if let Some(unfit) = unfit(&service) {
            return Err(Trouble::Refused(format!("the Cloud Map service {} {unfit}", self.service)));
        }
        if let Some(arn) = &service.arn {
            let tags = self.client.list_tags_for_resource().resource_arn(arn).send().await;
            let tags = tags.map_err(|error| self.trouble(&self.doing("reading the tags of"), &error))?.tags;
            if tags.unwrap_or_default().iter().any(|tag| tag.key == ECS_TAG) {
                return Err(self.is_of_ecs(&format!("it has the tag {ECS_TAG}")));
            }
        }
        for instance in self.instances().await? {
            let attributes = instance.attributes.unwrap_or_default();
            if attributes.keys().any(|name| name.starts_with(ECS_ATTRIBUTES)) {
                let unnamed = String::from("an ECS service");
                let by = attributes.get("ECS_SERVICE_NAME").unwrap_or(&unnamed);
                return Err(self.is_of_ecs(&format!("it has instances of {by}")));
            }
        }
        Ok(())
    }

    fn is_of_ecs(&self, why: &str) -> Trouble {
        Trouble::Refused(format!(
            "Amazon ECS itself registers tasks in the Cloud Map service {} ({why}). Leave it to ECS and take this declaration \
             out, or name a service that no ECS service has among its serviceRegistries or in Service Connect",
            self.service
        ))
    }
}

/// What keeps a service from taking agents.
fn unfit(service: &Service) -> Option<String> {
    if service.health_check_config.is_some() {
        let why = "has a Route 53 health check, which cannot reach private addresses; name a service without HealthCheckConfig";
        return Some(why.to_owned());
    }
    let records = service.dns_config.as_ref().map(|dns| dns.dns_records.as_slice()).unwrap_or_default();
    let other = records.iter().find(|record| !matches!(record.r#type, RecordType::A | RecordType::Srv))?;
    Some(format!(
        "has {} records; agents have IPv4 addresses and ports: name one with A or SRV records, or none",
        other.r#type
    ))
}
