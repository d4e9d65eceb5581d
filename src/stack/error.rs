//! Why a release does not go through its stack.

use super::{IMAGE, StackFailure, StackStatus};
use crate::aws::AwsError;
use crate::interrupt::Signal;

/// Why a release does not go through its stack.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StackError {
    /// CloudFormation was not reached, or refused.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// There is no such stack.
    #[error("there is no stack {stack} in {region}")]
    NotFound {
        /// The stack.
        stack: String,
        /// The region.
        region: String,
    },
    /// CloudFormation works on it.
    #[error("stack {stack} is {status}: another operation on it is under way")]
    InProgress {
        /// The stack.
        stack: String,
        /// Its status.
        status: StackStatus,
    },
    /// CloudFormation takes no update of a stack in this state.
    #[error("stack {stack} is {status} and takes no update{}", of(reason.as_deref()))]
    NotUpdatable {
        /// The stack.
        stack: String,
        /// Its status.
        status: StackStatus,
        /// Why, in CloudFormation's words.
        reason: Option<String>,
    },
    /// What it does cannot be stopped half-way.
    #[error(
        "stack {stack} is {status}: a deployment that is part of that cannot be stopped and left"
    )]
    NotStoppable {
        /// The stack.
        stack: String,
        /// Its status.
        status: StackStatus,
    },
    /// It is not a stack of our template.
    #[error(
        "stack {stack} has no parameter {IMAGE}, so it does not say which image the service runs"
    )]
    NoParameter {
        /// The stack.
        stack: String,
    },
    /// It holds another service, or none.
    #[error("stack {stack} does not hold {what}")]
    NotItsService {
        /// The stack.
        stack: String,
        /// What it lacks.
        what: String,
    },
    /// The update ended before the service was moved.
    #[error("stack {stack} is {status}{}", told(failures))]
    UpdateFailed {
        /// The stack.
        stack: String,
        /// Its status now.
        status: StackStatus,
        /// What failed.
        failures: Vec<StackFailure>,
    },
    /// The update went well and reached no revision.
    #[error(
        "stack {stack} is {status} with the new {IMAGE}, but no task definition in it has that image"
    )]
    NoRevision {
        /// The stack.
        stack: String,
        /// Its status now.
        status: StackStatus,
    },
    /// The stack is updated and the service is on something else.
    #[error(
        "stack {stack} is updated to {revision}, but service {service} has no deployment of it"
    )]
    NotMoved {
        /// The stack.
        stack: String,
        /// The revision.
        revision: String,
        /// The service.
        service: String,
    },
    /// Time ran out before the service was seen to move.
    #[error("time ran out waiting for {waiting_for}; CloudFormation goes on with the update")]
    Unknown {
        /// What is missing.
        waiting_for: String,
    },
    /// The operator left before the service was seen to move.
    #[error("stack {stack} was not waited for: CloudFormation {}", if *cancelled { "takes its update back" } else { "goes on with its update" })]
    Left {
        /// The stack.
        stack: String,
        /// Whether the update was cancelled.
        cancelled: bool,
        /// What the operator sent.
        signal: Option<Signal>,
    },
    /// The revision to return to names no image by digest.
    #[error("revision {revision} names no image by digest, so stack {stack} cannot be given one")]
    NoDigest {
        /// The stack.
        stack: String,
        /// The revision.
        revision: String,
    },
}

fn of(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

fn told(failures: &[StackFailure]) -> String {
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    if told.is_empty() {
        String::new()
    } else {
        format!(": {}", told.join("; "))
    }
}

impl StackError {
    /// What to do about it, and whether anything was changed.
    pub fn hint(&self) -> Option<String> {
        let remedy = self.remedy()?;
        Some(if self.is_refusal() {
            format!("nothing was changed; {remedy}")
        } else {
            remedy
        })
    }

    /// Whether it was found before anything was changed.
    fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::InProgress { .. }
                | Self::NotUpdatable { .. }
                | Self::NotStoppable { .. }
                | Self::NoParameter { .. }
                | Self::NotItsService { .. }
                | Self::NoDigest { .. }
        )
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Aws(error) => return error.hint(),
            Self::NotFound { .. } => {
                "correct stack in quilt-mcp.toml, or create the stack of cloudformation/mcp-service.yaml first".into()
            }
            Self::InProgress { .. } => {
                "wait until it ends (`quilt-mcp-deploy status` shows it), then run the same command again".into()
            }
            Self::NotUpdatable { stack, status, .. } => remedy(stack, status),
            Self::NotStoppable { .. } => "`quilt-mcp-deploy rollback` takes the update back".into(),
            Self::NoParameter { .. } | Self::NotItsService { .. } => {
                "correct stack in quilt-mcp.toml: it is the stack of cloudformation/mcp-service.yaml that made this service".into()
            }
            Self::UpdateFailed { stack, status, .. } if !status.can_be_updated() => remedy(stack, status),
            Self::UpdateFailed { .. } => {
                "the service was not moved; mend what failed, then run the same command again".into()
            }
            Self::NoRevision { .. } => {
                format!("the stack's template must give {IMAGE} to the service's container as its image; the service was not moved")
            }
            Self::NotMoved { .. } => {
                "somebody moved the service meanwhile: `quilt-mcp-deploy status` shows what it runs, and the same command again moves it to what the stack says".into()
            }
            Self::Unknown { .. } => {
                "look with `quilt-mcp-deploy status`; running the same command again is safe: it attaches to the update".into()
            }
            Self::NoDigest { .. } => "name another revision with --to, or roll an image out".into(),
            Self::Left { cancelled: true, .. } => "`quilt-mcp-deploy status` shows the stack and what the service runs".into(),
            Self::Left { .. } => {
                "run the same command again to attach to it; `quilt-mcp-deploy rollback` takes it back".into()
            }
        })
    }
}

/// What an operator can do with a stack that takes no update (AWS CloudFormation User Guide,
/// "Stack status codes", "Continue rolling back an update").
fn remedy(stack: &str, status: &StackStatus) -> String {
    match status.as_str() {
        "UPDATE_ROLLBACK_FAILED" => format!(
            "mend what its events name, then `aws cloudformation continue-update-rollback --stack-name {stack}`"
        ),
        "UPDATE_FAILED" => format!(
            "`aws cloudformation rollback-stack --stack-name {stack}` returns it to its last good state"
        ),
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => format!(
            "it was never created to the end: `aws cloudformation delete-stack --stack-name {stack}`, then create it again"
        ),
        _ => format!("`aws cloudformation describe-stack-events --stack-name {stack}` says more"),
    }
}
