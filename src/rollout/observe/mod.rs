//! Fetching an [`Observation`]: the only place where AWS's types become ours.

mod service_deployment;
mod stack;
mod views;

use std::time::Instant;

use aws_sdk_ecs::types::DesiredStatus;
use futures::future::try_join_all;

use self::service_deployment::Finder;
pub use self::service_deployment::is_unavailable;
pub use self::views::service_view;
use self::views::{target_view, task_view};
use super::begin::StackUpdate;
use super::observation::{
    Deployment, Observation, Service, ServiceDeployment, Sight, Stack, TargetGroup, Task,
};
use super::preflight::TargetGroupUse;
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::stack::StackError;

/// DescribeTasks takes at most this many (Amazon ECS API Reference).
const TASKS_PER_CALL: usize = 100;

/// Which service deployment is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Followed<'a> {
    /// The one behind a deployment.
    Deployment(&'a Deployment),
    /// The one with this ARN.
    ServiceDeployment(&'a str),
}

/// Looks at one service again and again.
#[derive(Debug)]
pub struct Observer<'a> {
    clients: &'a Clients,
    environment: &'a Environment,
    target_groups: Vec<TargetGroupUse>,
    ours: Option<Finder>,
    stack: Option<StackUpdate>,
    began: Instant,
}

impl<'a> Observer<'a> {
    /// An observer whose clock starts now.
    pub fn new(
        clients: &'a Clients,
        environment: &'a Environment,
        target_groups: Vec<TargetGroupUse>,
    ) -> Self {
        Self {
            clients,
            environment,
            target_groups,
            ours: None,
            stack: None,
            began: Instant::now(),
        }
    }

    /// The same, looking also at one service deployment.
    pub fn following(self, followed: Followed<'_>) -> Self {
        Self {
            ours: Some(Finder::of(followed)),
            ..self
        }
    }

    /// The same, looking also at the update of a stack, where there is one.
    pub fn through(self, stack: Option<StackUpdate>) -> Self {
        Self { stack, ..self }
    }

    /// One look. A failed call leaves its part out and is noted; it never decides anything.
    pub async fn observe(&mut self) -> Observation {
        let mut ours = self.ours.take();
        let (service, service_deployment, tasks, target_groups, stack) = tokio::join!(
            self.service(),
            self.service_deployment(ours.as_mut()),
            self.tasks(),
            self.target_groups(),
            self.stack()
        );
        self.ours = ours;
        let mut failures = Vec::new();
        Observation {
            elapsed: self.began.elapsed(),
            service: kept(service, &mut failures),
            service_deployment: kept(service_deployment, &mut failures).unwrap_or_default(),
            tasks: kept(tasks, &mut failures),
            target_groups: kept(target_groups, &mut failures),
            stack: kept(stack, &mut failures).flatten(),
            failures,
        }
    }

    async fn service_deployment(
        &self,
        ours: Option<&mut Finder>,
    ) -> Result<Sight<ServiceDeployment>, AwsError> {
        match ours {
            Some(ours) => ours.look(self.clients, self.environment).await,
            None => Ok(Sight::Unavailable),
        }
    }

    async fn stack(&self) -> Result<Option<Stack>, StackError> {
        match &self.stack {
            Some(update) => stack::look(self.clients, self.environment, update).await,
            None => Ok(None),
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
        try_join_all(self.target_groups.iter().map(|group| self.group(group))).await
    }

    async fn group(&self, group: &TargetGroupUse) -> Result<TargetGroup, AwsError> {
        let mut targets = Vec::new();
        for arn in std::iter::once(&group.arn).chain(&group.alternate) {
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
            targets.extend(
                answer
                    .target_health_descriptions()
                    .iter()
                    .filter_map(|described| target_view(described, group.container_port)),
            );
        }
        Ok(TargetGroup {
            arn: group.arn.clone(),
            port: group.container_port,
            targets,
        })
    }
}

fn kept<T, E: std::fmt::Display>(result: Result<T, E>, failures: &mut Vec<String>) -> Option<T> {
    result
        .map_err(|error| failures.push(error.to_string()))
        .ok()
}
