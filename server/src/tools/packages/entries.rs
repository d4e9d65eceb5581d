//! The files that a caller gives for a package.

use std::collections::BTreeMap;

use bytes::Bytes;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::contents::{Entries, Entry};
use crate::aws::{ObjectKey, S3Address};
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, LogicalPath, MediaType, PackageName, Text};
use crate::tools::uri;

/// The most files that one call gives.
pub(super) const MOST_GIVEN: usize = 1000;

/// Files by their paths in the package.
pub(super) type Given = BTreeMap<String, GivenEntry>;

/// One file: an object that is there, or a text to write.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum GivenEntry {
    /// An object that is in S3 already.
    Uri {
        /// s3://bucket/key, percent-encoded, with ?versionId= for one version of it.
        uri: Text<4096>,
        /// The author's metadata of this file.
        meta: Option<Map<String, Value>>,
    },
    /// A text that is written beside the package first.
    Inline {
        /// The text.
        content: Text<1_000_000>,
        content_type: Option<MediaType>,
        /// The author's metadata of this file.
        meta: Option<Map<String, Value>>,
    },
}

/// A file that was checked, before anything is written.
pub(super) struct Checked {
    path: LogicalPath,
    source: Source,
    meta: Option<Map<String, Value>>,
}

enum Source {
    Object(S3Address),
    Text {
        content: String,
        content_type: Option<MediaType>,
    },
}

/// Checks all files, so that nothing is written for a call that is wrong.
pub(super) fn check(given: Given) -> Result<Vec<Checked>, ToolError> {
    if given.len() > MOST_GIVEN {
        let complaint =
            format!("a call gives at most {MOST_GIVEN} files; add more by package_patch");
        return Err(ToolError::InvalidInput(complaint));
    }
    given.into_iter().map(check_one).collect()
}

fn check_one((path, entry): (String, GivenEntry)) -> Result<Checked, ToolError> {
    let invalid = |why: String| ToolError::InvalidInput(format!("{path}: {why}"));
    let path_in_package = LogicalPath::try_from(path.clone()).map_err(invalid)?;
    if path.is_empty() || path.ends_with('/') {
        return Err(invalid(
            "a file's path is neither empty nor a folder's".to_owned(),
        ));
    }
    let (source, meta) = match entry {
        GivenEntry::Uri { uri, meta } => (
            Source::Object(uri::object(&uri.into_string()).map_err(invalid)?),
            meta,
        ),
        GivenEntry::Inline {
            content,
            content_type,
            meta,
        } => {
            let content = content.into_string();
            (
                Source::Text {
                    content,
                    content_type,
                },
                meta,
            )
        }
    };
    Ok(Checked {
        path: path_in_package,
        source,
        meta,
    })
}

/// Writes the texts to `bucket/namespace/name/path`, and gives all as entries.
pub(super) async fn store(
    context: &ToolContext,
    bucket: &BucketName,
    name: &PackageName,
    checked: Vec<Checked>,
) -> Result<Entries, ToolError> {
    let mut entries = Entries::new();
    for Checked { path, source, meta } in checked {
        let (object, size) = match source {
            Source::Object(object) => (object, None),
            Source::Text {
                content,
                content_type,
            } => {
                let size = content.len() as f64;
                let key = format!("{name}/{path}");
                let written = write(context, bucket, &key, content, content_type).await?;
                (written, Some(size))
            }
        };
        let user_meta = |meta| Map::from_iter([("user_meta".to_owned(), Value::Object(meta))]);
        let entry = Entry {
            physical_key: object.to_string(),
            size,
            hash: None,
            meta: meta.map(user_meta),
        };
        entries.insert(path.to_string(), entry);
    }
    Ok(entries)
}

async fn write(
    context: &ToolContext,
    bucket: &BucketName,
    key: &str,
    content: String,
    content_type: Option<MediaType>,
) -> Result<S3Address, ToolError> {
    let mut object = S3Address {
        bucket: bucket.to_string(),
        key: ObjectKey::parse(key).map_err(ToolError::InvalidInput)?,
        version: None,
    };
    let content_type = content_type
        .as_ref()
        .map_or("text/plain; charset=utf-8", MediaType::as_str);
    let s3 = &context.stack.s3;
    let body = Bytes::from(content);
    object.version = s3
        .put(context.token(), &object, content_type, body, true)
        .await?;
    Ok(object)
}
