//! The newer view of deployments: a service deployment leads from some service revisions to one, and
//! holds its own rollback.

mod view;

use serde_json::{Value, json};

use super::{check_cluster, service};
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::api::page::page;
use crate::aws::{Moment, names};
use crate::state::State;
use crate::state::ecs::{Deployment, DeploymentStatus, Ending, Service, ServiceRevision};
use view::{View, summary};

/// `ServiceDeploymentStatus` of the API.
const STATUSES: [&str; 9] = [
    "PENDING",
    "SUCCESSFUL",
    "STOPPED",
    "STOP_REQUESTED",
    "IN_PROGRESS",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
];
/// What one call may describe.
const MOST_DESCRIBED: usize = 20;

/// The ARN of the service deployment that a deployment belongs to.
pub(super) fn arn_of(service: &Service, deployment: &Deployment) -> String {
    let owner = deployment
        .rollback_of
        .as_deref()
        .and_then(|id| service.deployment(id))
        .unwrap_or(deployment);
    names::service_deployment(&service.name, &owner.service_deployment)
}

/// The revisions whose tasks run.
pub(super) fn current(state: &State, service: &Service) -> Vec<Value> {
    let mut revisions: Vec<&str> = Vec::new();
    for deployment in &service.deployments {
        let id = deployment.service_revision.as_str();
        if deployment.status != DeploymentStatus::Inactive && !revisions.contains(&id) {
            revisions.push(id);
        }
    }
    revisions
        .into_iter()
        .map(|revision| summary(state, service, revision))
        .collect()
}

pub(super) fn list(state: &State, input: &Input) -> Answer {
    check_cluster(input)?;
    let name = input.required("service")?;
    let service = service(state, name)
        .ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))?;
    let wanted = input.texts("status");
    if let Some(unknown) = wanted.iter().find(|status| !STATUSES.contains(status)) {
        return Err(ApiError::invalid(format!(
            "{unknown} is not a service deployment status."
        )));
    }
    let found: Vec<Value> = View::all(service)
        .filter(|view| wanted.is_empty() || wanted.contains(&view.status()))
        .filter(|view| was_created(view.deployment.created_at, input))
        .map(|view| view.brief())
        .collect();
    let (found, next) = page(found, input, "maxResults", 100)?;
    Ok(json!({ "serviceDeployments": found, "nextToken": next }))
}

/// Whether `at` lies between the times of the `createdAt` filter.
fn was_created(at: Moment, input: &Input) -> bool {
    let bound = |name: &str| input.get("createdAt")?.get(name)?.as_f64();
    let at = at.to_json().as_f64().unwrap_or_default();
    bound("before").is_none_or(|before| at < before)
        && bound("after").is_none_or(|after| at > after)
}

fn named<'a>(input: &'a Input, member: &str) -> Result<Vec<&'a str>, ApiError> {
    let arns = input.texts(member);
    if arns.is_empty() || arns.len() > MOST_DESCRIBED {
        return Err(ApiError::invalid(format!(
            "{member} must hold 1 to {MOST_DESCRIBED} ARNs."
        )));
    }
    Ok(arns)
}

pub(super) fn describe(state: &State, input: &Input) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in named(input, "serviceDeploymentArns")? {
        match find(state, arn) {
            Some(view) => found.push(view.show(state)),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "serviceDeployments": found, "failures": failures }))
}

fn find<'a>(state: &'a State, arn: &str) -> Option<View<'a>> {
    state
        .services
        .iter()
        .flat_map(View::all)
        .find(|view| view.arn() == arn)
}

