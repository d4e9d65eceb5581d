use serde_json::{Value, json};

use super::{check_cluster, service, show_tags, task_definitions};
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::api::page::page;
use crate::aws::{Moment, names};
use crate::ecs::deployments;
use crate::state::State;
use crate::state::ecs::{
    Deployment, DeploymentConfiguration, DeploymentStatus, RolloutState, Service,
    ServiceLoadBalancer, TaskStatus,
};

/// Members that ECS keeps, and whose change starts a deployment.
const DEPLOYED_ATTRIBUTES: [&str; 4] = [
    "networkConfiguration",
    "platformVersion",
    "enableExecuteCommand",
    "propagateTags",
];
/// Members that ECS keeps without a deployment.
const OTHER_ATTRIBUTES: [&str; 2] = ["enableECSManagedTags", "availabilityZoneRebalancing"];

pub(super) fn list(state: &State, input: &Input) -> Answer {
    check_cluster(input)?;
    let arns = state
        .services
        .iter()
        .filter(|service| service.active)
        .map(|service| names::service(&service.name))
        .collect();
    let (arns, next): (Vec<String>, _) = page(arns, input, "maxResults", 100)?;
    Ok(json!({ "serviceArns": arns, "nextToken": next }))
}

pub(super) fn describe(state: &State, input: &Input) -> Answer {
    check_cluster(input)?;
    let wanted = input.texts("services");
    if wanted.is_empty() {
        return Err(ApiError::invalid("Services cannot be empty."));
    }
    if wanted.len() > 10 {
        return Err(ApiError::invalid("Cannot describe more than 10 services."));
    }
    let with_tags = input.includes("include", "TAGS");
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for name in wanted {
        match service(state, name) {
            Some(service) => services.push(show(state, service, with_tags)),
            None => failures.push(json!({
                "arn": names::service(names::last_part(name)), "reason": "MISSING",
            })),
        }
    }
    Ok(json!({ "services": services, "failures": failures }))
}

/// What a request asks of a service, checked.
struct Update {
    name: String,
    desired: Option<u32>,
    task_definition: Option<String>,
    configuration: Option<DeploymentConfiguration>,
    grace_seconds: Option<u32>,
    load_balancers: Option<Vec<ServiceLoadBalancer>>,
    force: bool,
}

impl Update {
    fn parse(state: &State, input: &Input) -> Result<Self, ApiError> {
        check_cluster(input)?;
        let name = input
            .text("service")
            .ok_or_else(|| ApiError::client("Service can not be blank."))?;
        let service = service(state, name)
            .ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))?;
        if !service.active {
            return Err(ApiError::new(
                "ServiceNotActiveException",
                "Service was not ACTIVE.",
            ));
        }
        Ok(Self {
            name: service.name.clone(),
            desired: count(input, "desiredCount")?,
            task_definition: revision(state, input)?,
            configuration: configuration(service, input)?,
            grace_seconds: count(input, "healthCheckGracePeriodSeconds")?,
            load_balancers: load_balancers(state, input)?,
            force: input.flag("forceNewDeployment") == Some(true),
        })
    }
}

fn count(input: &Input, name: &str) -> Result<Option<u32>, ApiError> {
    match input.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .and_then(|value| u32::try_from(value).ok())
            .map(Some)
            .ok_or_else(|| ApiError::invalid(format!("{name} must be a non-negative integer."))),
    }
}

fn revision(state: &State, input: &Input) -> Result<Option<String>, ApiError> {
    let Some(name) = input.text("taskDefinition") else {
        return Ok(None);
    };
    let definition = task_definitions::find(state, name)
        .ok_or_else(|| ApiError::client("TaskDefinition not found."))?;
    if !definition.active {
        return Err(ApiError::client("TaskDefinition is inactive"));
    }
    Ok(Some(definition.arn()))
}

