//! What may stand in the file: the keys, their types and defaults, and the JSON Schema of them.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use toml::Spanned;

use super::FILE_NAME;
use crate::config::LOCAL;

/// The container's name when the configuration names none.
pub(super) const DEFAULT_CONTAINER: &str = "mcp-server";
/// ECS drains and registers targets in tens of seconds: success is believed after one such span.
pub(super) const DEFAULT_BAKE_SECONDS: u64 = 30;
pub(super) const DEFAULT_TIMEOUT_SECONDS: u64 = 1800;
pub(super) const DEFAULT_DESIRED_COUNT: i32 = 2;

/// The environments that releases can go to. Unknown keys are refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileModel {
    /// The environment that commands use without `--env` and `QUILT_MCP_ENV`.
    #[schemars(with = "Option<String>", extend("default" = LOCAL))]
    pub(super) default_environment: Option<Spanned<String>>,
    /// One table for each environment; its name has lower-case letters, digits and dashes, and is not `local`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, EnvironmentModel>")]
    pub(super) environments: BTreeMap<Spanned<String>, EnvironmentModel>,
}

/// One environment: an account, a repository, a service and a URL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentModel {
    /// The 12-digit AWS account; commands refuse any other (exit code 13) before a change.
    #[schemars(with = "String", extend("pattern" = "^[0-9]{12}$"))]
    pub(super) account_id: Spanned<String>,
    /// The AWS region.
    #[schemars(with = "String")]
    pub(super) region: Spanned<String>,
    /// A profile of the shared AWS configuration.
    pub(super) profile: Option<String>,
    /// Another endpoint for every AWS API.
    #[schemars(with = "Option<String>")]
    pub(super) endpoint_url: Option<Spanned<String>>,
    /// The ECR repository's name, without registry or tag.
    #[schemars(with = "String")]
    pub(super) repository: Spanned<String>,
    /// The ECS cluster's name or ARN.
    #[schemars(with = "String")]
    pub(super) cluster: Spanned<String>,
    /// The ECS service's name.
    #[schemars(with = "String")]
    pub(super) service: Spanned<String>,
    /// The container, in the task definition, that runs the server.
    #[schemars(with = "Option<String>", extend("default" = DEFAULT_CONTAINER))]
    pub(super) container: Option<Spanned<String>>,
    /// The public URL of the MCP endpoint; https, but for loopback hosts.
    #[schemars(with = "String")]
    pub(super) url: Spanned<String>,
    /// Web origins, such as `https://catalog.example.com`, whose pages use the endpoint; the smoke test asks as a browser there would.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) cors_origins: Vec<Spanned<String>>,
    /// Who moves the service to a release: `ecs` or `cloudformation`.
    #[schemars(with = "Option<String>", extend("default" = "ecs", "enum" = ["ecs", "cloudformation"]))]
    pub(super) deploy_through: Option<Spanned<String>>,
    /// The name of the CloudFormation stack that holds the service; needed with `cloudformation`.
    #[schemars(with = "Option<String>")]
    pub(super) stack: Option<Spanned<String>>,
    /// How many tasks the first release starts, when the service has none.
    #[schemars(with = "Option<i32>", extend("default" = DEFAULT_DESIRED_COUNT))]
    pub(super) desired_count: Option<Spanned<i32>>,
    /// How long success must hold before it is believed, in seconds.
    #[schemars(extend("default" = DEFAULT_BAKE_SECONDS))]
    pub(super) bake_seconds: Option<u64>,
    /// How long a rollout may take before the answer is "not known", in seconds.
    #[schemars(with = "Option<u64>", extend("default" = DEFAULT_TIMEOUT_SECONDS))]
    pub(super) timeout_seconds: Option<Spanned<u64>>,
    /// Tags for the revisions and repositories that we create.
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
}

/// The JSON Schema of the configuration file: what editors and the reference know of it.
pub fn schema() -> Schema {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<FileModel>();
    schema.insert("title".into(), FILE_NAME.into());
    schema
}
