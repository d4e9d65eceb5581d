//! Deployments: their configuration, their progress, their end.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::aws::{Moment, names};

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Alarms>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Default for DeploymentConfiguration {
    fn default() -> Self {
        Self {
            deployment_circuit_breaker: default_breaker(),
            maximum_percent: default_maximum(),
            minimum_healthy_percent: default_minimum(),
            alarms: None,
            other: Map::new(),
        }
    }
}

/// CloudWatch alarms that end a deployment.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alarms {
    pub alarm_names: Vec<String>,
    pub enable: bool,
    pub rollback: bool,
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

/// Why a deployment ends, or shall end, otherwise than by completing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// Too many tasks failed.
    CircuitBreaker,
    /// These alarms fired.
    Alarms(Vec<String>),
    /// StopServiceDeployment with ROLLBACK.
    RollbackRequested,
    /// StopServiceDeployment with ABORT.
    StopRequested,
    /// Another deployment took its place.
    Superseded,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub id: String,
    pub status: DeploymentStatus,
    pub task_definition: String,
    pub created_at: Moment,
    /// When the scheduler took it up; until then it is pending.
    pub started_at: Option<Moment>,
    pub updated_at: Moment,
    pub finished_at: Option<Moment>,
    pub rollout: RolloutState,
    pub reason: String,
    /// Consecutive failures, as the circuit breaker counts them.
    pub failed_tasks: u32,
    /// Why it ends, or shall end, otherwise than by completing.
    pub ending: Option<Ending>,
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
    /// Ids of the service revisions that it replaces.
    pub source_revisions: Vec<String>,
    /// The service's configuration as it was for this deployment.
    pub configuration: DeploymentConfiguration,
    /// Whether an alarm ends it. One that fires already when the deployment starts is not watched.
    pub watches_alarms: bool,
    /// A stage that the control port has set: rolling updates have none of their own.
    pub lifecycle_stage: Option<String>,
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
            started_at: None,
            updated_at: now,
            finished_at: None,
            rollout: RolloutState::InProgress,
            failed_tasks: 0,
            ending: None,
            complained: false,
            setbacks: 0,
            next_start_at: now,
            rollback_of: None,
            service_deployment: names::service_deployment_id(),
            service_revision: names::digits(),
            source_revisions: Vec::new(),
            configuration: DeploymentConfiguration::default(),
            watches_alarms: false,
            lifecycle_stage: None,
        }
    }
}
