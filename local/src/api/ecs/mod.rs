//! ECS.

mod clusters;
mod service_deployments;
mod services;
mod tags;
mod task_definitions;
mod tasks;

use super::error::{Answer, ApiError};
use super::input::Input;
use crate::aws::{Moment, names};
use crate::state::ecs::Service;
use crate::state::{State, Tag};
use crate::world::World;

/// An operation that looks, and one that changes.
enum Operation {
    Read(fn(&State, &Input) -> Answer),
    Change(fn(&mut State, &Input, Moment) -> Answer),
}

pub(super) fn call(world: &World, operation: &str, input: &Input) -> Option<Answer> {
    let operation = match operation {
        "DescribeClusters" => Operation::Read(clusters::describe),
        "ListClusters" => Operation::Read(clusters::list),
        "RegisterTaskDefinition" => Operation::Change(task_definitions::register),
        "DeregisterTaskDefinition" => Operation::Change(task_definitions::deregister),
        "DescribeTaskDefinition" => Operation::Read(task_definitions::describe),
        "ListTaskDefinitions" => Operation::Read(task_definitions::list),
        "ListTaskDefinitionFamilies" => Operation::Read(task_definitions::families),
        "DescribeServices" => Operation::Read(services::describe),
        "ListServices" => Operation::Read(services::list),
        "UpdateService" => Operation::Change(services::update),
        "ListTasks" => Operation::Read(tasks::list),
        "DescribeTasks" => Operation::Read(tasks::describe),
        "StopTask" => Operation::Change(tasks::stop),
        "TagResource" => Operation::Change(tags::tag),
        "UntagResource" => Operation::Change(tags::untag),
        "ListTagsForResource" => Operation::Change(tags::list),
        "ListServiceDeployments" => Operation::Read(service_deployments::list),
        "DescribeServiceDeployments" => Operation::Read(service_deployments::describe),
        "DescribeServiceRevisions" => Operation::Read(service_deployments::revisions),
        "StopServiceDeployment" => Operation::Change(service_deployments::stop),
        _ => return None,
    };
    Some(match operation {
        Operation::Read(read) => world.read(|state| read(state, input)),
        Operation::Change(change) => world.change(|state| change(state, input, Moment::now())),
    })
}

/// Refuses another cluster than the one there is. None named means `default`, as on AWS.
fn check_cluster(input: &Input) -> Result<(), ApiError> {
    let named = input.text("cluster").unwrap_or("default");
    if is_cluster(named) {
        Ok(())
    } else {
        Err(ApiError::new(
            "ClusterNotFoundException",
            "Cluster not found.",
        ))
    }
}

fn is_cluster(name_or_arn: &str) -> bool {
    name_or_arn == names::CLUSTER || name_or_arn == names::cluster()
}

/// Finds a service by its name or its ARN.
fn service<'a>(state: &'a State, name_or_arn: &str) -> Option<&'a Service> {
    state
        .services
        .iter()
        .find(|service| service.name == name_or_arn || names::service(&service.name) == name_or_arn)
}

fn show_tags(tags: &[Tag]) -> serde_json::Value {
    serde_json::json!(tags)
}
