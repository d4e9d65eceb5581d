//! Blobs: asking for them, sending them, fetching them, and reading them from a sister repository.

use std::io::SeekFrom;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use reqwest::{Body, Method, Response, StatusCode, Url};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use super::failure::successful;
use super::{ANSWER_DEADLINE, Failure, RemoteRepository, content_digest};
use crate::image::{BlobDescriptor, Digest};

/// The slowest transfer that is worth waiting for, in bytes per second.
const SLOWEST: u64 = 64 * 1024;
/// Bytes that are read and sent at a time.
const CHUNK: usize = 256 * 1024;

/// Is told how many bytes of a blob are on their way.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

impl RemoteRepository {
    /// Whether the repository holds the blob.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, Failure> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let answer = self.execute(Method::HEAD, url, |request| request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        successful(answer).await.map(|_| true)
    }

    /// Opens an upload and gives its address.
    pub async fn start_upload(&self) -> Result<Url, Failure> {
        next_location(&self.post_upload(None).await?)
    }

    /// Asks the registry to take a blob over from its repository `from`; whether it did.
    pub async fn mount_blob(&self, digest: &Digest, from: &str) -> Result<bool, Failure> {
        let answer = self.post_upload(Some((digest, from))).await?;
        Ok(answer.status() == StatusCode::CREATED)
    }

    async fn post_upload(&self, mount: Option<(&Digest, &str)>) -> Result<Response, Failure> {
        let mut url = self.url("blobs/uploads/")?;
        if let Some((digest, from)) = mount {
            url.query_pairs_mut()
                .append_pair("mount", digest.as_str())
                .append_pair("from", from);
        }
        let answer = self
            .execute(Method::POST, url, |request| {
                request.header(CONTENT_LENGTH, 0)
            })
            .await?;
        successful(answer).await
    }

    /// How many bytes of an upload the registry has, and the upload's next address.
    pub async fn upload_state(&self, session: &Url) -> Result<(Url, u64), Failure> {
        let answer = self
            .execute(Method::GET, session.clone(), |request| request)
            .await?;
        let answer = successful(answer).await?;
        let has = answer.headers().get(RANGE).map_or(Some(0), received);
        let unusable = || Failure::Protocol("the registry gave no usable Range".to_owned());
        Ok((next_location(&answer)?, has.ok_or_else(unusable)?))
    }

    /// Sends the rest of `blob` from `file`, from byte `start` on, and gives the upload's next
    /// address.
    pub async fn upload(
        &self,
        session: Url,
        file: &Path,
        blob: &BlobDescriptor,
        start: u64,
        progress: Progress,
    ) -> Result<Url, Failure> {
        let rest = blob.size - start;
        let body = stream(file, blob.size, start, progress).await?;
        let mut request = self
            .client
            .request(Method::PATCH, session.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, rest)
            .timeout(transfer_deadline(rest))
            .body(body);
        if start > 0 {
            request = request.header(CONTENT_RANGE, format!("{start}-{}", blob.size - 1));
        }
        let answer = self.execute_once(&session, request).await?;
        next_location(&successful(answer).await?)
    }

    /// Closes an upload: the registry compares what it got with `digest`.
    pub async fn finish_upload(&self, mut session: Url, digest: &Digest) -> Result<(), Failure> {
        session
            .query_pairs_mut()
            .append_pair("digest", digest.as_str());
        let answer = self
            .execute(Method::PUT, session, |request| {
                request.header(CONTENT_LENGTH, 0)
            })
            .await?;
        let answer = successful(answer).await?;
        match content_digest(answer.headers())? {
            Some(reported) if reported != *digest => Err(Failure::Digest { reported }),
            _ => Ok(()),
        }
    }

    /// Writes a blob into `file`, once its digest and size are seen to be right.
    pub async fn fetch_blob(&self, blob: &BlobDescriptor, file: &Path) -> Result<(), Failure> {
        let url = self.url(&format!("blobs/{}", blob.digest))?;
        let deadline = transfer_deadline(blob.size);
        let answer = self
            .execute(Method::GET, url, |request| request.timeout(deadline))
            .await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(Failure::Absent(format!("the blob {}", blob.digest)));
        }
        let mut content = successful(answer).await?.bytes_stream();
        let unwritable = |error| Failure::File(format!("{}: {error}", file.display()));
        let mut written = File::create(file).await.map_err(unwritable)?;
        let (mut hasher, mut size) = (Sha256::new(), 0);
        while let Some(piece) = content.try_next().await.map_err(Failure::connection)? {
            size += piece.len() as u64;
            if size > blob.size {
                break;
            }
            hasher.update(&piece);
            written.write_all(&piece).await.map_err(unwritable)?;
        }
        written.flush().await.map_err(unwritable)?;
        let reported = Digest::from_hash(hasher.finalize().as_slice());
        if size == blob.size && reported == blob.digest {
            Ok(())
        } else {
            Err(Failure::Digest { reported })
        }
    }
}

fn transfer_deadline(bytes: u64) -> Duration {
    ANSWER_DEADLINE + Duration::from_secs(bytes / SLOWEST)
}

/// The number of bytes in `Range: 0-LAST`. `0-0` is also what registries say of nothing.
fn received(range: &HeaderValue) -> Option<u64> {
    let text = range.to_str().ok()?;
    let last: u64 = text
        .trim_start_matches("bytes=")
        .split_once('-')?
        .1
        .parse()
        .ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

fn next_location(answer: &Response) -> Result<Url, Failure> {
    let location = answer.headers().get(LOCATION);
    location
        .and_then(|value| value.to_str().ok())
        .and_then(|location| answer.url().join(location).ok())
        .ok_or_else(|| {
            Failure::Protocol("the registry gave no usable Location for the upload".to_owned())
        })
}

async fn stream(
    file: &Path,
    expected_size: u64,
    start: u64,
    progress: Progress,
) -> Result<Body, Failure> {
    let unreadable = |error| Failure::File(format!("{}: {error}", file.display()));
    let mut handle = File::open(file).await.map_err(unreadable)?;
    let size = handle.metadata().await.map_err(unreadable)?.len();
    if size != expected_size {
        return Err(Failure::File(format!(
            "{} has {size} bytes instead of {expected_size}: build the image again",
            file.display()
        )));
    }
    handle
        .seek(SeekFrom::Start(start))
        .await
        .map_err(unreadable)?;
    let mut total = start;
    let chunks = ReaderStream::with_capacity(handle, CHUNK).inspect_ok(move |chunk| {
        total += chunk.len() as u64;
        progress(total);
    });
    Ok(Body::wrap_stream(chunks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_registries_write_them() {
        for (text, expected) in [
            ("0-0", Some(0)),
            ("0-9", Some(10)),
            ("bytes=0-9", Some(10)),
            ("9", None),
            ("0-x", None),
        ] {
            let value = HeaderValue::from_static(text);
            assert_eq!(received(&value), expected, "{text}");
        }
    }
}
