//! What ECS refuses, and in which words.
//!
//! The texts are those that ECS was seen to give, in its documentation or in reports of its users; where none was found, a
//! plain sentence stands in. One file for each family of operations; each check is a function of the request and of what is
//! known about the things it names.

mod clusters;
mod containers;
mod fargate;
mod identifiers;
mod known;
mod services;
mod tags;
mod task_definitions;
mod tasks;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use identifiers::{cluster as cluster_name, task as task_id};
pub(crate) use known::Known;

use super::engine::Engine;
use super::pages;
use super::refusal::Refusal;
use crate::model::Misfit;

/// Checks a request, and returns what was looked up for it.
pub(crate) async fn check(engine: &Arc<Engine>, action: &str, request: &Value) -> Result<Known, Refusal> {
    fits_the_model(engine, action, request)?;
    pages::at_most(request)?;
    let known = known::look_up(engine, action, request).await?;
    match action {
        "CreateCluster" => clusters::create(request),
        "DescribeClusters" => clusters::describe(request),
        "DeleteCluster" => clusters::delete(&known),
        "RegisterTaskDefinition" => task_definitions::register(request),
        "DeregisterTaskDefinition" => task_definitions::deregister(request),
        "DeleteTaskDefinitions" => task_definitions::delete(request),
        "CreateService" => services::create(request, &known),
        "UpdateService" => services::update(request, &known),
        "DeleteService" => services::delete(&known),
        "DescribeServices" => services::describe(request, &known),
        "RunTask" => tasks::run(request, &known),
        "StopTask" => tasks::stop(request, &known),
        "DescribeTasks" => tasks::describe(request, &known),
        "ListTasks" => tasks::list(request, &known),
        "TagResource" => tags::given(request),
        _ => Ok(()),
    }?;
    Ok(known)
}

fn fits_the_model(engine: &Engine, action: &str, request: &Value) -> Result<(), Refusal> {
    let Some(fault) = engine.model.request_fault(action, request) else { return Ok(()) };
    let code = match fault.misfit {
        Misfit::Type => "SerializationException",
        // All that ECS says about a task definition that it does not take is a ClientException.
        _ if action == "RegisterTaskDefinition" => "ClientException",
        _ => "InvalidParameterException",
    };
    Err(Refusal::new(code, fault.text))
}
