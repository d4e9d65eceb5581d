//! Registries: where published images are kept.
//!
//! [`ecr`] asks ECR's own API about repositories and images and gets credentials from it;
//! [`push`] speaks the OCI distribution protocol, which ECR and every other registry
//! understand; [`struct@Copy`] does so with two repositories. [`deployed`] asks ECS which of the images
//! run, or ran.

mod access;
mod client;
mod copied;
mod copy;
mod credentials;
pub mod deployed;
pub mod ecr;
mod inspect;
pub mod push;
mod retry;
mod scan;
mod target;
mod upload;

pub use access::Access;
pub use copied::{Copied, Moved, Part, PartKind};
pub use copy::{Copy, CopyError};
pub use credentials::{Credentials, Renewal};
pub use ecr::{Deletion, Ecr, PublishedImage, Repository, TagImmutability, TagRisk};
pub use inspect::{About, Inspector};
pub use push::{Published, SbomState, publish_image, published_before};
pub use retry::RetryPolicy;
pub use scan::{Finding, Scan, ScanError, Severity};
pub use target::{ProgressSink, PublishProgress, PushError};
