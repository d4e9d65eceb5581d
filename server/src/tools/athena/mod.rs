//! SQL over the stack's data, by Amazon Athena; reading only.

mod guard;
pub(super) mod query;
pub(super) mod results;
mod rows;

use super::context::ToolContext;
use super::error::ToolError;

/// What AWS calls the work group that every account has.
const PRIMARY: &str = "primary";

/// The work group for a query that names none: the configured one, else one of
/// the stack's own, else the account's.
pub(crate) async fn work_group(context: &ToolContext) -> Result<String, ToolError> {
    if let Some(configured) = &context.stack.work_group {
        return Ok(configured.clone());
    }
    let groups = context.stack.athena.work_groups(context.token()).await?;
    let of_the_stack = |name: &String| name.to_ascii_lowercase().contains("quilt");
    let found = groups.into_iter().find(of_the_stack);
    Ok(found.unwrap_or_else(|| PRIMARY.to_owned()))
}
