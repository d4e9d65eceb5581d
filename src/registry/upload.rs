//! One blob from a file into a repository.

use std::path::Path;

use futures::TryStreamExt;
use reqwest::Body;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::protocol::{Failure, RemoteRepository};
use crate::image::BlobDescriptor;

/// Bytes that are read and sent at a time.
const CHUNK: usize = 256 * 1024;

/// What became of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The repository had it.
    Present,
    /// It was sent.
    Sent,
}

/// Sends `blob` from `file` unless the repository has it; `sent` is told the bytes on their way.
///
/// The steps are those of Docker's client (open a session, stream into it, close it with the
/// digest), which every registry has to understand.
pub async fn ensure_blob(
    repository: &RemoteRepository,
    blob: &BlobDescriptor,
    file: &Path,
    sent: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Outcome, Failure> {
    if repository.has_blob(&blob.digest).await? {
        return Ok(Outcome::Present);
    }
    let body = stream(file, blob.size, sent).await?;
    let session = repository.start_upload().await?;
    let session = repository.upload(session, body, blob.size).await?;
    repository.finish_upload(session, &blob.digest).await?;
    Ok(Outcome::Sent)
}

async fn stream(
    file: &Path,
    expected_size: u64,
    sent: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Body, Failure> {
    let unreadable = |error| Failure::File(format!("{}: {error}", file.display()));
    let handle = File::open(file).await.map_err(unreadable)?;
    let size = handle.metadata().await.map_err(unreadable)?.len();
    if size != expected_size {
        return Err(Failure::File(format!(
            "{} has {size} bytes instead of {expected_size}: build the image again",
            file.display()
        )));
    }
    let mut total = 0;
    let chunks = ReaderStream::with_capacity(handle, CHUNK).inspect_ok(move |chunk| {
        total += chunk.len() as u64;
        sent(total);
    });
    Ok(Body::wrap_stream(chunks))
}
