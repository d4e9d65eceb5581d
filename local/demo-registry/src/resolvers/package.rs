use std::collections::BTreeMap;

use apollo_compiler::resolvers::{ObjectValue, ResolveInfo, ResolvedValue};

use super::{Resolved, bytes, count, json, page, text};
use crate::catalog::{self, Catalog, Revision};

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
            "total" => Ok(json(self.0.len())),
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

struct Package<'c>(&'c catalog::Package);

impl ObjectValue for Package<'_> {
    fn type_name(&self) -> &str {
        "Package"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "bucket" => Ok(json(self.0.bucket.as_str())),
            "name" => Ok(json(self.0.name.as_str())),
            "modified" => Ok(json(self.0.latest().modified.as_str())),
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
            "total" => Ok(json(self.0.revisions.len())),
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

struct PackageRevision<'c> {
    package: &'c catalog::Package,
    revision: &'c Revision,
}

impl ObjectValue for PackageRevision<'_> {
    fn type_name(&self) -> &str {
        "PackageRevision"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        let revision = self.revision;
        match info.field_name() {
            "hash" => Ok(json(revision.hash(self.package))),
            "modified" => Ok(json(revision.modified.as_str())),
            "message" => Ok(json(revision.message.as_str())),
            "userMeta" => Ok(json(revision.metadata.clone())),
            "workflow" => Ok(ResolvedValue::nullable_object(
                revision.workflow.as_deref().map(PackageWorkflow),
            )),
            "totalEntries" => Ok(json(revision.entries.len())),
            "totalBytes" => Ok(bytes(revision.total_bytes())),
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
            "config" => Ok(json("s3://.quilt/workflows/config.yml")),
            "id" => Ok(json(self.0)),
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
    },
    Dir {
        path: String,
        size: u64,
    },
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
                    let file = PackageEntry::File {
                        path: entry.path.clone(),
                        size: entry.size,
                        physical_key: format!(
                            "s3://{}/{}/{}",
                            package.bucket, package.name, entry.path
                        ),
                    };
                    children.insert(rest.to_owned(), file);
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
            "path" => Ok(json(self.path.as_str())),
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
            ("path", Self::File { path, .. } | Self::Dir { path, .. }) => Ok(json(path.as_str())),
            ("size", Self::File { size, .. } | Self::Dir { size, .. }) => Ok(bytes(*size)),
            ("physicalKey", Self::File { physical_key, .. }) => Ok(json(physical_key.as_str())),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}
