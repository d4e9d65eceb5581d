//! An update of the stack, carried out and taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Behind;

const TASK_DEFINITION: &str = "AWS::ECS::TaskDefinition";
const SERVICE: &str = "AWS::ECS::Service";
/// Between two looks at the service.
const PAUSE: Duration = Duration::from_millis(100);

/// The stack as it was before, to return to.
struct Before {
    parameters: BTreeMap<String, String>,
    revision: String,
}

/// Carries out the update to `parameters`, which the stack has taken.
pub(super) async fn carry_out(behind: Behind, parameters: BTreeMap<String, String>) {
    let before = {
        let mut state = behind.state();
        Before {
            revision: state.revision.clone(),
            parameters: std::mem::replace(&mut state.parameters, parameters),
        }
    };
    match move_service(&behind, &before).await {
        Ok(()) => {
            behind
                .state()
                .becomes("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "");
            tokio::time::sleep(PAUSE * 3).await;
            behind.state().becomes("UPDATE_COMPLETE", "");
        }
        Err(reason) => take_back(&behind, &before, &reason).await,
    }
}

/// A new revision, and the service on it.
async fn move_service(behind: &Behind, before: &Before) -> Result<(), String> {
    while behind.state().troubles.idle {
        pause_or_cancel(behind).await?;
    }
    let (image, tags) = {
        let state = behind.state();
        (
            state.parameters["ImageUri"].clone(),
            tags(&state.parameters),
        )
    };
    let old = ("TaskDefinition", before.revision.as_str(), TASK_DEFINITION);
    let replaces =
        "Requested update requires the creation of a new physical resource; hence creating one.";
    behind.state().tell(old, "UPDATE_IN_PROGRESS", replaces);
    let refuses = behind.state().troubles.no_registration;
    let registered = match refuses {
        true => Err("Resource handler returned message: \"Invalid request provided\"".to_owned()),
        false => behind.ecs.register(&before.revision, &image, tags).await,
    };
    let revision = registered.inspect_err(|reason| {
        let failed = ("TaskDefinition", before.revision.as_str(), TASK_DEFINITION);
        behind.state().tell(failed, "UPDATE_FAILED", reason);
    })?;
    {
        let mut state = behind.state();
        state.revision.clone_from(&revision);
        state.tell(
            ("TaskDefinition", &revision, TASK_DEFINITION),
            "UPDATE_COMPLETE",
            "",
        );
    }
    let count = count(&behind.state().parameters);
    let update = json!({"taskDefinition": revision, "desiredCount": count});
    behind.ecs.update_service(update).await;
    let moved = until_it_rests(behind, &revision, true).await;
    let mut state = behind.state();
    let service = state.service.clone();
    let (status, reason) = match &moved {
        Ok(()) => ("UPDATE_COMPLETE", ""),
        Err(reason) => ("UPDATE_FAILED", reason.as_str()),
    };
    state.tell(("Service", &service, SERVICE), status, reason);
    drop(state);
    moved
}

/// `DesiredCount` of cloudformation/mcp-service.yaml; CloudFormation leaves out what the template does not say.
fn count(parameters: &BTreeMap<String, String>) -> Option<i64> {
    match (
        parameters["ImageUri"].as_str(),
        parameters["TaskCount"].as_str(),
    ) {
        ("", _) => Some(0),
        (_, "MinTasks") => parameters["MinTasks"].parse().ok(),
        _ => None,
    }
}

/// As rollouts through ECS tag their revisions, with what CloudFormation can know.
fn tags(parameters: &BTreeMap<String, String>) -> Value {
    let mut tags = vec![json!({"key": "ManagedBy", "value": "cloudformation"})];
    for (key, parameter) in [
        ("quilt-mcp:commit", "ReleaseCommit"),
        ("quilt-mcp:caller", "ReleasedBy"),
    ] {
        if let Some(value) = parameters.get(parameter).filter(|value| !value.is_empty()) {
            tags.push(json!({"key": key, "value": value}));
        }
    }
    Value::Array(tags)
}

/// Waits until the service rests on the revision.
async fn until_it_rests(behind: &Behind, revision: &str, may_cancel: bool) -> Result<(), String> {
    loop {
        let service = behind.ecs.service().await;
        let deployments = service["deployments"].as_array().unwrap();
        let primary = deployments
            .iter()
            .find(|deployment| deployment["status"] == "PRIMARY");
        let (of, rollout) = match primary {
            Some(primary) => (&primary["taskDefinition"], primary["rolloutState"].as_str()),
            None => (&Value::Null, None),
        };
        match (of == revision, rollout) {
            (true, Some("COMPLETED")) => return Ok(()),
            (true, Some("FAILED")) | (false, _) => {
                return Err("Resource handler returned message: \"Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.\"".into());
            }
            (true, _) => {}
        }
        if may_cancel {
            pause_or_cancel(behind).await?;
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn pause_or_cancel(behind: &Behind) -> Result<(), String> {
    if std::mem::take(&mut behind.state().cancelled) {
        return Err("Resource update cancelled".into());
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

/// The service on what it ran before, and the stack as it was.
async fn take_back(behind: &Behind, before: &Before, reason: &str) {
    behind
        .state()
        .becomes("UPDATE_ROLLBACK_IN_PROGRESS", reason);
    if behind.state().troubles.no_return {
        tokio::time::sleep(PAUSE).await;
        let mut state = behind.state();
        let service = state.service.clone();
        state.tell(
            ("Service", &service, SERVICE),
            "UPDATE_FAILED",
            "it was deleted by hand",
        );
        return state.becomes(
            "UPDATE_ROLLBACK_FAILED",
            "The following resource(s) failed to update: [Service].",
        );
    }
    if behind.ecs.service().await["taskDefinition"] != before.revision {
        let back =
            json!({"taskDefinition": before.revision, "desiredCount": count(&before.parameters)});
        behind.ecs.update_service(back).await;
    }
    let rests = until_it_rests(behind, &before.revision, false).await;
    assert!(
        rests.is_ok(),
        "the old revision does not run any more: {rests:?}"
    );
    {
        let mut state = behind.state();
        state.revision.clone_from(&before.revision);
        state.parameters.clone_from(&before.parameters);
        state.becomes("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "");
    }
    tokio::time::sleep(PAUSE * 3).await;
    behind.state().becomes("UPDATE_ROLLBACK_COMPLETE", "");
}
