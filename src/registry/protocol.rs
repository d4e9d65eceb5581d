//! The requests of the OCI distribution specification that publishing needs, over reqwest.
//!
//! A general registry client would do, but for three things: it must tell a busy registry
//! (429, `Retry-After`) from a refusing one, report the digest that the registry computed,
//! and keep upload addresses, which hold session secrets, out of errors.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use super::credentials::Credentials;
use crate::aws::root_causes;
use crate::image::{Digest, RepositoryName, Tag};

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// For an answer to a request that carries little.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// The slowest upload that is worth waiting for, in bytes per second.
const SLOWEST_UPLOAD: u64 = 64 * 1024;

const CONTENT_DIGEST: &str = "docker-content-digest";

/// Manifests that a tag may name; without this, registries answer in an older format.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// One repository of a registry, over HTTP.
pub struct RemoteRepository {
    client: reqwest::Client,
    base: Url,
    credentials: Option<Credentials>,
}

impl RemoteRepository {
    /// https, but for a registry on this machine: there plain http, and no proxy.
    pub fn new(name: &RepositoryName, credentials: Option<Credentials>) -> Result<Self, Failure> {
        let local = is_loopback(name.registry());
        let scheme = if local { "http" } else { "https" };
        let base = format!("{scheme}://{}/v2/{}/", name.registry(), name.path());
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("quilt-mcp-deploy/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_DEADLINE)
            .https_only(!local);
        if local {
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build().map_err(Failure::connection)?,
            base: Url::parse(&base).map_err(|error| Failure::Protocol(error.to_string()))?,
            credentials,
        })
    }

    /// The digest of the manifest that `tag` names, if the tag exists.
    pub async fn tagged_digest(&self, tag: &Tag) -> Result<Option<Digest>, Failure> {
        let path = format!("manifests/{tag}");
        let answer = self.head(&path).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = successful(answer).await?;
        if let Some(digest) = content_digest(answer.headers())? {
            return Ok(Some(digest));
        }
        let request = self.request(Method::GET, self.url(&path)?);
        let answer = send(
            request
                .header(ACCEPT, MANIFEST_TYPES)
                .timeout(ANSWER_DEADLINE),
        )
        .await?;
        let manifest = successful(answer).await?.bytes().await;
        Ok(Some(Digest::of(&manifest.map_err(Failure::connection)?)))
    }

    /// Whether the repository holds the blob.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, Failure> {
        let answer = self.head(&format!("blobs/{digest}")).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        successful(answer).await.map(|_| true)
    }

    /// Opens an upload session and gives its address.
    pub async fn start_upload(&self) -> Result<Url, Failure> {
        let request = self.request(Method::POST, self.url("blobs/uploads/")?);
        let request = request.header(CONTENT_LENGTH, 0).timeout(ANSWER_DEADLINE);
        next_location(&successful(send(request).await?).await?)
    }

    /// Sends `size` bytes to an upload session and gives its next address.
    pub async fn upload(&self, session: Url, body: Body, size: u64) -> Result<Url, Failure> {
        let deadline = ANSWER_DEADLINE + Duration::from_secs(size / SLOWEST_UPLOAD);
        let request = self
            .request(Method::PATCH, session)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, size)
            .timeout(deadline)
            .body(body);
        next_location(&successful(send(request).await?).await?)
    }

    /// Closes an upload session: the registry compares what it got with `digest`.
    pub async fn finish_upload(&self, mut session: Url, digest: &Digest) -> Result<(), Failure> {
        session
            .query_pairs_mut()
            .append_pair("digest", digest.as_str());
        let request = self.request(Method::PUT, session);
        let request = request.header(CONTENT_LENGTH, 0).timeout(ANSWER_DEADLINE);
        let answer = successful(send(request).await?).await?;
        match content_digest(answer.headers())? {
            Some(reported) if reported != *digest => Err(Failure::Digest { reported }),
            _ => Ok(()),
        }
    }

    /// Puts a manifest under `tag`; gives the digest that the registry reports, if it does.
    pub async fn put_manifest(
        &self,
        tag: &Tag,
        media_type: &str,
        manifest: Vec<u8>,
    ) -> Result<Option<Digest>, Failure> {
        let request = self
            .request(Method::PUT, self.url(&format!("manifests/{tag}"))?)
            .header(CONTENT_TYPE, media_type)
            .timeout(ANSWER_DEADLINE)
            .body(manifest);
        content_digest(successful(send(request).await?).await?.headers())
    }

    async fn head(&self, path: &str) -> Result<Response, Failure> {
        let request = self.request(Method::HEAD, self.url(path)?);
        send(
            request
                .header(ACCEPT, MANIFEST_TYPES)
                .timeout(ANSWER_DEADLINE),
        )
        .await
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        self.base
            .join(path)
            .map_err(|error| Failure::Protocol(error.to_string()))
    }

    /// A request with our credentials, unless it goes to another host than the registry's.
    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let to_registry = url.origin() == self.base.origin();
        let request = self.client.request(method, url);
        match &self.credentials {
            Some(credentials) if to_registry => {
                request.basic_auth(credentials.user(), Some(credentials.password()))
            }
            _ => request,
        }
    }
}

