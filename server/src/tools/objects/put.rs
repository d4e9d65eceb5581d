use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rmcp::model::ToolAnnotations;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::AwsError;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, Key, MediaType, Text};
use crate::tools::tool::{Tool, changes};
use crate::tools::uri;

/// Writes an object.
pub(in crate::tools) struct S3ObjectPut;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    key: Key,
    /// What to write.
    content: Text<3_000_000>,
    /// How the content is given.
    #[serde(default)]
    encoding: Encoding,
    content_type: Option<MediaType>,
    /// Whether an object of this key may be replaced.
    #[serde(default)]
    overwrite: bool,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(in crate::tools) enum Encoding {
    /// As text.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// As base64 (RFC 4648, section 4).
    Base64,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The address, as packages name it: for an entry of package_create or package_patch.
    uri: String,
    /// The version, in a bucket that keeps versions.
    version_id: Option<String>,
    /// Bytes.
    size: i64,
}

impl Tool for S3ObjectPut {
    const NAME: &'static str = "s3_object_put";
    const TITLE: &'static str = "Write an object";
    const DESCRIPTION: &'static str = "Writes one small S3 object, at most 3 MB, as your role may. An \
object that is there already is replaced only with overwrite; ask the user before. Package files \
are better added by package_create or package_patch, which can write them too.";
    type Input = Input;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        changes(Self::TITLE, true, true)
    }

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let (content, text_type) = match input.encoding {
            Encoding::Utf8 => (
                input.content.into_string().into_bytes(),
                "text/plain; charset=utf-8",
            ),
            Encoding::Base64 => {
                let decoded = STANDARD.decode(input.content.into_string().trim());
                let decoded = decoded.map_err(|error| {
                    ToolError::InvalidInput(format!("content: not base64: {error}"))
                })?;
                (decoded, "application/octet-stream")
            }
        };
        let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
        let content_type = input
            .content_type
            .as_ref()
            .map_or(text_type, MediaType::as_str);
        let mut object = uri::named(&input.bucket, &input.key, None);
        let version = context
            .stack
            .s3
            .put(
                context.token(),
                &object,
                content_type,
                Bytes::from(content),
                input.overwrite,
            )
            .await
            .map_err(|error| exists(error, &object.to_string()))?;
        object.version = version;
        Ok(Output {
            uri: object.to_string(),
            version_id: object.version,
            size,
        })
    }
}

fn exists(error: AwsError, uri: &str) -> ToolError {
    match error {
        AwsError::Refused { code, .. } if code == "PreconditionFailed" => ToolError::Conflict(
            format!("{uri} exists; nothing was written. With overwrite it would be replaced"),
        ),
        error => error.into(),
    }
}
