//! What changed from one observation to the next, as events for people.

use super::Plan;
use super::decide::why_stopped;
use super::observation::{Observation, Target, Task};
use super::preflight::Snapshot;
use crate::report::Event;

/// The changes of our deployment since `previous`, and the events that ECS wrote since.
pub fn changes(
    previous: Option<&Observation>,
    now: &Observation,
    plan: &Plan,
    before: &Snapshot,
) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(service) = &now.service {
        let seen: Vec<&str> = previous
            .and_then(|previous| previous.service.as_ref())
            .map_or(&before.service, |service| service)
            .events
            .iter()
            .map(|event| event.id.as_str())
            .collect();
        for event in service
            .events
            .iter()
            .rev()
            .filter(|event| !seen.contains(&event.id.as_str()))
        {
            events.push(Event::ServiceEvent {
                message: event.message.clone(),
            });
        }
        let deployment = deployment_event(now, plan);
        if deployment.is_some()
            && deployment != previous.and_then(|previous| deployment_event(previous, plan))
        {
            events.extend(deployment);
        }
    }
    for task in own_tasks(now, plan) {
        let earlier = previous
            .and_then(|previous| own_tasks(previous, plan).find(|known| known.id == task.id));
        if earlier.is_none_or(|earlier| earlier.last_status != task.last_status) {
            events.push(Event::Task {
                id: task.id.clone(),
                status: task.last_status.clone(),
                reason: task.is_stopped().then(|| why_stopped(task)),
            });
        }
        let earlier = previous.and_then(|previous| target_of(previous, task));
        if let Some(target) = target_of(now, task)
            && earlier.is_none_or(|earlier| earlier.state != target.state)
        {
            events.push(Event::Target {
                address: format!("{}:{}", target.ip, target.port),
                state: target.state.clone(),
                reason: target.reason.clone(),
            });
        }
    }
    for failure in &now.failures {
        events.push(Event::Warning {
            message: format!("{failure}; looking again"),
        });
    }
    events
}

fn deployment_event(seen: &Observation, plan: &Plan) -> Option<Event> {
    let deployment = seen.service.as_ref()?.deployment(&plan.deployment)?;
    Some(Event::Deployment {
        running: deployment.running,
        pending: deployment.pending,
        desired: deployment.desired,
        failed: deployment.failed,
        rollout: deployment.rollout.as_str().to_owned(),
    })
}

fn own_tasks<'a>(seen: &'a Observation, plan: &'a Plan) -> impl Iterator<Item = &'a Task> {
    seen.tasks
        .iter()
        .flatten()
        .filter(|task| task.deployment == plan.deployment)
}

fn target_of<'a>(seen: &'a Observation, task: &Task) -> Option<&'a Target> {
    seen.target_groups
        .iter()
        .flatten()
        .find_map(|group| group.target_of(task))
}
