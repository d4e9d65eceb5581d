//! What changed from one observation to the next, as events for people.

use super::Plan;
use super::observation::{History, Observation, Service, ServiceDeployment, Target, Task};
use super::preflight::Snapshot;
use crate::report::Event;

/// The changes of our deployment since `previous`, and the events that ECS wrote since.
pub(super) fn changes(
    history: &History,
    now: &Observation,
    plan: &Plan,
    before: &Snapshot,
) -> Vec<Event> {
    let previous = history.last();
    let mut events = service_changes(history, now, plan, before);
    events.extend(service_deployment_change(history, now));
    for task in own_tasks(now, plan) {
        let earlier = previous
            .and_then(|previous| own_tasks(previous, plan).find(|known| known.id == task.id));
        if earlier.is_none_or(|earlier| earlier.last_status != task.last_status) {
            events.push(Event::Task {
                id: task.id.clone(),
                status: task.last_status.clone(),
                reason: task.is_stopped().then(|| task.why_stopped()),
            });
        }
        let earlier = previous.and_then(|previous| target_of(previous, task));
        if let Some(target) = target_of(now, task)
            && earlier.is_none_or(|earlier| earlier.state != target.state)
        {
            events.push(Event::Target {
                address: format!("{}:{}", target.ip, target.port),
                state: target.state.to_string(),
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

fn service_changes(
    history: &History,
    now: &Observation,
    plan: &Plan,
    before: &Snapshot,
) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(service) = &now.service {
        let previous = history.services().next_back();
        let seen: Vec<&str> = previous
            .unwrap_or(&before.service)
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
        let deployment = deployment_event(service, plan);
        if deployment != previous.and_then(|previous| deployment_event(previous, plan)) {
            events.extend(deployment);
        }
        let other = other_primary(service, plan);
        if other != previous.and_then(|previous| other_primary(previous, plan)) {
            events.extend(other);
        }
    }
    events
}

/// The service deployment's first sight and its changes.
fn service_deployment_change(history: &History, now: &Observation) -> Option<Event> {
    let event = |seen: &ServiceDeployment| Event::ServiceDeployment {
        status: seen.status.to_string(),
        lifecycle_stage: seen.lifecycle_stage.as_ref().map(ToString::to_string),
        reason: Some(seen.reason.clone()).filter(|reason| !reason.is_empty()),
        failures: seen.breaker.map(|breaker| breaker.failures),
        threshold: seen.breaker.map(|breaker| breaker.threshold),
    };
    let previous = history.service_deployments().next_back().map(event);
    let seen = now.service_deployment.seen().map(event)?;
    Some(seen).filter(|seen| Some(seen) != previous.as_ref())
}

fn deployment_event(service: &Service, plan: &Plan) -> Option<Event> {
    let deployment = service.deployment(&plan.deployment)?;
    Some(Event::Deployment {
        running: deployment.running,
        pending: deployment.pending,
        desired: deployment.desired,
        failed: deployment.failed,
        rollout: deployment.rollout.as_str().to_owned(),
    })
}

fn other_primary(service: &Service, plan: &Plan) -> Option<Event> {
    let primary = service.primary()?;
    (primary.id != plan.deployment).then(|| Event::OtherDeployment {
        id: primary.id.clone(),
        revision: primary.task_definition.clone(),
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
