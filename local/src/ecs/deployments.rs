//! The life of a deployment: it waits, runs, and completes, fails, is stopped or gives way.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>

use std::time::Duration;

use crate::aws::Moment;
use crate::state::State;
use crate::state::ecs::{
    Completed, Deployment, DeploymentStatus, Ending, RolloutState, Service, ServiceRevision,
    TaskStatus,
};

/// How many past deployments are kept for the history.
const HISTORY: usize = 200;
/// How long a deployment is pending before the scheduler takes it up, much shortened.
const PENDING: Duration = Duration::from_millis(100);
/// How long a requested stop is seen as requested before it is carried out.
const REQUESTED: Duration = Duration::from_millis(150);

/// Makes `deployment` the PRIMARY one, with the service as it now is as its revision; the former
/// keeps its tasks until they are replaced.
pub(crate) fn begin(service: &mut Service, mut deployment: Deployment) {
    let now = deployment.created_at;
    deployment.source_revisions = live_revisions(service);
    deployment.configuration = service.configuration.clone();
    if let Some(former) = service.primary_mut() {
        former.status = DeploymentStatus::Active;
        if former.rollout == RolloutState::InProgress {
            former.ending = Some(Ending::Superseded);
            former.updated_at = now;
            former.finished_at = Some(now);
        }
    }
    record_revision(service, &deployment);
    service.deployments.insert(0, deployment);
    service.deployments.truncate(HISTORY);
    forget_revisions(service);
    service.steady = false;
}

fn live_revisions(service: &Service) -> Vec<String> {
    let mut revisions = Vec::new();
    for deployment in &service.deployments {
        let live = deployment.status != DeploymentStatus::Inactive;
        if live && !revisions.contains(&deployment.service_revision) {
            revisions.push(deployment.service_revision.clone());
        }
    }
    revisions
}

fn record_revision(service: &mut Service, deployment: &Deployment) {
    if service.revision(&deployment.service_revision).is_some() {
        return;
    }
    let revision = ServiceRevision {
        id: deployment.service_revision.clone(),
        created_at: deployment.created_at,
        task_definition: deployment.task_definition.clone(),
        load_balancers: service.load_balancers.clone(),
        attributes: service.attributes.clone(),
        image_digest: None,
    };
    service.revisions.insert(0, revision);
}

fn forget_revisions(service: &mut Service) {
    let deployments = &service.deployments;
    let needed = |id: &String| {
        deployments.iter().any(|deployment| {
            deployment.service_revision == *id || deployment.source_revisions.contains(id)
        })
    };
    service.revisions.retain(|revision| needed(&revision.id));
}

/// Takes up a pending deployment, carries out a requested stop, and looks at the alarms.
pub(super) fn advance(state: &mut State, index: usize, now: Moment) {
    let firing = &state.alarms;
    let service = &mut state.services[index];
    let configured = service.configuration.alarms.clone();
    let alarms = configured.filter(|alarms| alarms.enable);
    let fires = |name: &String| firing.contains(name);
    let Some(primary) = service
        .primary_mut()
        .filter(|primary| primary.rollout == RolloutState::InProgress)
    else {
        return;
    };
    if primary.started_at.is_none() {
        if now.since(primary.created_at) < PENDING {
            return;
        }
        primary.started_at = Some(now);
        primary.watches_alarms = alarms
            .as_ref()
            .is_some_and(|alarms| !alarms.alarm_names.iter().any(fires));
    }
    if let Some(ending) = primary.ending.clone() {
        if now.since(primary.updated_at) >= REQUESTED {
            let rolls_back = ending == Ending::RollbackRequested;
            fail(service, ending, rolls_back, now);
        }
        return;
    }
    if !primary.watches_alarms {
        return;
    }
    if let Some(alarms) = alarms {
        let triggered: Vec<String> = alarms.alarm_names.into_iter().filter(fires).collect();
        if !triggered.is_empty() {
            fail(service, Ending::Alarms(triggered), alarms.rollback, now);
        }
    }
}

