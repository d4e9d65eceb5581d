//! The decision: from what was seen to what is true. Pure: no clock, no client, no terminal.
//!
//! [`ending`] says whether the deployment has ended, [`failing`] whether it cannot succeed,
//! [`liveness`] what it still lacks, [`stack`] what the stack adds to that, where the release goes
//! through one. What was not seen is never evidence.

mod ending;
mod failing;
mod liveness;
mod stack;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::begin::StackUpdate;
use super::observation::{Breaker, History, Observation, Task};
use crate::arn::last_part;
use crate::stack::StackStatus;

/// What the rollout is after: fixed when it begins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Our deployment's id, from UpdateService's own answer.
    pub deployment: String,
    /// The revision that the deployment runs.
    pub revision: String,
    /// The revision of the last deployment that completed before ours, if one did.
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
    /// Whether ECS rolls a failed deployment back by itself.
    pub ecs_rolls_back: bool,
    /// The stack whose update the deployment is part of, where it is.
    pub stack: Option<StackUpdate>,
}

/// What is true of our deployment.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
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
        /// What ECS's circuit breaker counts, where it says so.
        breaker: Option<Breaker>,
    },
    /// Somebody stopped it.
    Stopped {
        /// ECS's reason.
        reason: String,
    },
    /// CloudFormation could neither carry the update of the stack out nor take it back.
    StackFailed {
        /// The stack.
        stack: String,
        /// Its status.
        status: StackStatus,
        /// Why, in CloudFormation's words.
        reason: String,
    },
    /// The service is gone or going.
    ServiceInactive {
        /// The service's status.
        status: String,
    },
}

impl Evidence {
    /// Whether returning to an earlier revision can help.
    pub fn can_be_undone(&self) -> bool {
        match self {
            Self::DeploymentFailed { .. } | Self::TasksFail { .. } => true,
            Self::Stopped { .. } | Self::StackFailed { .. } | Self::ServiceInactive { .. } => false,
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeploymentFailed { reason } => f.write_str(reason),
            Self::TasksFail {
                count,
                reason,
                breaker,
            } => {
                write!(f, "{count} tasks failed and none was healthy: {reason}")?;
                match breaker {
                    Some(breaker) => write!(
                        f,
                        " (ECS counts {} of the {} failures at which it gives up)",
                        breaker.failures, breaker.threshold
                    ),
                    None => Ok(()),
                }
            }
            Self::Stopped { reason } => write!(f, "it was stopped: {reason}"),
            Self::StackFailed {
                stack,
                status,
                reason,
            } => write!(f, "stack {stack} is {status}: {reason}"),
            Self::ServiceInactive { status } => write!(f, "the service is {status}"),
        }
    }
}

impl Verdict {
    /// The verdict in one word, as it stands in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::RolledBack { .. } => "rolled_back",
            Self::Superseded { .. } => "superseded",
            Self::Unknown { .. } => "unknown",
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
                write!(f, "not known: still waiting for {waiting_for}")
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
    let by_ecs = decide_by_ecs(plan, history);
    match (&plan.stack, history.last()) {
        (Some(update), Some(last)) => stack::decide(plan, &update.name, last, by_ecs),
        _ => by_ecs,
    }
}

/// What ECS and the load balancer show, whatever a stack says.
fn decide_by_ecs(plan: &Plan, history: &History) -> Decision {
    let Some(last) = history.last() else {
        return Decision::Wait {
            waiting_for: "the first observation".into(),
        };
    };
    let ended = ending::ended(plan, history).or_else(|| failing::cannot_succeed(plan, history));
    if let Some(verdict) = ended {
        return Decision::Done(verdict);
    }
    match liveness::missing(plan, last).or_else(|| liveness::baking(plan, history)) {
        None => Decision::Done(Verdict::Succeeded),
        Some(waiting_for)
            if last.elapsed >= plan.timeout || liveness::rests_without_tasks(plan, history) =>
        {
            Decision::Done(Verdict::Unknown { waiting_for })
        }
        Some(waiting_for) => Decision::Wait { waiting_for },
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

#[cfg(test)]
mod tests;
