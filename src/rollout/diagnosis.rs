//! Why a release failed: what its tasks, their logs, the targets and ECS said.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Plan;
use super::observation::{History, Task};
use super::preflight::Snapshot;

/// What is known of a failure.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Stopped tasks of our deployment that ended the same way.
    pub stopped: Vec<StoppedGroup>,
    /// Targets of our tasks that were not healthy when last seen.
    pub targets: Vec<String>,
    /// Service events since the rollout began, oldest first.
    pub events: Vec<String>,
}

/// Tasks that stopped the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoppedGroup {
    /// How many.
    pub count: usize,
    /// ECS's code.
    pub stop_code: String,
    /// ECS's words.
    pub reason: String,
    /// The container's exit code.
    pub exit_code: Option<i32>,
    /// The container's own reason, where it adds something.
    pub container_reason: Option<String>,
    /// What it usually means.
    pub hint: Option<String>,
    /// The last lines that one of them wrote.
    pub log: Vec<String>,
}

impl Diagnosis {
    /// Puts together what `history` holds of our deployment; `logs` has the last lines by task id.
    pub fn of(
        history: &History,
        before: &Snapshot,
        plan: &Plan,
        logs: &BTreeMap<String, Vec<String>>,
    ) -> Self {
        let old: Vec<&str> = before
            .service
            .events
            .iter()
            .map(|event| event.id.as_str())
            .collect();
        let events = history
            .events()
            .into_iter()
            .filter(|event| !old.contains(&event.id.as_str()));
        Self {
            stopped: stopped_groups(
                &history.stopped_tasks(&plan.deployment),
                &plan.container,
                logs,
            ),
            targets: unhealthy_targets(history, &plan.deployment),
            events: events.map(|event| event.message.clone()).collect(),
        }
    }
}

fn stopped_groups(
    tasks: &[&Task],
    container: &str,
    logs: &BTreeMap<String, Vec<String>>,
) -> Vec<StoppedGroup> {
    let mut groups: Vec<StoppedGroup> = Vec::new();
    for task in tasks {
        let main = task.container(container);
        let stop_code = task.stop_code.clone().unwrap_or_else(|| "none".into());
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
                hint: hint(&stop_code, &reason, exit_code, container_reason.as_deref()),
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

/// ECS names the task or its address in some reasons; the same failure of two tasks is one group.
fn without_ids(reason: &str, task: &Task) -> String {
    let reason = reason.replace(&task.id, "…");
    match &task.private_ip {
        Some(ip) => reason.replace(ip.as_str(), "…"),
        None => reason,
    }
}

/// What an expert would look at first.
fn hint(
    stop_code: &str,
    reason: &str,
    exit_code: Option<i32>,
    container_reason: Option<&str>,
) -> Option<String> {
    let text = format!("{reason} {}", container_reason.unwrap_or_default());
    let hint = if text.contains("CannotPullContainer") {
        "the image could not be pulled: check that the digest is in the repository and that the execution role may call ecr:GetAuthorizationToken, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"
    } else if text.contains("ResourceInitializationError") {
        "the task could not be set up: check the secrets and the log group that the task definition names, the execution role's permissions, and the subnet's way to AWS's endpoints"
    } else if text.contains("exec format error") {
        "the image is for another processor architecture than the task: build it for linux/amd64"
    } else if text.contains("OutOfMemory") || exit_code == Some(137) {
        "the container was killed (137): most often it needed more memory than the task has"
    } else if text.contains("health check") {
        "the task ran but its health check never passed: compare the target group's path, port and matcher with what the log below says the server serves"
    } else if exit_code == Some(78) {
        "the server refused its configuration: the log below lists the variables"
    } else if stop_code == "EssentialContainerExited" && exit_code.is_some_and(|code| code != 0) {
        "the server ended by itself: the log below has its last words"
    } else {
        return None;
    };
    Some(hint.to_owned())
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
                if target.state == "unhealthy" {
                    let reason = target.reason.as_deref().unwrap_or("no reason code");
                    let words = target.description.as_deref().unwrap_or("");
                    lines.insert(
                        key.clone(),
                        format!("{key} unhealthy: {reason} {words}")
                            .trim_end()
                            .to_owned(),
                    );
                } else if target.state == "healthy" {
                    lines.remove(&key);
                }
            }
        }
    }
    lines.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_those_of_an_expert() {
        for (code, reason, exit, says) in [
            (
                "TaskFailedToStart",
                "CannotPullContainerError: pull image manifest has been retried",
                None,
                "execution role",
            ),
            (
                "TaskFailedToStart",
                "ResourceInitializationError: unable to pull secrets",
                None,
                "secrets",
            ),
            (
                "EssentialContainerExited",
                "Essential container in task exited",
                Some(137),
                "memory",
            ),
            (
                "EssentialContainerExited",
                "Essential container in task exited",
                Some(78),
                "configuration",
            ),
            (
                "EssentialContainerExited",
                "Essential container in task exited",
                Some(1),
                "last words",
            ),
            (
                "ServiceSchedulerInitiated",
                "Task failed ELB health checks in (target-group x)",
                None,
                "path, port and matcher",
            ),
            (
                "EssentialContainerExited",
                "exec /s: exec format error",
                Some(1),
                "linux/amd64",
            ),
        ] {
            let hint = hint(code, reason, exit, None).unwrap();
            assert!(hint.contains(says), "{hint} does not say {says}");
        }
        assert_eq!(
            hint("UserInitiated", "Task stopped by user", None, None),
            None
        );
    }
}
