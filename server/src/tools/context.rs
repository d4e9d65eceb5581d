use std::sync::Arc;

use crate::auth::{BearerToken, Caller, Validator};
use crate::aws::{Athena, S3};
use crate::config::StackUrl;
use crate::http::RequestRecord;
use crate::registry::{Operation, RegistryClient, RegistryError};

use super::error::ToolError;

/// The Quilt stack that the server stands in front of.
pub struct Stack {
    /// Where people browse.
    pub catalog: StackUrl,
    /// Where the registry is.
    pub registry_url: StackUrl,
    /// How to ask it.
    pub registry: RegistryClient,
    /// Objects, as the caller's role sees them.
    pub s3: S3,
    /// Queries, as the caller's role may run them.
    pub athena: Athena,
    /// The work group for queries that name none, where one is configured.
    pub work_group: Option<String>,
    /// Who remembers which tokens are good.
    pub validator: Validator,
}

/// What one call of a tool works with.
pub struct ToolContext {
    /// The stack.
    pub stack: Arc<Stack>,
    /// Who calls.
    pub caller: Caller,
    /// The call's line in the log.
    pub record: RequestRecord,
}

impl ToolContext {
    /// The caller's token.
    pub(super) fn token(&self) -> &BearerToken {
        &self.caller.token
    }

    /// Asks the registry as the caller.
    ///
    /// # Errors
    /// When there is no answer. A token that is refused now is forgotten, so
    /// that the caller's next request is told to sign in.
    pub async fn ask<O: Operation>(&self, variables: &O::Variables) -> Result<O::Data, ToolError> {
        let token = &self.caller.token;
        let answer = self.stack.registry.ask::<O>(token, variables).await;
        if answer.as_ref().err() == Some(&RegistryError::Unauthorized) {
            self.stack.validator.forget(token.hash()).await;
        }
        answer.map_err(ToolError::from)
    }
}
