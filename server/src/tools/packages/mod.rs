//! The tools for what is in packages, and for changing packages.

pub(super) mod browse;
pub(super) mod contents;
pub(super) mod create;
pub(super) mod diff;
mod entries;
pub(super) mod file;
pub(super) mod file_url;
pub(super) mod patch;
pub(super) mod push;
pub(super) mod revision_delete;
pub(super) mod revisions;

use super::error::ToolError;
use super::input::{BucketName, PackageName, RevisionName};

fn no_package(bucket: &BucketName, name: &PackageName) -> ToolError {
    ToolError::NotFound(format!(
        "there is no package {name} in the bucket {bucket}, or your role may not see it; package_list names the packages of a bucket"
    ))
}

fn no_revision(name: &PackageName, revision: &RevisionName) -> ToolError {
    ToolError::NotFound(format!(
        "the package {name} has no revision {revision}; package_revisions names those that it has"
    ))
}
