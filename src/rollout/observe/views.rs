//! What we keep of AWS's types.

use aws_sdk_ecs::types as ecs;
use aws_sdk_elasticloadbalancingv2::types as elb;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::arn::last_part;
use crate::rollout::observation::{
    Breaker, Container, Deployment, LifecycleStage, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus, ServiceEvent, StopCode, Target, TargetState, Task,
};

/// What we keep of a service.
pub fn service_view(service: &ecs::Service) -> Service {
    Service {
        name: service.service_name().unwrap_or_default().to_owned(),
        status: service.status().unwrap_or("UNKNOWN").to_owned(),
        desired: service.desired_count(),
        deployments: service.deployments().iter().map(deployment_view).collect(),
        events: service
            .events()
            .iter()
            .map(|event| ServiceEvent {
                id: event.id().unwrap_or_default().to_owned(),
                at: event.created_at().and_then(timestamp),
                message: event.message().unwrap_or_default().to_owned(),
            })
            .collect(),
    }
}

fn deployment_view(deployment: &ecs::Deployment) -> Deployment {
    Deployment {
        id: deployment.id().unwrap_or_default().to_owned(),
        status: deployment.status().unwrap_or_default().to_owned(),
        task_definition: deployment.task_definition().unwrap_or_default().to_owned(),
        desired: deployment.desired_count(),
        pending: deployment.pending_count(),
        running: deployment.running_count(),
        failed: deployment.failed_tasks(),
        rollout: RolloutState::read(
            deployment
                .rollout_state()
                .map_or("", |state| state.as_str()),
        ),
        reason: deployment
            .rollout_state_reason()
            .unwrap_or_default()
            .to_owned(),
        created_at: deployment.created_at().and_then(timestamp),
    }
}

pub(super) fn task_view(task: &ecs::Task) -> Task {
    let containers = task.containers().iter().map(|container| Container {
        name: container.name().unwrap_or_default().to_owned(),
        image_digest: container.image_digest().map(str::to_owned),
        exit_code: container.exit_code(),
        reason: container.reason().map(str::to_owned),
    });
    Task {
        id: task
            .task_arn()
            .map(last_part)
            .unwrap_or_default()
            .to_owned(),
        deployment: task.started_by().unwrap_or_default().to_owned(),
        task_definition: task.task_definition_arn().unwrap_or_default().to_owned(),
        last_status: task.last_status().unwrap_or_default().to_owned(),
        desired_status: task.desired_status().unwrap_or_default().to_owned(),
        stop_code: task.stop_code().map(|code| StopCode::read(code.as_str())),
        stopped_reason: task.stopped_reason().map(str::to_owned),
        private_ip: private_ip(task),
        containers: containers.collect(),
        created_at: task.created_at().and_then(timestamp),
    }
}

/// The address of the task's elastic network interface (`awsvpc`, as on Fargate).
fn private_ip(task: &ecs::Task) -> Option<String> {
    let interface = task
        .attachments()
        .iter()
        .filter(|attachment| attachment.r#type() == Some("ElasticNetworkInterface"))
        .flat_map(|attachment| attachment.details())
        .find(|detail| detail.name() == Some("privateIPv4Address"))
        .and_then(|detail| detail.value());
    let container = || {
        task.containers()
            .iter()
            .flat_map(|container| container.network_interfaces())
            .find_map(|interface| interface.private_ipv4_address())
    };
    interface.or_else(container).map(str::to_owned)
}

pub(super) fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.to_millis().ok()?).ok()
}

/// What we keep of a service deployment.
pub(super) fn service_deployment_view(described: &ecs::ServiceDeployment) -> ServiceDeployment {
    let breaker = described.deployment_circuit_breaker();
    ServiceDeployment {
        arn: described
            .service_deployment_arn()
            .unwrap_or_default()
            .to_owned(),
        status: ServiceDeploymentStatus::read(
            described.status().map_or("", |status| status.as_str()),
        ),
        reason: described.status_reason().unwrap_or_default().to_owned(),
        lifecycle_stage: described
            .lifecycle_stage()
            .map(|stage| LifecycleStage::read(stage.as_str())),
        breaker: breaker
            .filter(|breaker| breaker.threshold() > 0)
            .map(|breaker| Breaker {
                failures: breaker.failure_count(),
                threshold: breaker.threshold(),
            }),
        triggered_alarms: described
            .alarms()
            .map(|alarms| alarms.triggered_alarm_names().to_vec())
            .unwrap_or_default(),
        rollback_reason: described
            .rollback()
            .and_then(|rollback| rollback.reason())
            .map(str::to_owned),
    }
}

/// What we keep of a target's health; `port` where the target names none.
pub(super) fn target_view(described: &elb::TargetHealthDescription, port: i32) -> Option<Target> {
    let target = described.target()?;
    let health = described.target_health();
    Some(Target {
        ip: target.id()?.to_owned(),
        port: target.port().unwrap_or(port),
        state: TargetState::read(
            health
                .and_then(|health| health.state())
                .map_or("", |state| state.as_str()),
        ),
        reason: health
            .and_then(|health| health.reason())
            .map(|reason| reason.as_str().to_owned()),
        description: health
            .and_then(|health| health.description())
            .map(str::to_owned),
    })
}
