//! What happens to the environment from outside, because a fault says so: alarms, another operator,
//! the retirement of a task, stages of a deployment.

use std::collections::BTreeSet;

use crate::aws::{Moment, names};
use crate::ecs::deployments;
use crate::ecs::outcome::request_stop;
use crate::faults::{Active, Fault};
use crate::state::State;
use crate::state::ecs::{Deployment, RolloutState, Service, StopCode, TaskStatus};
use crate::world::World;

/// The words with which Fargate retires a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html>
const RETIRED: &str =
    "ECS is performing maintenance on the underlying infrastructure hosting the task.";

/// Lets everything happen that is due.
pub(crate) fn step(world: &World, now: Moment) {
    let active = world.faults.active();
    world.touch(|state| {
        state.alarms = firing(&active);
        set_stage(state, &active);
    });
    for fault in active {
        let due = now.since(fault.since).as_secs_f64();
        match &fault.fault {
            Fault::RetireTask { after_seconds } if due >= *after_seconds && world.touch(retire) => {
                world.faults.happened(fault.id);
            }
            Fault::OtherDeployment {
                when_running: Some(running),
                ..
            } if !world.read(|state| runs(state, *running)) => {
                // Its seconds count from the moment when enough of them run.
                world.faults.restart(fault.id, now);
            }
            Fault::OtherDeployment {
                task_definition,
                after_seconds,
                ..
            } if due >= *after_seconds => {
                world.touch(|state| deploy(state, task_definition.as_deref(), now));
                world.faults.happened(fault.id);
            }
            _ => {}
        }
    }
}

fn firing(active: &[Active]) -> BTreeSet<String> {
    active
        .iter()
        .filter_map(|active| match &active.fault {
            Fault::Alarm { name } => Some(name.clone()),
            _ => None,
        })
        .collect()
}

fn set_stage(state: &mut State, active: &[Active]) {
    let stage = active.iter().find_map(|active| match &active.fault {
        Fault::Stage { stage } => Some(stage),
        _ => None,
    });
    for service in &mut state.services {
        if let Some(primary) = service.primary_mut()
            && primary.rollout == RolloutState::InProgress
        {
            primary.lifecycle_stage = stage.cloned();
        }
    }
}

/// Stops the oldest running task; tells whether there was one.
fn retire(state: &mut State) -> bool {
    let running = state
        .tasks
        .iter_mut()
        .find(|task| task.status == TaskStatus::Running && task.is_wanted());
    match running {
        None => false,
        Some(task) => {
            request_stop(task, StopCode::TerminationNotice, RETIRED.to_owned());
            true
        }
    }
}

/// Whether a deployment in progress runs so many tasks of its own.
fn runs(state: &State, enough: u32) -> bool {
    let in_progress = |service: &&Service| {
        service
            .primary()
            .is_some_and(|primary| primary.rollout == RolloutState::InProgress)
    };
    state.services.iter().filter(in_progress).any(|service| {
        let running = state.tasks.iter().filter(|task| {
            task.status == TaskStatus::Running
                && service
                    .primary()
                    .is_some_and(|primary| primary.id == task.started_by)
        });
        running.count() >= enough as usize
    })
}

/// What UpdateService does for somebody else.
fn deploy(state: &mut State, task_definition: Option<&str>, now: Moment) {
    let named = task_definition.and_then(|name| {
        state
            .task_definitions
            .iter()
            .map(|definition| definition.arn())
            .find(|arn| arn == name || names::last_part(arn) == name)
    });
    if task_definition.is_some() && named.is_none() {
        tracing::warn!(
            task_definition,
            "another operator's revision does not exist"
        );
        return;
    }
    let Some(service) = state.services.iter_mut().find(|service| service.active) else {
        return;
    };
    let last = service.last_completed.as_ref();
    let target = named
        .or_else(|| last.map(|completed| completed.task_definition.clone()))
        .or_else(|| Some(service.primary()?.task_definition.clone()));
    if let Some(target) = target {
        tracing::info!(task_definition = target, "another operator deploys");
        deployments::begin(service, Deployment::new(target, now));
    }
}
