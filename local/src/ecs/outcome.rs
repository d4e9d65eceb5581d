//! What came of the effects, told to the state.

use std::net::SocketAddrV4;

use super::{breaker, container_health, life, targets};
use crate::aws::Moment;
use crate::state::State;
use crate::state::ecs::{Process, Stop, StopCode, TaskStatus};
use crate::state::elb::Failure;

pub(crate) use super::life::request_stop;

/// A container that has started.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub image_digest: String,
    pub runtime_id: String,
    pub process: Option<Process>,
    pub pull_stopped_at: Moment,
}

/// The task's container runs.
pub(crate) fn started(state: &mut State, id: &str, started: Started, now: Moment) {
    let Some(index) = index_of(state, id) else {
        return;
    };
    resolve_image(state, index, &started.image_digest);
    let task = &mut state.tasks[index];
    task.container.image_digest = Some(started.image_digest);
    task.container.runtime_id = Some(started.runtime_id);
    task.container.running = true;
    task.process = started.process;
    task.pull_stopped_at = Some(started.pull_stopped_at);
    if task.status == TaskStatus::Pending && task.stop.is_none() {
        life::activate(state, index, now);
    }
}

/// The first task of a service revision says which image the revision means.
fn resolve_image(state: &mut State, index: usize, digest: &str) {
    let task = &state.tasks[index];
    let started_by = task.started_by.clone();
    let Some(service) = state
        .services
        .iter_mut()
        .find(|service| service.name == task.service)
    else {
        return;
    };
    let revision = service
        .deployment(&started_by)
        .map(|deployment| deployment.service_revision.clone());
    let revision = service
        .revisions
        .iter_mut()
        .find(|candidate| revision.as_ref() == Some(&candidate.id));
    if let Some(revision) = revision {
        revision
            .image_digest
            .get_or_insert_with(|| digest.to_owned());
    }
}

/// The image could not be pulled, or the container not be started. `reason` is ECS's sentence.
pub(crate) fn failed_to_start(state: &mut State, id: &str, reason: &str, now: Moment) {
    let Some(index) = index_of(state, id) else {
        return;
    };
    state.tasks[index].container.reason = Some(reason.to_owned());
    let cause = Stop {
        code: StopCode::TaskFailedToStart,
        reason: reason.to_owned(),
    };
    finish(state, index, cause, now);
}

/// The task's container has ended. No exit code means that it never ran.
pub(crate) fn exited(
    state: &mut State,
    id: &str,
    exit_code: Option<i32>,
    reason: Option<String>,
    now: Moment,
) {
    let Some(index) = index_of(state, id) else {
        return;
    };
    let container = &mut state.tasks[index].container;
    container.exit_code = exit_code;
    container.reason = reason;
    let cause = Stop {
        code: StopCode::EssentialContainerExited,
        reason: "Essential container in task exited".to_owned(),
    };
    finish(state, index, cause, now);
}

/// A container's health check has ended.
pub(crate) fn container_checked(state: &mut State, id: &str, passed: bool, now: Moment) {
    if let Some(task) = state.task_mut(id) {
        container_health::checked(task, passed, now);
    }
}

/// A target's health check has ended: with a status code, or without an answer.
pub(crate) fn checked(
    state: &mut State,
    target_group: &str,
    socket: SocketAddrV4,
    result: Result<u16, Failure>,
) {
    let Some(group) = state.load_balancing.target_group_mut(target_group) else {
        return;
    };
    for target in &mut group.targets {
        if target.socket() == socket {
            targets::checked(target, &group.health_check, result.clone());
        }
    }
}

fn finish(state: &mut State, index: usize, cause: Stop, now: Moment) {
    let task = &state.tasks[index];
    if task.status >= TaskStatus::Deprovisioning {
        return;
    }
    // A task that somebody stops, or that has served, says nothing about the deployment.
    let setback = (task.stop.is_none() && !task.was_healthy)
        .then(|| (task.service.clone(), task.started_by.clone()));
    life::end(state, index, cause, now);
    if let Some((service, deployment)) = setback
        && let Some(service) = state.service_mut(&service)
    {
        breaker::setback(service, &deployment, now);
    }
}

fn index_of(state: &State, id: &str) -> Option<usize> {
    state.tasks.iter().position(|task| task.id == id)
}
