//! What a deployment lacks to be live.

use std::time::Duration;

use super::{Plan, own_tasks};
use crate::arn::last_part;
use crate::rollout::observation::{
    Deployment, History, Observation, RolloutState, ServiceDeploymentStatus, Sight, TargetState,
    Task,
};

/// What the last observation lacks for success, if anything. Not seen counts as lacking.
pub(super) fn missing(plan: &Plan, seen: &Observation) -> Option<String> {
    let Some(service) = &seen.service else {
        return Some("an answer from ecs:DescribeServices".into());
    };
    let Some(primary) = service.primary() else {
        return Some("a PRIMARY deployment".into());
    };
    if primary.id != plan.deployment {
        return Some(format!(
            "the deployment of {} that took its place",
            last_part(&primary.task_definition)
        ));
    }
    tasks_lack(plan, seen, primary)
        .or_else(|| completion_lacks(primary))
        .or_else(|| service_deployment_lacks(&seen.service_deployment))
}

fn tasks_lack(plan: &Plan, seen: &Observation, primary: &Deployment) -> Option<String> {
    if primary.desired < 1 {
        return Some("a task to run: the desired count of the service is 0".into());
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
    running
        .iter()
        .find_map(|task| digest_lacks(plan, task).or_else(|| target_lacks(seen, task)))
}

fn digest_lacks(plan: &Plan, task: &Task) -> Option<String> {
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
pub(super) fn target_lacks(seen: &Observation, task: &Task) -> Option<String> {
    let Some(groups) = &seen.target_groups else {
        return Some("an answer from elasticloadbalancing:DescribeTargetHealth".into());
    };
    groups.iter().find_map(|group| match group.target_of(task) {
        None => Some(format!("task {} to be registered as a target", task.id)),
        Some(target) if target.state == TargetState::Healthy => None,
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

fn completion_lacks(primary: &Deployment) -> Option<String> {
    match &primary.rollout {
        RolloutState::Completed => None,
        state => Some(format!("ECS to complete the deployment (it says {state})")),
    }
}

fn service_deployment_lacks(
    sight: &Sight<crate::rollout::observation::ServiceDeployment>,
) -> Option<String> {
    match sight {
        Sight::Unavailable => None,
        Sight::Missed => Some("an answer from ecs:DescribeServiceDeployments".into()),
        Sight::Seen(seen) if seen.status == ServiceDeploymentStatus::Successful => None,
        Sight::Seen(seen) => Some(match &seen.lifecycle_stage {
            Some(stage) => format!(
                "the service deployment to be SUCCESSFUL (it is {} in {stage})",
                seen.status
            ),
            None => format!(
                "the service deployment to be SUCCESSFUL (it is {})",
                seen.status
            ),
        }),
    }
}

/// How much of the bake time is left: the time since which every observation lacked nothing.
pub(super) fn baking(plan: &Plan, history: &History) -> Option<String> {
    let held = held(history, |seen| missing(plan, seen).is_none());
    (held < plan.bake).then(|| {
        format!(
            "the bake time: {} of {} s",
            held.as_secs(),
            plan.bake.as_secs()
        )
    })
}

/// Whether ECS calls the deployment complete although the service wants no task: then nothing
/// more will come, and nothing is known of the release.
pub(super) fn rests_without_tasks(plan: &Plan, history: &History) -> bool {
    let rests = |seen: &Observation| {
        seen.service
            .as_ref()
            .and_then(|service| service.primary())
            .is_some_and(|primary| {
                primary.id == plan.deployment
                    && primary.desired < 1
                    && primary.rollout == RolloutState::Completed
            })
    };
    history.last().is_some_and(rests) && held(history, rests) >= plan.bake
}

/// For how long every observation up to the last one was `good`.
fn held(history: &History, good: impl Fn(&Observation) -> bool) -> Duration {
    let since = history
        .observations()
        .iter()
        .rev()
        .take_while(|seen| good(seen))
        .last();
    match (since, history.last()) {
        (Some(since), Some(last)) => last.elapsed.saturating_sub(since.elapsed),
        _ => Duration::ZERO,
    }
}
