//! The CloudFormation stack that holds a service, where releases go through it.
//!
//! A release is then a new value of the stack's parameter [`IMAGE`]: CloudFormation registers
//! the revision and moves the service, and returns both where that fails. This module asks and
//! tells CloudFormation; what a release makes of it is [`rollout`](crate::rollout)'s.

mod calls;
mod error;
mod events;
mod status;

pub use calls::{Change, TaskCount, Updated};
pub use error::StackError;
pub use events::{LastUpdate, StackFailure};
pub use status::StackStatus;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// The parameter that holds the image: `REPOSITORY@DIGEST`, or nothing before the first release.
pub const IMAGE: &str = "ImageUri";
/// The parameter that holds the commit of the image, where the stack has one.
pub const COMMIT: &str = "ReleaseCommit";
/// The parameter that holds the ARN of who released it, where the stack has one.
pub const RELEASED_BY: &str = "ReleasedBy";
/// The parameter that says what an update makes of the number of tasks, where the stack has one.
pub const TASK_COUNT: &str = "TaskCount";

/// A stack as CloudFormation describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// How far its last operation is.
    pub status: StackStatus,
    /// Why, in CloudFormation's words.
    pub reason: Option<String>,
    /// When its last update began, as CloudFormation writes it.
    pub last_updated: Option<String>,
    /// Its parameters; the values of those that are secret are hidden.
    parameters: Vec<(String, String)>,
    capabilities: Vec<String>,
}

/// What is told of a stack: in `status` and `plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct StackState {
    /// Its name.
    pub name: String,
    /// Its status, for example `UPDATE_COMPLETE`.
    pub status: StackStatus,
    /// Why, in CloudFormation's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Display for StackState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stack {} ({})", self.name, self.status)
    }
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    /// Its type, for example `AWS::ECS::Service`.
    pub kind: String,
    /// Its id outside the stack: of services and task definitions, their ARN.
    pub physical_id: String,
}

impl Stack {
    /// A stack in the words of `DescribeStacks`; `None` where it has no status.
    pub(crate) fn read(name: &str, described: &Value) -> Option<Self> {
        let text = |name: &str| described[name].as_str().map(str::to_owned);
        let list = |name: &str| described[name].as_array().cloned().unwrap_or_default();
        let parameter = |parameter: &Value| {
            let value = parameter["ParameterValue"].as_str().unwrap_or_default();
            Some((
                parameter["ParameterKey"].as_str()?.to_owned(),
                value.to_owned(),
            ))
        };
        Some(Self {
            name: name.to_owned(),
            status: StackStatus::new(&text("StackStatus")?),
            reason: text("StackStatusReason"),
            last_updated: text("LastUpdatedTime"),
            parameters: list("Parameters").iter().filter_map(parameter).collect(),
            capabilities: list("Capabilities")
                .iter()
                .filter_map(|capability| Some(capability.as_str()?.to_owned()))
                .collect(),
        })
    }

    /// The image that it says the service runs; empty before the first release.
    ///
    /// # Errors
    /// [`StackError::NoParameter`]: the stack is not of our template.
    pub fn image(&self) -> Result<&str, StackError> {
        self.parameter(IMAGE)
            .ok_or_else(|| StackError::NoParameter {
                stack: self.name.clone(),
            })
    }

    fn parameter(&self, key: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Refuses a stack that CloudFormation would not update.
    ///
    /// # Errors
    /// [`StackError::InProgress`] or [`StackError::NotUpdatable`].
    pub fn can_be_updated(&self) -> Result<(), StackError> {
        if self.status.is_under_way() {
            Err(StackError::InProgress {
                stack: self.name.clone(),
                status: self.status.clone(),
            })
        } else if self.status.can_be_updated() {
            Ok(())
        } else {
            Err(StackError::NotUpdatable {
                stack: self.name.clone(),
                status: self.status.clone(),
                reason: self.reason.clone(),
            })
        }
    }

    /// What is told of it.
    pub fn state(&self) -> StackState {
        StackState {
            name: self.name.clone(),
            status: self.status.clone(),
            reason: self.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
