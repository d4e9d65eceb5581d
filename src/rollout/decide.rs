//! The decision: from what was seen to what is true. Pure.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::observation::{Deployment, History, Observation, RolloutState, Service, Task};
use crate::arn::last_part;

/// How many failed tasks of our deployment are evidence that it cannot succeed,
/// as long as none of its tasks was ever healthy. One may be bad luck of a host.
const DECISIVE_FAILURES: usize = 2;

/// What the rollout is after: fixed when it begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Our deployment's id, from UpdateService's own answer.
    pub deployment: String,
    /// The revision that the deployment runs.
    pub revision: String,
    /// The revision that ran before, if one ran.
    pub previous_revision: Option<String>,
    /// The container that runs the server.
    pub container: String,
    /// The digest that every own container must run; absent when returning to a revision that names none.
    pub digest: Option<String>,
    /// How long success must hold.
    pub bake: Duration,
    /// How long to wait for a verdict.
    pub timeout: Duration,
    /// Whether failing tasks end the wait; false where ECS rolls back by itself and is to be left to it.
    pub fail_fast: bool,
}

/// What is true of our deployment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that must hold held through the bake time.
    Succeeded,
    /// It cannot succeed, on this evidence.
    Failed {
        /// Why.
        evidence: Evidence,
    },
    /// ECS went back to what ran before.
    RolledBack {
        /// The revision that runs now.
        to: String,
        /// ECS's reason.
        reason: String,
    },
    /// Somebody else's deployment took its place.
    Superseded {
        /// The other deployment.
        by: String,
        /// Its revision.
        revision: String,
    },
    /// Time ran out; what was missing for success.
    Unknown {
        /// What is missing.
        waiting_for: String,
    },
}

