//! The ECS scheduler: what becomes of services, tasks and targets as time passes and things happen.
//!
//! Pure: [`step`] and the functions of [`outcome`] change a [`State`] and know no process, socket or
//! clock. What must happen outside is asked for as [`Effect`]s; what came of it is told through
//! [`outcome`].

pub(crate) mod breaker;
mod container_health;
pub(crate) mod deployments;
mod life;
mod notices;
pub(crate) mod outcome;
mod placement;
pub(crate) mod rolling;
mod targets;

use std::net::SocketAddrV4;
use std::time::Duration;

use crate::aws::Moment;
use crate::state::State;
use notices::Notices;

/// Stopped tasks are told about for an hour, as by ECS.
const RETENTION: Duration = Duration::from_secs(3600);
/// Of a service that crashes for an hour, the newest ones are enough.
const MOST_STOPPED: usize = 300;

/// Something to be done outside of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Pull the task's image and start its container.
    Launch { task: String },
    /// End the task's container: SIGTERM, and SIGKILL when `timeout` has passed.
    Stop { task: String, timeout: Duration },
    /// Run the container's health check within it.
    CheckContainer {
        task: String,
        command: Vec<String>,
        timeout: Duration,
    },
    /// Ask a target for its health.
    Check {
        target_group: String,
        target: SocketAddrV4,
        path: String,
        timeout: Duration,
    },
}

/// Lets everything that is due at `now` happen.
pub(crate) fn step(state: &mut State, now: Moment) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut notices = Notices::default();
    targets::advance(&mut state.load_balancing, now, &mut effects);
    for index in 0..state.tasks.len() {
        life::advance(state, index, now, &mut effects, &mut notices);
        container_health::advance(&mut state.tasks[index], now, &mut effects);
    }
    for index in 0..state.services.len() {
        rolling::reconcile(state, index, now, &mut notices);
    }
    notices.publish(state, now);
    for index in 0..state.services.len() {
        rolling::conclude(state, index, now);
    }
    forget_old_tasks(state, now);
    effects
}

fn forget_old_tasks(state: &mut State, now: Moment) {
    let stopped = |task: &crate::state::ecs::Task| task.stopped_at.is_some();
    let mut surplus = state
        .tasks
        .iter()
        .filter(|task| stopped(task))
        .count()
        .saturating_sub(MOST_STOPPED);
    state.tasks.retain(|task| {
        let Some(at) = task.stopped_at else {
            return true;
        };
        if surplus > 0 {
            surplus -= 1;
            return false;
        }
        now.since(at) < RETENTION
    });
}

#[cfg(test)]
mod tests;
