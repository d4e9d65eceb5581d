//! Folders in the OCI image layout (OCI image specification, "Image Layout").

mod error;
mod read;
mod write;

use std::path::{Path, PathBuf};

use super::digest::Digest;
pub use error::LayoutError;
pub use read::read;
pub use write::write;

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";
const LAYOUT_VERSION: &str = "1.0.0";

/// The file of a blob in the layout at `layout`.
pub fn blob_path(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs").join("sha256").join(digest.hex())
}
