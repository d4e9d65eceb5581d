use apollo_compiler::resolvers::{ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;

use super::{Resolved, bytes, count, json, text};
use crate::catalog::Catalog;
use crate::search::{Hit, Ordering, Search};

/// `Query.searchPackages`
pub(super) fn first<'a>(catalog: &'a Catalog, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
    let arguments = info.arguments();
    let buckets: Vec<String> = arguments
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
    let bound = |end: &str| {
        let modified = arguments.get("filter")?.get("modified")?;
        Some(modified.get(end)?.as_str()?.to_owned())
    };
    let search = Search {
        buckets,
        text: text(info, "searchString").unwrap_or_default().to_owned(),
        modified_from: bound("gte"),
        modified_to: bound("lte"),
        latest_only: arguments.get("latestOnly").and_then(JsonValue::as_bool) == Some(true),
        ordering: None,
        offset: 0,
    };
    if search.hits(catalog).is_empty() {
        return Ok(ResolvedValue::object(EmptySearchResultSet));
    }
    Ok(ResolvedValue::object(ResultSet { catalog, search }))
}

/// `Query.searchMorePackages`
pub(super) fn more<'a>(catalog: &'a Catalog, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
    let size = count(info, "size").unwrap_or(30);
    Ok(
        match Search::from_cursor(text(info, "after").unwrap_or_default()) {
            Some(search) => ResolvedValue::object(Page::of(catalog, search, size)),
            None => ResolvedValue::object(InvalidInput {
                path: "after",
                name: "InvalidCursor",
                message: "The cursor is not one that a search returned".to_owned(),
            }),
        },
    )
}

struct ResultSet<'c> {
    catalog: &'c Catalog,
    search: Search,
}

impl ObjectValue for ResultSet<'_> {
    fn type_name(&self) -> &str {
        "PackagesSearchResultSet"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "total" => Ok(json(self.search.hits(self.catalog).len())),
            "firstPage" => Ok(self.first_page(info)),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

impl ResultSet<'_> {
    fn first_page<'a>(&'a self, info: &'a ResolveInfo<'a>) -> ResolvedValue<'a> {
        let mut search = self.search.clone();
        if let Some(expression) = text(info, "ordering") {
            search.ordering = Ordering::parse(expression);
            if search.ordering.is_none() {
                return ResolvedValue::object(InvalidInput {
                    path: "ordering",
                    name: "ordering",
                    message: format!("Not a sort expression: {expression}"),
                });
            }
        }
        let size = count(info, "size").unwrap_or(30);
        ResolvedValue::object(Page::of(self.catalog, search, size))
    }
}

struct Page<'c> {
    hits: Vec<Hit<'c>>,
    cursor: Option<String>,
}

impl<'c> Page<'c> {
    fn of(catalog: &'c Catalog, mut search: Search, size: usize) -> Self {
        let all = search.hits(catalog);
        let total = all.len();
        let hits: Vec<_> = all.into_iter().skip(search.offset).take(size).collect();
        search.offset += hits.len();
        let cursor = (!hits.is_empty() && search.offset < total).then(|| search.to_cursor());
        Self { hits, cursor }
    }
}

impl ObjectValue for Page<'_> {
    fn type_name(&self) -> &str {
        "PackagesSearchResultSetPage"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "cursor" => Ok(json(self.cursor.clone())),
            "hits" => Ok(ResolvedValue::list(
                self.hits
                    .iter()
                    .map(|hit| ResolvedValue::object(SearchHit(hit))),
            )),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct SearchHit<'h, 'c>(&'h Hit<'c>);

impl ObjectValue for SearchHit<'_, '_> {
    fn type_name(&self) -> &str {
        "SearchHitPackage"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        let Hit {
            package,
            revision,
            score,
        } = self.0;
        Ok(match info.field_name() {
            "id" => json(format!(
                "{}/{}@{}",
                package.bucket,
                package.name,
                revision.hash(package)
            )),
            "score" => json(*score),
            "bucket" => json(package.bucket.as_str()),
            "name" => json(package.name.as_str()),
            "pointer" => json("latest"),
            "hash" => json(revision.hash(package)),
            "size" => bytes(revision.total_bytes()),
            "modified" => json(revision.modified.as_str()),
            "totalEntriesCount" => json(revision.entries.len()),
            "comment" => json(revision.message.as_str()),
            "meta" => json(serde_json::to_string(&revision.metadata).ok()),
            _ => return Err(self.unknown_field_error(info)),
        })
    }
}

pub(super) struct EmptySearchResultSet;

impl ObjectValue for EmptySearchResultSet {
    fn type_name(&self) -> &str {
        "EmptySearchResultSet"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "_" => Ok(ResolvedValue::null()),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

#[derive(Clone)]
pub(super) struct InvalidInput {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) message: String,
}

struct InputError(InvalidInput);

impl ObjectValue for InvalidInput {
    fn type_name(&self) -> &str {
        "InvalidInput"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "errors" => Ok(ResolvedValue::list([ResolvedValue::object(InputError(
                self.clone(),
            ))])),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

impl ObjectValue for InputError {
    fn type_name(&self) -> &str {
        "InputError"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "path" => Ok(json(self.0.path)),
            "name" => Ok(json(self.0.name)),
            "message" => Ok(json(self.0.message.as_str())),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}
