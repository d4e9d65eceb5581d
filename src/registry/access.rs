//! A repository, and what it takes to use it.

use super::credentials::{Credentials, Renewal};
use super::retry::RetryPolicy;
use crate::image::RepositoryName;

/// A repository, as whom to use it, and how patiently.
#[derive(Debug, Clone)]
pub struct Access {
    /// The repository.
    pub repository: RepositoryName,
    /// Credentials for its registry; `None` for one that asks for none.
    pub credentials: Option<Credentials>,
    /// Who gives new credentials when those have ended.
    pub renewal: Option<Renewal>,
    /// What to do about trouble that may pass.
    pub retry: RetryPolicy,
}

impl Access {
    /// `repository`, with the usual patience.
    pub fn new(repository: RepositoryName, credentials: Option<Credentials>) -> Self {
        Self {
            repository,
            credentials,
            renewal: None,
            retry: RetryPolicy::default(),
        }
    }
}
