//! What a caller may change.

use apollo_compiler::resolvers::{ObjectValue, ResolveInfo, ResolvedValue};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::bucket::BucketConfig;
use super::package::{Package, PackageRevision};
use super::search::InvalidInput;
use super::{Resolved, count, failure, json, text};
use crate::DemoRegistry;
use crate::catalog::{self, Entry, Revision, User};

/// The root of changes.
pub(crate) struct Mutation<'c> {
    pub(crate) registry: &'c DemoRegistry,
    pub(crate) caller: Option<&'c User>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    bucket: String,
    name: String,
    message: Option<String>,
    user_meta: Option<Map<String, Value>>,
    workflow: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    entries: Vec<SourceEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceEntry {
    logical_key: String,
    physical_key: String,
    hash: Option<Hash>,
    size: Option<f64>,
    meta: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Hash {
    value: String,
}

impl ObjectValue for Mutation<'_> {
    fn type_name(&self) -> &str {
        "Mutation"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        if self.caller.is_none() {
            return Err(failure("Not authenticated"));
        }
        match info.field_name() {
            "packageConstruct" => self.construct(info),
            "packageRevisionDelete" => Ok(self.delete_revision(info)),
            "bucketSetTabulatorTable" => Ok(self.set_table(info)),
            "bucketRenameTabulatorTable" => Ok(self.rename_table(info)),
            "browsingSessionCreate" => Ok(create_session(info)),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

impl Mutation<'_> {
    fn construct<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        let params: Params = argument(info, "params").ok_or_else(|| failure("params"))?;
        let source: Source = argument(info, "src").ok_or_else(|| failure("src"))?;
        if self.registry.catalog().bucket(&params.bucket).is_none() {
            let message = format!("No such bucket: {}", params.bucket);
            return Ok(invalid("params.bucket", "NotFound", message));
        }
        if let Some(workflow) = params
            .workflow
            .as_deref()
            .filter(|name| *name == "forbidden")
        {
            return Ok(operation_error(
                "WorkflowError",
                format!("{workflow} refuses it"),
            ));
        }
        let revision = Revision {
            modified: Timestamp::now().to_string(),
            message: params.message.unwrap_or_default(),
            metadata: params.user_meta.unwrap_or_default(),
            workflow: params.workflow,
            entries: source.entries.into_iter().map(Entry::from).collect(),
        };
        let package = self
            .registry
            .change(|catalog| catalog.push(&params.bucket, &params.name, revision).clone());
        Ok(ResolvedValue::object(PackagePushSuccess(package)))
    }

    fn delete_revision<'a>(&'a self, info: &'a ResolveInfo<'a>) -> ResolvedValue<'a> {
        let part = |name: &str| text(info, name).unwrap_or_default().to_owned();
        let (bucket, name, hash) = (part("bucket"), part("name"), part("hash"));
        let change =
            |catalog: &mut catalog::Catalog| catalog.delete_revision(&bucket, &name, &hash);
        if self.registry.change(change) {
            ResolvedValue::object(Success("PackageRevisionDeleteSuccess"))
        } else {
            operation_error("NotFound", format!("No such revision: {hash}"))
        }
    }

    fn set_table<'a>(&'a self, info: &'a ResolveInfo<'a>) -> ResolvedValue<'a> {
        let config = text(info, "config").map(str::to_owned);
        if config
            .as_ref()
            .is_some_and(|config| !config.contains("schema"))
        {
            let message = "The configuration has no schema".to_owned();
            return invalid("config", "ValidationError", message);
        }
        self.change_tables(info, |tables, name| match config {
            Some(config) => {
                tables.insert(name, config);
                Ok(())
            }
            None => tables.remove(&name).map(drop).ok_or(name),
        })
    }

    fn rename_table<'a>(&'a self, info: &'a ResolveInfo<'a>) -> ResolvedValue<'a> {
        let new_name = text(info, "newTableName").unwrap_or_default().to_owned();
        self.change_tables(info, |tables, name| match tables.remove(&name) {
            Some(config) => {
                tables.insert(new_name, config);
                Ok(())
            }
            None => Err(name),
        })
    }

    /// Changes a bucket's tables; an error names the table that is not there.
    fn change_tables<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
        change: impl FnOnce(
            &mut std::collections::BTreeMap<String, String>,
            String,
        ) -> Result<(), String>,
    ) -> ResolvedValue<'a> {
        let bucket = text(info, "bucketName").unwrap_or_default();
        let table = text(info, "tableName").unwrap_or_default().to_owned();
        let changed = self.registry.change(|catalog| {
            let found = catalog
                .buckets
                .iter_mut()
                .find(|found| found.name == bucket);
            let found = found.ok_or_else(|| format!("No such bucket: {bucket}"))?;
            change(&mut found.tables, table).map_err(|table| format!("No such table: {table}"))?;
            Ok(found.clone())
        });
        match changed {
            Ok(bucket) => ResolvedValue::object(BucketConfig(bucket)),
            Err(message) => invalid("tableName", "NotFound", message),
        }
    }
}

fn create_session<'a>(info: &'a ResolveInfo<'a>) -> ResolvedValue<'a> {
    let scope = text(info, "scope").unwrap_or_default();
    if !scope.starts_with("s3://") || !scope.contains("&hash=") {
        return invalid("scope", "ValidationError", format!("Not a scope: {scope}"));
    }
    let seconds = i64::try_from(count(info, "ttl").unwrap_or(180)).unwrap_or(180);
    ResolvedValue::object(BrowsingSession {
        expires: (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string(),
    })
}

impl From<SourceEntry> for Entry {
    fn from(entry: SourceEntry) -> Self {
        Self {
            path: entry.logical_key,
            size: entry.size.map_or(0, |size| size.max(0.0) as u64),
            physical_key: Some(entry.physical_key),
            hash: entry.hash.map(|hash| hash.value),
            meta: entry.meta,
        }
    }
}

/// An argument of an input type; the schema has checked its shape.
fn argument<T: serde::de::DeserializeOwned>(info: &ResolveInfo<'_>, name: &str) -> Option<T> {
    let value = serde_json::to_value(info.arguments().get(name)?).ok()?;
    serde_json::from_value(value).ok()
}

fn invalid<'a>(path: &'static str, name: &'static str, message: String) -> ResolvedValue<'a> {
    ResolvedValue::object(InvalidInput {
        path,
        name,
        message,
    })
}

fn operation_error<'a>(name: &'static str, message: String) -> ResolvedValue<'a> {
    ResolvedValue::object(OperationError { name, message })
}

struct PackagePushSuccess(catalog::Package);

impl ObjectValue for PackagePushSuccess {
    fn type_name(&self) -> &str {
        "PackagePushSuccess"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "package" => Ok(ResolvedValue::object(Package(&self.0))),
            "revision" => Ok(ResolvedValue::object(PackageRevision {
                package: &self.0,
                revision: self.0.latest(),
            })),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct OperationError {
    name: &'static str,
    message: String,
}

impl ObjectValue for OperationError {
    fn type_name(&self) -> &str {
        "OperationError"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "name" => Ok(json(self.name)),
            "message" => Ok(json(self.message.as_str())),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

/// A success that has nothing to say.
struct Success(&'static str);

impl ObjectValue for Success {
    fn type_name(&self) -> &str {
        self.0
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "_" => Ok(ResolvedValue::null()),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct BrowsingSession {
    expires: String,
}

impl ObjectValue for BrowsingSession {
    fn type_name(&self) -> &str {
        "BrowsingSession"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "id" => Ok(json("demo-session")),
            "expires" => Ok(json(self.expires.as_str())),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}
