//! Images: from a commit to an OCI image layout with a digest.
//!
//! A [`Checkout`] says what is built; a builder turns it into an [`Image`], which is a
//! folder in the OCI image layout and therefore needs no daemon. [`check`] holds what an
//! image must satisfy before it may be published. Builders give the same image from the
//! same commit: what goes into it is decided in [`assemble`] alone.

pub mod assemble;
pub mod check;
pub mod contents;
mod digest;
pub mod docker;
mod elf;
pub mod layout;
mod model;
pub mod native;
pub(crate) mod program;
mod progress;
mod reference;
pub mod sbom;
mod source;

pub use digest::{Digest, DigestError};
pub use docker::{DockerBuildError, DockerOptions, build_docker};
pub use elf::StaticBinaryError;
pub use layout::LayoutError;
pub use model::{BlobDescriptor, Image, Platform};
pub use native::{BuildError, NativeOptions, build_native};
pub use progress::BuildProgress;
pub use reference::{ImageReference, ReferenceError, RepositoryName, Tag};
pub use source::{Checkout, SERVER_PACKAGE, SourceError};
