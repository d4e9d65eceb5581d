use bytes::Bytes;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::S3Address;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{Offset, Text, UpTo};
use crate::tools::packages::file::locate;
use crate::tools::tool::Tool;
use crate::tools::uri::{self, Address};

/// The text of an object or of a package's file.
pub(in crate::tools) struct ObjectRead;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    /// s3://bucket/key (percent-encoded, as other tools answer with it), or quilt+s3://bucket#package=namespace/name&path=file.
    uri: Text<4096>,
    /// Where to begin, in bytes; next_offset of an earlier answer.
    #[serde(default)]
    offset: Offset,
    /// How many bytes to read.
    #[serde(default = "usual_bytes")]
    max_bytes: UpTo<500_000>,
}

const fn usual_bytes() -> UpTo<500_000> {
    UpTo::new(100_000)
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The object that was read.
    uri: String,
    /// The text.
    text: String,
    /// How many bytes the whole object has.
    total_bytes: i64,
    /// Where to go on, when there is more.
    next_offset: Option<i64>,
    /// The media type that its writer gave.
    content_type: Option<String>,
}

impl Tool for ObjectRead {
    const NAME: &'static str = "object_read";
    const TITLE: &'static str = "Read a text";
    const DESCRIPTION: &'static str = "Reads the text of an S3 object or of a file in a package, a \
part at a time: README files, CSV, JSON, logs, source. It unpacks nothing and refuses what is not \
UTF-8 text; use s3_object_link or package_file_url for that, and athena_query for large tables.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let invalid = |why| ToolError::InvalidInput(format!("uri: {why}"));
        let object = match uri::address(&input.uri.into_string()).map_err(invalid)? {
            Address::Object(object) => object,
            Address::File {
                bucket,
                package,
                revision,
                path,
            } => locate(context, bucket, package, revision, &path)
                .await?
                .object()?,
        };
        let offset = u64::from(input.offset.get());
        let length = input.max_bytes.get().unsigned_abs();
        let s3 = &context.stack.s3;
        let part = s3.get(context.token(), &object, offset, length).await?;
        let (text, read) = text(&object, &part.bytes, offset > 0)?;
        let next = offset + read;
        Ok(Output {
            uri: object.to_string(),
            text,
            total_bytes: i64::try_from(part.total).unwrap_or(i64::MAX),
            next_offset: (next < part.total).then(|| i64::try_from(next).unwrap_or(i64::MAX)),
            content_type: part.content_type,
        })
    }
}

/// The text in some bytes, and how many of them it took: a character that is cut
/// at the end is left for the next part.
fn text(object: &S3Address, bytes: &Bytes, is_continued: bool) -> Result<(String, u64), ToolError> {
    let refuse = || {
        let place = if is_continued { "from there on " } else { "" };
        ToolError::InvalidInput(format!(
            "{object} is {place}not UTF-8 text; s3_object_link gives a link to download it"
        ))
    };
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // No length means that the last character is cut.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).map_err(|_| refuse())?
        }
        Err(_) => return Err(refuse()),
    };
    if valid.contains('\0') {
        return Err(refuse());
    }
    Ok((valid.to_owned(), valid.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ObjectKey;

    #[test]
    fn a_cut_character_is_left_for_the_next_part() {
        let object = S3Address {
            bucket: "data".to_owned(),
            key: ObjectKey::parse("x").unwrap(),
            version: None,
        };
        let text = |bytes: &'static [u8]| text(&object, &Bytes::from_static(bytes), false).ok();
        assert_eq!(text(b"abc"), Some(("abc".to_owned(), 3)));
        assert_eq!(text(b""), Some((String::new(), 0)));
        assert_eq!(text(b"ab\xc3"), Some(("ab".to_owned(), 2)));
        assert_eq!(text(b"\xc3"), None);
        assert_eq!(text(b"\x1f\x8b\x08\x00"), None, "gzip");
        assert_eq!(text(b"a\0b"), None);
        assert_eq!(text(b"a\xffb"), None);
    }
}
