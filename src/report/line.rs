//! One event in one line for people.

use super::style::{Style, Tone};
use super::table::short_id;
use super::timeline::Timeline;
use super::{Check, Event, StoppedGroup};
use crate::arn::last_part;
use crate::printable::one_line;

/// The line that says `event`, if it is one that people want a line of.
pub fn line(event: &Event, style: Style) -> Option<String> {
    let entry = |who: &str, tone: Tone, what: String| {
        Some(format!(
            "  {who:<11} {}",
            style.paint(tone, &one_line(&what))
        ))
    };
    match event {
        Event::StageFinished {
            stage,
            elapsed,
            outcome,
        } => Some(format!(
            "{} {:>6.1} s  {}",
            style.paint(Tone::Strong, &format!("{:<8}", stage.as_str())),
            elapsed.as_secs_f64(),
            one_line(outcome)
        )),
        Event::RolloutStarted(release) => entry(
            "deployment",
            Tone::Plain,
            format!("{} of {}", release.deployment, last_part(&release.revision)),
        ),
        Event::Deployment {
            running,
            pending,
            desired,
            failed,
            rollout,
        } => entry(
            "deployment",
            if *failed > 0 {
                Tone::Warning
            } else {
                Tone::of_state(rollout)
            },
            format!(
                "{running} running, {pending} pending, {failed} failed of {desired}; {rollout}"
            ),
        ),
        Event::ServiceDeployment { status, .. } => entry(
            "deployment",
            Tone::of_state(status),
            service_deployment(event),
        ),
        Event::Task { id, status, reason } => entry(
            "task",
            Tone::of_state(status),
            format!("{} {status}{}", short_id(id), why(reason.as_deref())),
        ),
        Event::Target {
            address,
            state,
            reason,
        } => {
            let reason = reason.as_ref().map(|reason| format!(" ({reason})"));
            let what = format!("{address} {state}{}", reason.unwrap_or_default());
            entry("target", Tone::of_state(state), what)
        }
        Event::ServiceEvent { message } => entry("ecs", Tone::Plain, brief(message)),
        Event::RollbackStarted { to, reason } => entry(
            "rollback",
            Tone::Warning,
            format!("returning to {}: {reason}", last_part(to)),
        ),
        Event::OtherDeployment { id, revision } => entry(
            "another",
            Tone::Warning,
            format!("deployment {id} of {} came up", last_part(revision)),
        ),
        Event::Verdict {
            verdict,
            exit_code,
            explanation,
        } if *exit_code != 0 => Some(format!(
            "{}  {}",
            style.paint(Tone::of_state(verdict), &one_line(verdict)),
            one_line(explanation)
        )),
        Event::Check(made) => Some(check(made, style)),
        Event::Warning { message } => Some(format!(
            "{} {}",
            style.paint(Tone::Warning, "warning:"),
            one_line(message)
        )),
        Event::Note { message } => Some(format!(
            "{} {}",
            style.paint(Tone::Strong, "note:"),
            one_line(message)
        )),
        _ => None,
    }
}

/// The lines of a part of a diagnosis.
pub fn stopped(stopped: &StoppedGroup, style: Style) -> Vec<String> {
    let mut lines = vec![style.paint(Tone::Bad, &one_line(&stopped.headline()))];
    let facts = [
        ("reason", Some(&stopped.reason)),
        ("container", stopped.container_reason.as_ref()),
        ("hint", stopped.hint.as_ref()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            lines.push(format!("  {name:<11} {}", one_line(value)));
        }
    }
    for (index, line) in stopped.log.iter().enumerate() {
        let name = if index == 0 { "last log" } else { "" };
        lines.push(format!(
            "  {name:<11} {}",
            style.paint(Tone::Faint, &one_line(line))
        ));
    }
    lines
}

/// What is under way, in one line: the heartbeat of a log and the head of a live view.
pub fn under_way(timeline: &Timeline) -> String {
    let stage = timeline
        .stage()
        .map_or("working", |span| span.stage.as_str());
    match (&timeline.step, &timeline.waiting_for) {
        (_, Some(waiting_for)) if !timeline.counts.is_empty() => {
            format!("{stage}: waiting for {}", one_line(waiting_for))
        }
        (Some(step), _) => format!("{stage}: {}", one_line(step)),
        (None, _) => stage.to_owned(),
    }
}

/// What an event that only a live view shows says.
pub fn passing(event: &Event) -> Option<String> {
    match event {
        Event::StageStarted { stage } => Some(format!("{} …", stage.as_str())),
        Event::Progress { stage, message } => {
            Some(format!("{}: {}", stage.as_str(), one_line(message)))
        }
        Event::Waiting { waiting_for } => Some(format!("waiting for {}", one_line(waiting_for))),
        _ => None,
    }
}

/// A service event without what people know already or cannot read: the service's name, and
/// the long forms of the ids of tasks and target groups.
pub fn brief(message: &str) -> String {
    let rest = message
        .strip_prefix("(service ")
        .and_then(|rest| rest.split_once(") "))
        .map_or(message, |(_, rest)| rest);
    let words: Vec<String> = rest.split(' ').map(brief_word).collect();
    words.join(" ")
}

fn brief_word(word: &str) -> String {
    let core = word.trim_matches(|character: char| !character.is_ascii_alphanumeric());
    let is_task = core.len() == 32 && core.chars().all(|digit| digit.is_ascii_hexdigit());
    let group = core
        .split_once(":targetgroup/")
        .and_then(|(_, path)| path.split('/').next());
    match (group, is_task) {
        (Some(group), _) => word.replace(core, group),
        (None, true) => word.replace(core, short_id(core)),
        (None, false) => word.to_owned(),
    }
}

fn service_deployment(event: &Event) -> String {
    let Event::ServiceDeployment {
        status,
        lifecycle_stage,
        reason,
        failures,
        threshold,
    } = event
    else {
        return String::new();
    };
    let mut text = status.clone();
    if let Some(stage) = lifecycle_stage {
        text.push_str(&format!(", stage {stage}"));
    }
    if let (Some(failures), Some(threshold)) = (failures, threshold)
        && *failures > 0
    {
        text.push_str(&format!(
            ", {failures} of {threshold} failures that trigger the circuit breaker"
        ));
    }
    text + &why(reason.as_deref())
}

fn check(check: &Check, style: Style) -> String {
    let outcome = check.outcome.as_str();
    let head = style.paint(Tone::of_state(outcome), &format!("{outcome:<8}"));
    let remedy = check
        .remedy
        .as_deref()
        .map(|remedy| format!("\n  {:<6} {}", "fix", one_line(remedy)))
        .unwrap_or_default();
    format!(
        "{head} {}: {}{remedy}",
        one_line(&check.name),
        one_line(&check.detail)
    )
}

fn why(reason: Option<&str>) -> String {
    reason
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_events_are_told_in_short() {
        for (message, told) in [
            (
                "(service web) has started 1 tasks: (task 6eac5caf09024ba3912f689b38ba27d3).",
                "has started 1 tasks: (task 6eac5caf).",
            ),
            (
                "(service web) registered 1 targets in (target-group arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/mcp/8e36)",
                "registered 1 targets in (target-group mcp)",
            ),
            ("(service web", "(service web"),
            ("", ""),
        ] {
            assert_eq!(brief(message), told);
        }
    }
}
