//! Whether a deployment has ended, and how.

use std::time::Duration;

use super::{Evidence, Plan, Verdict};
use crate::rollout::observation::{
    Deployment, History, Observation, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus,
};

/// How long a deployment that ECS gave up may stand there before its rollback begins.
const ROLLBACK_BEGINS_WITHIN: Duration = Duration::from_secs(60);
/// For how many looks a service deployment that still calls itself under way is waited for
/// when another deployment is PRIMARY already: the two answers are not of one moment.
const LOOKS_FOR_AN_EXPLANATION: usize = 3;

/// The verdict, where the deployment has ended.
pub(super) fn ended(plan: &Plan, history: &History) -> Option<Verdict> {
    let service = history.last()?.service.as_ref();
    let ours = history.service_deployments().next_back();
    if let Some(verdict) = ours.and_then(|ours| by_its_own_record(plan, history, ours, service)) {
        return Some(verdict);
    }
    let service = service?;
    if service.status != "ACTIVE" {
        return failed(Evidence::ServiceInactive {
            status: service.status.clone(),
        });
    }
    let primary = service.primary()?;
    if primary.id != plan.deployment {
        return replaced(plan, history, ours, primary);
    }
    (primary.rollout == RolloutState::Failed
        && !is_returning(ours)
        && !rollback_may_begin(plan, history))
    .then(|| given_up(&primary.reason))
    .flatten()
}

fn failed(evidence: Evidence) -> Option<Verdict> {
    Some(Verdict::Failed { evidence })
}

fn given_up(reason: &str) -> Option<Verdict> {
    failed(Evidence::DeploymentFailed {
        reason: reason.to_owned(),
    })
}

/// What the service deployment itself says of its end.
fn by_its_own_record(
    plan: &Plan,
    history: &History,
    ours: &ServiceDeployment,
    service: Option<&Service>,
) -> Option<Verdict> {
    let primary = service.and_then(Service::primary);
    let other = primary.filter(|primary| primary.id != plan.deployment);
    match ours.status {
        ServiceDeploymentStatus::RollbackSuccessful => Some(Verdict::RolledBack {
            to: other
                .map(|other| other.task_definition.clone())
                .or_else(|| plan.previous_revision.clone())?,
            reason: rollback_reason(ours),
        }),
        ServiceDeploymentStatus::RollbackFailed => given_up(&format!(
            "the rollback failed too: {}",
            rollback_reason(ours)
        )),
        ServiceDeploymentStatus::Stopped
            if primary.is_some() && other.is_none() && was_stopped_before(history) =>
        {
            failed(Evidence::Stopped {
                reason: ours.reason.clone(),
            })
        }
        _ => None,
    }
}

/// Whether an earlier look showed it stopped too. Only then is the service's part of this look
/// surely newer: the calls of one look are not of one moment, and what takes the place of a
/// superseded deployment may not show yet.
fn was_stopped_before(history: &History) -> bool {
    let stopped = |seen: &&ServiceDeployment| seen.status == ServiceDeploymentStatus::Stopped;
    history.service_deployments().filter(stopped).count() > 1
}

fn rollback_reason(ours: &ServiceDeployment) -> String {
    ours.rollback_reason
        .clone()
        .unwrap_or_else(|| ours.reason.clone())
}

fn is_returning(ours: Option<&ServiceDeployment>) -> bool {
    ours.is_some_and(|ours| ours.status.is_returning())
}

/// ECS rolls back by itself and has somewhere to go, and gave up only just now.
fn rollback_may_begin(plan: &Plan, history: &History) -> bool {
    if !plan.ecs_rolls_back || plan.previous_revision.is_none() {
        return false;
    }
    let gave_up = |seen: &&Observation| {
        seen.service
            .as_ref()
            .and_then(|service| service.deployment(&plan.deployment))
            .is_some_and(|ours| ours.rollout == RolloutState::Failed)
    };
    let first = history.observations().iter().find(gave_up);
    match (first, history.last()) {
        (Some(first), Some(last)) => {
            last.elapsed.saturating_sub(first.elapsed) < ROLLBACK_BEGINS_WITHIN
        }
        _ => false,
    }
}

/// Another deployment is PRIMARY: ECS's rollback of ours, or somebody else's.
fn replaced(
    plan: &Plan,
    history: &History,
    ours: Option<&ServiceDeployment>,
    primary: &Deployment,
) -> Option<Verdict> {
    let rolled_back = match ours.map(|ours| &ours.status) {
        Some(status) if status.is_rollback() => true,
        Some(ServiceDeploymentStatus::Successful | ServiceDeploymentStatus::Stopped) => false,
        _ => looks_rolled_back(plan, history, primary),
    };
    if !rolled_back {
        let unexplained = ours.is_some_and(|ours| ours.status.is_under_way());
        let looks = looks_since_replaced(plan, history);
        return (!unexplained || looks >= LOOKS_FOR_AN_EXPLANATION).then(|| Verdict::Superseded {
            by: primary.id.clone(),
            revision: primary.task_definition.clone(),
        });
    }
    match primary.rollout {
        RolloutState::Completed => Some(Verdict::RolledBack {
            to: primary.task_definition.clone(),
            reason: own_reason(plan, history)
                .or_else(|| ours.map(rollback_reason))
                .unwrap_or_else(|| primary.reason.clone()),
        }),
        RolloutState::Failed if !is_returning(ours) => {
            given_up(&format!("the rollback failed too: {}", primary.reason))
        }
        // The rollback is under way: the old release is not known to serve again yet.
        RolloutState::Failed | RolloutState::InProgress | RolloutState::Unknown(_) => None,
    }
}

/// Without a word of the service deployment: ECS marks the deployment that it gave up as
/// FAILED, and names the rollback in the new one's reason.
fn looks_rolled_back(plan: &Plan, history: &History, primary: &Deployment) -> bool {
    let ours_failed = history
        .services()
        .filter_map(|service| service.deployment(&plan.deployment))
        .any(|ours| ours.rollout == RolloutState::Failed);
    let said_so = history
        .services()
        .filter_map(|service| service.deployment(&primary.id))
        .any(|other| other.reason.contains("rolling back") || other.reason.contains("rollback"));
    let went_back = plan.previous_revision.as_deref() == Some(primary.task_definition.as_str());
    (plan.ecs_rolls_back && ours_failed && went_back) || said_so
}

fn looks_since_replaced(plan: &Plan, history: &History) -> usize {
    history
        .services()
        .rev()
        .take_while(|service| {
            service
                .primary()
                .is_some_and(|primary| primary.id != plan.deployment)
        })
        .count()
}

fn own_reason(plan: &Plan, history: &History) -> Option<String> {
    history
        .services()
        .rev()
        .filter_map(|service| service.deployment(&plan.deployment))
        .find(|ours| ours.rollout == RolloutState::Failed)
        .map(|ours| ours.reason.clone())
}