/// Ends the PRIMARY deployment. With `rollback`, one of the last completed revision follows, unless
/// the deployment is a rollback itself or there is nothing to return to.
pub(super) fn fail(service: &mut Service, ending: Ending, rollback: bool, now: Moment) {
    let Some(failed) = service.primary_mut() else {
        return;
    };
    let (reason, event) = words(&ending);
    failed.rollout = RolloutState::Failed;
    failed.reason = reason;
    failed.ending = Some(ending.clone());
    failed.updated_at = now;
    failed.finished_at = Some(now);
    let failed_id = failed.id.clone();
    let is_rollback = failed.rollback_of.is_some();
    service.event(
        now,
        &format!("(deployment {failed_id}) deployment failed: {event}."),
    );
    if rollback && !is_rollback {
        roll_back(service, failed_id, &ending, now);
    }
}

fn roll_back(service: &mut Service, failed: String, ending: &Ending, now: Moment) {
    let Some(good) = service.last_completed.clone() else {
        return;
    };
    let target = &good.deployment;
    service.event(now, &format!("rolling back to deployment {target}."));
    let mut deployment = Deployment::new(good.task_definition, now);
    deployment.reason = match ending {
        Ending::CircuitBreaker => {
            format!("ECS deployment circuit breaker: rolling back to deploymentId {target}.")
        }
        _ => format!("ECS deployment rolling back to deploymentId {target}."),
    };
    deployment.rollback_of = Some(failed);
    deployment.service_revision = good.service_revision;
    if let Some(revision) = service.revision(&deployment.service_revision).cloned() {
        service.load_balancers = revision.load_balancers;
        service.attributes = revision.attributes;
    }
    begin(service, deployment);
}

/// The `rolloutStateReason`, and the end of the event.
fn words(ending: &Ending) -> (String, String) {
    match ending {
        Ending::CircuitBreaker => (
            "ECS deployment circuit breaker: tasks failed to start.".to_owned(),
            "tasks failed to start".to_owned(),
        ),
        Ending::Alarms(names) => {
            let names = names.join(", ");
            (
                format!("ECS deployment failed: alarm detected: {names}."),
                format!("alarm detected: {names}"),
            )
        }
        Ending::RollbackRequested => (
            "ECS deployment failed: a rollback was requested.".to_owned(),
            "a rollback was requested".to_owned(),
        ),
        Ending::StopRequested | Ending::Superseded => (
            "ECS deployment failed: it was stopped.".to_owned(),
            "it was stopped".to_owned(),
        ),
    }
}

/// The PRIMARY deployment has reached its goal.
pub(super) fn complete(service: &mut Service, now: Moment) {
    let serves = service.desired > 0;
    let Some(primary) = service.primary_mut() else {
        return;
    };
    primary.rollout = RolloutState::Completed;
    primary.reason = format!("ECS deployment {} completed.", primary.id);
    primary.updated_at = now;
    primary.finished_at = Some(now);
    let completed = Completed {
        deployment: primary.id.clone(),
        task_definition: primary.task_definition.clone(),
        service_revision: primary.service_revision.clone(),
    };
    let message = format!("(deployment {}) deployment completed.", primary.id);
    service.event(now, &message);
    // A deployment of no task has shown nothing: a rollback does not return to it.
    if serves {
        service.last_completed = Some(completed);
    }
}

/// A replaced deployment leaves the service with its last task; a failed one is shown until the
/// deployment after it is complete.
pub(super) fn retire(state: &mut State, index: usize) {
    let completed = state.services[index]
        .primary()
        .is_some_and(|primary| primary.rollout == RolloutState::Completed);
    let name = state.services[index].name.clone();
    for position in 0..state.services[index].deployments.len() {
        let deployment = &state.services[index].deployments[position];
        if deployment.status != DeploymentStatus::Active {
            continue;
        }
        let has_tasks = state.tasks.iter().any(|task| {
            task.service == name
                && task.started_by == deployment.id
                && task.status <= TaskStatus::Deactivating
        });
        if !has_tasks && (completed || deployment.rollout != RolloutState::Failed) {
            state.services[index].deployments[position].status = DeploymentStatus::Inactive;
        }
    }
}
