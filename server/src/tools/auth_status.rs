use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::ToolContext;
use super::error::ToolError;
use super::tool::Tool;
use crate::auth::{MeQuery, NoVariables};

/// Who the caller is, freshly asked.
pub(super) struct AuthStatus;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The login name.
    name: String,
    /// The address that the name belongs to.
    email: String,
    /// Whether the caller administers the stack.
    is_admin: bool,
    /// The active role: what the caller may see and do follows from it.
    role: String,
    /// The roles that the caller may switch to in the catalog.
    available_roles: Vec<String>,
    /// The stack's catalog, for people.
    catalog_url: String,
    /// The stack's registry, where the token is valid.
    registry_url: String,
}

impl Tool for AuthStatus {
    const NAME: &'static str = "auth_status";
    const TITLE: &'static str = "Who am I";
    const DESCRIPTION: &'static str = "Tells who is signed in to which Quilt stack, and with which role. \
Use it when something is not visible that should be: access follows the active role.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, Input {}: Input) -> Result<Output, ToolError> {
        let me = context.ask::<MeQuery>(&NoVariables {}).await?.me;
        let me = me.ok_or(ToolError::Unauthorized)?;
        Ok(Output {
            name: me.name,
            email: me.email,
            is_admin: me.is_admin,
            role: me.role.name,
            available_roles: me.roles.into_iter().map(|role| role.name).collect(),
            catalog_url: context.stack.catalog.to_string(),
            registry_url: context.stack.registry_url.to_string(),
        })
    }
}
