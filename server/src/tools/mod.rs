//! The tools. To add one: write its file beside these, and name it in [`Tools::all`].

mod athena;
mod auth_status;
mod bucket_list;
mod bytes;
mod catalog_url;
mod context;
mod error;
mod get_resource;
mod input;
mod objects;
mod package_info;
mod package_list;
mod packages;
mod page_errors;
mod search;
mod tabulator;
mod tool;
mod toolset;
mod uri;

pub(crate) use athena::work_group;
pub use context::{Stack, ToolContext};
pub use error::ToolError;
pub use tool::Tool;
pub use toolset::Tools;

use serde_json::{Map, Value};

impl Tools {
    /// Every tool of the server.
    pub fn all() -> Self {
        Self::default()
            .with::<athena::query::AthenaQuery>()
            .with::<athena::results::AthenaQueryResults>()
            .with::<auth_status::AuthStatus>()
            .with::<bucket_list::BucketList>()
            .with::<catalog_url::CatalogUrl>()
            .with::<get_resource::GetResource>()
            .with::<objects::info::S3ObjectInfo>()
            .with::<objects::link::S3ObjectLink>()
            .with::<objects::list::S3ObjectList>()
            .with::<objects::put::S3ObjectPut>()
            .with::<objects::read::ObjectRead>()
            .with::<package_info::PackageInfo>()
            .with::<package_list::PackageList>()
            .with::<packages::browse::PackageBrowse>()
            .with::<packages::create::PackageCreate>()
            .with::<packages::diff::PackageDiff>()
            .with::<packages::file_url::PackageFileUrl>()
            .with::<packages::patch::PackagePatch>()
            .with::<packages::revision_delete::PackageRevisionDelete>()
            .with::<packages::revisions::PackageRevisions>()
            .with::<search::objects::SearchObjects>()
            .with::<search::packages::SearchPackages>()
            .with::<tabulator::list::TabulatorTableList>()
            .with::<tabulator::rename::TabulatorTableRename>()
            .with::<tabulator::set::TabulatorTableSet>()
    }

    /// What `bucket_list` answers with nothing asked for.
    pub(crate) async fn buckets(context: &ToolContext) -> Result<Value, ToolError> {
        answer::<bucket_list::BucketList>(context).await
    }

    /// What `auth_status` answers.
    pub(crate) async fn me(context: &ToolContext) -> Result<Value, ToolError> {
        answer::<auth_status::AuthStatus>(context).await
    }
}

/// What a tool answers that needs no arguments.
async fn answer<T: Tool>(context: &ToolContext) -> Result<Value, ToolError> {
    let internal = |error: serde_json::Error| ToolError::Internal(error.to_string());
    let input = serde_json::from_value(Value::Object(Map::new())).map_err(internal)?;
    serde_json::to_value(T::run(context, input).await?).map_err(internal)
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
        entry::<packages::browse::BrowsePackageQuery>(),
        entry::<packages::contents::PackageContentsQuery>(),
        entry::<packages::file::PackageFileQuery>(),
        entry::<packages::file_url::CreateBrowsingSession>(),
        entry::<packages::push::PushPackage>(),
        entry::<packages::revision_delete::DeletePackageRevision>(),
        entry::<packages::revisions::PackageRevisionsQuery>(),
        entry::<search::objects::SearchObjectsQuery>(),
        entry::<search::objects::SearchMoreObjectsQuery>(),
        entry::<tabulator::list::TabulatorTablesQuery>(),
        entry::<tabulator::rename::RenameTabulatorTable>(),
        entry::<tabulator::set::SetTabulatorTable>(),
        entry::<search::packages::SearchPackagesQuery>(),
        entry::<search::packages::SearchMorePackagesQuery>(),
    ]
}
