//! Rolling updates: which tasks a service starts and stops, and when a deployment is complete.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>

use std::time::Duration;

use super::life::request_stop;
use super::notices::Notices;
use super::{breaker, deployments, placement};
use crate::aws::Moment;
use crate::state::State;
use crate::state::ecs::{Deployment, HealthStatus, RolloutState, StopCode, Task, TaskStatus};
use crate::state::elb::{Failure, Health, Target};

/// How a task looks to its service.
#[derive(Debug, Clone, Copy)]
struct Member {
    index: usize,
    is_primary: bool,
    healthy: bool,
}

/// Starts and stops tasks within the bounds.
pub(super) fn reconcile(state: &mut State, index: usize, now: Moment, notices: &mut Notices) {
    if !state.services[index].active {
        return;
    }
    deployments::advance(state, index, now);
    judge_health(state, index, now);
    let Some(primary) = state.services[index].primary().cloned() else {
        return;
    };
    start_missing(state, index, &primary, now, notices);
    stop_surplus(state, index, &primary);
}

/// Notes which tasks became healthy and gives up those whose targets are unhealthy.
fn judge_health(state: &mut State, index: usize, now: Moment) {
    let name = state.services[index].name.clone();
    let grace = Duration::from_secs(state.services[index].grace_seconds.into());
    for task_index in 0..state.tasks.len() {
        let task = &state.tasks[task_index];
        if task.service != name || !task.is_wanted() || task.status != TaskStatus::Running {
            continue;
        }
        let deployment = task.started_by.clone();
        if !task.was_healthy && is_healthy(state, index, task) {
            state.tasks[task_index].was_healthy = true;
            breaker::relief(&mut state.services[index], &deployment);
            continue;
        }
        let graceful = task
            .started_at
            .is_none_or(|started| now.since(started) < grace);
        if graceful {
            continue;
        }
        let Some((stopped, event)) = complaint(state, index, task) else {
            continue;
        };
        request_stop(
            &mut state.tasks[task_index],
            StopCode::ServiceSchedulerInitiated,
            stopped,
        );
        let service = &mut state.services[index];
        service.event(now, &event);
        breaker::setback(service, &deployment, now);
    }
}

/// Why the task cannot stay: its `stoppedReason`, and the service's event.
fn complaint(state: &State, index: usize, task: &Task) -> Option<(String, String)> {
    let id = &task.id;
    if let Some((group, port, reason)) = unhealthy_target(state, index, task) {
        return Some((
            format!("Task failed ELB health checks in (target-group {group})"),
            format!(
                "(task {id}) (port {port}) is unhealthy in (target-group {group}) due to (reason {reason})."
            ),
        ));
    }
    (task.health_status() == HealthStatus::Unhealthy).then(|| {
        (
            "Task failed container health checks".to_owned(),
            format!("(task {id}) failed container health checks."),
        )
    })
}

fn start_missing(
    state: &mut State,
    index: usize,
    primary: &Deployment,
    now: Moment,
    notices: &mut Notices,
) {
    let idle = primary.rollout == RolloutState::Failed || primary.started_at.is_none();
    if idle || now < primary.next_start_at {
        return;
    }
    let desired = state.services[index].desired as usize;
    let upper = state.services[index].upper_bound() as usize;
    let members = members(state, index, &primary.id);
    let of_primary = members.iter().filter(|member| member.is_primary).count();
    let room = upper.saturating_sub(members.len());
    for _ in 0..desired.saturating_sub(of_primary).min(room) {
        let Some(task) = placement::new_task(state, index, primary, now) else {
            return;
        };
        notices.started(&task.service, &task.id);
        state.tasks.push(task);
    }
}

