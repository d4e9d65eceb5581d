//! The tools. To add one: write its file beside these, and name it in [`Tools::all`].

mod auth_status;
mod bucket_list;
mod bytes;
mod catalog_url;
mod context;
mod error;
mod input;
mod package_info;
mod package_list;
mod page_errors;
mod search_packages;
mod tool;
mod toolset;

pub use context::{Stack, ToolContext};
pub use error::ToolError;
pub use tool::Tool;
pub use toolset::Tools;

impl Tools {
    /// Every tool of the server.
    pub fn all() -> Self {
        Self::default()
            .with::<auth_status::AuthStatus>()
            .with::<bucket_list::BucketList>()
            .with::<catalog_url::CatalogUrl>()
            .with::<package_info::PackageInfo>()
            .with::<package_list::PackageList>()
            .with::<search_packages::SearchPackages>()
    }
}

/// Every GraphQL document that a tool sends, by operation name, for the check
/// against the schema.
pub fn documents() -> Vec<(&'static str, &'static str)> {
    use crate::registry::Operation;
    fn entry<O: Operation>() -> (&'static str, &'static str) {
        (O::NAME, O::DOCUMENT)
    }
    vec![
        entry::<crate::auth::MeQuery>(),
        entry::<bucket_list::BucketsQuery>(),
        entry::<package_info::PackageQuery>(),
        entry::<package_list::PackagesQuery>(),
        entry::<search_packages::SearchPackagesQuery>(),
        entry::<search_packages::SearchMorePackagesQuery>(),
    ]
}
