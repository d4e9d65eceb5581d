use rmcp::schemars;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A size in bytes.
///
/// The registry's schema has sizes as `Float`, because GraphQL's `Int` ends at
/// 2 GiB; a model is better served with a whole number.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(from = "f64")]
pub(super) struct Bytes(i64);

impl From<f64> for Bytes {
    /// Exact to 2^53, which is more than S3 stores under one name.
    fn from(size: f64) -> Self {
        Self(size.round() as i64)
    }
}

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}
