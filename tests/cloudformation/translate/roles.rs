//! Both roles, and the policy of one of them.

use serde_json::{Map, Value, json};

use super::Attributes;

/// The logical id of a role.
pub fn id(address: &str) -> &'static str {
    match address {
        "aws_iam_role.execution" => "ExecutionRole",
        "aws_iam_role.task" => "TaskRole",
        other => panic!("nobody compares {other}"),
    }
}

pub fn role(mut role: Attributes) -> Value {
    let mut properties = json!({
        "RoleName": role.take("name"),
        "Description": role.take("description"),
        "AssumeRolePolicyDocument": role.take_json("assume_role_policy"),
        "Tags": role.take_tags(),
    });
    if let Some(boundary) = role.take_if_said("permissions_boundary") {
        properties["PermissionsBoundary"] = boundary;
    }
    role.drop(&["arn"]);
    properties
}

pub fn add_policies(described: &mut Map<String, Value>, policies: Vec<Attributes>) {
    for mut policy in policies {
        let id = match policy.take("role").as_str().unwrap() {
            "sales-prod-mcp-server-execution" => "ExecutionRole",
            "sales-prod-mcp-server-task" => "TaskRole",
            other => panic!("no role {other}"),
        };
        described[id]["Policies"] = json!([{
            "PolicyName": policy.take("name"),
            "PolicyDocument": policy.take_json("policy"),
        }]);
        policy.finish();
    }
}
