//! What a stack's events say of the failure of its last operation.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// A resource that failed, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct StackFailure {
    /// Its name in the template.
    pub resource: String,
    /// Its type, for example `AWS::ECS::Service`.
    pub kind: String,
    /// What became of it, for example `UPDATE_FAILED`.
    pub status: String,
    /// Why, in CloudFormation's words.
    pub reason: String,
}

impl fmt::Display for StackFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.resource, self.status, self.reason)
    }
}

/// The failures in a page of `DescribeStackEvents`, which is newest first: put before those that
/// are known of newer pages. Answers whether the last operation began on this page.
pub(super) fn read(page: &[Value], known: &mut Vec<StackFailure>) -> bool {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    for event in page {
        let status = text(event, "ResourceStatus");
        let of_stack = text(event, "PhysicalResourceId") == text(event, "StackId");
        if of_stack && status == "UPDATE_IN_PROGRESS" {
            return true;
        }
        if status.ends_with("_FAILED") && !of_stack {
            let failure = StackFailure {
                resource: text(event, "LogicalResourceId"),
                kind: text(event, "ResourceType"),
                reason: text(event, "ResourceStatusReason"),
                status,
            };
            known.insert(0, failure);
        }
    }
    false
}
