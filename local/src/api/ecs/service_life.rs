//! CreateService and DeleteService.

use serde_json::{Map, Value, json};

use super::check_cluster;
use super::services::{
    DEPLOYED_ATTRIBUTES, OTHER_ATTRIBUTES, configuration, count, load_balancers, revision, show,
};
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::aws::Moment;
use crate::ecs::deployments;
use crate::ecs::outcome::request_stop;
use crate::state::State;
use crate::state::ecs::{Deployment, DeploymentConfiguration, Service, StopCode};

pub(super) fn create(state: &mut State, input: &Input, now: Moment) -> Answer {
    check_cluster(input)?;
    let name = input
        .text("serviceName")
        .ok_or_else(|| ApiError::client("Service name can not be blank."))?
        .to_owned();
    let is_known = |service: &&Service| service.name == name && service.active;
    if state.services.iter().any(|service| is_known(&service)) {
        return Err(ApiError::invalid("Creation of service was not idempotent."));
    }
    let target = revision(state, input)?
        .ok_or_else(|| ApiError::client("TaskDefinition can not be blank."))?;
    let mut attributes = Map::new();
    for member in DEPLOYED_ATTRIBUTES.into_iter().chain(OTHER_ATTRIBUTES) {
        if let Some(value) = input.get(member) {
            attributes.insert(member.to_owned(), value.clone());
        }
    }
    attributes
        .entry("platformVersion")
        .or_insert_with(|| json!("1.4.0"));
    let default = DeploymentConfiguration::default();
    let mut service = Service {
        name: name.clone(),
        active: true,
        created_at: now,
        desired: count(input, "desiredCount")?.unwrap_or(0),
        configuration: configuration(&default, input)?.unwrap_or(default),
        grace_seconds: count(input, "healthCheckGracePeriodSeconds")?.unwrap_or(0),
        load_balancers: load_balancers(state, input)?.unwrap_or_default(),
        attributes,
        deployments: Vec::new(),
        revisions: Vec::new(),
        last_completed: None,
        events: Vec::new(),
        steady: false,
        tags: input.tags("tags")?,
    };
    deployments::begin(&mut service, Deployment::new(target, now));
    // One of this name that was deleted is forgotten.
    state.services.retain(|other| other.name != name);
    let shown = show(state, &service, true);
    state.services.push(service);
    Ok(json!({ "service": shown }))
}

/// Ends the service. Its tasks stop; it is told about as DRAINING while they do, then as INACTIVE.
pub(super) fn delete(state: &mut State, input: &Input, _: Moment) -> Answer {
    check_cluster(input)?;
    let missing = || ApiError::new("ServiceNotFoundException", "Service not found.");
    let named = input.text("service").unwrap_or_default();
    let name = super::service(state, named)
        .filter(|service| service.active)
        .map(|service| service.name.clone())
        .ok_or_else(missing)?;
    let service = state.service_mut(&name).ok_or_else(missing)?;
    if service.desired > 0 && input.flag("force") != Some(true) {
        return Err(ApiError::invalid(
            "The service cannot be stopped while it is scaled above 0.",
        ));
    }
    service.active = false;
    service.desired = 0;
    let by = service
        .primary()
        .map(|primary| primary.id.clone())
        .unwrap_or_default();
    for task in state.tasks.iter_mut().filter(|task| task.service == name) {
        request_stop(
            task,
            StopCode::ServiceSchedulerInitiated,
            format!("Scaling activity initiated by (deployment {by})"),
        );
    }
    let service = state.service(&name).ok_or_else(missing)?;
    let shown: Value = show(state, service, false);
    Ok(json!({ "service": shown }))
}
