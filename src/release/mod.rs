//! From a template and an image to a release revision of the task definition.
//!
//! Terraform writes *template* revisions (tag `ManagedBy=terraform`) and never
//! touches what the service runs; we take the newest one, put the image in by
//! digest, and register the result as a *release* revision with tags that say
//! what it is. Task definitions are handled as the JSON that ECS speaks, so that
//! a field that neither we nor the SDK know yet survives the way from one
//! revision to the next.

pub mod diff;
mod document;
mod normal;
mod provenance;
mod register;
mod tags;
mod template;

pub use document::{ComposeError, Document};
pub use provenance::Provenance;
pub use register::{Revision, Wanted, take_or_register};
pub use tags::{ReleaseTags, key};
pub use template::{Described, Template, describe, newest_template, revisions};
pub(crate) use template::{family_of, number_of};

use crate::aws::AwsError;

/// Why there is no release revision.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// An ECS call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The template and the image do not make a task definition.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// RegisterTaskDefinition's answers were lost, and no such revision is to be seen.
    #[error("{0}; no such revision is to be seen, but it may still appear")]
    Unregistered(AwsError),
    /// ECS's answer could not be understood.
    #[error("{action} on {resource} gave an answer without {missing}")]
    Answer {
        /// The IAM action.
        action: &'static str,
        /// What it was about.
        resource: String,
        /// What the answer lacks.
        missing: &'static str,
    },
}
