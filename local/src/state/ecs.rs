//! ECS: task definitions, services, deployments, tasks.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Tag;
use crate::aws::{Moment, names};

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

/// `minimumHealthyPercent` and the rest. What is not known here is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentConfiguration {
    #[serde(default = "default_breaker")]
    pub deployment_circuit_breaker: CircuitBreaker,
    #[serde(default = "default_maximum")]
    pub maximum_percent: u32,
    #[serde(default = "default_minimum")]
    pub minimum_healthy_percent: u32,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn default_breaker() -> CircuitBreaker {
    CircuitBreaker {
        enable: false,
        rollback: false,
        reset_on_healthy_task: None,
        threshold_configuration: None,
    }
}

fn default_maximum() -> u32 {
    200
}

fn default_minimum() -> u32 {
    100
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CircuitBreaker {
    pub enable: bool,
    pub rollback: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_on_healthy_task: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_configuration: Option<Threshold>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Threshold {
    #[serde(rename = "type")]
    pub kind: ThresholdKind,
    pub value: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ThresholdKind {
    Count,
    BoundedPercent,
    UnboundedPercent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DeploymentStatus {
    Primary,
    Active,
    /// No longer part of the service; kept for the history of service deployments.
    Inactive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RolloutState {
    InProgress,
    Completed,
    Failed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub id: String,
    pub status: DeploymentStatus,
    pub task_definition: String,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub finished_at: Option<Moment>,
    pub rollout: RolloutState,
    pub reason: String,
    /// Consecutive failures, as the circuit breaker counts them.
    pub failed_tasks: u32,
    /// Whether it failed because the breaker tripped.
    pub tripped: bool,
    /// Whether the event about inconsistent starts was written.
    pub complained: bool,
    /// Consecutive failures in any rollout state: they slow further starts down.
    pub setbacks: u32,
    pub next_start_at: Moment,
    /// The failed deployment that this one undoes.
    pub rollback_of: Option<String>,
    /// Id of the newer API's view of it: ServiceDeployment.
    pub service_deployment: String,
    /// Id of its service revision.
    pub service_revision: String,
    /// The revision that ran when it started.
    pub source_revision: Option<String>,
}

impl Deployment {
    pub(crate) fn new(task_definition: String, now: Moment) -> Self {
        let id = names::deployment();
        Self {
            reason: format!("ECS deployment {id} in progress."),
            id,
            status: DeploymentStatus::Primary,
            task_definition,
            created_at: now,
            updated_at: now,
            finished_at: None,
            rollout: RolloutState::InProgress,
            failed_tasks: 0,
            tripped: false,
            complained: false,
            setbacks: 0,
            next_start_at: now,
            rollback_of: None,
            service_deployment: names::service_deployment_id(),
            service_revision: names::digits(),
            source_revision: None,
        }
    }
}

/// The life of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TaskStatus {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StopCode {
    TaskFailedToStart,
    EssentialContainerExited,
    ServiceSchedulerInitiated,
    UserInitiated,
    TerminationNotice,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub code: StopCode,
    pub reason: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub id: String,
    pub service: String,
    /// Id of the deployment that started it.
    pub started_by: String,
    pub task_definition: String,
    pub status: TaskStatus,
    /// When it entered `status`.
    pub since: Moment,
    pub stop: Option<Stop>,
    /// Whether its target was healthy once (or, without a load balancer, whether it ran).
    pub was_healthy: bool,
    /// How long the program may take to end after SIGTERM.
    pub stop_timeout: Duration,
    pub address: Ipv4Addr,
    pub interface: Interface,
    pub container: Container,
    pub cpu: String,
    pub memory: String,
    pub created_at: Moment,
    pub pull_started_at: Option<Moment>,
    pub pull_stopped_at: Option<Moment>,
    pub started_at: Option<Moment>,
    pub stopping_at: Option<Moment>,
    pub execution_stopped_at: Option<Moment>,
    pub stopped_at: Option<Moment>,
    /// Raised by each change, as ECS's `version`.
    pub version: u64,
    pub process: Option<Process>,
    pub tags: Vec<Tag>,
}

/// The elastic network interface of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub attachment: String,
    pub id: String,
    pub mac: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Container {
    pub id: String,
    pub name: String,
    pub image: String,
    pub image_digest: Option<String>,
    pub runtime_id: Option<String>,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    pub running: bool,
}

/// A child process, identified past the reuse of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot.
    pub started: u64,
}

impl Task {
    /// ECS's `desiredStatus`.
    pub(crate) fn is_wanted(&self) -> bool {
        self.stop.is_none() && self.status <= TaskStatus::Running
    }

    pub(crate) fn enter(&mut self, status: TaskStatus, now: Moment) {
        self.status = status;
        self.since = now;
        self.version += 1;
    }
}
