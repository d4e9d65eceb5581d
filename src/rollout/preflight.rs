//! What must be so before anything is changed.

use aws_sdk_ecs::types::{DeploymentControllerType, Service as EcsService};

use super::observation::{Deployment, RolloutState, Service};
use super::observe::service_view;
use crate::arn::last_part;
use crate::aws::{AwsError, Clients, describe_service};
use crate::config::Environment;

/// The service as it is before a rollout.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The service and its deployments.
    pub service: Service,
    /// The revision that the service names.
    pub task_definition: String,
    /// The target groups that the service registers its tasks in.
    pub target_groups: Vec<TargetGroupUse>,
    /// Whether ECS rolls a failed deployment back by itself.
    pub rolls_back: bool,
}

/// A target group that a service registers its tasks in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroupUse {
    /// Its ARN.
    pub arn: String,
    /// The ARN of the group that takes turns with it, where traffic is shifted between two.
    pub alternate: Option<String>,
    /// The container's port that it sends to.
    pub container_port: i32,
}

/// Why a rollout cannot begin; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// An ECS call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// There is no such service.
    #[error("there is no service {service} in cluster {cluster}")]
    ServiceNotFound {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// The service is being deleted or is gone.
    #[error("service {service} in cluster {cluster} is {status}")]
    ServiceNotActive {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// Its status.
        status: String,
    },
    /// Deployments of this service are not ECS's.
    #[error("service {service} is deployed by {controller}, not by ECS")]
    ForeignController {
        /// The service.
        service: String,
        /// `CODE_DEPLOY` or `EXTERNAL`.
        controller: String,
    },
    /// Another deployment is under way.
    #[error(
        "another deployment of service {service} is under way: {deployment} to {revision}, {running} of {desired} tasks run"
    )]
    InFlight {
        /// The service.
        service: String,
        /// The other deployment.
        deployment: String,
        /// Its revision.
        revision: String,
        /// Tasks that run.
        running: i32,
        /// Tasks that should.
        desired: i32,
    },
}

impl PreflightError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.hint(),
            Self::ServiceNotFound { .. } => Some(
                "check cluster and service in quilt-mcp.toml; Terraform or CloudFormation creates the service, not this tool".into(),
            ),
            Self::ServiceNotActive { .. } => Some("create the service again before a release".into()),
            Self::ForeignController { .. } => {
                Some("only services with the deployment controller ECS can be rolled out by this tool".into())
            }
            Self::InFlight { .. } => Some("wait until it ends (`quilt-mcp-deploy status` shows it), then run the same command again".into()),
        }
    }
}

impl Snapshot {
    /// Describes the service and refuses one that cannot be rolled out.
    ///
    /// # Errors
    /// [`PreflightError`].
    pub async fn take(
        clients: &Clients,
        environment: &Environment,
    ) -> Result<Self, PreflightError> {
        let service = describe(clients, environment).await?;
        let controller = service
            .deployment_controller()
            .map_or(&DeploymentControllerType::Ecs, |controller| {
                controller.r#type()
            });
        if *controller != DeploymentControllerType::Ecs {
            return Err(PreflightError::ForeignController {
                service: environment.service.clone(),
                controller: controller.as_str().to_owned(),
            });
        }
        let configuration = service.deployment_configuration();
        let breaker = configuration
            .and_then(|configuration| configuration.deployment_circuit_breaker())
            .is_some_and(|breaker| breaker.enable() && breaker.rollback());
        let alarms = configuration
            .and_then(|configuration| configuration.alarms())
            .is_some_and(|alarms| alarms.enable() && alarms.rollback());
        let rolls_back = breaker || alarms;
        let target_groups = service
            .load_balancers()
            .iter()
            .filter_map(|balancer| {
                Some(TargetGroupUse {
                    arn: balancer.target_group_arn()?.to_owned(),
                    alternate: balancer
                        .advanced_configuration()
                        .and_then(|advanced| advanced.alternate_target_group_arn())
                        .map(str::to_owned),
                    container_port: balancer.container_port().unwrap_or_default(),
                })
            })
            .collect();
        Ok(Self {
            task_definition: service.task_definition().unwrap_or_default().to_owned(),
            service: service_view(&service),
            target_groups,
            rolls_back,
        })
    }

