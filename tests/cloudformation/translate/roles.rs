//! Both roles of the tasks and CI's, with their policies.

use serde_json::{Map, Value, json};

use super::Attributes;

/// The logical id of a role.
pub fn id(address: &str) -> &'static str {
    match address {
        "aws_iam_role.execution" => "ExecutionRole",
        "aws_iam_role.task" => "TaskRole",
        "aws_iam_role.this" => "Role",
        other => panic!("nobody compares {other}"),
    }
}

pub fn role(mut role: Attributes) -> Value {
    let mut properties = json!({
        "RoleName": role.take("name"),
        "Description": role.take("description"),
        "AssumeRolePolicyDocument": role.take_json("assume_role_policy"),
    });
    for (name, property) in [
        ("permissions_boundary", "PermissionsBoundary"),
        ("max_session_duration", "MaxSessionDuration"),
    ] {
        if let Some(value) = role.take_if_said(name) {
            properties[property] = value;
        }
    }
    role.add_tags(&mut properties);
    role.drop(&["arn"]);
    properties
}

pub fn add_policy(described: &mut Map<String, Value>, mut policy: Attributes) {
    let id = match policy.take("role").as_str().unwrap() {
        "sales-prod-mcp-server-execution" => "ExecutionRole",
        "sales-prod-mcp-server-task" => "TaskRole",
        "sales-prod-mcp-server-release" => "Role",
        other => panic!("no role {other}"),
    };
    described[id]["Policies"] = json!([{
        "PolicyName": policy.take("name"),
        "PolicyDocument": policy.take_json("policy"),
    }]);
    policy.finish();
}
