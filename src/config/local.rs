//! The built-in environment `local`: what `quilt-mcp.toml` would say of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use quilt_mcp_local::Description;
use url::Url;

use super::{DeployThrough, Environment, StateFolder};

/// The built-in environment's name.
pub const LOCAL: &str = "local";

/// Why the local environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalEnvironmentError {
    /// It is not up.
    #[error("the local environment is not running")]
    NotRunning,
    /// Its description cannot be read.
    #[error("the local environment's state in {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The state folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Environment {
    /// The built-in environment, as the running process behind it describes itself.
    ///
    /// # Errors
    /// [`LocalEnvironmentError`] when it does not run or cannot be read.
    pub fn local(state: &StateFolder) -> Result<Self, LocalEnvironmentError> {
        let unreadable = |reason: String| LocalEnvironmentError::Unreadable {
            path: state.local(),
            reason,
        };
        let description = quilt_mcp_local::describe(&state.local())
            .map_err(|error| unreadable(error.to_string()))?
            .filter(|description| description.alive)
            .ok_or(LocalEnvironmentError::NotRunning)?;
        Self::described(&description).map_err(|error| unreadable(error.to_string()))
    }

    fn described(description: &Description) -> Result<Self, url::ParseError> {
        Ok(Self {
            name: LOCAL.to_owned(),
            account_id: description.account_id.clone(),
            region: description.region.clone(),
            profile: None,
            endpoint_url: Some(Url::parse(&description.endpoint_url)?),
            repository: "quilt-local-mcp-server".to_owned(),
            cluster: "quilt-local".to_owned(),
            service: "quilt-local-mcp-server".to_owned(),
            container: "mcp-server".to_owned(),
            url: Url::parse(&description.load_balancer_url)?.join("/mcp/")?,
            cors_origins: vec![
                Url::parse(&description.quilt_registry_url)?
                    .origin()
                    .ascii_serialization(),
            ],
            deploy_through: DeployThrough::Ecs,
            desired_count: 2,
            bake_seconds: 2,
            timeout_seconds: 300,
            tags: BTreeMap::new(),
        })
    }
}
