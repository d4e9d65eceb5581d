use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use apollo_compiler::resolvers::{ObjectValue, ResolveInfo, ResolvedValue};

use super::{Resolved, bytes, count, json as leaf, page, text};
use crate::catalog::{self, Catalog, Entry, Revision};

/// `Query.packages`
pub(super) fn packages<'a>(catalog: &'a Catalog, info: &'a ResolveInfo<'a>) -> ResolvedValue<'a> {
    let bucket = text(info, "bucket").unwrap_or_default();
    if catalog.bucket(bucket).is_none() {
        return ResolvedValue::null();
    }
    let filter = text(info, "filter").unwrap_or_default().to_lowercase();
    let packages = catalog
        .packages_in(bucket)
        .filter(|package| package.name.to_lowercase().contains(&filter))
        .collect();
    ResolvedValue::object(PackageList(packages))
}

/// `Query.package`
pub(super) fn package<'a>(catalog: &'a Catalog, info: &'a ResolveInfo<'a>) -> ResolvedValue<'a> {
    let bucket = text(info, "bucket").unwrap_or_default();
    let name = text(info, "name").unwrap_or_default();
    ResolvedValue::nullable_object(catalog.package(bucket, name).map(Package))
}

struct PackageList<'c>(Vec<&'c catalog::Package>);

impl ObjectValue for PackageList<'_> {
    fn type_name(&self) -> &str {
        "PackageList"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "total" => Ok(leaf(self.0.len())),
            "page" => {
                let mut packages = self.0.clone();
                if text(info, "order") == Some("MODIFIED") {
                    packages.sort_by(|a, b| b.latest().modified.cmp(&a.latest().modified));
                } else {
                    packages.sort_by(|a, b| a.name.cmp(&b.name));
                }
                let number = count(info, "number").unwrap_or(1);
                let per_page = count(info, "perPage").unwrap_or(30);
                let packages = page(packages, number, per_page);
                Ok(ResolvedValue::list(
                    packages
                        .into_iter()
                        .map(|package| ResolvedValue::object(Package(package))),
                ))
            }
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

pub(super) struct Package<'c>(pub(super) &'c catalog::Package);

impl ObjectValue for Package<'_> {
    fn type_name(&self) -> &str {
        "Package"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "bucket" => Ok(leaf(self.0.bucket.as_str())),
            "name" => Ok(leaf(self.0.name.as_str())),
            "modified" => Ok(leaf(self.0.latest().modified.as_str())),
            "revisions" => Ok(ResolvedValue::object(PackageRevisionList(self.0))),
            "revision" => {
                let hash_or_tag = text(info, "hashOrTag").unwrap_or("latest");
                let revision = self.0.revision(hash_or_tag);
                Ok(ResolvedValue::nullable_object(revision.map(|revision| {
                    PackageRevision {
                        package: self.0,
                        revision,
                    }
                })))
            }
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct PackageRevisionList<'c>(&'c catalog::Package);

impl ObjectValue for PackageRevisionList<'_> {
    fn type_name(&self) -> &str {
        "PackageRevisionList"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "total" => Ok(leaf(self.0.revisions.len())),
            "page" => {
                let number = count(info, "number").unwrap_or(1);
                let per_page = count(info, "perPage").unwrap_or(10);
                let revisions = page(self.0.revisions.iter().collect(), number, per_page);
                Ok(ResolvedValue::list(revisions.into_iter().map(|revision| {
                    ResolvedValue::object(PackageRevision {
                        package: self.0,
                        revision,
                    })
                })))
            }
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

pub(super) struct PackageRevision<'c> {
    pub(super) package: &'c catalog::Package,
    pub(super) revision: &'c Revision,
}

