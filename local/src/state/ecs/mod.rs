//! ECS: task definitions, services, deployments, tasks.

pub(crate) mod deployment;
mod task;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Tag;
use crate::aws::{Moment, names};
pub(crate) use deployment::{
    Alarms, CircuitBreaker, Deployment, DeploymentConfiguration, DeploymentStatus, Ending,
    RolloutState, ThresholdKind,
};
pub(crate) use task::{
    Container, ContainerHealth, HealthStatus, Interface, Process, Stop, StopCode, Task, TaskStatus,
};

/// At most this many events are kept per service, as in ECS.
const EVENTS: usize = 100;

/// One revision of a family. `document` is the registration request as it came, without its tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TaskDefinition {
    pub family: String,
    pub revision: u32,
    pub active: bool,
    pub registered_at: Moment,
    pub deregistered_at: Option<Moment>,
    pub document: Map<String, Value>,
    pub tags: Vec<Tag>,
}

impl TaskDefinition {
    pub(crate) fn arn(&self) -> String {
        names::task_definition(&self.family, self.revision)
    }

    /// The first essential container: the one a local task runs.
    pub(crate) fn main_container(&self) -> Option<&Map<String, Value>> {
        let containers = self.document.get("containerDefinitions")?.as_array()?;
        containers
            .iter()
            .filter_map(Value::as_object)
            .find(|container| container.get("essential").and_then(Value::as_bool) != Some(false))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    pub name: String,
    pub active: bool,
    pub created_at: Moment,
    pub desired: u32,
    pub configuration: DeploymentConfiguration,
    pub grace_seconds: u32,
    pub load_balancers: Vec<ServiceLoadBalancer>,
    /// What a request sent and ECS only keeps: network, propagation of tags and so on.
    pub attributes: Map<String, Value>,
    /// Newest first; the PRIMARY one is the first.
    pub deployments: Vec<Deployment>,
    /// What the deployments deploy, newest first.
    pub revisions: Vec<ServiceRevision>,
    /// The deployment that a rollback returns to.
    pub last_completed: Option<Completed>,
    /// Newest first.
    pub events: Vec<ServiceEvent>,
    /// Whether the last event about it said that the service is steady.
    pub steady: bool,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Completed {
    pub deployment: String,
    pub task_definition: String,
    pub service_revision: String,
}

/// A version of the service: what a deployment deploys, and a rollback restores.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html>
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServiceRevision {
    pub id: String,
    pub created_at: Moment,
    pub task_definition: String,
    pub load_balancers: Vec<ServiceLoadBalancer>,
    pub attributes: Map<String, Value>,
    /// What the image resolved to in the first task that started.
    pub image_digest: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceLoadBalancer {
    pub target_group_arn: String,
    pub container_name: String,
    pub container_port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceEvent {
    pub id: String,
    pub created_at: Moment,
    pub message: String,
}

impl Service {
    pub(crate) fn primary(&self) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|deployment| deployment.status == DeploymentStatus::Primary)
    }

    pub(crate) fn primary_mut(&mut self) -> Option<&mut Deployment> {
        self.deployments
            .iter_mut()
            .find(|deployment| deployment.status == DeploymentStatus::Primary)
    }

    pub(crate) fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|deployment| deployment.id == id)
    }

    pub(crate) fn deployment_mut(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments
            .iter_mut()
            .find(|deployment| deployment.id == id)
    }

    pub(crate) fn revision(&self, id: &str) -> Option<&ServiceRevision> {
        self.revisions.iter().find(|revision| revision.id == id)
    }

    /// Adds an event in ECS's form, `(service NAME) REST`.
    pub(crate) fn event(&mut self, now: Moment, rest: &str) {
        self.events.insert(
            0,
            ServiceEvent {
                id: uuid::Uuid::new_v4().to_string(),
                created_at: now,
                message: format!("(service {}) {rest}", self.name),
            },
        );
        self.events.truncate(EVENTS);
    }

    /// The fewest tasks that must stay healthy during a deployment.
    pub(crate) fn lower_bound(&self) -> u32 {
        percent(self.desired, self.configuration.minimum_healthy_percent).div_ceil(100)
    }

    /// The most tasks that may be pending or running during a deployment.
    pub(crate) fn upper_bound(&self) -> u32 {
        percent(self.desired, self.configuration.maximum_percent) / 100
    }
}

fn percent(count: u32, percent: u32) -> u32 {
    count.saturating_mul(percent)
}
