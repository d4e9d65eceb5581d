//! The life of one task.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>

use std::time::Duration;

use super::notices::Notices;
use super::{Effect, targets};
use crate::aws::Moment;
use crate::state::State;
use crate::state::ecs::{Stop, StopCode, Task, TaskStatus};

/// How long AWS's side takes, much shortened: attaching the network interface,
const PROVISIONING: Duration = Duration::from_millis(100);
/// registering with the target group (a program that ends at once ends before it counts as RUNNING),
const ACTIVATING: Duration = Duration::from_millis(250);
/// detaching the network interface.
const DEPROVISIONING: Duration = Duration::from_millis(100);

/// Moves the task on where that is due.
pub(super) fn advance(
    state: &mut State,
    index: usize,
    now: Moment,
    effects: &mut Vec<Effect>,
    notices: &mut Notices,
) {
    let drained = state.tasks[index].status == TaskStatus::Deactivating && is_drained(state, index);
    let task = &mut state.tasks[index];
    let age = now.since(task.since);
    let stopping = task.stop.is_some();
    match task.status {
        TaskStatus::Provisioning if stopping => {
            task.stopping_at = Some(now);
            task.enter(TaskStatus::Deprovisioning, now);
        }
        TaskStatus::Provisioning if age >= PROVISIONING => {
            task.pull_started_at = Some(now);
            task.enter(TaskStatus::Pending, now);
            effects.push(Effect::Launch {
                task: task.id.clone(),
            });
        }
        TaskStatus::Pending if stopping => stop(task, now, effects, notices),
        TaskStatus::Activating | TaskStatus::Running if stopping => {
            deactivate(state, index, now, effects, notices);
        }
        TaskStatus::Activating if age >= ACTIVATING => {
            task.started_at = Some(now);
            task.enter(TaskStatus::Running, now);
        }
        TaskStatus::Deactivating if drained => stop(task, now, effects, notices),
        TaskStatus::Deprovisioning if age >= DEPROVISIONING => {
            task.stopped_at = Some(now);
            task.enter(TaskStatus::Stopped, now);
        }
        _ => {}
    }
}

fn deactivate(
    state: &mut State,
    index: usize,
    now: Moment,
    effects: &mut Vec<Effect>,
    notices: &mut Notices,
) {
    let service = state.tasks[index].service.clone();
    let begun = leave_target_groups(state, index, now);
    let task = &mut state.tasks[index];
    task.stopping_at = Some(now);
    if begun.is_empty() {
        stop(task, now, effects, notices);
        return;
    }
    task.enter(TaskStatus::Deactivating, now);
    notices.draining(&service);
    for group in begun {
        notices.deregistered(&service, &group);
    }
}

fn stop(task: &mut Task, now: Moment, effects: &mut Vec<Effect>, notices: &mut Notices) {
    task.stopping_at.get_or_insert(now);
    task.enter(TaskStatus::Stopping, now);
    notices.stopped(&task.service, &task.id);
    effects.push(Effect::Stop {
        task: task.id.clone(),
        timeout: task.stop_timeout,
    });
}

/// The container runs: the task joins the service's target groups.
pub(super) fn activate(state: &mut State, index: usize, now: Moment) {
    let address = state.tasks[index].address;
    let balancers = state.balancers_of(&state.tasks[index]).to_vec();
    for balancer in &balancers {
        if let Some(group) = state
            .load_balancing
            .target_group_mut(&balancer.target_group_arn)
        {
            targets::register(group, address, balancer.container_port, now);
        }
    }
    let name = state.tasks[index].service.clone();
    state.tasks[index].enter(TaskStatus::Activating, now);
    let mut notices = Notices::default();
    for balancer in &balancers {
        notices.registered(&name, &balancer.target_group_arn);
    }
    notices.publish(state, now);
}

/// The container has ended, or never started: the task leaves what it had joined.
pub(super) fn end(state: &mut State, index: usize, cause: Stop, now: Moment) {
    leave_target_groups(state, index, now);
    let task = &mut state.tasks[index];
    task.stop.get_or_insert(cause);
    task.process = None;
    task.container.running = false;
    task.stopping_at.get_or_insert(now);
    if task.pull_stopped_at.is_some() {
        task.execution_stopped_at = Some(now);
    }
    task.enter(TaskStatus::Deprovisioning, now);
}

/// Asks for the task to be stopped; the first cause stays.
pub(crate) fn request_stop(task: &mut Task, code: StopCode, reason: String) {
    if task.stop.is_none() && task.status <= TaskStatus::Running {
        task.stop = Some(Stop { code, reason });
        task.version += 1;
    }
}

/// Deregisters the task; returns the target groups where it was still registered.
fn leave_target_groups(state: &mut State, index: usize, now: Moment) -> Vec<String> {
    // Its address is its own. The service may have other load balancers by now.
    let address = state.tasks[index].address;
    let mut begun = Vec::new();
    for group in &mut state.load_balancing.target_groups {
        if targets::deregister(group, address, now) > 0 {
            begun.push(group.arn.clone());
        }
    }
    begun
}

fn is_drained(state: &State, index: usize) -> bool {
    let address = state.tasks[index].address;
    let groups = &state.load_balancing.target_groups;
    groups
        .iter()
        .all(|group| targets::is_drained(group, address))
}
