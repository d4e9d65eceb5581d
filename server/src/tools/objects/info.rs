use std::collections::BTreeMap;

use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, Key, Text};
use crate::tools::tool::Tool;
use crate::tools::uri;

/// What S3 knows about an object.
pub(in crate::tools) struct S3ObjectInfo;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    key: Key,
    /// The version; the current one when absent.
    version_id: Option<Text<1024>>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The address, as packages name it.
    uri: String,
    /// Bytes.
    size: Option<i64>,
    /// The media type that its writer gave.
    content_type: Option<String>,
    /// How it is compressed, if its writer said so.
    content_encoding: Option<String>,
    /// When it was written.
    modified: Option<String>,
    /// S3's entity tag.
    etag: Option<String>,
    /// The version, in a bucket that keeps versions.
    version_id: Option<String>,
    /// Where it is kept, if not in S3 Standard; GLACIER and DEEP_ARCHIVE cannot be read at once.
    storage_class: Option<String>,
    /// The writer's metadata.
    metadata: BTreeMap<String, String>,
}

impl Tool for S3ObjectInfo {
    const NAME: &'static str = "s3_object_info";
    const TITLE: &'static str = "Describe an object";
    const DESCRIPTION: &'static str = "Tells the size, media type, version and metadata of one S3 \
object without reading it. Use it before object_read to see whether a file is small enough, and \
before s3_object_link to see whether it can be downloaded.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let version = input.version_id.map(Text::into_string);
        let object = uri::named(&input.bucket, &input.key, version);
        let head = context.stack.s3.head(context.token(), &object).await?;
        Ok(Output {
            uri: object.to_string(),
            size: head.size.and_then(|size| i64::try_from(size).ok()),
            content_type: head.content_type,
            content_encoding: head.content_encoding,
            modified: head.last_modified,
            etag: head.etag,
            version_id: head.version,
            storage_class: head.storage_class,
            metadata: head.metadata.into_iter().collect(),
        })
    }
}
