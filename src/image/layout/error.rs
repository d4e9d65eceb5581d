//! What can be wrong with a layout.

use std::io;
use std::path::{Path, PathBuf};

/// Why a folder does not hold an image that we can use, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// There is no `oci-layout` file.
    #[error("{0} is not a folder in the OCI image layout: it has no file `oci-layout`")]
    NotALayout(PathBuf),
    /// A version of the layout that we do not know.
    #[error("{folder} has version {version} of the OCI image layout; only 1.0.0 is known")]
    Version {
        /// The layout's folder.
        folder: PathBuf,
        /// The version that it names.
        version: String,
    },
    /// No image for `linux/amd64`.
    #[error(
        "{folder} holds no linux/amd64 image, which the service runs; found: {}",
        list(found)
    )]
    NoImage {
        /// The layout's folder.
        folder: PathBuf,
        /// Platform and digest of the images that it holds.
        found: Vec<String>,
    },
    /// More than one candidate, so nobody can say which one is meant.
    #[error(
        "{folder} holds more than one linux/amd64 image: {}; keep one",
        list(found)
    )]
    ManyImages {
        /// The layout's folder.
        folder: PathBuf,
        /// Platform and digest of the candidates.
        found: Vec<String>,
    },
    /// A blob is not what its name says.
    #[error("{path} is damaged: expected {expected}, found {actual}; build the image again")]
    Damaged {
        /// The blob's file.
        path: PathBuf,
        /// Digest and size that the image names.
        expected: String,
        /// Digest and size of the file.
        actual: String,
    },
    /// A document is not what the specification says.
    #[error("{path} is malformed: {reason}")]
    Malformed {
        /// The document.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The disk did not do its part.
    #[error("could not {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LayoutError {
    pub(in crate::image) fn io(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(in crate::image) fn malformed(path: &Path, reason: impl ToString) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

fn list(found: &[String]) -> String {
    if found.is_empty() {
        "no image at all".to_owned()
    } else {
        found.join(", ")
    }
}
