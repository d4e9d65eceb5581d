//! Argument types that several tools share: their limits are in the schema that
//! a model reads, and are checked when a call is read.

use std::fmt;

use rmcp::schemars;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::error::ToolError;
use crate::aws::ObjectKey;

/// More buckets than this are not named in one search.
pub(super) const MOST_BUCKETS: usize = 100;

/// Defines a string that is checked when it is read and described in the schema.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, schema: $schema:expr, check: $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
        #[serde(try_from = "String")]
        pub(super) struct $name(String);

        impl $name {
            pub(super) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(value: String) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(&value).map(|()| Self(value))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

checked_string! {
    /// An S3 bucket's name
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
    BucketName,
    schema: json_schema!({
        "type": "string",
        "description": "The S3 bucket's name, without s3://",
        "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
    }),
    check: |value| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fits = (3..=63).contains(&value.len())
            && value.chars().all(inner)
            && value.starts_with(outer)
            && value.ends_with(outer);
        if fits {
            Ok(())
        } else {
            Err("a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, without s3://".to_owned())
        }
    }
}

checked_string! {
    /// A package's name: namespace and name.
    PackageName,
    schema: json_schema!({
        "type": "string",
        "description": "The package's name, as namespace/name",
        "pattern": "^[\\w-]+/[\\w-]+$",
        "maxLength": 256
    }),
    check: |value| {
        let word = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
        };
        match value.split_once('/') {
            Some((namespace, name)) if value.len() <= 256 && word(namespace) && word(name) => Ok(()),
            _ => Err("a package's name is namespace/name, each of letters, digits, _ and -".to_owned()),
        }
    }
}

checked_string! {
    /// What names a revision: its top hash or a tag.
    RevisionName,
    schema: json_schema!({
        "type": "string",
        "description": "The revision: its top hash (64 hexadecimal digits), or latest",
        "pattern": "^([0-9a-f]{64}|latest)$"
    }),
    check: |value| {
        let hash = value.len() == 64
            && value.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if hash || value == "latest" {
            Ok(())
        } else {
            Err("a revision is a top hash of 64 lower-case hexadecimal digits, or latest".to_owned())
        }
    }
}

checked_string! {
    /// A path inside a bucket or package.
    LogicalPath,
    schema: json_schema!({
        "type": "string",
        "description": "A path of / separated parts, without a leading slash",
        "maxLength": 1024
    }),
    check: |value| {
        if value.len() > 1024 {
            Err("a path has at most 1024 bytes".to_owned())
        } else if value.starts_with('/') {
            Err("a path has no leading slash".to_owned())
        } else if value.split('/').any(|part| part == "." || part == "..") {
            Err("a path has no . or .. parts".to_owned())
        } else {
            Ok(())
        }
    }
}

checked_string! {
    /// An S3 object's key.
    Key,
    schema: json_schema!({
        "type": "string",
        "description": "The object's key, without s3:// and bucket",
        "minLength": 1,
        "maxLength": 1024
    }),
    check: |value| ObjectKey::parse(value).map(drop)
}

checked_string! {
    /// A media type (RFC 9110, section 8.3.1).
    MediaType,
    schema: json_schema!({
        "type": "string",
        "description": "The media type, such as text/csv; plain text or bytes when absent",
        "maxLength": 128
    }),
    check: |value| {
        let printable = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        match value.split_once('/') {
            Some((kind, rest)) if printable && value.len() <= 128 && !kind.is_empty() && !rest.is_empty() => Ok(()),
            _ => Err("a media type is type/subtype in plain ASCII".to_owned()),
        }
    }
}

checked_string! {
    /// A revision's top hash, and nothing that changes its meaning.
    TopHash,
    schema: json_schema!({
        "type": "string",
        "description": "A revision's top hash: 64 hexadecimal digits",
        "pattern": "^[0-9a-f]{64}$"
    }),
    check: |value| match RevisionName::try_from(value.to_owned()) {
        Ok(_) if value != "latest" => Ok(()),
        _ => Err("a top hash has 64 lower-case hexadecimal digits".to_owned()),
    }
}

