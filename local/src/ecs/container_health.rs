//! Container health checks: when they are due, and what they make of the container.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html>

use std::time::Duration;

use serde_json::{Map, Value};

use super::Effect;
use crate::aws::Moment;
use crate::state::ecs::{ContainerHealth, HealthStatus, Task, TaskStatus};

/// Intervals and start periods are this much shorter than the definition says.
const SHORTENED: u32 = 15;
/// The first check does not wait for an interval: every release would.
const FIRST_CHECK: Duration = Duration::from_millis(300);

/// The check of a container definition; `None` where it has none.
pub(super) fn of(container: &Map<String, Value>) -> Option<ContainerHealth> {
    let check = container.get("healthCheck")?;
    let words: Vec<String> = check
        .get("command")?
        .as_array()?
        .iter()
        .filter_map(|word| word.as_str().map(ToOwned::to_owned))
        .collect();
    let command = match words.split_first()? {
        (kind, rest) if kind == "CMD" && !rest.is_empty() => rest.to_vec(),
        (kind, rest) if kind == "CMD-SHELL" => {
            vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.join(" ")]
        }
        _ => return None,
    };
    let number =
        |member: &str, default: u64| check.get(member).and_then(Value::as_u64).unwrap_or(default);
    let seconds = |member, default| Duration::from_secs(number(member, default));
    Some(ContainerHealth {
        command,
        interval: seconds("interval", 30) / SHORTENED,
        timeout: seconds("timeout", 5),
        retries: u32::try_from(number("retries", 3)).unwrap_or(u32::MAX),
        start_period: seconds("startPeriod", 0) / SHORTENED,
        status: HealthStatus::Unknown,
        failures: 0,
        checking: false,
        next_check_at: None,
    })
}

/// Asks for the check that is due.
pub(super) fn advance(task: &mut Task, now: Moment, effects: &mut Vec<Effect>) {
    let runs = task.container.running
        && matches!(task.status, TaskStatus::Activating | TaskStatus::Running);
    let Some(health) = task.health.as_mut().filter(|_| runs) else {
        return;
    };
    let due = *health
        .next_check_at
        .get_or_insert_with(|| now.plus(FIRST_CHECK));
    if health.checking || now < due {
        return;
    }
    health.checking = true;
    effects.push(Effect::CheckContainer {
        task: task.id.clone(),
        command: health.command.clone(),
        timeout: health.timeout,
    });
}

/// Takes the result of one check.
pub(super) fn checked(task: &mut Task, passed: bool, now: Moment) {
    // The start period is the container's, which runs once its image is there.
    let started = task.pull_stopped_at.unwrap_or(now);
    let Some(health) = &mut task.health else {
        return;
    };
    health.checking = false;
    health.next_check_at = Some(now.plus(health.interval));
    let before = health.status;
    if passed {
        health.failures = 0;
        health.status = HealthStatus::Healthy;
    } else if now.since(started) >= health.start_period {
        health.failures += 1;
        if health.failures >= health.retries {
            health.status = HealthStatus::Unhealthy;
        }
    }
    if health.status != before {
        task.version += 1;
    }
}
