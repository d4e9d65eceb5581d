use apollo_compiler::resolvers::{ObjectValue, ResolveInfo, ResolvedValue};

use super::{Resolved, json};
use crate::catalog;

pub(super) struct Bucket<'c>(pub(super) &'c catalog::Bucket);

impl ObjectValue for Bucket<'_> {
    fn type_name(&self) -> &str {
        "Bucket"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "name" => Ok(json(self.0.name.as_str())),
            "title" => Ok(json(self.0.title.as_str())),
            "description" => Ok(json(self.0.description.as_str())),
            "tags" => Ok(ResolvedValue::list(
                self.0.tags.iter().map(|tag| json(tag.as_str())),
            )),
            "relevanceScore" => Ok(json(self.0.relevance)),
            "browsable" => Ok(json(true)),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

pub(super) struct BucketConfig(pub(super) catalog::Bucket);

struct TabulatorTable {
    name: String,
    config: String,
}

impl ObjectValue for BucketConfig {
    fn type_name(&self) -> &str {
        "BucketConfig"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "name" => Ok(json(self.0.name.as_str())),
            "tabulatorTables" => Ok(ResolvedValue::list(self.0.tables.iter().map(
                |(name, config)| {
                    ResolvedValue::object(TabulatorTable {
                        name: name.clone(),
                        config: config.clone(),
                    })
                },
            ))),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

impl ObjectValue for TabulatorTable {
    fn type_name(&self) -> &str {
        "TabulatorTable"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "name" => Ok(json(self.name.as_str())),
            "config" => Ok(json(self.config.as_str())),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}
