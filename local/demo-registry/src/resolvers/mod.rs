//! One resolver per GraphQL object type, over borrowed catalog data.

mod bucket;
mod caller;
mod mutation;
mod objects;
mod package;
mod search;

pub(crate) use mutation::Mutation;

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;

use crate::catalog::{Catalog, User};

type Resolved<'a> = Result<ResolvedValue<'a>, FieldError>;

/// The root: what one caller may ask.
pub(crate) struct Query<'c> {
    pub(crate) catalog: &'c Catalog,
    pub(crate) caller: Option<&'c User>,
}

impl ObjectValue for Query<'_> {
    fn type_name(&self) -> &str {
        "Query"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        if info.field_name() == "me" {
            return Ok(ResolvedValue::nullable_object(self.caller.map(caller::Me)));
        }
        if self.caller.is_none() {
            return Err(failure("Not authenticated"));
        }
        match info.field_name() {
            "buckets" => {
                Ok(ResolvedValue::list(self.catalog.buckets.iter().map(
                    |bucket| ResolvedValue::object(bucket::Bucket(bucket)),
                )))
            }
            "packages" => Ok(package::packages(self.catalog, info)),
            "package" => Ok(package::package(self.catalog, info)),
            "searchPackages" => search::first(self.catalog, info),
            "searchObjects" => objects::first(self.catalog, info),
            "searchMoreObjects" => objects::more(self.catalog, info),
            "bucketConfig" => {
                let bucket = self.catalog.bucket(text(info, "name").unwrap_or_default());
                let config = bucket.cloned().map(bucket::BucketConfig);
                Ok(ResolvedValue::nullable_object(config))
            }
            "searchMorePackages" => search::more(self.catalog, info),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

fn failure(message: &str) -> FieldError {
    FieldError {
        message: message.to_owned(),
    }
}

/// An argument of type String; the schema has checked its type.
fn text<'a>(info: &'a ResolveInfo<'a>, argument: &str) -> Option<&'a str> {
    info.arguments().get(argument).and_then(JsonValue::as_str)
}

/// An argument of type Int that counts something; negative numbers count as none.
fn count(info: &ResolveInfo<'_>, argument: &str) -> Option<usize> {
    let value = info.arguments().get(argument)?.as_i64()?;
    Some(usize::try_from(value).unwrap_or(0))
}

/// The items of a page, whose number begins with 1.
fn page<T>(items: Vec<T>, number: usize, per_page: usize) -> Vec<T> {
    items
        .into_iter()
        .skip(number.saturating_sub(1).saturating_mul(per_page))
        .take(per_page)
        .collect()
}

fn json<'a>(value: impl Into<serde_json::Value>) -> ResolvedValue<'a> {
    ResolvedValue::Leaf(value.into().into())
}

/// A size, as the `Float` that the schema declares: exact to 2^53 bytes.
fn bytes<'a>(size: u64) -> ResolvedValue<'a> {
    json(size as f64)
}
