use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::Listing;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, Text, UpTo};
use crate::tools::tool::Tool;

/// The objects of a bucket, page by page.
pub(in crate::tools) struct S3ObjectList;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    /// Only keys that begin with this, such as raw/2026/.
    prefix: Option<Text<1024>>,
    /// Whether to list folders instead of everything in them.
    #[serde(default = "yes")]
    folders: bool,
    /// How many keys and folders at a time.
    #[serde(default = "usual_keys")]
    max_keys: UpTo<1000>,
    /// next_token of an earlier answer, to go on where it ended.
    token: Option<Text<2048>>,
}

const fn yes() -> bool {
    true
}

const fn usual_keys() -> UpTo<1000> {
    UpTo::new(100)
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The bucket.
    bucket: String,
    /// Folders: what keys have in common up to the next slash.
    folders: Vec<String>,
    /// Objects.
    objects: Vec<Object>,
    /// Where to go on, when there is more.
    next_token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Object {
    /// The key.
    key: String,
    /// Bytes.
    size: i64,
    /// When it was written.
    modified: String,
    /// Where it is kept; GLACIER and DEEP_ARCHIVE cannot be read at once.
    storage_class: Option<String>,
}

impl Tool for S3ObjectList {
    const NAME: &'static str = "s3_object_list";
    const TITLE: &'static str = "List objects";
    const DESCRIPTION: &'static str = "Lists what a bucket holds under a prefix, folder by folder, as \
your role may see it in S3. Use search_objects to find a file by name or content anywhere, and \
package_browse for the files of a package.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let mut query = vec![("max-keys", input.max_keys.get().to_string())];
        if input.folders {
            query.push(("delimiter", "/".to_owned()));
        }
        query.extend(input.prefix.map(|prefix| ("prefix", prefix.into_string())));
        query.extend(
            input
                .token
                .map(|token| ("continuation-token", token.into_string())),
        );
        // S3 signs the parameters in the order of their names.
        query.sort();
        let bucket = input.bucket.to_string();
        let listing = context
            .stack
            .s3
            .list(context.token(), &bucket, query)
            .await?;
        Ok(Output::new(bucket, listing))
    }
}

impl Output {
    fn new(bucket: String, listing: Listing) -> Self {
        let objects = listing.contents.into_iter().map(|object| Object {
            key: object.key,
            size: i64::try_from(object.size).unwrap_or(i64::MAX),
            modified: object.last_modified,
            storage_class: object.storage_class,
        });
        let folders = listing.common_prefixes.into_iter();
        Self {
            bucket,
            folders: folders.map(|folder| folder.prefix).collect(),
            objects: objects.collect(),
            next_token: listing.next_continuation_token,
        }
    }
}