checked_string! {
    /// A Tabulator table's name
    /// (<https://docs.quilt.bio/quilt-platform-administrator/advanced/tabulator>).
    TableName,
    schema: json_schema!({
        "type": "string",
        "description": "The table's name: letters, digits and _",
        "pattern": "^[A-Za-z0-9_]{1,128}$"
    }),
    check: |value| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if (1..=128).contains(&value.len()) && value.bytes().all(allowed) {
            Ok(())
        } else {
            Err("a table's name has 1 to 128 letters, digits and _".to_owned())
        }
    }
}

checked_string! {
    /// A database's, catalog's or work group's name in Athena.
    AthenaName,
    schema: json_schema!({
        "type": "string",
        "pattern": "^[A-Za-z0-9_@.-]{1,255}$"
    }),
    check: |value| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_@.-".contains(&byte);
        if (1..=255).contains(&value.len()) && value.bytes().all(allowed) {
            Ok(())
        } else {
            Err("a name in Athena has 1 to 255 letters, digits, _, @, . and -".to_owned())
        }
    }
}

checked_string! {
    /// The id of a query execution: a UUID, as Athena makes them.
    ExecutionId,
    schema: json_schema!({
        "type": "string",
        "description": "execution_id of an earlier athena_query",
        "pattern": "^[0-9a-fA-F-]{1,64}$"
    }),
    check: |value| {
        let allowed = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        if (1..=64).contains(&value.len()) && value.bytes().all(allowed) {
            Ok(())
        } else {
            Err("an execution's id is a UUID".to_owned())
        }
    }
}

/// The buckets to search; `None` for all.
pub(super) fn some_buckets(
    buckets: Option<Vec<BucketName>>,
) -> Result<Option<Vec<BucketName>>, ToolError> {
    let buckets = buckets.filter(|buckets| !buckets.is_empty());
    if buckets.as_ref().map_or(0, Vec::len) > MOST_BUCKETS {
        let complaint = format!("buckets: name at most {MOST_BUCKETS}, or none to search all");
        return Err(ToolError::InvalidInput(complaint));
    }
    Ok(buckets)
}

impl RevisionName {
    pub(super) fn latest() -> Self {
        Self("latest".to_owned())
    }
}

/// A number from 1 to `MAX`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(try_from = "i64")]
pub(super) struct UpTo<const MAX: i64>(i64);

impl<const MAX: i64> UpTo<MAX> {
    /// `value`, which is checked at compile time where it is a constant.
    pub(super) const fn new(value: i64) -> Self {
        assert!(value >= 1 && value <= MAX);
        Self(value)
    }

    pub(super) fn get(self) -> i64 {
        self.0
    }
}

impl<const MAX: i64> TryFrom<i64> for UpTo<MAX> {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        if (1..=MAX).contains(&value) {
            Ok(Self(value))
        } else {
            Err(format!("{value} is not between 1 and {MAX}"))
        }
    }
}

impl<const MAX: i64> JsonSchema for UpTo<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("UpTo{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": MAX })
    }
}

/// How much to pass over: 0 or more.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "i64")]
pub(super) struct Offset(u32);

impl Offset {
    pub(super) fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Offset {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        let offset = u32::try_from(value);
        offset
            .map(Self)
            .map_err(|_| format!("{value} is not between 0 and {}", u32::MAX))
    }
}

impl JsonSchema for Offset {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Offset".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    }
}

/// A text of at most `MAX` characters.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(super) struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = String;

    fn try_from(value: String) -> Result<Self, String> {
        if value.chars().count() <= MAX {
            Ok(Self(value))
        } else {
            Err(format!("a text here has at most {MAX} characters"))
        }
    }
}

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Text{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX })
    }
}
