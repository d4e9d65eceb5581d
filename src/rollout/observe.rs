//! Fetching an [`Observation`]: the only place where AWS's types become ours.

use std::time::Instant;

use aws_sdk_ecs::types::{self as ecs, DesiredStatus};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::observation::{
    Container, Deployment, Observation, RolloutState, Service, ServiceEvent, Target, TargetGroup,
    Task,
};
use crate::arn::last_part;
use crate::aws::{AwsError, Clients};
use crate::config::Environment;

/// DescribeTasks takes at most this many (Amazon ECS API Reference).
const TASKS_PER_CALL: usize = 100;

/// Looks at one service again and again.
#[derive(Debug)]
pub struct Observer<'a> {
    clients: &'a Clients,
    environment: &'a Environment,
    target_groups: Vec<(String, i32)>,
    began: Instant,
}

impl<'a> Observer<'a> {
    /// An observer whose clock starts now.
    pub fn new(
        clients: &'a Clients,
        environment: &'a Environment,
        target_groups: Vec<(String, i32)>,
    ) -> Self {
        Self {
            clients,
            environment,
            target_groups,
            began: Instant::now(),
        }
    }

    /// One look. A failed call leaves its part out and is noted; it never decides anything.
    pub async fn observe(&self) -> Observation {
        let (service, tasks, target_groups) =
            tokio::join!(self.service(), self.tasks(), self.target_groups());
        let mut failures = Vec::new();
        Observation {
            elapsed: self.began.elapsed(),
            service: kept(service, &mut failures),
            tasks: kept(tasks, &mut failures),
            target_groups: kept(target_groups, &mut failures),
            failures,
        }
    }

    async fn service(&self) -> Result<Service, AwsError> {
        let answer = self
            .clients
            .ecs
            .describe_services()
            .cluster(&self.environment.cluster)
            .services(&self.environment.service)
            .send()
            .await
            .map_err(|error| {
                AwsError::new("ecs:DescribeServices", &self.environment.service, &error)
            })?;
        match answer.services() {
            [service, ..] => Ok(service_view(service)),
            [] => Ok(Service {
                name: self.environment.service.clone(),
                status: "MISSING".into(),
                desired: 0,
                deployments: Vec::new(),
                events: Vec::new(),
            }),
        }
    }

    async fn tasks(&self) -> Result<Vec<Task>, AwsError> {
        let (running, stopped) = tokio::try_join!(
            self.task_arns(DesiredStatus::Running),
            self.task_arns(DesiredStatus::Stopped)
        )?;
        let arns: Vec<String> = running.into_iter().chain(stopped).collect();
        let mut tasks = Vec::new();
        for chunk in arns.chunks(TASKS_PER_CALL) {
            let answer = self
                .clients
                .ecs
                .describe_tasks()
                .cluster(&self.environment.cluster)
                .set_tasks(Some(chunk.to_vec()))
                .send()
                .await
                .map_err(|error| {
                    AwsError::new("ecs:DescribeTasks", &self.environment.service, &error)
                })?;
            tasks.extend(answer.tasks().iter().map(task_view));
        }
        Ok(tasks)
    }

    async fn task_arns(&self, desired: DesiredStatus) -> Result<Vec<String>, AwsError> {
        self.clients
            .ecs
            .list_tasks()
            .cluster(&self.environment.cluster)
            .service_name(&self.environment.service)
            .desired_status(desired)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(|error| AwsError::new("ecs:ListTasks", &self.environment.service, &error))
    }

    async fn target_groups(&self) -> Result<Vec<TargetGroup>, AwsError> {
        let mut groups = Vec::new();
        for (arn, port) in &self.target_groups {
            let answer = self
                .clients
                .elb
                .describe_target_health()
                .target_group_arn(arn)
                .send()
                .await
                .map_err(|error| {
                    AwsError::new("elasticloadbalancing:DescribeTargetHealth", arn, &error)
                })?;
            let targets = answer
                .target_health_descriptions()
                .iter()
                .filter_map(|described| {
                    let target = described.target()?;
                    let health = described.target_health();
                    Some(Target {
                        ip: target.id()?.to_owned(),
                        port: target.port().unwrap_or(*port),
                        state: health
                            .and_then(|health| health.state())
                            .map_or("unknown", |state| state.as_str())
                            .to_owned(),
                        reason: health
                            .and_then(|health| health.reason())
                            .map(|reason| reason.as_str().to_owned()),
                        description: health
                            .and_then(|health| health.description())
                            .map(str::to_owned),
                    })
                });
            groups.push(TargetGroup {
                arn: arn.clone(),
                port: *port,
                targets: targets.collect(),
            });
        }
        Ok(groups)
    }
}

fn kept<T>(result: Result<T, AwsError>, failures: &mut Vec<String>) -> Option<T> {
    result
        .map_err(|error| failures.push(error.to_string()))
        .ok()
}

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

fn task_view(task: &ecs::Task) -> Task {
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
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
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

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.to_millis().ok()?).ok()
}