    /// The revision to return to: that of the newest deployment that completed and is or was of
    /// tasks. One of no tasks has shown nothing.
    pub fn last_good_revision(&self) -> Option<&str> {
        self.service
            .deployments
            .iter()
            .filter(|deployment| {
                deployment.rollout == RolloutState::Completed
                    && (deployment.running > 0 || deployment.desired > 0)
            })
            .max_by_key(|deployment| deployment.created_at)
            .map(|deployment| deployment.task_definition.as_str())
    }

    /// The deployment that a release of `revision` attaches to: the PRIMARY one, where it is of
    /// that revision, has not failed, and is of tasks.
    pub fn deployment_of(&self, revision: &str) -> Option<&Deployment> {
        self.service.primary().filter(|primary| {
            primary.task_definition == revision
                && primary.rollout != RolloutState::Failed
                && self.service.desired > 0
        })
    }

    /// The deployment that is under way.
    pub fn in_flight(&self) -> Option<&Deployment> {
        self.service
            .primary()
            .filter(|primary| primary.rollout == RolloutState::InProgress)
    }

    /// Refuses when a deployment of another revision than `ours` is under way.
    ///
    /// # Errors
    /// [`PreflightError::InFlight`].
    pub fn refuse_in_flight(&self, ours: &str) -> Result<(), PreflightError> {
        match self.in_flight() {
            Some(other) if other.task_definition != ours => Err(PreflightError::InFlight {
                service: self.service_name(),
                deployment: other.id.clone(),
                revision: last_part(&other.task_definition).to_owned(),
                running: other.running,
                desired: other.desired,
            }),
            _ => Ok(()),
        }
    }

    fn service_name(&self) -> String {
        self.service.name.clone()
    }
}

async fn describe(
    clients: &Clients,
    environment: &Environment,
) -> Result<EcsService, PreflightError> {
    let not_found = || PreflightError::ServiceNotFound {
        service: environment.service.clone(),
        cluster: environment.cluster.clone(),
    };
    let service = describe_service(clients, environment).await?;
    let service = service.ok_or_else(not_found)?;
    match service.status() {
        Some("ACTIVE") => Ok(service),
        status => Err(PreflightError::ServiceNotActive {
            service: environment.service.clone(),
            cluster: environment.cluster.clone(),
            status: status.unwrap_or("in no known state").to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(deployments: &[(&str, &str, i32, i32)]) -> Snapshot {
        let deployment = |(revision, rollout, desired, running): &(&str, &str, i32, i32)| {
            let number: i64 = revision.parse().unwrap();
            Deployment {
                id: format!("ecs-svc/{revision}"),
                status: "ACTIVE".into(),
                task_definition: (*revision).into(),
                desired: *desired,
                pending: 0,
                running: *running,
                failed: 0,
                rollout: RolloutState::read(rollout),
                reason: String::new(),
                created_at: Some(jiff::Timestamp::from_second(number).unwrap()),
            }
        };
        Snapshot {
            service: Service {
                name: "mcp".into(),
                status: "ACTIVE".into(),
                desired: 2,
                deployments: deployments.iter().map(deployment).collect(),
                events: Vec::new(),
            },
            task_definition: "9".into(),
            target_groups: Vec::new(),
            rolls_back: true,
        }
    }

    #[test]
    fn the_last_good_revision_completed_with_tasks() {
        for (deployments, expected) in [
            (&[("1", "COMPLETED", 2, 2)][..], Some("1")),
            (
                &[("2", "IN_PROGRESS", 2, 1), ("1", "COMPLETED", 0, 2)],
                Some("1"),
            ),
            (
                &[("2", "COMPLETED", 2, 2), ("1", "COMPLETED", 0, 1)],
                Some("2"),
            ),
            // Its tasks died just now: it is what ran, all the same.
            (&[("2", "COMPLETED", 2, 0)], Some("2")),
            // The template that Terraform made the service with.
            (&[("1", "COMPLETED", 0, 0)], None),
            (&[("1", "FAILED", 2, 2)], None),
        ] {
            let found = snapshot(deployments);
            assert_eq!(found.last_good_revision(), expected, "{deployments:?}");
        }
    }
}
