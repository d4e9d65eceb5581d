//! Why a release failed: what its tasks, their logs, the targets and ECS said.

mod hints;

use std::collections::BTreeMap;

use serde::Serialize;

use self::hints::{Ending, hint};
use super::Plan;
use super::observation::{Container, History, StopCode, TargetState, Task};
use super::preflight::Snapshot;
use crate::report::StoppedGroup;
use crate::stack::StackFailure;

/// What is known of a failure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Diagnosis {
    /// Stopped tasks of our deployment that ended the same way.
    pub stopped: Vec<StoppedGroup>,
    /// Targets of our tasks that were not healthy when last seen.
    pub targets: Vec<String>,
    /// What failed in the update of the stack, the first failure first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFailure>,
    /// Service events since the rollout began, oldest first.
    pub events: Vec<String>,
}

/// How the load balancer checks the targets of a group
/// (Elastic Load Balancing API Reference, `TargetGroup`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The path that it asks for.
    pub path: String,
    /// The port, or `traffic-port`.
    pub port: String,
    /// The HTTP codes that it takes for healthy, for example `200-299`.
    pub expects: String,
}

impl Diagnosis {
    /// Puts together what `history` holds of our deployment; `logs` has the last lines by task id.
    pub fn of(
        history: &History,
        before: &Snapshot,
        plan: &Plan,
        logs: &BTreeMap<String, Vec<String>>,
        checks: &[HealthCheck],
    ) -> Self {
        let old: Vec<&str> = before
            .service
            .events
            .iter()
            .map(|event| event.id.as_str())
            .collect();
        let events = history
            .events()
            .iter()
            .filter(|event| !old.contains(&event.id.as_str()));
        Self {
            stopped: stopped_groups(
                &history.stopped_tasks(&plan.deployment),
                &plan.container,
                logs,
                checks,
            ),
            targets: unhealthy_targets(history, &plan.deployment),
            stack: history
                .stacks()
                .next_back()
                .map(|stack| stack.failures.clone())
                .unwrap_or_default(),
            events: events.map(|event| event.message.clone()).collect(),
        }
    }
}

fn stopped_groups(
    tasks: &[&Task],
    container: &str,
    logs: &BTreeMap<String, Vec<String>>,
    checks: &[HealthCheck],
) -> Vec<StoppedGroup> {
    let mut groups: Vec<StoppedGroup> = Vec::new();
    for task in tasks {
        let main = task.container(container).or_else(|| culprit(task));
        let stop_code = task
            .stop_code
            .as_ref()
            .map_or("none", StopCode::as_str)
            .to_owned();
        let reason = without_ids(
            task.stopped_reason.as_deref().unwrap_or("no reason given"),
            task,
        );
        let exit_code = main.and_then(|container| container.exit_code);
        let container_reason = main
            .and_then(|container| container.reason.clone())
            .filter(|text| !reason.contains(text.as_str()) && !text.contains(reason.as_str()));
        let log = logs.get(&task.id).cloned().unwrap_or_default();
        let same = groups.iter_mut().find(|group| {
            group.stop_code == stop_code && group.reason == reason && group.exit_code == exit_code
        });
        match same {
            Some(group) => {
                group.count += 1;
                if !log.is_empty() {
                    group.log = log;
                }
            }
            None => groups.push(StoppedGroup {
                count: 1,
                hint: hint(&Ending {
                    stop_code: task.stop_code.as_ref(),
                    reason: task.stopped_reason.as_deref().unwrap_or_default(),
                    container_reason: main.and_then(|container| container.reason.as_deref()),
                    exit_code,
                    log: &log,
                    checks,
                }),
                stop_code,
                reason,
                exit_code,
                container_reason,
                log,
            }),
        }
    }
    groups
}

/// The container that ended the task, where it is not the one that runs the server.
fn culprit(task: &Task) -> Option<&Container> {
    task.containers
        .iter()
        .find(|container| container.exit_code.is_some() || container.reason.is_some())
}

/// ECS names the task or its address in some reasons; the same failure of two tasks is one group.
fn without_ids(reason: &str, task: &Task) -> String {
    let reason = reason.replace(&task.id, "…");
    match &task.private_ip {
        Some(ip) => reason.replace(ip.as_str(), "…"),
        None => reason,
    }
}

fn unhealthy_targets(history: &History, deployment: &str) -> Vec<String> {
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for seen in history.observations() {
        let (Some(tasks), Some(groups)) = (&seen.tasks, &seen.target_groups) else {
            continue;
        };
        for task in tasks.iter().filter(|task| task.deployment == deployment) {
            for target in groups.iter().filter_map(|group| group.target_of(task)) {
                let key = format!("{}:{}", target.ip, target.port);
                if target.state == TargetState::Unhealthy {
                    let reason = target.reason.as_deref().unwrap_or("no reason code");
                    let words = target.description.as_deref().unwrap_or("");
                    lines.insert(
                        key.clone(),
                        format!("{key} unhealthy: {reason} {words}")
                            .trim_end()
                            .to_owned(),
                    );
                } else if target.state == TargetState::Healthy {
                    lines.remove(&key);
                }
            }
        }
    }
    lines.into_values().collect()
}
