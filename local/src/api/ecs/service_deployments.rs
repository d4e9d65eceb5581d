//! The newer view of deployments: a service deployment leads from some service revisions to one, and
//! holds its own rollback.

use serde_json::{Value, json};

use super::services::counts;
use super::{check_cluster, service};
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::api::page::page;
use crate::aws::{Moment, names};
use crate::ecs::breaker;
use crate::state::State;
use crate::state::ecs::{Deployment, DeploymentStatus, RolloutState, Service};

/// A service deployment: the deployment, and the one that rolled it back.
struct View<'a> {
    service: &'a Service,
    deployment: &'a Deployment,
    rollback: Option<&'a Deployment>,
}

impl<'a> View<'a> {
    fn all(service: &'a Service) -> impl Iterator<Item = View<'a>> {
        service
            .deployments
            .iter()
            .filter(|deployment| deployment.rollback_of.is_none())
            .map(|deployment| View {
                service,
                deployment,
                rollback: service
                    .deployments
                    .iter()
                    .find(|other| other.rollback_of.as_ref() == Some(&deployment.id)),
            })
    }

    fn arn(&self) -> String {
        names::service_deployment(&self.service.name, &self.deployment.service_deployment)
    }

    fn status(&self) -> &'static str {
        let live = |deployment: &Deployment| deployment.status == DeploymentStatus::Primary;
        match (self.deployment.rollout, self.rollback) {
            (RolloutState::Completed, _) => "SUCCESSFUL",
            (RolloutState::InProgress, _) if live(self.deployment) => "IN_PROGRESS",
            // Another deployment took its place.
            (RolloutState::InProgress, _) => "STOPPED",
            (RolloutState::Failed, None) => "STOPPED",
            (RolloutState::Failed, Some(rollback)) => match rollback.rollout {
                RolloutState::Completed => "ROLLBACK_SUCCESSFUL",
                RolloutState::InProgress if live(rollback) => "ROLLBACK_IN_PROGRESS",
                _ => "ROLLBACK_FAILED",
            },
        }
    }

    fn finished_at(&self) -> Option<Moment> {
        match self.rollback {
            Some(rollback) => rollback.finished_at,
            None => self.deployment.finished_at,
        }
    }

    fn reason(&self) -> Option<&'static str> {
        self.deployment.tripped.then_some(
            "Service deployment rolled back because the circuit breaker threshold was exceeded.",
        )
    }

    fn stage(&self) -> Option<&'static str> {
        match self.status() {
            "IN_PROGRESS" => Some("SCALE_UP"),
            "SUCCESSFUL" => Some("CLEAN_UP"),
            _ => None,
        }
    }

    fn breaker_status(&self) -> &'static str {
        let enabled = self.service.configuration.deployment_circuit_breaker.enable;
        match (enabled, self.deployment.tripped, self.deployment.rollout) {
            (false, _, _) => "DISABLED",
            (true, true, _) => "TRIGGERED",
            (true, false, RolloutState::InProgress) => "MONITORING",
            (true, false, _) => "MONITORING_COMPLETE",
        }
    }
}

/// The ARN of the service deployment that a deployment belongs to.
pub(super) fn arn_of(service: &Service, deployment: &Deployment) -> String {
    let owner = deployment
        .rollback_of
        .as_deref()
        .and_then(|id| service.deployment(id))
        .unwrap_or(deployment);
    names::service_deployment(&service.name, &owner.service_deployment)
}

fn revision_arn(service: &Service, deployment: &Deployment) -> String {
    names::service_revision(&service.name, &deployment.service_revision)
}

fn summary(state: &State, service: &Service, deployment: &Deployment) -> Value {
    let counts = counts(state, service, deployment);
    json!({
        "arn": revision_arn(service, deployment),
        "requestedTaskCount": counts.desired,
        "runningTaskCount": counts.running,
        "pendingTaskCount": counts.pending,
    })
}

/// The revisions whose tasks run.
pub(super) fn current(state: &State, service: &Service) -> Vec<Value> {
    service
        .deployments
        .iter()
        .filter(|deployment| deployment.status != DeploymentStatus::Inactive)
        .map(|deployment| summary(state, service, deployment))
        .collect()
}

