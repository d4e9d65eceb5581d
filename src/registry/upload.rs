//! One blob from a file into a repository, through whatever breaks on the way.

use std::path::PathBuf;

use reqwest::Url;
use tokio::sync::Mutex;

use super::client::{Failure, Progress, RemoteRepository};
use crate::image::BlobDescriptor;

/// What became of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The repository had it.
    Present,
    /// It was sent.
    Sent,
}

/// The sending of a blob, over as many attempts as it takes.
pub struct Upload<'a> {
    pub repository: &'a RemoteRepository,
    pub blob: BlobDescriptor,
    pub file: PathBuf,
    /// Where the last attempt broke off.
    pub broken: Mutex<Option<Url>>,
}

impl Upload<'_> {
    /// One attempt; goes on where the last one broke off, if the registry still knows.
    ///
    /// The steps are those of Docker's client (open a session, stream into it, close it with the
    /// digest), which every registry has to understand.
    pub async fn attempt(&self, progress: Progress) -> Result<Outcome, Failure> {
        if self.repository.has_blob(&self.blob.digest).await? {
            return Ok(Outcome::Present);
        }
        let broken = self.broken.lock().await.take();
        let resumed = match &broken {
            Some(session) => self.resume(session).await?,
            None => None,
        };
        let was_resumed = resumed.is_some();
        let (session, start) = match resumed {
            Some(resumed) => resumed,
            None => (self.repository.start_upload().await?, 0),
        };
        match self.send(session, start, progress).await {
            // What the registry kept of the first part is not what was sent: begin anew.
            Err(failure) if was_resumed && failure.is_wrong_content() => Err(Failure::Connection(
                format!("a resumed upload came out wrong: {failure}"),
            )),
            result => result.map(|()| Outcome::Sent),
        }
    }

    /// The next address of a broken upload and how much of it arrived; `None` if the registry
    /// cannot tell.
    async fn resume(&self, session: &Url) -> Result<Option<(Url, u64)>, Failure> {
        match self.repository.upload_state(session).await {
            Ok((next, start)) if start <= self.blob.size => Ok(Some((next, start))),
            Ok(_) => Ok(None),
            Err(failure) if failure.may_pass() => {
                *self.broken.lock().await = Some(session.clone());
                Err(failure)
            }
            Err(_) => Ok(None),
        }
    }

    async fn send(&self, session: Url, start: u64, progress: Progress) -> Result<(), Failure> {
        let known = session.clone();
        let sent = async {
            let session = if start < self.blob.size {
                self.repository
                    .upload(session, &self.file, &self.blob, start, progress)
                    .await?
            } else {
                session
            };
            self.repository
                .finish_upload(session, &self.blob.digest)
                .await
        };
        let result = sent.await;
        if result.as_ref().is_err_and(Failure::may_pass) {
            *self.broken.lock().await = Some(known);
        }
        result
    }
}
