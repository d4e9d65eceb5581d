use std::time::Duration;

use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, Key, Text, UpTo};
use crate::tools::tool::Tool;
use crate::tools::uri;

/// A link that downloads an object.
pub(in crate::tools) struct S3ObjectLink;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    key: Key,
    /// The version; the current one when absent.
    version_id: Option<Text<1024>>,
    /// For how long the link opens, in seconds.
    #[serde(default = "usual_seconds")]
    expires_in: UpTo<43_200>,
}

const fn usual_seconds() -> UpTo<43_200> {
    UpTo::new(3600)
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The link. Whoever has it can download the object: show it to the user only.
    url: String,
    /// For how long it opens, in seconds: shorter than asked for where the credentials end sooner.
    expires_in: i64,
    /// Bytes.
    size: Option<i64>,
    /// The media type.
    content_type: Option<String>,
}

impl Tool for S3ObjectLink {
    const NAME: &'static str = "s3_object_link";
    const TITLE: &'static str = "Link to download an object";
    const DESCRIPTION: &'static str = "Makes a link that downloads one S3 object for as long as it \
lasts, without signing in. Use it for files that are too large or not text; use catalog_url to \
show people a place that they sign in to.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let version = input.version_id.map(Text::into_string);
        let object = uri::named(&input.bucket, &input.key, version);
        // A link to nothing helps nobody; and the answer tells the bucket's region.
        let head = context.stack.s3.head(context.token(), &object).await?;
        let asked = Duration::from_secs(input.expires_in.get().unsigned_abs());
        let (url, expires_in) = context
            .stack
            .s3
            .presign(context.token(), &object, asked)
            .await?;
        Ok(Output {
            url: url.into(),
            expires_in: i64::try_from(expires_in.as_secs()).unwrap_or(i64::MAX),
            size: head.size.and_then(|size| i64::try_from(size).ok()),
            content_type: head.content_type,
        })
    }
}
