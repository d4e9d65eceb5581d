//! What a model may read before it calls tools: references, and who and what
//! there is.

mod athena;

use std::time::Duration;

use rmcp::model::Resource as Definition;
use serde_json::{Value, json};

use crate::tools::{ToolContext, ToolError, Tools};

/// How long reading a resource may take.
pub const DEADLINE: Duration = Duration::from_secs(55);
/// What a client is told that asks for another resource.
pub const UNKNOWN: &str = "there is no such resource; resources/list names those that there are";

const SEARCH_SYNTAX: &str = include_str!("search_syntax.md");
const SCHEME: &str = "quilt-platform://";
/// The largest text that the Quilt catalog's assistant takes, in bytes.
const TEXT_LIMIT: usize = 16 * 1024;

/// The resources of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// How searches are written.
    SearchSyntax,
    /// What `athena_query` can reach.
    Athena,
    /// The buckets of the stack.
    Buckets,
    /// Who calls.
    Me,
}

const ALL: [Resource; 4] = [
    Resource::SearchSyntax,
    Resource::Athena,
    Resource::Buckets,
    Resource::Me,
];

/// What there is to read.
pub fn definitions() -> Vec<Definition> {
    ALL.into_iter()
        .map(|resource| {
            Definition::new(resource.uri(), resource.name())
                .with_title(resource.title())
                .with_description(resource.description())
                .with_mime_type(resource.mime_type())
        })
        .collect()
}

impl Resource {
    /// The resource of that URI.
    pub fn named(uri: &str) -> Option<Self> {
        ALL.into_iter().find(|resource| resource.uri() == uri)
    }

    /// The URI.
    pub fn uri(self) -> String {
        format!("{SCHEME}{}", self.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::SearchSyntax => "search_syntax",
            Self::Athena => "athena",
            Self::Buckets => "buckets",
            Self::Me => "me",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::SearchSyntax => "Search syntax",
            Self::Athena => "Athena",
            Self::Buckets => "Buckets",
            Self::Me => "Current user",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::SearchSyntax => "How queries of search_packages and search_objects are written",
            Self::Athena => "Work group, catalogs and databases that athena_query reaches",
            Self::Buckets => "The buckets that you may see, with titles and descriptions",
            Self::Me => "Who is signed in, with which role",
        }
    }

    /// The media type.
    pub fn mime_type(self) -> &'static str {
        match self {
            Self::SearchSyntax | Self::Athena => "text/markdown",
            Self::Buckets | Self::Me => "application/json",
        }
    }

    /// The text, as it is for the caller.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub async fn read(self, context: &ToolContext) -> Result<String, ToolError> {
        match self {
            Self::SearchSyntax => Ok(SEARCH_SYNTAX.to_owned()),
            Self::Athena => athena::text(context).await,
            Self::Buckets => Ok(shortened(Tools::buckets(context).await?)),
            Self::Me => Ok(Tools::me(context).await?.to_string()),
        }
    }
}

/// A list of buckets that an assistant can take: whole, or else its beginning.
fn shortened(mut list: Value) -> String {
    while list.to_string().len() > TEXT_LIMIT {
        let Some(buckets) = list["buckets"].as_array_mut() else {
            break;
        };
        buckets.truncate(buckets.len() * 3 / 4);
        list["note"] = json!("only the most relevant buckets are named; bucket_list has all");
    }
    list.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_found_by_its_uri_alone() {
        for resource in ALL {
            assert_eq!(Resource::named(&resource.uri()), Some(resource));
        }
        for uri in [
            "",
            "quilt-platform://",
            "quilt-platform://ME",
            "file:///etc/passwd",
            "quilt-platform://me/..",
        ] {
            assert_eq!(Resource::named(uri), None, "{uri}");
        }
    }

    #[test]
    fn what_is_loaded_unasked_is_short_enough() {
        assert!(SEARCH_SYNTAX.len() <= TEXT_LIMIT);
        let many: Vec<_> = (0..1000)
            .map(|n| json!({"name": format!("bucket-{n}"), "description": "x".repeat(100)}))
            .collect();
        let text = shortened(json!({"total": 1000, "buckets": many}));
        assert!(
            text.len() <= TEXT_LIMIT && text.contains("bucket-0") && text.contains("bucket_list")
        );
    }
}