/// Why a deployment cannot succeed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// ECS itself ended it.
    DeploymentFailed {
        /// ECS's reason.
        reason: String,
    },
    /// Its tasks fail, each in the same way, and none was ever healthy.
    TasksFail {
        /// How many failed so far.
        count: usize,
        /// The last one's reason, in ECS's words.
        reason: String,
    },
    /// The service is gone or going.
    ServiceInactive {
        /// The service's status.
        status: String,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeploymentFailed { reason } => f.write_str(reason),
            Self::TasksFail { count, reason } => {
                write!(f, "{count} tasks failed and none was healthy: {reason}")
            }
            Self::ServiceInactive { status } => write!(f, "the service is {status}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed { evidence } => write!(f, "failed: {evidence}"),
            Self::RolledBack { to, reason } => {
                write!(f, "rolled back to {}: {reason}", last_part(to))
            }
            Self::Superseded { by, revision } => {
                write!(
                    f,
                    "superseded by deployment {by} of {}",
                    last_part(revision)
                )
            }
            Self::Unknown { waiting_for } => {
                write!(f, "not known: time ran out waiting for {waiting_for}")
            }
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Go on watching.
    Wait {
        /// What success still lacks.
        waiting_for: String,
    },
    /// It is over.
    Done(Verdict),
}

/// Decides from everything seen so far.
pub fn decide(plan: &Plan, history: &History) -> Decision {
    let Some(last) = history.last() else {
        return wait("the first observation");
    };
    match ended(plan, history) {
        Some(verdict) => Decision::Done(verdict),
        None => match missing(plan, last).or_else(|| baking(plan, history)) {
            None => Decision::Done(Verdict::Succeeded),
            Some(waiting_for) if last.elapsed >= plan.timeout => {
                Decision::Done(Verdict::Unknown { waiting_for })
            }
            Some(waiting_for) => Decision::Wait { waiting_for },
        },
    }
}

fn wait(waiting_for: &str) -> Decision {
    Decision::Wait {
        waiting_for: waiting_for.to_owned(),
    }
}

/// The verdict, where the deployment has ended or cannot succeed any more.
fn ended(plan: &Plan, history: &History) -> Option<Verdict> {
    let service = history.last()?.service.as_ref()?;
    if service.status != "ACTIVE" {
        return Some(Verdict::Failed {
            evidence: Evidence::ServiceInactive {
                status: service.status.clone(),
            },
        });
    }
    let primary = service.primary()?;
    if primary.id != plan.deployment {
        return replaced(plan, history, primary);
    }
    if primary.rollout == RolloutState::Failed {
        return Some(Verdict::Failed {
            evidence: Evidence::DeploymentFailed {
                reason: primary.reason.clone(),
            },
        });
    }
    plan.fail_fast.then(|| tasks_fail(plan, history)).flatten()
}

/// Another deployment is PRIMARY: ECS's rollback of ours, or somebody else's.
fn replaced(plan: &Plan, history: &History, primary: &Deployment) -> Option<Verdict> {
    if !was_rolled_back(plan, history, primary) {
        return Some(Verdict::Superseded {
            by: primary.id.clone(),
            revision: primary.task_definition.clone(),
        });
    }
    match primary.rollout {
        RolloutState::Completed => Some(Verdict::RolledBack {
            to: primary.task_definition.clone(),
            reason: own_reason(plan, history).unwrap_or_else(|| primary.reason.clone()),
        }),
        RolloutState::Failed => Some(Verdict::Failed {
            evidence: Evidence::DeploymentFailed {
                reason: format!("the rollback failed too: {}", primary.reason),
            },
        }),
        // The rollback is under way: the old release is not known to serve again yet.
        RolloutState::InProgress | RolloutState::Unknown(_) => None,
    }
}

/// ECS marks the deployment it gave up as FAILED, and names the rollback in the new one's reason.
fn was_rolled_back(plan: &Plan, history: &History, primary: &Deployment) -> bool {
    let ours_failed = services(history)
        .filter_map(|service| service.deployment(&plan.deployment))
        .any(|ours| ours.rollout == RolloutState::Failed);
    let said_so = services(history)
        .filter_map(|service| service.deployment(&primary.id))
        .any(|other| other.reason.contains("rolling back") || other.reason.contains("rollback"));
    let elsewhere = plan.previous_revision.as_deref() != Some(primary.task_definition.as_str());
    (ours_failed && !elsewhere) || said_so
}

fn own_reason(plan: &Plan, history: &History) -> Option<String> {
    services(history)
        .filter_map(|service| service.deployment(&plan.deployment))
        .filter(|ours| ours.rollout == RolloutState::Failed)
        .map(|ours| ours.reason.clone())
        .last()
}

fn services(history: &History) -> impl Iterator<Item = &Service> {
    history
        .observations()
        .iter()
        .filter_map(|seen| seen.service.as_ref())
}

/// Fail fast: tasks that cannot start or stay, and none that ever was healthy.
fn tasks_fail(plan: &Plan, history: &History) -> Option<Verdict> {
    let ever_healthy = history.observations().iter().any(|seen| {
        own_tasks(plan, seen)
            .into_iter()
            .flatten()
            .any(|task| target_trouble(seen, task).is_none() && task.is_running())
    });
    if ever_healthy {
        return None;
    }
    let failed: Vec<&Task> = history
        .stopped_tasks(&plan.deployment)
        .into_iter()
        .filter(|task| stopped_by_failure(task))
        .collect();
    let last = failed.last()?;
    (failed.len() >= DECISIVE_FAILURES).then(|| Verdict::Failed {
        evidence: Evidence::TasksFail {
            count: failed.len(),
            reason: why_stopped(last),
        },
    })
}

/// Whether a task stopped because of itself, not because somebody wanted fewer.
fn stopped_by_failure(task: &Task) -> bool {
    match task.stop_code.as_deref() {
        Some("TaskFailedToStart" | "EssentialContainerExited") => true,
        Some("ServiceSchedulerInitiated") => task
            .stopped_reason
            .as_deref()
            .is_some_and(|reason| reason.contains("health check")),
        _ => false,
    }
}

/// Why a task stopped, in ECS's words, with the exit code where there is one.
pub fn why_stopped(task: &Task) -> String {
    let reason = task
        .stopped_reason
        .clone()
        .unwrap_or_else(|| "no reason given".into());
    match task
        .containers
        .iter()
        .find_map(|container| container.exit_code.map(|code| (container, code)))
    {
        Some((container, code)) => {
            format!("{reason} (container {} exited with {code})", container.name)
        }
        None => reason,
    }
}

/// What the last observation lacks for success, if anything. Not seen counts as lacking.
fn missing(plan: &Plan, seen: &Observation) -> Option<String> {
    let Some(service) = &seen.service else {
        return Some("an answer from ecs:DescribeServices".into());
    };
    let Some(primary) = service.primary() else {
        return Some("a PRIMARY deployment".into());
    };
    if primary.id != plan.deployment {
        return Some(format!(
            "the rollback to {} to complete",
            last_part(&primary.task_definition)
        ));
    }
    let Some(own) = own_tasks(plan, seen) else {
        return Some("an answer from ecs:DescribeTasks".into());
    };
    let running: Vec<&Task> = own.into_iter().filter(|task| task.is_running()).collect();
    if running.len() != usize::try_from(primary.desired).unwrap_or(0) {
        return Some(format!(
            "tasks to run: {} of {}",
            running.len(),
            primary.desired
        ));
    }
    for task in &running {
        if let Some(trouble) = digest_trouble(plan, task).or_else(|| target_trouble(seen, task)) {
            return Some(trouble);
        }
    }
    match &primary.rollout {
        RolloutState::Completed => None,
        state => Some(format!(
            "ECS to complete the deployment (it says {})",
            state.as_str()
        )),
    }
}

fn own_tasks<'a>(plan: &Plan, seen: &'a Observation) -> Option<Vec<&'a Task>> {
    let tasks = seen.tasks.as_ref()?;
    Some(
        tasks
            .iter()
            .filter(|task| task.deployment == plan.deployment)
            .collect(),
    )
}

