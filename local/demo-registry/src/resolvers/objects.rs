//! Object search: the files of the packages, as if S3 had been indexed.

use apollo_compiler::resolvers::{ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;
use serde::{Deserialize, Serialize};

use super::search::{EmptySearchResultSet, InvalidInput};
use super::{Resolved, bytes, count, json, text};
use crate::catalog::Catalog;

/// A search, complete enough to be taken up again at `offset`.
#[derive(Clone, Default, Deserialize, Serialize)]
struct Search {
    buckets: Vec<String>,
    text: String,
    newest_first: bool,
    offset: usize,
}

#[derive(Clone)]
struct Hit {
    bucket: String,
    key: String,
    size: u64,
    modified: String,
}

/// `Query.searchObjects`
pub(super) fn first<'a>(catalog: &'a Catalog, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
    let buckets: Vec<String> = info
        .arguments()
        .get("buckets")
        .and_then(JsonValue::as_array)
        .into_iter()
        .flatten()
        .filter_map(JsonValue::as_str)
        .map(str::to_owned)
        .collect();
    if let Some(unknown) = buckets.iter().find(|name| catalog.bucket(name).is_none()) {
        return Ok(ResolvedValue::object(InvalidInput {
            path: "buckets",
            name: "NotFound",
            message: format!("No such bucket: {unknown}"),
        }));
    }
    let search = Search {
        buckets,
        text: text(info, "searchString").unwrap_or_default().to_owned(),
        ..Search::default()
    };
    if search.hits(catalog).is_empty() {
        return Ok(ResolvedValue::object(EmptySearchResultSet));
    }
    Ok(ResolvedValue::object(ResultSet { catalog, search }))
}

/// `Query.searchMoreObjects`
pub(super) fn more<'a>(catalog: &'a Catalog, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
    let size = count(info, "size").unwrap_or(30);
    let cursor = hex::decode(text(info, "after").unwrap_or_default());
    let search = cursor
        .ok()
        .and_then(|cursor| serde_json::from_slice(&cursor).ok());
    Ok(match search {
        Some(search) => ResolvedValue::object(Page::of(catalog, search, size)),
        None => ResolvedValue::object(InvalidInput {
            path: "after",
            name: "InvalidCursor",
            message: "The cursor is not one that a search returned".to_owned(),
        }),
    })
}

impl Search {
    fn hits(&self, catalog: &Catalog) -> Vec<Hit> {
        let words: Vec<_> = self
            .text
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let mut hits = Vec::new();
        let wanted = |bucket: &String| self.buckets.is_empty() || self.buckets.contains(bucket);
        for package in catalog
            .packages
            .iter()
            .filter(|package| wanted(&package.bucket))
        {
            let latest = package.latest();
            for entry in &latest.entries {
                let key = format!("{}/{}", package.name, entry.path);
                let lower = key.to_lowercase();
                if words.iter().all(|word| lower.contains(word)) {
                    hits.push(Hit {
                        bucket: package.bucket.clone(),
                        key,
                        size: entry.size,
                        modified: latest.modified.clone(),
                    });
                }
            }
        }
        if self.newest_first {
            hits.sort_by(|a, b| b.modified.cmp(&a.modified));
        }
        hits
    }
}

struct ResultSet<'c> {
    catalog: &'c Catalog,
    search: Search,
}

impl ObjectValue for ResultSet<'_> {
    fn type_name(&self) -> &str {
        "ObjectsSearchResultSet"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "total" => Ok(json(self.search.hits(self.catalog).len())),
            "firstPage" => {
                let mut search = self.search.clone();
                search.newest_first = text(info, "order") == Some("NEWEST");
                let size = count(info, "size").unwrap_or(30);
                Ok(ResolvedValue::object(Page::of(self.catalog, search, size)))
            }
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct Page {
    hits: Vec<Hit>,
    cursor: Option<String>,
}

impl Page {
    fn of(catalog: &Catalog, mut search: Search, size: usize) -> Self {
        let all = search.hits(catalog);
        let total = all.len();
        let hits: Vec<_> = all.into_iter().skip(search.offset).take(size).collect();
        search.offset += hits.len();
        let has_more = !hits.is_empty() && search.offset < total;
        let cursor = has_more
            .then(|| serde_json::to_vec(&search).ok().map(hex::encode))
            .flatten();
        Self { hits, cursor }
    }
}

impl ObjectValue for Page {
    fn type_name(&self) -> &str {
        "ObjectsSearchResultSetPage"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "cursor" => Ok(json(self.cursor.clone())),
            "hits" => Ok(ResolvedValue::list(
                self.hits.iter().cloned().map(ResolvedValue::object),
            )),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

impl ObjectValue for Hit {
    fn type_name(&self) -> &str {
        "SearchHitObject"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        Ok(match info.field_name() {
            "id" => json(format!("s3://{}/{}", self.bucket, self.key)),
            "score" => json(1.0),
            "bucket" => json(self.bucket.as_str()),
            "key" => json(self.key.as_str()),
            "version" => json("null"),
            "size" => bytes(self.size),
            "modified" => json(self.modified.as_str()),
            "deleted" => json(false),
            _ => return Err(self.unknown_field_error(info)),
        })
    }
}
