//! Tables for what each history means, and properties for what no history may mean.

mod histories;
mod stack;
mod tables;

use super::*;
use crate::rollout::observation::{
    Container, Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus,
    Sight, StopCode, Target, TargetGroup, TargetState,
};

const OURS: &str = "ecs-svc/2";
const OLD: &str = "ecs-svc/1";
const REVISION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/mcp:2";
const PREVIOUS: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/mcp:1";
const DIGEST: &str = "sha256:new";

fn plan() -> Plan {
    Plan {
        deployment: OURS.into(),
        revision: REVISION.into(),
        previous_revision: Some(PREVIOUS.into()),
        container: "mcp-server".into(),
        digest: Some(DIGEST.into()),
        bake: Duration::from_secs(10),
        timeout: Duration::from_secs(600),
        fail_fast: true,
        ecs_rolls_back: true,
        stack: None,
    }
}

fn deployment(id: &str, status: &str, rollout: &str) -> Deployment {
    Deployment {
        id: id.into(),
        status: status.into(),
        task_definition: if id == OURS { REVISION } else { PREVIOUS }.into(),
        desired: 2,
        pending: 0,
        running: 2,
        failed: 0,
        rollout: RolloutState::read(rollout),
        reason: String::new(),
        created_at: None,
    }
}

fn task(id: &str, status: &str) -> Task {
    Task {
        id: id.into(),
        deployment: OURS.into(),
        task_definition: REVISION.into(),
        last_status: status.into(),
        desired_status: if status == "STOPPED" {
            "STOPPED"
        } else {
            "RUNNING"
        }
        .into(),
        stop_code: None,
        stopped_reason: None,
        private_ip: Some(format!("10.0.0.{id}")),
        containers: vec![Container {
            name: "mcp-server".into(),
            image_digest: Some(DIGEST.into()),
            exit_code: None,
            reason: None,
        }],
        created_at: None,
    }
}

fn failed_task(id: &str) -> Task {
    Task {
        stop_code: Some(StopCode::EssentialContainerExited),
        stopped_reason: Some("Essential container in task exited".into()),
        ..task(id, "STOPPED")
    }
}

fn group(states: &[(&str, &str)]) -> TargetGroup {
    TargetGroup {
        arn: "tg".into(),
        port: 8000,
        targets: states
            .iter()
            .map(|(id, state)| Target {
                ip: format!("10.0.0.{id}"),
                port: 8000,
                state: TargetState::read(state),
                reason: None,
                description: None,
            })
            .collect(),
    }
}

fn service(deployments: Vec<Deployment>) -> Service {
    Service {
        name: "mcp".into(),
        status: "ACTIVE".into(),
        desired: 2,
        deployments,
        events: Vec::new(),
    }
}

/// Our service deployment.
fn record(status: &str) -> ServiceDeployment {
    ServiceDeployment {
        arn: "arn:aws:ecs:us-east-1:123456789012:service-deployment/c/mcp/x".into(),
        status: ServiceDeploymentStatus::read(status),
        reason: String::new(),
        lifecycle_stage: None,
        breaker: None,
        triggered_alarms: Vec::new(),
        rollback_reason: None,
    }
}

/// Everything as it should be.
fn good(at: u64) -> Observation {
    Observation {
        elapsed: Duration::from_secs(at),
        service: Some(service(vec![deployment(OURS, "PRIMARY", "COMPLETED")])),
        service_deployment: Sight::Seen(record("SUCCESSFUL")),
        tasks: Some(vec![task("1", "RUNNING"), task("2", "RUNNING")]),
        target_groups: Some(vec![group(&[("1", "healthy"), ("2", "healthy")])]),
        stack: None,
        failures: Vec::new(),
    }
}

fn with(at: u64, change: impl FnOnce(&mut Observation)) -> Observation {
    let mut seen = good(at);
    change(&mut seen);
    seen
}

fn deployments(seen: &mut Observation, deployments: Vec<Deployment>) {
    seen.service = Some(service(deployments));
}
