//! Registries: where published images are kept.
//!
//! [`ecr`] asks ECR's own API about repositories and images and gets credentials from it;
//! [`push`] speaks the OCI distribution protocol, which ECR and every other registry
//! understand. Promotion between repositories, scan findings and referrers join them here.

mod credentials;
pub mod ecr;
mod protocol;
pub mod push;
mod retry;
mod upload;

pub use credentials::Credentials;
pub use ecr::{Ecr, PublishedImage, Repository, TagImmutability};
pub use push::{PublishProgress, Published, PushError, PushTarget, publish_image};
pub use retry::RetryPolicy;