pub(super) fn list(state: &State, input: &Input) -> Answer {
    check_cluster(input)?;
    let name = input.required("service")?;
    let service = service(state, name)
        .ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))?;
    let wanted = input.texts("status");
    let found: Vec<Value> = View::all(service)
        .filter(|view| wanted.is_empty() || wanted.contains(&view.status()))
        .map(|view| {
            json!({
                "serviceDeploymentArn": view.arn(),
                "serviceArn": names::service(&service.name),
                "clusterArn": names::cluster(),
                "startedAt": view.deployment.created_at.to_json(),
                "createdAt": view.deployment.created_at.to_json(),
                "finishedAt": view.finished_at().map(Moment::to_json),
                "targetServiceRevisionArn": revision_arn(service, view.deployment),
                "status": view.status(),
                "statusReason": view.reason(),
            })
        })
        .collect();
    let (found, next) = page(found, input, "maxResults", 100)?;
    Ok(json!({ "serviceDeployments": found, "nextToken": next }))
}

pub(super) fn describe(state: &State, input: &Input) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in input.texts("serviceDeploymentArns") {
        let view = state
            .services
            .iter()
            .flat_map(View::all)
            .find(|view| view.arn() == arn);
        match view {
            Some(view) => found.push(show(state, &view)),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "serviceDeployments": found, "failures": failures }))
}

fn show(state: &State, view: &View<'_>) -> Value {
    let (service, deployment) = (view.service, view.deployment);
    let sources: Vec<Value> = deployment
        .source_revision
        .iter()
        .map(|source| {
            let running: usize = service
                .deployments
                .iter()
                .filter(|other| other.service_revision == *source)
                .map(|other| counts(state, service, other).running)
                .sum();
            json!({
                "arn": names::service_revision(&service.name, source),
                "requestedTaskCount": running,
                "runningTaskCount": running,
                "pendingTaskCount": 0,
            })
        })
        .collect();
    let stopped = matches!(view.status(), "STOPPED")
        .then(|| view.finished_at().unwrap_or(deployment.updated_at));
    json!({
        "serviceDeploymentArn": view.arn(),
        "serviceArn": names::service(&service.name),
        "clusterArn": names::cluster(),
        "createdAt": deployment.created_at.to_json(),
        "startedAt": deployment.created_at.to_json(),
        "finishedAt": view.finished_at().map(Moment::to_json),
        "stoppedAt": stopped.map(Moment::to_json),
        "updatedAt": deployment.updated_at.to_json(),
        "sourceServiceRevisions": sources,
        "targetServiceRevision": summary(state, service, deployment),
        "status": view.status(),
        "statusReason": view.reason(),
        "lifecycleStage": view.stage(),
        "deploymentConfiguration": service.configuration,
        "rollback": view.rollback.map(|rollback| json!({
            "reason": "Service deployment rolled back because the circuit breaker threshold was exceeded.",
            "startedAt": rollback.created_at.to_json(),
            "serviceRevisionArn": revision_arn(service, rollback),
        })),
        "deploymentCircuitBreaker": {
            "status": view.breaker_status(),
            "failureCount": deployment.failed_tasks,
            "threshold": breaker::threshold(
                &service.configuration.deployment_circuit_breaker,
                service.desired,
            ),
        },
    })
}

pub(super) fn revisions(state: &State, input: &Input) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in input.texts("serviceRevisionArns") {
        let revision = state.services.iter().find_map(|service| {
            service
                .deployments
                .iter()
                .rev()
                .find(|deployment| revision_arn(service, deployment) == arn)
                .map(|deployment| show_revision(state, service, deployment))
        });
        match revision {
            Some(revision) => found.push(revision),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "serviceRevisions": found, "failures": failures }))
}

fn show_revision(state: &State, service: &Service, deployment: &Deployment) -> Value {
    let container = state
        .task_definition(&deployment.task_definition)
        .and_then(|definition| definition.main_container());
    let image = container.map(|container| {
        let digest = state
            .tasks
            .iter()
            .filter(|task| task.task_definition == deployment.task_definition)
            .find_map(|task| task.container.image_digest.clone());
        json!({
            "containerName": container.get("name"),
            "image": container.get("image"),
            "imageDigest": digest,
        })
    });
    json!({
        "serviceRevisionArn": revision_arn(service, deployment),
        "serviceArn": names::service(&service.name),
        "clusterArn": names::cluster(),
        "taskDefinition": deployment.task_definition,
        "launchType": "FARGATE",
        "platformVersion": service.attributes.get("platformVersion"),
        "platformFamily": "Linux",
        "loadBalancers": service.load_balancers,
        "networkConfiguration": service.attributes.get("networkConfiguration"),
        "containerImages": image.into_iter().collect::<Vec<Value>>(),
        "guardDutyEnabled": false,
        "createdAt": deployment.created_at.to_json(),
    })
}