/// Whether a registry's host is this machine: `localhost`, 127.0.0.0/8 or ::1.
pub fn is_loopback(registry: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{registry}/")) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Why one request did not give what it was for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// There was no whole answer.
    #[error("{0}")]
    Connection(String),
    /// The registry answered with an error.
    #[error("{}", shown(*.status, .code, .message))]
    Status {
        /// The HTTP status.
        status: u16,
        /// The registry's error code, for example `TAG_INVALID`.
        code: String,
        /// The registry's message.
        message: String,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
    },
    /// The registry stored something else.
    #[error("the registry reports the digest {reported}")]
    Digest {
        /// The digest that it reports.
        reported: Digest,
    },
    /// The answer breaks the specification.
    #[error("{0}")]
    Protocol(String),
    /// The file to upload cannot be read, or changed since it was verified.
    #[error("{0}")]
    File(String),
}

impl Failure {
    fn connection(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let reason = root_causes(&error);
        Self::Connection(if error.is_timeout() {
            format!("no answer in time: {reason}")
        } else {
            reason
        })
    }

    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connection(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Digest { .. } | Self::Protocol(_) | Self::File(_) => false,
        }
    }

    /// Whether the registry no longer knows the upload session.
    pub fn is_lost_upload(&self) -> bool {
        matches!(self, Self::Status { status, code, .. }
            if code == "BLOB_UPLOAD_UNKNOWN" || code == "BLOB_UPLOAD_INVALID" || *status == 416)
    }

    /// The HTTP status, if the registry answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the registry asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn shown(status: u16, code: &str, message: &str) -> String {
    let parts = [
        format!("HTTP {status}"),
        code.to_owned(),
        message.to_owned(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

async fn send(request: RequestBuilder) -> Result<Response, Failure> {
    request.send().await.map_err(Failure::connection)
}

/// The error body of the distribution specification ("Error codes"). Registries invent
/// codes of their own, so they stay text.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

async fn successful(answer: Response) -> Result<Response, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let retry_after = retry_after(answer.headers());
    let body = answer.bytes().await.unwrap_or_default();
    let body: ErrorBody = serde_json::from_slice(&body).unwrap_or_default();
    let error = body.errors.into_iter().next().unwrap_or_default();
    Err(Failure::Status {
        status: status.as_u16(),
        code: error.code,
        message: if error.message.is_empty() {
            status.canonical_reason().unwrap_or_default().to_owned()
        } else {
            error.message
        },
        retry_after,
    })
}

/// `Retry-After` in seconds; its other form, a date, is not used by registries.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

fn content_digest(headers: &HeaderMap) -> Result<Option<Digest>, Failure> {
    let Some(value) = headers.get(CONTENT_DIGEST) else {
        return Ok(None);
    };
    let digest = value.to_str().ok().and_then(|text| text.parse().ok());
    digest.map(Some).ok_or_else(|| {
        Failure::Protocol("the registry's Docker-Content-Digest is not a sha256 digest".to_owned())
    })
}

fn next_location(answer: &Response) -> Result<Url, Failure> {
    let location = answer
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    location
        .and_then(|location| answer.url().join(location).ok())
        .ok_or_else(|| {
            Failure::Protocol("the registry gave no usable Location for the upload".to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_plain_http() {
        for (registry, expected) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.8.8", true),
            ("[::1]:5000", true),
            ("LOCALHOST:1", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("10.0.0.1:5000", false),
            ("111122223333.dkr.ecr.us-east-1.amazonaws.com", false),
        ] {
            assert_eq!(is_loopback(registry), expected, "{registry}");
        }
    }

    #[test]
    fn credentials_stay_with_the_registry() {
        let name: RepositoryName = "127.0.0.1:5000/a".parse().unwrap();
        let credentials = Credentials::new("u", "p", None);
        let repository = RemoteRepository::new(&name, Some(credentials)).unwrap();
        for (address, expected) in [
            ("http://127.0.0.1:5000/v2/a/blobs/uploads/1", true),
            ("http://127.0.0.1:5001/v2/a/blobs/uploads/1", false),
            ("http://127.0.0.2:5000/v2/a/blobs/uploads/1", false),
            ("https://127.0.0.1:5000/v2/a/blobs/uploads/1", false),
        ] {
            let request = repository.request(Method::PUT, Url::parse(address).unwrap());
            let headers = request.build().unwrap().headers().clone();
            assert_eq!(headers.contains_key("authorization"), expected, "{address}");
        }
    }

    #[test]
    fn only_passing_trouble_is_tried_again() {
        let status = |status| Failure::Status {
            status,
            code: String::new(),
            message: String::new(),
            retry_after: None,
        };
        for (code, expected) in [
            (429, true),
            (500, true),
            (503, true),
            (408, true),
            (400, false),
            (401, false),
            (403, false),
            (404, false),
        ] {
            assert_eq!(status(code).may_pass(), expected, "{code}");
        }
        assert!(Failure::Connection("cut".into()).may_pass());
        assert!(!Failure::File("gone".into()).may_pass());
    }
}
