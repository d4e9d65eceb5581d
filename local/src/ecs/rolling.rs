//! Rolling updates: which tasks a service starts and stops, and when a deployment is complete.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>

use std::net::Ipv4Addr;
use std::time::Duration;

use rand::Rng;
use serde_json::Value;

use super::breaker;
use super::life::request_stop;
use super::notices::Notices;
use crate::aws::{Moment, names};
use crate::state::State;
use crate::state::ecs::{
    Completed, Container, Deployment, DeploymentStatus, Interface, RolloutState, Service, StopCode,
    Task, TaskStatus,
};
use crate::state::elb::{Failure, Health, Target};

/// What Fargate gives a container that does not say: `stopTimeout`'s default, and its most.
const STOP_TIMEOUT_SECONDS: u64 = 30;
const LONGEST_STOP_TIMEOUT_SECONDS: u64 = 120;
/// How many past deployments are kept for the history.
const HISTORY: usize = 50;

/// Makes `deployment` the PRIMARY one; the former keeps its tasks until they are replaced.
pub(crate) fn begin(service: &mut Service, mut deployment: Deployment) {
    let completed = service.last_completed.as_ref();
    deployment.source_revision = completed
        .map(|completed| completed.service_revision.clone())
        .or_else(|| Some(service.primary()?.service_revision.clone()));
    if let Some(former) = service.primary_mut() {
        former.status = DeploymentStatus::Active;
    }
    service.deployments.insert(0, deployment);
    service.deployments.truncate(HISTORY);
    service.steady = false;
}

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
        let Some((group, port, reason)) = unhealthy_target(state, index, task) else {
            continue;
        };
        if graceful {
            continue;
        }
        let id = task.id.clone();
        request_stop(
            &mut state.tasks[task_index],
            StopCode::ServiceSchedulerInitiated,
            format!("Task failed ELB health checks in (target-group {group})"),
        );
        let service = &mut state.services[index];
        service.event(
            now,
            &format!("(task {id}) (port {port}) is unhealthy in (target-group {group}) due to (reason {reason})."),
        );
        breaker::setback(service, &deployment, now);
    }
}

fn start_missing(
    state: &mut State,
    index: usize,
    primary: &Deployment,
    now: Moment,
    notices: &mut Notices,
) {
    if primary.rollout == RolloutState::Failed || now < primary.next_start_at {
        return;
    }
    let desired = state.services[index].desired as usize;
    let upper = state.services[index].upper_bound() as usize;
    let members = members(state, index, &primary.id);
    let of_primary = members.iter().filter(|member| member.is_primary).count();
    let room = upper.saturating_sub(members.len());
    for _ in 0..desired.saturating_sub(of_primary).min(room) {
        let Some(task) = new_task(state, index, primary, now) else {
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
    let replaces = primary.rollout != RolloutState::Failed;
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
    if settled && primary.rollout == RolloutState::InProgress {
        complete(&mut state.services[index], now);
    }
    retire(state, index);
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

fn complete(service: &mut Service, now: Moment) {
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
fn retire(state: &mut State, index: usize) {
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

/// Whether the task runs and every load balancer of the service finds it healthy.
pub(crate) fn is_healthy(state: &State, index: usize, task: &Task) -> bool {
    task.status == TaskStatus::Running
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

fn new_task(state: &State, index: usize, deployment: &Deployment, now: Moment) -> Option<Task> {
    let service = &state.services[index];
    let definition = state.task_definition(&deployment.task_definition)?;
    let container = definition.main_container()?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let timeout = container
        .get("stopTimeout")
        .and_then(Value::as_u64)
        .unwrap_or(STOP_TIMEOUT_SECONDS)
        .min(LONGEST_STOP_TIMEOUT_SECONDS);
    Some(Task {
        id: names::hex32(),
        service: service.name.clone(),
        started_by: deployment.id.clone(),
        task_definition: deployment.task_definition.clone(),
        status: TaskStatus::Provisioning,
        since: now,
        stop: None,
        was_healthy: false,
        stop_timeout: Duration::from_secs(timeout),
        address: free_address(state),
        interface: Interface {
            attachment: uuid::Uuid::new_v4().to_string(),
            id: names::ec2("eni"),
            mac: mac(),
        },
        container: Container {
            id: uuid::Uuid::new_v4().to_string(),
            name: text(container.get("name")),
            image: text(container.get("image")),
            image_digest: None,
            runtime_id: None,
            exit_code: None,
            reason: None,
            running: false,
        },
        cpu: text(definition.document.get("cpu")),
        memory: text(definition.document.get("memory")),
        created_at: now,
        pull_started_at: None,
        pull_stopped_at: None,
        started_at: None,
        stopping_at: None,
        execution_stopped_at: None,
        stopped_at: None,
        version: 1,
        process: None,
        tags: service.tags.clone(),
    })
}

/// A loopback address that no live task and no target has. Four million of them make it unlikely
/// that another environment on this machine has it.
fn free_address(state: &State) -> Ipv4Addr {
    let mut random = rand::rng();
    loop {
        let address = Ipv4Addr::new(
            127,
            random.random_range(64..=127),
            random.random_range(0..=255),
            random.random_range(1..=254),
        );
        let taken = state
            .tasks
            .iter()
            .any(|task| task.address == address && task.status != TaskStatus::Stopped)
            || state
                .load_balancing
                .target_groups
                .iter()
                .flat_map(|group| &group.targets)
                .any(|target| target.address == address);
        if !taken {
            return address;
        }
    }
}

fn mac() -> String {
    let bytes: [u8; 5] = rand::rng().random();
    let rest: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0e:{}", rest.join(":"))
}
