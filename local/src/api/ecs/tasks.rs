use serde_json::{Value, json};

use super::{check_cluster, service, show_tags};
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::api::page::page;
use crate::aws::{Moment, names};
use crate::ecs::outcome;
use crate::state::State;
use crate::state::ecs::{StopCode, Task, TaskStatus};

pub(super) fn list(state: &State, input: &Input) -> Answer {
    check_cluster(input)?;
    let owner = match input.text("serviceName") {
        None => None,
        Some(name) => Some(
            service(state, name)
                .map(|service| service.name.as_str())
                .ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))?,
        ),
    };
    let wanted = input.text("desiredStatus").unwrap_or("RUNNING");
    let family = input.text("family");
    let started_by = input.text("startedBy");
    let arns = state
        .tasks
        .iter()
        .filter(|task| desired_status(task) == wanted)
        .filter(|task| owner.is_none_or(|owner| task.service == owner))
        .filter(|task| started_by.is_none_or(|id| task.started_by == id))
        .filter(|task| family.is_none_or(|family| family_of(task) == family))
        .map(|task| names::task(&task.id))
        .collect();
    let (arns, next): (Vec<String>, _) = page(arns, input, "maxResults", 100)?;
    Ok(json!({ "taskArns": arns, "nextToken": next }))
}

fn desired_status(task: &Task) -> &'static str {
    if task.is_wanted() {
        "RUNNING"
    } else {
        "STOPPED"
    }
}

fn family_of(task: &Task) -> &str {
    let name = names::last_part(&task.task_definition);
    name.split(':').next().unwrap_or(name)
}

fn find<'a>(state: &'a State, id_or_arn: &str) -> Option<&'a Task> {
    state
        .tasks
        .iter()
        .find(|task| task.id == id_or_arn || names::task(&task.id) == id_or_arn)
}

pub(super) fn describe(state: &State, input: &Input) -> Answer {
    check_cluster(input)?;
    let wanted = input.texts("tasks");
    if wanted.is_empty() {
        return Err(ApiError::invalid("Tasks cannot be empty."));
    }
    if wanted.len() > 100 {
        return Err(ApiError::invalid("Cannot describe more than 100 tasks."));
    }
    let with_tags = input.includes("include", "TAGS");
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in wanted {
        match find(state, name) {
            Some(task) => tasks.push(show(task, with_tags)),
            None => failures.push(json!({
                "arn": names::task(names::last_part(name)), "reason": "MISSING",
            })),
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

pub(super) fn stop(state: &mut State, input: &Input, _: Moment) -> Answer {
    check_cluster(input)?;
    let name = input
        .text("task")
        .ok_or_else(|| ApiError::client("Task can not be blank."))?;
    let id = find(state, name)
        .map(|task| task.id.clone())
        .ok_or_else(missing)?;
    let task = state.task_mut(&id).ok_or_else(missing)?;
    let reason = input.text("reason").unwrap_or("Task stopped by user");
    outcome::request_stop(task, StopCode::UserInitiated, reason.to_owned());
    Ok(json!({ "task": show(task, false) }))
}

fn missing() -> ApiError {
    ApiError::invalid("The referenced task was not found.")
}

fn show(task: &Task, with_tags: bool) -> Value {
    let time = |moment: Option<Moment>| moment.map(Moment::to_json);
    let running = task.container.running;
    json!({
        "attachments": [attachment(task)],
        "attributes": [{ "name": "ecs.cpu-architecture", "value": "x86_64" }],
        "availabilityZone": format!("{}a", names::REGION),
        "clusterArn": names::cluster(),
        "connectivity": running.then_some("CONNECTED"),
        "connectivityAt": time(task.pull_started_at),
        "containers": [container(task)],
        "cpu": task.cpu,
        "memory": task.memory,
        "createdAt": task.created_at.to_json(),
        "desiredStatus": desired_status(task),
        "enableExecuteCommand": false,
        "executionStoppedAt": time(task.execution_stopped_at),
        "group": format!("service:{}", task.service),
        "healthStatus": task.health_status(),
        "lastStatus": task.status,
        "launchType": "FARGATE",
        "overrides": {
            "containerOverrides": [{ "name": task.container.name }],
            "inferenceAcceleratorOverrides": [],
        },
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "pullStartedAt": time(task.pull_started_at),
        "pullStoppedAt": time(task.pull_stopped_at),
        "startedAt": time(task.started_at),
        "startedBy": task.started_by,
        "stopCode": task.stop.as_ref().map(|stop| stop.code),
        "stoppedReason": task.stop.as_ref().map(|stop| &stop.reason),
        "stoppingAt": time(task.stopping_at),
        "stoppedAt": time(task.stopped_at),
        "tags": if with_tags { show_tags(&task.tags) } else { json!([]) },
        "taskArn": names::task(&task.id),
        "taskDefinitionArn": task.task_definition,
        "version": task.version,
        "ephemeralStorage": { "sizeInGiB": 20 },
        "fargateEphemeralStorage": { "sizeInGiB": 20 },
    })
}

fn attachment(task: &Task) -> Value {
    let status = match task.status {
        TaskStatus::Provisioning => "PRECREATED",
        TaskStatus::Deprovisioning | TaskStatus::Stopped => "DELETED",
        _ => "ATTACHED",
    };
    json!({
        "id": task.interface.attachment,
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": [
            { "name": "networkInterfaceId", "value": task.interface.id },
            { "name": "macAddress", "value": task.interface.mac },
            { "name": "privateIPv4Address", "value": task.address },
        ],
    })
}

fn container(task: &Task) -> Value {
    let container = &task.container;
    let status = match task.status {
        TaskStatus::Stopped | TaskStatus::Deprovisioning => "STOPPED",
        _ if container.running => "RUNNING",
        _ => "PENDING",
    };
    json!({
        "containerArn": names::container(&task.id, &container.id),
        "taskArn": names::task(&task.id),
        "name": container.name,
        "image": container.image,
        "imageDigest": container.image_digest,
        "runtimeId": container.runtime_id,
        "lastStatus": status,
        "exitCode": container.exit_code,
        "reason": container.reason,
        "networkBindings": [],
        "networkInterfaces": [{
            "attachmentId": task.interface.attachment,
            "privateIpv4Address": task.address,
        }],
        "healthStatus": task.health_status(),
        "managedAgents": Value::Null,
        "cpu": "0",
    })
}
