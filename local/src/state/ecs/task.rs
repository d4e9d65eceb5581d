//! Tasks.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::aws::Moment;
use crate::state::Tag;

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
    /// What the container's own health check says; `None` without one.
    pub health: Option<ContainerHealth>,
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

/// A container health check and its state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerHealth {
    /// The program and its arguments: exit code 0 passes.
    pub command: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    /// So many failures in a row make the container unhealthy.
    pub retries: u32,
    /// In which failures do not count.
    pub start_period: Duration,
    pub status: HealthStatus,
    pub failures: u32,
    pub checking: bool,
    pub next_check_at: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum HealthStatus {
    Unknown,
    Healthy,
    Unhealthy,
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

    /// ECS's `healthStatus`: unknown without a health check, and once the container has ended.
    pub(crate) fn health_status(&self) -> HealthStatus {
        self.health
            .as_ref()
            .filter(|_| self.container.running)
            .map_or(HealthStatus::Unknown, |health| health.status)
    }

    pub(crate) fn enter(&mut self, status: TaskStatus, now: Moment) {
        self.status = status;
        self.since = now;
        self.version += 1;
    }
}
