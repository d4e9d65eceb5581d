//! What was seen of a service at one moment: plain values, each possibly missing.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

/// What one round of calls to AWS gave. A part is `None` when its call failed:
/// not seen is not the same as not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Observation {
    /// When it was taken, since the rollout began.
    pub elapsed: Duration,
    /// The service and its deployments.
    pub service: Option<Service>,
    /// The tasks of the service, running and stopped, as far as ECS remembers.
    pub tasks: Option<Vec<Task>>,
    /// The targets of every target group of the service.
    pub target_groups: Option<Vec<TargetGroup>>,
    /// The calls that failed.
    pub failures: Vec<String>,
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// `rolloutState` of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutState {
    /// Tasks are being replaced.
    InProgress,
    /// ECS calls it done.
    Completed,
    /// ECS gave up.
    Failed,
    /// A state that this version does not know, or none; it decides nothing.
    Unknown(String),
}

impl RolloutState {
    /// Reads ECS's word.
    pub fn read(word: &str) -> Self {
        match word {
            "IN_PROGRESS" => Self::InProgress,
            "COMPLETED" => Self::Completed,
            "FAILED" => Self::Failed,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// ECS's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Unknown(other) => other,
        }
    }
}

/// A line of the service's event log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceEvent {
    /// Its id, unique for the service.
    pub id: String,
    /// When ECS wrote it.
    pub at: Option<Timestamp>,
    /// What it says.
    pub message: String,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    pub stop_code: Option<String>,
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

    /// Whether it has stopped.
    pub fn is_stopped(&self) -> bool {
        self.last_status == "STOPPED"
    }

    /// The container of this name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.name == name)
    }
}

/// One container of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// A target group of the service, and its targets.
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    /// The address.
    pub ip: String,
    /// The port.
    pub port: i32,
    /// `initial`, `healthy`, `unhealthy`, `draining`, `unused`, `unavailable`.
    pub state: String,
    /// The reason code, for example `Target.ResponseCodeMismatch`.
    pub reason: Option<String>,
    /// The reason in words.
    pub description: Option<String>,
}

impl TargetGroup {
    /// The target of a task.
    pub fn target_of(&self, task: &Task) -> Option<&Target> {
        let ip = task.private_ip.as_deref()?;
        self.targets.iter().find(|target| {
            target.ip == ip && target.port == self.port && target.state != "draining"
        })
    }
}

/// Everything seen since the rollout began, oldest first.
#[derive(Debug, Clone, Default)]
pub struct History {
    observations: Vec<Observation>,
}

impl History {
    /// Adds what was seen last.
    pub fn push(&mut self, observation: Observation) {
        self.observations.push(observation);
    }

    /// All observations, oldest first.
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// The last one.
    pub fn last(&self) -> Option<&Observation> {
        self.observations.last()
    }

    /// Every task of a deployment that was ever seen stopped; ECS forgets them, we do not.
    pub fn stopped_tasks(&self, deployment: &str) -> Vec<&Task> {
        let mut stopped: Vec<&Task> = Vec::new();
        for task in self
            .observations
            .iter()
            .rev()
            .filter_map(|seen| seen.tasks.as_ref())
            .flatten()
        {
            if task.deployment == deployment
                && task.is_stopped()
                && !stopped.iter().any(|known| known.id == task.id)
            {
                stopped.push(task);
            }
        }
        stopped.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        stopped
    }

    /// Every service event that was ever seen, oldest first.
    pub fn events(&self) -> Vec<&ServiceEvent> {
        let mut events: Vec<&ServiceEvent> = Vec::new();
        for service in self
            .observations
            .iter()
            .filter_map(|seen| seen.service.as_ref())
        {
            for event in service.events.iter().rev() {
                if !events.iter().any(|known| known.id == event.id) {
                    events.push(event);
                }
            }
        }
        events
    }
}
