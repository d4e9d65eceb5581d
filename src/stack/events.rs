//! What a stack's events say of its last update.

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

/// The type of the resource that a release replaces.
const TASK_DEFINITION: &str = "AWS::ECS::TaskDefinition";
/// How CloudFormation says of a resource that it is replaced, and not changed where it is.
const REPLACED: &str = "requires the creation of a new physical resource";

/// The last update of a stack, also while it is under way or taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastUpdate {
    /// What failed, the first failure first.
    pub failures: Vec<StackFailure>,
    /// The first failure on the way back, where it was taken back and that failed too.
    pub failure_to_return: Option<StackFailure>,
    /// The ARNs of the revisions that it touched, old and new.
    pub revisions: Vec<String>,
    /// Whether it is, or was, to replace the revision. A change of its tags does not.
    pub is_release: bool,
}

impl LastUpdate {
    /// Takes a page of `DescribeStackEvents` in, which is newest first, as the pages are.
    /// Answers whether the update began on this page.
    pub(super) fn read(&mut self, page: &[Value]) -> bool {
        let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        for event in page {
            let status = text(event, "ResourceStatus");
            let (kind, physical) = (
                text(event, "ResourceType"),
                text(event, "PhysicalResourceId"),
            );
            let of_stack = physical == text(event, "StackId");
            if of_stack && status == "UPDATE_IN_PROGRESS" {
                return true;
            }
            if of_stack && status == "UPDATE_ROLLBACK_IN_PROGRESS" {
                self.failure_to_return = self.failures.first().cloned();
            }
            if kind == TASK_DEFINITION {
                if !self.revisions.contains(&physical) {
                    self.revisions.push(physical);
                }
                self.is_release |= self.revisions.len() > 1
                    || text(event, "ResourceStatusReason").contains(REPLACED);
            }
            if status.ends_with("_FAILED") && !of_stack {
                let failure = StackFailure {
                    resource: text(event, "LogicalResourceId"),
                    reason: text(event, "ResourceStatusReason"),
                    kind,
                    status,
                };
                self.failures.insert(0, failure);
            }
        }
        false
    }

    /// The first failure, which is the cause.
    pub fn cause(&self) -> Option<String> {
        self.failures.first().map(ToString::to_string)
    }
}