/// StopServiceDeployment: asks for the end of a deployment that is under way.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html>
pub(super) fn stop(state: &mut State, input: &Input, now: Moment) -> Answer {
    let arn = input.required("serviceDeploymentArn")?.to_owned();
    let ending = match input.text("stopType") {
        None | Some("ROLLBACK") => Ending::RollbackRequested,
        Some("ABORT") => Ending::StopRequested,
        Some(other) => {
            return Err(ApiError::invalid(format!(
                "stopType {other} is not one of ABORT, ROLLBACK."
            )));
        }
    };
    if !arn.starts_with(&names::arn("ecs", "service-deployment/")) {
        return Err(ApiError::invalid(format!(
            "{arn} is not the ARN of a service deployment of this account and region."
        )));
    }
    let view = find(state, &arn).ok_or_else(|| {
        ApiError::new(
            "ServiceDeploymentNotFoundException",
            format!("Service deployment {arn} not found."),
        )
    })?;
    let (service, deployment) = (view.service.name.clone(), view.deployment.id.clone());
    match view.status() {
        "PENDING" | "IN_PROGRESS" => {
            let deployment = state
                .service_mut(&service)
                .and_then(|service| service.deployment_mut(&deployment));
            if let Some(deployment) = deployment {
                deployment.ending = Some(ending);
                deployment.updated_at = now;
            }
        }
        // It goes on stopping, or rolling back.
        "STOP_REQUESTED" | "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => {}
        status => {
            return Err(ApiError::new(
                "ConflictException",
                format!("Service deployment {arn} cannot be stopped: it is {status}."),
            ));
        }
    }
    Ok(json!({ "serviceDeploymentArn": arn }))
}

pub(super) fn revisions(state: &State, input: &Input) -> Answer {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in named(input, "serviceRevisionArns")? {
        let revision = state.services.iter().find_map(|service| {
            service
                .revisions
                .iter()
                .find(|revision| names::service_revision(&service.name, &revision.id) == arn)
                .map(|revision| show_revision(state, service, revision))
        });
        match revision {
            Some(revision) => found.push(revision),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    Ok(json!({ "serviceRevisions": found, "failures": failures }))
}

fn show_revision(state: &State, service: &Service, revision: &ServiceRevision) -> Value {
    let containers = state
        .task_definition(&revision.task_definition)
        .and_then(|definition| definition.main_container())
        .map(|container| {
            json!({
                "containerName": container.get("name"),
                "image": container.get("image"),
                "imageDigest": revision.image_digest,
            })
        });
    json!({
        "serviceRevisionArn": names::service_revision(&service.name, &revision.id),
        "serviceArn": names::service(&service.name),
        "clusterArn": names::cluster(),
        "taskDefinition": revision.task_definition,
        "launchType": "FARGATE",
        "platformVersion": revision.attributes.get("platformVersion"),
        "platformFamily": "Linux",
        "loadBalancers": revision.load_balancers,
        "serviceRegistries": [],
        "networkConfiguration": revision.attributes.get("networkConfiguration"),
        "containerImages": containers.into_iter().collect::<Vec<Value>>(),
        "guardDutyEnabled": false,
        "createdAt": revision.created_at.to_json(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::deployments;
    use crate::state::Addresses;

    /// A service whose newest deployment has just begun, and that one's ARN.
    fn begun() -> (State, String) {
        let mut state = State::seed(Addresses::default(), Moment(0));
        let service = &mut state.services[0];
        let target = service.deployments[0].task_definition.clone();
        deployments::begin(service, Deployment::new(target, Moment(1)));
        let arn = arn_of(service, &service.deployments[0]);
        (state, arn)
    }

    fn ask(state: &mut State, arn: &str, stop_type: &str) -> Result<&'static str, ApiError> {
        let input = json!({ "serviceDeploymentArn": arn, "stopType": stop_type });
        let input = Input(input.as_object().cloned().unwrap_or_default());
        stop(state, &input, Moment(2))?;
        Ok(find(state, arn).unwrap().status())
    }

    #[test]
    fn a_stop_is_requested_before_it_is_carried_out_and_asked_again_it_goes_on() {
        for (stop_type, other, expected) in [
            ("ROLLBACK", "ABORT", "ROLLBACK_REQUESTED"),
            ("ABORT", "ROLLBACK", "STOP_REQUESTED"),
        ] {
            let (mut state, arn) = begun();
            assert_eq!(find(&state, &arn).unwrap().status(), "PENDING");
            state.services[0].deployments[0].started_at = Some(Moment(1));
            assert_eq!(find(&state, &arn).unwrap().status(), "IN_PROGRESS");
            assert_eq!(ask(&mut state, &arn, stop_type), Ok(expected));
            assert_eq!(ask(&mut state, &arn, other), Ok(expected));
        }
    }

    #[test]
    fn what_has_ended_is_not_stopped() {
        let (mut state, _) = begun();
        let ended = arn_of(&state.services[0], &state.services[0].deployments[1]);
        assert_eq!(find(&state, &ended).unwrap().status(), "SUCCESSFUL");
        let error = ask(&mut state, &ended, "ROLLBACK").unwrap_err();
        assert_eq!(error.code, "ConflictException");
    }
}
