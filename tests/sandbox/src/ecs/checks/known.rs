//! What ECS knows of the things that a request names.

use std::sync::Arc;

use serde_json::{Value, json};

use super::identifiers;
use crate::ecs::engine::Engine;
use crate::ecs::refusal::Refusal;
use crate::ecs::revisions;
use crate::ecs::service::ServiceStatus;
use crate::ecs::task::Status;

/// What a check may look at.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The name of the cluster that the request is about.
    pub(crate) cluster: String,
    /// The service of that cluster that it names, unless there never was one.
    pub(crate) service: Option<ServiceStatus>,
    /// Whether this very request made that service.
    pub(crate) repeated: bool,
    /// The task definition that it names; of a family the newest ACTIVE revision.
    pub(crate) definition: Option<Value>,
    /// Whether that is not the newest of its family.
    pub(crate) older_revision: bool,
    /// How many services of the cluster are not INACTIVE.
    pub(crate) services: usize,
    /// How many tasks of the cluster are not STOPPED.
    pub(crate) tasks: usize,
}

/// Looks up what `action` needs.
pub(crate) async fn look_up(engine: &Arc<Engine>, action: &str, request: &Value) -> Result<Known, Refusal> {
    let mut known = Known::default();
    if engine.model.takes(action, "cluster") {
        known.cluster = existing_cluster(engine, request).await?;
    }
    if let Some(service) = request["service"].as_str().or(request["serviceName"].as_str()) {
        let name = identifiers::of_cluster(service, "service", &known.cluster)?;
        known.service = service_status(engine, &known.cluster, name);
        known.repeated = engine.memory().is_repeated(&known.cluster, request);
    }
    if action == "DeleteCluster" {
        let world = engine.world();
        let services = world.services.values().filter(|service| service.cluster() == known.cluster);
        known.services = services.filter(|service| service.status != ServiceStatus::Inactive).count();
        let tasks = world.tasks.iter().filter(|task| task.cluster() == known.cluster);
        known.tasks = tasks.filter(|task| task.status != Status::Stopped).count();
    }
    if let ("RunTask" | "CreateService" | "UpdateService", Some(name)) = (action, request["taskDefinition"].as_str()) {
        known.definition = revisions::stored(engine, name).await;
        let newest_is_active = known.definition.as_ref().is_none_or(|newest| newest["status"] == "ACTIVE");
        if revisions::is_family(name)
            && !newest_is_active
            && let Some(active) = revisions::newest_active(engine, name).await?
        {
            known.older_revision = true;
            known.definition = revisions::stored(engine, &active).await;
        }
    }
    Ok(known)
}

fn service_status(engine: &Engine, cluster: &str, name: &str) -> Option<ServiceStatus> {
    let world = engine.world();
    let mut services = world.services.values();
    services.find(|service| service.cluster() == cluster && service.name() == name).map(|service| service.status)
}

async fn existing_cluster(engine: &Engine, request: &Value) -> Result<String, Refusal> {
    let name = identifiers::cluster(request)?;
    let arn = format!("arn:aws:ecs:{}:{}:cluster/{name}", engine.region, engine.account);
    if request["cluster"].as_str().is_some_and(|given| given.starts_with("arn:") && given != arn) {
        return Err(Refusal::no_cluster());
    }
    let answer = engine.store.call("ListClusters", &json!({})).await.map_err(|error| Refusal::server(&error))?;
    let known = answer["clusterArns"].as_array().is_some_and(|arns| arns.iter().any(|one| *one == arn));
    if known { Ok(name.to_owned()) } else { Err(Refusal::no_cluster()) }
}
