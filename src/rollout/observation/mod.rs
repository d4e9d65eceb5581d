//! What was seen of a service at one moment: plain values, each possibly missing.

mod history;
mod words;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::stack::{StackFailure, StackStatus};

pub use history::History;
pub use words::{LifecycleStage, RolloutState, ServiceDeploymentStatus, StopCode, TargetState};

/// What one round of calls to AWS gave. A part is `None` when its call failed:
/// not seen is not the same as not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Observation {
    /// When it was taken, since the rollout began.
    pub elapsed: Duration,
    /// The service and its deployments.
    pub service: Option<Service>,
    /// The service deployment that is ours.
    pub service_deployment: Sight<ServiceDeployment>,
    /// The tasks of the service, running and stopped, as far as ECS remembers.
    pub tasks: Option<Vec<Task>>,
    /// The targets of every target group of the service.
    pub target_groups: Option<Vec<TargetGroup>>,
    /// The stack that the release goes through, where it goes through one.
    pub stack: Option<Stack>,
    /// The calls that failed.
    pub failures: Vec<String>,
}

/// The CloudFormation stack that a release goes through, since the release began.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stack {
    /// How far its update is.
    pub status: StackStatus,
    /// Why, in CloudFormation's words.
    pub reason: Option<String>,
    /// What failed in the update, the first failure first.
    pub failures: Vec<StackFailure>,
    /// The first failure on the way back, where the update was taken back and that failed too.
    pub failure_to_return: Option<StackFailure>,
}

/// Whether something was seen that the API may not be allowed to show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sight<T> {
    /// It was seen.
    Seen(T),
    /// This look failed, or ECS does not show it yet: nothing is known.
    #[default]
    Missed,
    /// The API is not there or not allowed: nothing will ever be known.
    Unavailable,
}

impl<T> Sight<T> {
    /// What was seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(it) => Some(it),
            Self::Missed | Self::Unavailable => None,
        }
    }
}

/// An ECS service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// How many tasks it should run.
    pub desired: i32,
    /// The deployments that are not gone yet.
    pub deployments: Vec<Deployment>,
    /// Service events, newest first.
    pub events: Vec<ServiceEvent>,
}

impl Service {
    /// The deployment that the service is moving to, or has moved to.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|deployment| deployment.is_primary())
    }

    /// The deployment with this id.
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|deployment| deployment.id == id)
    }
}

/// One deployment of a service.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Deployment {
    /// `ecs-svc/…`.
    pub id: String,
    /// `PRIMARY`, `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// The revision's ARN.
    pub task_definition: String,
    /// How many tasks it should run.
    pub desired: i32,
    /// How many are starting.
    pub pending: i32,
    /// How many run.
    pub running: i32,
    /// How many failed to start or to stay.
    pub failed: i32,
    /// How far it is.
    pub rollout: RolloutState,
    /// ECS's words for it.
    pub reason: String,
    /// When it was created.
    pub created_at: Option<Timestamp>,
}

impl Deployment {
    /// Whether the service is moving to it, or has moved to it.
    pub fn is_primary(&self) -> bool {
        self.status == "PRIMARY"
    }
}

/// A service deployment: ECS's own record of how a deployment goes and went.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// How far it is.
    pub status: ServiceDeploymentStatus,
    /// ECS's words for it.
    pub reason: String,
    /// Where a blue/green, linear or canary deployment is.
    pub lifecycle_stage: Option<LifecycleStage>,
    /// What its circuit breaker counts, where it has one.
    pub breaker: Option<Breaker>,
    /// The CloudWatch alarms that fired.
    pub triggered_alarms: Vec<String>,
    /// Why ECS goes back, once it does.
    pub rollback_reason: Option<String>,
}

/// What the deployment circuit breaker counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Breaker {
    /// Failed tasks so far.
    pub failures: i32,
    /// Failed tasks at which ECS gives up.
    pub threshold: i32,
}

/// A line of the service's event log.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ServiceEvent {
    /// Its id, unique for the service.
    pub id: String,
    /// When ECS wrote it.
    pub at: Option<Timestamp>,
    /// What it says.
    pub message: String,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Task {
    /// Its id, the last part of the ARN.
    pub id: String,
    /// The id of the deployment that started it.
    pub deployment: String,
    /// The revision's ARN.
    pub task_definition: String,
    /// `PROVISIONING` … `RUNNING` … `STOPPED`.
    pub last_status: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// Why it stopped, as a code.
    pub stop_code: Option<StopCode>,
    /// Why it stopped, in ECS's words.
    pub stopped_reason: Option<String>,
    /// The private address of its network interface.
    pub private_ip: Option<String>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// When ECS created it.
    pub created_at: Option<Timestamp>,
}

impl Task {
    /// Whether it runs and should go on running.
    pub fn is_running(&self) -> bool {
        self.last_status == "RUNNING" && self.desired_status == "RUNNING"
    }

    /// Whether it stopped because of itself, not because somebody wanted fewer or other tasks.
    pub fn failed(&self) -> bool {
        match self.stop_code {
            Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) => true,
            Some(StopCode::ServiceSchedulerInitiated) => self.failed_health_checks(),
            _ => false,
        }
    }

    /// Whether ECS stopped it because its health checks failed.
    pub fn failed_health_checks(&self) -> bool {
        self.stopped_reason
            .as_deref()
            .is_some_and(|reason| reason.contains("health check"))
    }

    /// Why it stopped, in ECS's words, with the exit code where there is one.
    pub fn why_stopped(&self) -> String {
        let reason = self.stopped_reason.as_deref().unwrap_or("no reason given");
        let exited = self
            .containers
            .iter()
            .find_map(|container| container.exit_code.map(|code| (&container.name, code)));
        match exited {
            Some((name, code)) => format!("{reason} (container {name} exited with {code})"),
            None => reason.to_owned(),
        }
    }

    /// Whether it has stopped.
    pub fn is_stopped(&self) -> bool {
        self.last_status == "STOPPED"
    }

    /// Whether ECS is stopping it because its health checks failed. That takes as long as the target
    /// group's deregistration delay, and what it will be is clear.
    pub fn is_given_up(&self) -> bool {
        self.desired_status == "STOPPED" && self.failed_health_checks()
    }

    /// The container of this name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.name == name)
    }
}

/// One container of a task.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Container {
    /// Its name in the task definition.
    pub name: String,
    /// The digest of the image it runs.
    pub image_digest: Option<String>,
    /// Its exit code, once it has ended.
    pub exit_code: Option<i32>,
    /// What went wrong, in ECS's words.
    pub reason: Option<String>,
}

/// A target group of the service, and its targets; those of its alternate too, where the
/// service shifts traffic between two.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// The container's port that it sends to.
    pub port: i32,
    /// Its targets.
    pub targets: Vec<Target>,
}

/// One target: an address and port of a task.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Target {
    /// The address.
    pub ip: String,
    /// The port.
    pub port: i32,
    /// How it is.
    pub state: TargetState,
    /// The reason code, for example `Target.ResponseCodeMismatch`.
    pub reason: Option<String>,
    /// The reason in words.
    pub description: Option<String>,
}

impl TargetGroup {
    /// The target of a task.
    pub fn target_of(&self, task: &Task) -> Option<&Target> {
        let ip = task.private_ip.as_deref()?;
        let own = self.targets.iter().filter(|target| {
            target.ip == ip && target.port == self.port && !target.state.is_draining()
        });
        // In a pair of target groups the task counts where it serves.
        own.min_by_key(|target| target.state != TargetState::Healthy)
    }
}