/// What the request says over what the service has.
fn configuration(
    service: &Service,
    input: &Input,
) -> Result<Option<DeploymentConfiguration>, ApiError> {
    let Some(Value::Object(changes)) = input.get("deploymentConfiguration") else {
        return Ok(None);
    };
    let invalid = |error: serde_json::Error| {
        ApiError::invalid(format!("Invalid deploymentConfiguration: {error}"))
    };
    let mut merged = serde_json::to_value(&service.configuration).map_err(invalid)?;
    if let Value::Object(merged) = &mut merged {
        for (name, value) in changes {
            merged.insert(name.clone(), value.clone());
        }
    }
    let configuration: DeploymentConfiguration = serde_json::from_value(merged).map_err(invalid)?;
    if configuration.minimum_healthy_percent > 100 {
        return Err(ApiError::invalid(
            "minimumHealthyPercent must be between 0 and 100",
        ));
    }
    if configuration.maximum_percent < 100
        || (configuration.maximum_percent == 100 && configuration.minimum_healthy_percent == 100)
    {
        return Err(ApiError::invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    Ok(Some(configuration))
}

fn load_balancers(
    state: &State,
    input: &Input,
) -> Result<Option<Vec<ServiceLoadBalancer>>, ApiError> {
    let Some(value) = input.get("loadBalancers") else {
        return Ok(None);
    };
    let list: Vec<ServiceLoadBalancer> = serde_json::from_value(value.clone())
        .map_err(|error| ApiError::invalid(format!("Invalid loadBalancers: {error}")))?;
    for balancer in &list {
        let arn = &balancer.target_group_arn;
        if state.load_balancing.target_group(arn).is_none() {
            return Err(ApiError::invalid(format!(
                "Unable to assume the service linked role or target group {arn} does not exist."
            )));
        }
    }
    Ok(Some(list))
}

pub(super) fn update(state: &mut State, input: &Input, now: Moment) -> Answer {
    let update = Update::parse(state, input)?;
    let service = state
        .service_mut(&update.name)
        .ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))?;
    let current = service
        .primary()
        .map(|primary| primary.task_definition.clone())
        .unwrap_or_default();
    let target = update.task_definition.unwrap_or_else(|| current.clone());
    let mut deploys = update.force || target != current;
    if let Some(desired) = update.desired {
        service.desired = desired;
    }
    if let Some(configuration) = update.configuration {
        service.configuration = configuration;
    }
    let configuration_now = service.configuration.clone();
    if let Some(seconds) = update.grace_seconds {
        service.grace_seconds = seconds;
    }
    if let Some(balancers) = update.load_balancers {
        deploys |= balancers != service.load_balancers;
        service.load_balancers = balancers;
    }
    for name in DEPLOYED_ATTRIBUTES.into_iter().chain(OTHER_ATTRIBUTES) {
        if let Some(value) = input.get(name) {
            let old = service.attributes.insert(name.to_owned(), value.clone());
            deploys |= DEPLOYED_ATTRIBUTES.contains(&name) && old.as_ref() != Some(value);
        }
    }
    if deploys {
        deployments::begin(service, Deployment::new(target, now));
    } else if let Some(primary) = service.primary_mut() {
        // What only steers the deployment under way steers it from now on.
        if primary.rollout == RolloutState::InProgress {
            primary.configuration = configuration_now;
        }
    }
    let name = update.name;
    let service = state
        .service(&name)
        .ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))?;
    Ok(json!({ "service": show(state, service, false) }))
}

/// How many tasks are wanted, on their way, and running.
pub(super) struct Counts {
    pub desired: usize,
    pub pending: usize,
    pub running: usize,
}

pub(super) fn counts(state: &State, service: &Service, deployment: &Deployment) -> Counts {
    let of = |from: TaskStatus, to: TaskStatus| {
        state
            .tasks
            .iter()
            .filter(|task| {
                task.service == service.name
                    && task.started_by == deployment.id
                    && (from..=to).contains(&task.status)
            })
            .count()
    };
    let desired = if deployment.status == DeploymentStatus::Primary {
        service.desired as usize
    } else {
        state
            .tasks
            .iter()
            .filter(|task| task.started_by == deployment.id && task.is_wanted())
            .count()
    };
    Counts {
        desired,
        pending: of(TaskStatus::Provisioning, TaskStatus::Activating),
        running: of(TaskStatus::Running, TaskStatus::Running),
    }
}

fn show(state: &State, service: &Service, with_tags: bool) -> Value {
    let live: Vec<&Deployment> = service
        .deployments
        .iter()
        .filter(|deployment| deployment.status != DeploymentStatus::Inactive)
        .collect();
    let totals = service
        .deployments
        .iter()
        .map(|deployment| counts(state, service, deployment))
        .fold((0, 0), |(pending, running), counts| {
            (pending + counts.pending, running + counts.running)
        });
    let primary = service.primary();
    let deployments: Vec<Value> = live
        .into_iter()
        .map(|deployment| show_deployment(state, service, deployment))
        .collect();
    let events: Vec<Value> = service
        .events
        .iter()
        .map(|event| {
            json!({
                "id": event.id,
                "createdAt": event.created_at.to_json(),
                "message": event.message,
            })
        })
        .collect();
    let mut shown = json!({
        "serviceArn": names::service(&service.name),
        "serviceName": service.name,
        "clusterArn": names::cluster(),
        "loadBalancers": service.load_balancers,
        "serviceRegistries": [],
        "status": if service.active { "ACTIVE" } else { "INACTIVE" },
        "desiredCount": service.desired,
        "runningCount": totals.1,
        "pendingCount": totals.0,
        "launchType": "FARGATE",
        "platformFamily": "Linux",
        "taskDefinition": primary.map(|primary| &primary.task_definition),
        "deploymentConfiguration": service.configuration,
        "deployments": deployments,
        "roleArn": format!(
            "arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            names::ACCOUNT
        ),
        "events": events,
        "createdAt": service.created_at.to_json(),
        "createdBy": names::role("local"),
        "currentServiceDeployment": primary
            .map(|primary| super::service_deployments::arn_of(service, primary)),
        "currentServiceRevisions": super::service_deployments::current(state, service),
        "placementConstraints": [],
        "placementStrategy": [],
        "healthCheckGracePeriodSeconds": service.grace_seconds,
        "schedulingStrategy": "REPLICA",
        "deploymentController": { "type": "ECS" },
        "tags": with_tags.then(|| show_tags(&service.tags)),
    });
    if let Value::Object(shown) = &mut shown {
        shown.extend(service.attributes.clone());
    }
    shown
}

fn show_deployment(state: &State, service: &Service, deployment: &Deployment) -> Value {
    let counts = counts(state, service, deployment);
    json!({
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.task_definition,
        "desiredCount": counts.desired,
        "pendingCount": counts.pending,
        "runningCount": counts.running,
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at.to_json(),
        "updatedAt": deployment.updated_at.to_json(),
        "launchType": "FARGATE",
        "platformVersion": service.attributes.get("platformVersion"),
        "platformFamily": "Linux",
        "networkConfiguration": service.attributes.get("networkConfiguration"),
        "rolloutState": deployment.rollout,
        "rolloutStateReason": deployment.reason,
    })
}
