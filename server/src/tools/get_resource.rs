use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::ToolContext;
use super::error::ToolError;
use super::input::Text;
use super::tool::Tool;
use crate::resources::{Resource, UNKNOWN};

/// A resource, for clients that read none.
pub(super) struct GetResource;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// quilt-platform://search_syntax, quilt-platform://athena, quilt-platform://buckets or quilt-platform://me.
    uri: Text<256>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The resource's URI.
    uri: String,
    /// Its media type.
    mime_type: String,
    /// Its text.
    text: String,
}

impl Tool for GetResource {
    const NAME: &'static str = "get_resource";
    const TITLE: &'static str = "Read a reference";
    const DESCRIPTION: &'static str = "Reads one of this server's references: how searches are written \
(search_syntax), what Athena can query (athena), the buckets, who is signed in (me). For clients \
that cannot read MCP resources.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let uri = input.uri.into_string();
        let resource = Resource::named(&uri).ok_or(ToolError::NotFound(UNKNOWN.to_owned()))?;
        Ok(Output {
            text: resource.read(context).await?,
            mime_type: resource.mime_type().to_owned(),
            uri,
        })
    }
}
