//! What the stack adds, where the release is an update of one: the service is not all of it.
//!
//! CloudFormation moves the service, waits for ECS, and on failure moves it back: what ECS
//! shows meanwhile (a deployment given up, another one in its place) is a step of that, and not
//! the end. The end is the stack's own.

use super::{Decision, Evidence, Plan, Verdict};
use crate::rollout::observation::{Observation, RolloutState, Stack};

/// The decision of a release through the stack `name`, where ECS alone would say `by_ecs`.
pub(super) fn decide(plan: &Plan, name: &str, last: &Observation, by_ecs: Decision) -> Decision {
    let wait = |waiting_for: String| {
        if last.elapsed < plan.timeout {
            return Decision::Wait { waiting_for };
        }
        // What ECS shows is then all that is known of the end, but it is no success.
        match &by_ecs {
            Decision::Done(Verdict::Succeeded) | Decision::Wait { .. } => {
                Decision::Done(Verdict::Unknown { waiting_for })
            }
            ended => ended.clone(),
        }
    };
    let Some(stack) = &last.stack else {
        return match &by_ecs {
            Decision::Wait { .. } => by_ecs,
            _ if must_act(&by_ecs) => by_ecs,
            _ => wait("an answer from cloudformation:DescribeStacks".into()),
        };
    };
    let status = &stack.status;
    if status.has_failed() {
        return Decision::Done(Verdict::Failed {
            evidence: Evidence::StackFailed {
                stack: name.to_owned(),
                status: status.clone(),
                reason: why_it_stays(stack),
            },
        });
    }
    if status.is_returning() {
        return wait(format!("stack {name} to return (it is {status})"));
    }
    if status.has_returned() {
        return returned(plan, last, stack)
            .unwrap_or_else(|| wait("the service to run what it ran before".into()));
    }
    match &by_ecs {
        Decision::Wait { .. } => by_ecs,
        _ if status.is_updated() || must_act(&by_ecs) => by_ecs,
        _ => wait(format!(
            "stack {name} to be UPDATE_COMPLETE (it is {status})"
        )),
    }
}

/// Whether waiting for the stack would only lose time: its tasks fail, and the update can be
/// cancelled now; or the service is gone.
fn must_act(by_ecs: &Decision) -> bool {
    matches!(
        by_ecs,
        Decision::Done(Verdict::Failed {
            evidence: Evidence::TasksFail { .. } | Evidence::ServiceInactive { .. },
        })
    )
}

/// How it ended, once the stack was taken back and the service is seen to rest on something else.
fn returned(plan: &Plan, last: &Observation, stack: &Stack) -> Option<Decision> {
    let primary = last.service.as_ref()?.primary()?;
    if primary.task_definition == plan.revision || primary.rollout != RolloutState::Completed {
        return None;
    }
    Some(Decision::Done(Verdict::RolledBack {
        to: primary.task_definition.clone(),
        reason: reason(stack),
    }))
}

/// Why CloudFormation left a stack as it is: what kept it from going back, which is another failure than the one it went back from.
fn why_it_stays(stack: &Stack) -> String {
    let failure = stack.failure_to_return.as_ref();
    failure.map_or_else(|| reason(stack), ToString::to_string)
}

/// The first failure, which is the cause; else what the stack says of itself.
fn reason(stack: &Stack) -> String {
    let first = stack.failures.first().map(ToString::to_string);
    first
        .or_else(|| stack.reason.clone())
        .unwrap_or_else(|| "CloudFormation names no reason".into())
}
