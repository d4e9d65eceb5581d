use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::context::ToolContext;
use super::error::ToolError;
use super::input::{BucketName, LogicalPath, PackageName, RevisionName};
use super::tool::Tool;
use crate::config::StackUrl;

/// Links into the catalog, for people. It asks nobody: whether the place exists
/// is for the caller to know.
pub(super) struct CatalogUrl;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The bucket; the catalog's front page when absent.
    bucket: Option<BucketName>,
    /// The package in the bucket.
    package: Option<PackageName>,
    /// The package's revision; the latest when absent.
    revision: Option<RevisionName>,
    /// The file or folder: inside the package when one is named, else in the bucket.
    path: Option<LogicalPath>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The link.
    url: String,
}

impl Tool for CatalogUrl {
    const NAME: &'static str = "catalog_url";
    const TITLE: &'static str = "Link to the catalog";
    const DESCRIPTION: &'static str = "Makes a link that a person can open in the Quilt catalog: to \
a bucket, a package, a revision, or a file or folder in a package or bucket. Use it to show where \
results come from. It does not check that the place exists.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        link(&context.stack.catalog, &input).map(|url| Output { url: url.into() })
    }
}

fn link(catalog: &StackUrl, input: &Input) -> Result<Url, ToolError> {
    let missing = |what: &str, of: &str| {
        ToolError::InvalidInput(format!(
            "{of} is given without a {what}; name the {what} too"
        ))
    };
    let mut segments = Vec::new();
    match (&input.bucket, &input.package) {
        (None, Some(_)) => return Err(missing("bucket", "package")),
        (None, None) if input.path.is_some() => return Err(missing("bucket", "path")),
        (_, None) if input.revision.is_some() => return Err(missing("package", "revision")),
        (None, None) => {}
        (Some(bucket), None) => {
            segments.extend(["b", bucket.as_str()]);
            segments.extend(input.path.iter().map(|_| "tree"));
        }
        (Some(bucket), Some(package)) => {
            segments.extend(["b", bucket.as_str(), "packages"]);
            segments.extend(package.as_str().split('/'));
            if input.revision.is_some() || input.path.is_some() {
                let revision = input.revision.as_ref();
                segments.extend(["tree", revision.map_or("latest", RevisionName::as_str)]);
            }
        }
    }
    if let Some(path) = &input.path {
        segments.extend(path.as_str().split('/'));
    }
    Ok(catalog.join(segments))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn link_of(catalog: &str, arguments: Value) -> Result<String, String> {
        let catalog = StackUrl::parse(catalog).unwrap();
        let input = serde_json::from_value(arguments).map_err(|error| error.to_string())?;
        link(&catalog, &input)
            .map(String::from)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn links_lead_to_the_catalogs_pages() {
        let hash = "0123456789abcdef".repeat(4);
        for (arguments, path) in [
            (json!({}), "/".to_owned()),
            (json!({"bucket": "data"}), "/b/data".to_owned()),
            (
                json!({"bucket": "data", "path": "a b/c?.csv"}),
                "/b/data/tree/a%20b/c%3F.csv".to_owned(),
            ),
            (
                json!({"bucket": "data", "path": "raw/"}),
                "/b/data/tree/raw/".to_owned(),
            ),
            (
                json!({"bucket": "data", "package": "lab/run"}),
                "/b/data/packages/lab/run".to_owned(),
            ),
            (
                json!({"bucket": "data", "package": "lab/run", "path": "x/y.txt"}),
                "/b/data/packages/lab/run/tree/latest/x/y.txt".to_owned(),
            ),
            (
                json!({"bucket": "data", "package": "lab/run", "revision": hash}),
                format!("/b/data/packages/lab/run/tree/{hash}"),
            ),
        ] {
            let url = link_of("https://catalog.example.com", arguments);
            assert_eq!(url, Ok(format!("https://catalog.example.com{path}")));
        }
        assert_eq!(
            link_of("https://example.com/quilt/", json!({"bucket": "data"})),
            Ok("https://example.com/quilt/b/data".to_owned())
        );
    }

    #[test]
    fn parts_need_what_they_are_part_of() {
        for arguments in [
            json!({"package": "lab/run"}),
            json!({"path": "x"}),
            json!({"bucket": "data", "revision": "latest"}),
            json!({"bucket": "data", "path": "../../evil"}),
            json!({"bucket": "data", "path": "/etc"}),
            json!({"bucket": "Data"}),
            json!({"bucket": "data", "package": "nonamespace"}),
            json!({"bucket": "data", "pakage": "lab/run"}),
        ] {
            assert!(
                link_of("https://c.example", arguments.clone()).is_err(),
                "{arguments}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_path_leaves_its_bucket(path in "\\PC{0,80}") {
            if let Ok(url) = link_of("https://c.example", json!({"bucket": "data", "path": path})) {
                let url = Url::parse(&url).unwrap();
                prop_assert_eq!(url.host_str(), Some("c.example"));
                prop_assert!(url.path().starts_with("/b/data/tree"));
                prop_assert_eq!(url.query(), None);
                prop_assert_eq!(url.fragment(), None);
            }
        }
    }
}
