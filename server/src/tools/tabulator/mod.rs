//! Tabulator: tables over the files of packages, for Athena.

pub(super) mod list;
pub(super) mod rename;
pub(super) mod set;

use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::ToolError;
use super::page_errors::{InvalidInput, OperationError};

/// A table, as the registry has it.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
struct Table {
    /// The table's name.
    name: String,
    /// Its configuration, as YAML: schema, source and parser.
    config: String,
}

/// The tables of a bucket after a change.
#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Changed {
    /// The bucket.
    bucket: String,
    /// The names of its tables now.
    tables: Vec<String>,
}

/// `BucketSetTabulatorTableResult` of the schema.
#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum SetResult {
    BucketConfig(Tables),
    InvalidInput(InvalidInput),
    OperationError(OperationError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tables {
    tabulator_tables: Vec<Table>,
}

impl SetResult {
    fn into_output(self, bucket: String) -> Result<Changed, ToolError> {
        match self {
            Self::BucketConfig(Tables { tabulator_tables }) => Ok(Changed {
                bucket,
                tables: tabulator_tables
                    .into_iter()
                    .map(|table| table.name)
                    .collect(),
            }),
            Self::InvalidInput(invalid) => Err(invalid.into()),
            Self::OperationError(failed) => Err(failed.into()),
        }
    }
}
