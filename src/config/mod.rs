//! `quilt-mcp.toml`: which environments there are, and the built-in one, `local`.

mod file;
mod local;
mod state;

use std::collections::BTreeMap;

use serde::Serialize;
use url::Url;

pub use file::{Config, ConfigError, FILE_NAME, is_loopback, schema};
pub use local::{LOCAL, LocalEnvironmentError};
pub use state::{HeldLock, LockError, StateFolder};

/// One place that a release can go to: an account, a repository, a service and a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// Its name, as in `--env`.
    pub name: String,
    /// The 12-digit AWS account id; every change is refused for another account.
    pub account_id: String,
    /// The AWS region.
    pub region: String,
    /// The profile of the shared AWS configuration, where not the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Another endpoint for every AWS API (the local environment, an emulator).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<Url>,
    /// The ECR repository's name.
    pub repository: String,
    /// The ECS cluster's name or ARN.
    pub cluster: String,
    /// The ECS service's name.
    pub service: String,
    /// The container, in the task definition, that runs the server.
    pub container: String,
    /// The public URL of the MCP endpoint.
    pub url: Url,
    /// Web origins whose pages use the endpoint, each as a browser writes it; the smoke test asks as one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cors_origins: Vec<String>,
    /// Who moves the service to a release.
    #[serde(flatten)]
    pub deploy_through: DeployThrough,
    /// How many tasks the first release starts, when the service has none.
    pub desired_count: i32,
    /// How long success must hold before it is believed, in seconds.
    pub bake_seconds: u64,
    /// How long a rollout may take before the answer is "unknown", in seconds.
    pub timeout_seconds: u64,
    /// Tags for every revision and repository that we create.
    pub tags: BTreeMap<String, String>,
}

/// Who registers a release's revision and moves the service to it, on our word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "deploy_through", rename_all = "lowercase")]
pub enum DeployThrough {
    /// ECS itself: RegisterTaskDefinition and UpdateService are our calls.
    Ecs,
    /// CloudFormation: our call is UpdateStack with the image as a parameter.
    CloudFormation {
        /// The stack's name.
        stack: String,
    },
}

impl DeployThrough {
    /// The stack's name, where there is one.
    pub fn stack(&self) -> Option<&str> {
        match self {
            Self::Ecs => None,
            Self::CloudFormation { stack } => Some(stack),
        }
    }

    /// As it stands in the configuration file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::CloudFormation { .. } => "cloudformation",
        }
    }
}

impl Environment {
    /// Whether this is the built-in environment.
    pub fn is_local(&self) -> bool {
        self.name == LOCAL
    }

    /// Whether the images of both are in one repository.
    pub fn shares_repository(&self, other: &Self) -> bool {
        let place = |of: &Self| {
            (
                of.account_id.clone(),
                of.region.clone(),
                of.endpoint_url.clone(),
                of.repository.clone(),
            )
        };
        place(self) == place(other)
    }
}