fn digest_trouble(plan: &Plan, task: &Task) -> Option<String> {
    let expected = plan.digest.as_deref()?;
    match task
        .container(&plan.container)
        .and_then(|container| container.image_digest.as_deref())
    {
        Some(actual) if actual == expected => None,
        Some(actual) => Some(format!("task {} to run {expected}, not {actual}", task.id)),
        None => Some(format!("ECS to say which image task {} runs", task.id)),
    }
}

/// What a task lacks to be healthy in every target group; a service without one has nothing to lack.
fn target_trouble(seen: &Observation, task: &Task) -> Option<String> {
    let Some(groups) = &seen.target_groups else {
        return Some("an answer from elasticloadbalancing:DescribeTargetHealth".into());
    };
    groups.iter().find_map(|group| match group.target_of(task) {
        None => Some(format!("task {} to be registered as a target", task.id)),
        Some(target) if target.state == "healthy" => None,
        Some(target) => Some(match &target.reason {
            Some(reason) => format!(
                "target {} to be healthy (it is {}: {reason})",
                target.ip, target.state
            ),
            None => format!(
                "target {} to be healthy (it is {})",
                target.ip, target.state
            ),
        }),
    })
}

/// How much of the bake time is left: the time since which every observation lacked nothing.
fn baking(plan: &Plan, history: &History) -> Option<String> {
    let good: Vec<&Observation> = history
        .observations()
        .iter()
        .rev()
        .take_while(|seen| missing(plan, seen).is_none())
        .collect();
    let held = match (good.first(), good.last()) {
        (Some(newest), Some(oldest)) => newest.elapsed.saturating_sub(oldest.elapsed),
        _ => Duration::ZERO,
    };
    (held < plan.bake).then(|| {
        format!(
            "the bake time: {} of {} s",
            held.as_secs(),
            plan.bake.as_secs()
        )
    })
}

#[cfg(test)]
mod tests;
