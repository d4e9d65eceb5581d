//! A service deployment as the API shows it: the deployment, and the one that rolled it back.

use serde_json::{Value, json};

use super::super::services::counts;
use crate::aws::{Moment, names};
use crate::ecs::breaker;
use crate::state::State;
use crate::state::ecs::{Deployment, DeploymentStatus, Ending, RolloutState, Service};

/// A service deployment holds its own rollback.
pub(super) struct View<'a> {
    pub service: &'a Service,
    pub deployment: &'a Deployment,
    rollback: Option<&'a Deployment>,
}

impl<'a> View<'a> {
    /// Those of a service, newest first.
    pub(super) fn all(service: &'a Service) -> impl Iterator<Item = View<'a>> {
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

    pub(super) fn arn(&self) -> String {
        names::service_deployment(&self.service.name, &self.deployment.service_deployment)
    }

    pub(super) fn status(&self) -> &'static str {
        let ending = self.deployment.ending.as_ref();
        match (self.deployment.rollout, ending, self.rollback) {
            (RolloutState::Completed, ..) => "SUCCESSFUL",
            (RolloutState::InProgress, Some(Ending::RollbackRequested), _) => "ROLLBACK_REQUESTED",
            (RolloutState::InProgress, Some(Ending::StopRequested), _) => "STOP_REQUESTED",
            (RolloutState::InProgress, Some(_), _) => "STOPPED",
            (RolloutState::InProgress, None, _) if self.deployment.started_at.is_none() => {
                "PENDING"
            }
            (RolloutState::InProgress, None, _) => "IN_PROGRESS",
            (RolloutState::Failed, Some(Ending::RollbackRequested), None) => "ROLLBACK_FAILED",
            (RolloutState::Failed, _, None) => "STOPPED",
            (RolloutState::Failed, _, Some(rollback)) => match rollback.rollout {
                RolloutState::Completed => "ROLLBACK_SUCCESSFUL",
                RolloutState::InProgress if rollback.status == DeploymentStatus::Primary => {
                    "ROLLBACK_IN_PROGRESS"
                }
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

    /// When somebody stopped it, or it failed without a rollback.
    fn stopped_at(&self) -> Option<Moment> {
        let stopped = self.status() == "STOPPED" || self.user_rollback();
        self.deployment.finished_at.filter(|_| stopped)
    }

    fn user_rollback(&self) -> bool {
        self.deployment.ending == Some(Ending::RollbackRequested)
    }

    fn updated_at(&self) -> Moment {
        let rollback = self.rollback.map(|rollback| rollback.updated_at);
        rollback.map_or(self.deployment.updated_at, |at| {
            at.max(self.deployment.updated_at)
        })
    }

    pub(super) fn reason(&self) -> Option<String> {
        let why = match self.deployment.ending.as_ref()? {
            Ending::CircuitBreaker => "the circuit breaker threshold was exceeded".to_owned(),
            Ending::Alarms(names) => {
                format!("the following alarms were triggered: {}", names.join(", "))
            }
            Ending::RollbackRequested => "a rollback was requested".to_owned(),
            Ending::StopRequested => "a stop was requested".to_owned(),
            Ending::Superseded => "a newer service deployment took its place".to_owned(),
        };
        Some(match (self.rollback, self.user_rollback()) {
            (Some(_), _) => format!("Service deployment rolled back because {why}."),
            (None, true) if self.deployment.rollout == RolloutState::Failed => {
                format!(
                    "Service deployment failed because {why} and there is no rollback candidate."
                )
            }
            (None, true) => format!("Service deployment rolls back because {why}."),
            (None, false) => format!("Service deployment stopped because {why}."),
        })
    }

    fn circuit_breaker(&self) -> Value {
        let breaker = &self.deployment.configuration.deployment_circuit_breaker;
        let tripped = self.deployment.ending == Some(Ending::CircuitBreaker);
        json!({
            "status": self.monitor(breaker.enable, tripped),
            "failureCount": self.deployment.failed_tasks,
            "threshold": breaker::threshold(breaker, self.service.desired),
        })
    }

    fn alarms(&self) -> Value {
        let configured = self.deployment.configuration.alarms.as_ref();
        let Some(alarms) = configured.filter(|alarms| alarms.enable) else {
            return json!({ "status": "DISABLED" });
        };
        let triggered = match &self.deployment.ending {
            Some(Ending::Alarms(names)) => names.as_slice(),
            _ => &[],
        };
        let watched = self.deployment.watches_alarms || self.deployment.started_at.is_none();
        json!({
            "status": self.monitor(watched, !triggered.is_empty()),
            "alarmNames": alarms.alarm_names,
            "triggeredAlarmNames": triggered,
        })
    }

    fn monitor(&self, enabled: bool, triggered: bool) -> &'static str {
        match (enabled, triggered, self.deployment.finished_at) {
            (false, ..) => "DISABLED",
            (true, true, _) => "TRIGGERED",
            (true, false, None) => "MONITORING",
            (true, false, Some(_)) => "MONITORING_COMPLETE",
        }
    }

    /// An item of ListServiceDeployments.
    pub(super) fn brief(&self) -> Value {
        json!({
            "serviceDeploymentArn": self.arn(),
            "serviceArn": names::service(&self.service.name),
            "clusterArn": names::cluster(),
            "startedAt": self.deployment.started_at.map(Moment::to_json),
            "createdAt": self.deployment.created_at.to_json(),
            "finishedAt": self.finished_at().map(Moment::to_json),
            "targetServiceRevisionArn": revision_arn(self.service, self.deployment),
            "status": self.status(),
            "statusReason": self.reason(),
        })
    }

    /// An item of DescribeServiceDeployments.
    pub(super) fn show(&self, state: &State) -> Value {
        let (service, deployment) = (self.service, self.deployment);
        let sources: Vec<Value> = deployment
            .source_revisions
            .iter()
            .map(|revision| summary(state, service, revision))
            .collect();
        json!({
            "serviceDeploymentArn": self.arn(),
            "serviceArn": names::service(&service.name),
            "clusterArn": names::cluster(),
            "createdAt": deployment.created_at.to_json(),
            "startedAt": deployment.started_at.map(Moment::to_json),
            "finishedAt": self.finished_at().map(Moment::to_json),
            "stoppedAt": self.stopped_at().map(Moment::to_json),
            "updatedAt": self.updated_at().to_json(),
            "sourceServiceRevisions": sources,
            "targetServiceRevision": summary(state, service, &deployment.service_revision),
            "status": self.status(),
            "statusReason": self.reason(),
            "lifecycleStage": deployment.lifecycle_stage,
            "deploymentConfiguration": deployment.configuration,
            "rollback": self.rollback.map(|rollback| json!({
                "reason": self.reason(),
                "startedAt": rollback.created_at.to_json(),
                "serviceRevisionArn": revision_arn(service, rollback),
            })),
            "deploymentCircuitBreaker": self.circuit_breaker(),
            "alarms": self.alarms(),
        })
    }
}

pub(super) fn revision_arn(service: &Service, deployment: &Deployment) -> String {
    names::service_revision(&service.name, &deployment.service_revision)
}

/// The tasks of a service revision, which more than one deployment may deploy.
pub(super) fn summary(state: &State, service: &Service, revision: &str) -> Value {
    let (mut requested, mut running, mut pending) = (0, 0, 0);
    for deployment in &service.deployments {
        if deployment.service_revision == revision {
            let counts = counts(state, service, deployment);
            requested += counts.desired;
            running += counts.running;
            pending += counts.pending;
        }
    }
    json!({
        "arn": names::service_revision(&service.name, revision),
        "requestedTaskCount": requested,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    })
}
