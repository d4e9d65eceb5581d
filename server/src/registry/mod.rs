//! The stack's registry, asked with the caller's own token and nothing else.

mod client;
mod credentials;
mod error;
mod operation;
mod roots;

pub use client::RegistryClient;
pub use credentials::LentCredentials;
pub use error::RegistryError;
pub use operation::Operation;
pub use roots::{RootSource, trusted_roots};