fn stop_surplus(state: &mut State, index: usize, primary: &Deployment) {
    let desired = state.services[index].desired as usize;
    let lower = state.services[index].lower_bound() as usize;
    let mut members = members(state, index, &primary.id);
    members.sort_by_key(|member| member.healthy);
    let mut healthy = members.iter().filter(|member| member.healthy).count();
    let mut surplus = members
        .iter()
        .filter(|member| member.is_primary)
        .count()
        .saturating_sub(desired);
    // A failed deployment replaces nothing any more: what still serves, goes on serving.
    let replaces = primary.rollout != RolloutState::Failed && primary.started_at.is_some();
    for member in members {
        let expendable = if member.is_primary {
            surplus > 0
        } else {
            replaces && (!member.healthy || healthy > lower)
        };
        if !expendable {
            continue;
        }
        surplus -= usize::from(member.is_primary);
        healthy -= usize::from(member.healthy);
        request_stop(
            &mut state.tasks[member.index],
            StopCode::ServiceSchedulerInitiated,
            format!("Scaling activity initiated by (deployment {})", primary.id),
        );
    }
}

/// Completes the deployment, retires the ones it replaced, and says when the service is steady.
pub(super) fn conclude(state: &mut State, index: usize, now: Moment) {
    let Some(primary) = state.services[index].primary().cloned() else {
        return;
    };
    let members = members(state, index, &primary.id);
    let desired = state.services[index].desired as usize;
    let name = &state.services[index].name;
    let others_gone = !state.tasks.iter().any(|task| {
        task.service == *name
            && task.started_by != primary.id
            && task.status <= TaskStatus::Deactivating
    });
    let settled =
        others_gone && members.len() == desired && members.iter().all(|member| member.healthy);
    let goes_on = primary.rollout == RolloutState::InProgress && primary.ending.is_none();
    if settled && goes_on && primary.started_at.is_some() {
        deployments::complete(&mut state.services[index], now);
    }
    deployments::retire(state, index);
    let service = &mut state.services[index];
    let steady = settled
        && service
            .primary()
            .is_some_and(|primary| primary.rollout == RolloutState::Completed);
    if steady && !service.steady {
        service.event(now, "has reached a steady state.");
    }
    service.steady = steady;
}

/// The tasks of the service that shall run.
fn members(state: &State, index: usize, primary: &str) -> Vec<Member> {
    let name = &state.services[index].name;
    state
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| task.service == *name && task.is_wanted())
        .map(|(task_index, task)| Member {
            index: task_index,
            is_primary: task.started_by == primary,
            healthy: is_healthy(state, index, task),
        })
        .collect()
}

/// Whether the task runs, its own health check passes, and every load balancer of the service finds
/// it healthy.
pub(crate) fn is_healthy(state: &State, index: usize, task: &Task) -> bool {
    task.status == TaskStatus::Running
        && (task.health.is_none() || task.health_status() == HealthStatus::Healthy)
        && state.services[index].load_balancers.iter().all(|balancer| {
            target_of(state, &balancer.target_group_arn, task)
                .is_some_and(|target| target.health == Health::Healthy)
        })
}

fn unhealthy_target(state: &State, index: usize, task: &Task) -> Option<(String, u16, String)> {
    state.services[index]
        .load_balancers
        .iter()
        .find_map(
            |balancer| match &target_of(state, &balancer.target_group_arn, task)?.health {
                Health::Unhealthy(failure) => Some((
                    balancer.target_group_arn.clone(),
                    balancer.container_port,
                    failure.describe(),
                )),
                _ => None,
            },
        )
}

fn target_of<'a>(state: &'a State, group: &str, task: &Task) -> Option<&'a Target> {
    state
        .load_balancing
        .target_group(group)?
        .targets
        .iter()
        .find(|target| target.address == task.address && !target.is_draining())
}

impl Failure {
    /// ELBv2's sentence for it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Status(status) => format!("Health checks failed with these codes: [{status}]"),
            Self::Timeout => "Request timed out".to_owned(),
            Self::Connection => "Health checks failed".to_owned(),
        }
    }
}
