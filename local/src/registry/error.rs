use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{self, HeaderValue};
use serde_json::json;

use crate::aws::names;
use crate::listener::CutOff;

/// What the registry refuses, in the words of the specification's codes and of ECR.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("Not Authorized")]
    Unauthorized { realm: String },
    #[error("not a path of the distribution specification")]
    NoSuchPath,
    #[error("The operation is unsupported.")]
    Unsupported,
    #[error(
        "The repository with name '{0}' does not exist in the registry with id '{account}'",
        account = names::ACCOUNT
    )]
    NameUnknown(String),
    #[error("blob unknown to registry: {0}")]
    BlobUnknown(String),
    #[error("upload {0} is unknown")]
    UploadUnknown(String),
    #[error("{0}")]
    UploadInvalid(String),
    #[error("the range does not start where the upload ends, at {size}")]
    RangeInvalid { location: String, size: u64 },
    #[error("the range is not within the blob's {0} bytes")]
    RangeUnsatisfiable(u64),
    #[error("{0}")]
    DigestInvalid(String),
    #[error("Requested image not found")]
    ManifestUnknown,
    #[error("{0}")]
    ManifestInvalid(String),
    #[error("blob {0}, which the manifest refers to, is unknown")]
    ManifestBlobUnknown(String),
    #[error(
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the repository is immutable."
    )]
    TagImmutable { tag: String, repository: String },
    #[error("the registry's disk: {0}")]
    Disk(#[from] std::io::Error),
    #[error("the request broke off: {0}")]
    Body(axum::Error),
    /// The fault `break-uploads`.
    #[error("the registry breaks off")]
    CutOff,
    #[error("{0}")]
    State(#[from] crate::Error),
}

impl Error {
    fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::NameUnknown(_) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::BlobUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::UploadUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::UploadInvalid(_) | Self::Body(_) => {
                (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID")
            }
            Self::RangeInvalid { .. } | Self::RangeUnsatisfiable(_) => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID")
            }
            Self::DigestInvalid(_) => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Self::ManifestUnknown => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::ManifestBlobUnknown(_) => (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN"),
            Self::TagImmutable { .. } => (StatusCode::BAD_REQUEST, "TAG_INVALID"),
            Self::Disk(_) | Self::State(_) | Self::CutOff => {
                (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN")
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if matches!(self, Self::CutOff) {
            return CutOff.into_response();
        }
        let (status, code) = self.code();
        let body = json!({ "errors": [{ "code": code, "message": self.to_string() }] });
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        match &self {
            Self::Unauthorized { realm } => {
                let challenge = format!("Basic realm=\"{realm}\",service=\"ecr.amazonaws.com\"");
                if let Ok(value) = HeaderValue::from_str(&challenge) {
                    headers.insert(header::WWW_AUTHENTICATE, value);
                }
            }
            Self::RangeInvalid { location, size } => {
                if let Ok(value) = HeaderValue::from_str(location) {
                    headers.insert(header::LOCATION, value);
                }
                if let Ok(value) = HeaderValue::from_str(&super::blobs::received(*size)) {
                    headers.insert(header::RANGE, value);
                }
            }
            Self::RangeUnsatisfiable(size) => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            _ => {}
        }
        response
    }
}