impl ObjectValue for PackageRevision<'_> {
    fn type_name(&self) -> &str {
        "PackageRevision"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        let revision = self.revision;
        match info.field_name() {
            "hash" => Ok(leaf(revision.hash(self.package))),
            "modified" => Ok(leaf(revision.modified.as_str())),
            "message" => Ok(leaf(revision.message.as_str())),
            "userMeta" => Ok(leaf(revision.metadata.clone())),
            "workflow" => Ok(ResolvedValue::nullable_object(
                revision.workflow.as_deref().map(PackageWorkflow),
            )),
            "totalEntries" => Ok(leaf(revision.entries.len())),
            "totalBytes" => Ok(bytes(revision.total_bytes())),
            "file" => Ok(ResolvedValue::nullable_object(PackageEntry::of(
                self.package,
                revision,
                text(info, "path").unwrap_or_default(),
            ))),
            "contentsFlatMap" => {
                let max = count(info, "max").unwrap_or(1000);
                let is_small = revision.entries.len() <= max;
                Ok(leaf(is_small.then(|| flat_map(self.package, revision))))
            }
            "dir" => Ok(ResolvedValue::nullable_object(PackageDir::of(
                self.package,
                revision,
                text(info, "path").unwrap_or_default(),
            ))),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct PackageWorkflow<'c>(&'c str);

impl ObjectValue for PackageWorkflow<'_> {
    fn type_name(&self) -> &str {
        "PackageWorkflow"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "config" => Ok(leaf("s3://.quilt/workflows/config.yml")),
            "id" => Ok(leaf(self.0)),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

/// A folder and what lies directly in it.
struct PackageDir {
    path: String,
    size: u64,
    children: Vec<PackageEntry>,
}

/// A file, or a folder by its size alone.
#[derive(Clone)]
enum PackageEntry {
    File {
        path: String,
        size: u64,
        physical_key: String,
        metadata: Option<Map<String, Value>>,
    },
    Dir {
        path: String,
        size: u64,
    },
}

/// `PackageContentsFlatMap`: every file by its path.
fn flat_map(package: &catalog::Package, revision: &Revision) -> Map<String, Value> {
    let entry = |entry: &Entry| {
        let described = json!({
            "physicalKey": entry.physical_key(package),
            "size": entry.size,
            "hash": { "type": "SHA256", "value": entry.hash(package) },
            "meta": entry.meta,
        });
        (entry.path.clone(), described)
    };
    revision.entries.iter().map(entry).collect()
}

impl PackageEntry {
    /// The file at `path`, if there is one.
    fn of(package: &catalog::Package, revision: &Revision, path: &str) -> Option<Self> {
        let found = revision.entries.iter().find(|entry| entry.path == path)?;
        Some(Self::file(package, found))
    }

    fn file(package: &catalog::Package, entry: &Entry) -> Self {
        let user_meta = entry.meta.as_ref().and_then(|meta| meta.get("user_meta"));
        Self::File {
            path: entry.path.clone(),
            size: entry.size,
            physical_key: entry.physical_key(package),
            metadata: user_meta.and_then(Value::as_object).cloned(),
        }
    }
}

impl PackageDir {
    /// `None` when nothing lies under `path`.
    fn of(package: &catalog::Package, revision: &Revision, path: &str) -> Option<Self> {
        let prefix = match path.trim_matches('/') {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let mut children = BTreeMap::new();
        let mut total = 0;
        for entry in &revision.entries {
            let Some(rest) = entry.path.strip_prefix(&prefix) else {
                continue;
            };
            total += entry.size;
            match rest.split_once('/') {
                None => {
                    children.insert(rest.to_owned(), PackageEntry::file(package, entry));
                }
                Some((folder, _)) => {
                    let seen = children
                        .entry(folder.to_owned())
                        .or_insert(PackageEntry::Dir {
                            path: format!("{prefix}{folder}"),
                            size: 0,
                        });
                    if let PackageEntry::Dir { size, .. } = seen {
                        *size += entry.size;
                    }
                }
            }
        }
        (!children.is_empty()).then(|| Self {
            path: path.to_owned(),
            size: total,
            children: children.into_values().collect(),
        })
    }
}

impl ObjectValue for PackageDir {
    fn type_name(&self) -> &str {
        "PackageDir"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "path" => Ok(leaf(self.path.as_str())),
            "size" => Ok(bytes(self.size)),
            "children" => Ok(ResolvedValue::list(
                self.children.iter().cloned().map(ResolvedValue::object),
            )),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

impl ObjectValue for PackageEntry {
    fn type_name(&self) -> &str {
        match self {
            Self::File { .. } => "PackageFile",
            Self::Dir { .. } => "PackageDir",
        }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match (info.field_name(), self) {
            ("path", Self::File { path, .. } | Self::Dir { path, .. }) => Ok(leaf(path.as_str())),
            ("size", Self::File { size, .. } | Self::Dir { size, .. }) => Ok(bytes(*size)),
            ("metadata", Self::File { metadata, .. }) => Ok(leaf(metadata.clone())),
            ("physicalKey", Self::File { physical_key, .. }) => Ok(leaf(physical_key.as_str())),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}
