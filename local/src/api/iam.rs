//! IAM: the roles of the template, and what the caller may do: everything that no fault denies.

use http::StatusCode;
use serde_json::{Value, json};

use super::error::{Answer, ApiError};
use super::input::Input;
use crate::aws::names;
use crate::state::State;
use crate::world::World;

pub(super) fn call(world: &World, operation: &str, input: &Input) -> Option<Answer> {
    Some(match operation {
        "GetRole" => world.read(|state| role(state, input)),
        "SimulatePrincipalPolicy" => simulate(world, input),
        _ => return None,
    })
}

fn role(state: &State, input: &Input) -> Answer {
    let name = input.text("RoleName").unwrap_or_default();
    let arn = names::role(name);
    // The roles that exist are those that a task definition has been registered with.
    let is_used = state.task_definitions.iter().any(|definition| {
        ["taskRoleArn", "executionRoleArn"]
            .iter()
            .any(|member| definition.document.get(*member) == Some(&json!(arn)))
    });
    if !is_used {
        return Err(ApiError::new(
            "NoSuchEntity",
            format!("The role with name {name} cannot be found."),
        )
        .with_status(StatusCode::NOT_FOUND));
    }
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "ecs-tasks.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    });
    let trust: String =
        url::form_urlencoded::byte_serialize(trust.to_string().as_bytes()).collect();
    Ok(json!({ "Role": {
        "Path": "/",
        "RoleName": name,
        "RoleId": "AROALOCALENVIRONMENT0",
        "Arn": arn,
        "CreateDate": state.load_balancing.created_at.to_rfc3339(),
        "AssumeRolePolicyDocument": trust,
        "MaxSessionDuration": 3600,
    } }))
}

fn simulate(world: &World, input: &Input) -> Answer {
    if input.text("PolicySourceArn").is_none() {
        return Err(ApiError::new(
            "ValidationError",
            "1 validation error detected: Value at 'policySourceArn' failed to satisfy constraint: Member must not be null",
        ));
    }
    let resources = input.texts("ResourceArns");
    let resources = if resources.is_empty() {
        vec!["*"]
    } else {
        resources
    };
    let results: Vec<Value> = input
        .texts("ActionNames")
        .into_iter()
        .flat_map(|action| {
            let denied = world.faults.denies(action);
            let decision = if denied { "implicitDeny" } else { "allowed" };
            resources.iter().map(move |resource| {
                json!({
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": decision,
                    "MatchedStatements": [],
                    "MissingContextValues": [],
                })
            })
        })
        .collect();
    Ok(json!({ "EvaluationResults": results, "IsTruncated": false }))
}
