use std::future::Future;

use rmcp::model::ToolAnnotations;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::ToolContext;
use super::error::ToolError;

/// One tool: what a model reads about it, what goes in, what comes out.
pub trait Tool: 'static {
    /// The name that a client calls.
    const NAME: &'static str;
    /// A short name for people.
    const TITLE: &'static str;
    /// When to use the tool and what it answers, for a model to act on.
    const DESCRIPTION: &'static str;
    /// The arguments, with their limits in the schema.
    type Input: DeserializeOwned + JsonSchema + Send + 'static;
    /// The `structuredContent`.
    type Output: Serialize + JsonSchema + 'static;

    /// What a client may assume. Most tools only read.
    fn annotations() -> ToolAnnotations {
        ToolAnnotations::with_title(Self::TITLE)
            .read_only(true)
            .destructive(false)
            .idempotent(true)
            .open_world(false)
    }

    /// Does the work, as the caller.
    fn run(
        context: &ToolContext,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}
