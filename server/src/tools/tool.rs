use std::future::Future;
use std::time::Duration;

use rmcp::model::ToolAnnotations;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::ToolContext;
use super::error::ToolError;

/// What a client may assume of a tool that changes something: whether it can
/// take something away, and whether doing it twice is doing it once.
pub(super) fn changes(title: &str, destructive: bool, idempotent: bool) -> ToolAnnotations {
    ToolAnnotations::with_title(title)
        .read_only(false)
        .destructive(destructive)
        .idempotent(idempotent)
        .open_world(false)
}

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

    /// How long a call may take; shorter than the registry's 60 s, so that the
    /// caller hears of it from us.
    const DEADLINE: Duration = Duration::from_secs(55);

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
