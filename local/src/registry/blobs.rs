//! Blobs on disk, by the digest of their content, and the uploads that become blobs.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use futures::TryStreamExt;
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::Error;
use crate::aws::names;

/// `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Digest(String);

impl Digest {
    pub(crate) fn of(content: &[u8]) -> Self {
        Self::from_hash(Sha256::digest(content).as_slice())
    }

    pub(crate) fn from_hash(hash: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(hash)))
    }

    /// The digits.
    pub(crate) fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text
            .strip_prefix("sha256:")
            .ok_or_else(|| format!("{text} is not a sha256 digest"))?;
        let valid = digits.len() == 64
            && digits
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text} is not a sha256 digest"))
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One upload: a file that grows until its digest is told.
#[derive(Debug)]
pub(super) struct Upload {
    path: PathBuf,
    file: File,
    hash: Sha256,
    pub size: u64,
}

/// The store. What a repository may read is up to the state; here everything is one pool.
#[derive(Debug)]
pub(crate) struct Blobs {
    root: PathBuf,
    uploads: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Upload>>>>,
}

impl Blobs {
    /// Opens the store in `root`. Uploads that a former life left unfinished are dropped.
    pub(crate) fn open(root: &Path) -> Result<Self, crate::Error> {
        let uploads = root.join("uploads");
        if uploads.exists() {
            std::fs::remove_dir_all(&uploads).map_err(crate::Error::state("clear", &uploads))?;
        }
        for folder in [uploads, root.join("blobs/sha256")] {
            std::fs::create_dir_all(&folder).map_err(crate::Error::state("create", &folder))?;
        }
        Ok(Self {
            root: root.to_owned(),
            uploads: Mutex::default(),
        })
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// The blob's length in bytes; `None` if it is not there.
    pub(crate) async fn size(&self, digest: &Digest) -> std::io::Result<Option<u64>> {
        match fs::metadata(self.path(digest)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn read(&self, digest: &Digest) -> std::io::Result<Vec<u8>> {
        fs::read(self.path(digest)).await
    }

    /// Stores a small blob whole.
    pub(super) async fn put(&self, content: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(content);
        let id = self.start().await?;
        let upload = self.upload(&id)?;
        upload.lock().await.write(content).await?;
        self.finish(&id, &digest).await?;
        Ok(digest)
    }

    /// Starts an upload and tells its id.
    pub(super) async fn start(&self) -> Result<String, Error> {
        let id = uuid::Uuid::new_v4().to_string();
        let path = self.root.join("uploads").join(names::hex32());
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .await?;
        let upload = Upload {
            path,
            file,
            hash: Sha256::new(),
            size: 0,
        };
        self.lock()
            .insert(id.clone(), Arc::new(tokio::sync::Mutex::new(upload)));
        Ok(id)
    }

    pub(super) fn upload(&self, id: &str) -> Result<Arc<tokio::sync::Mutex<Upload>>, Error> {
        self.lock()
            .get(id)
            .cloned()
            .ok_or_else(|| Error::UploadUnknown(id.to_owned()))
    }

    /// Makes the upload a blob, if its content has the digest. Either way the upload is over.
    pub(super) async fn finish(&self, id: &str, digest: &Digest) -> Result<(), Error> {
        let upload = self.upload(id)?;
        self.lock().remove(id);
        let mut upload = upload.lock().await;
        upload.file.flush().await?;
        let actual = Digest::from_hash(upload.hash.clone().finalize().as_slice());
        if actual != *digest {
            fs::remove_file(&upload.path).await?;
            return Err(Error::DigestInvalid(format!(
                "the content has the digest {actual}, not {digest}"
            )));
        }
        upload.file.sync_data().await?;
        fs::rename(&upload.path, self.path(digest)).await?;
        Ok(())
    }

    pub(super) async fn cancel(&self, id: &str) -> Result<(), Error> {
        let upload = self.upload(id)?;
        self.lock().remove(id);
        fs::remove_file(&upload.lock().await.path).await?;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<Upload>>>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    /// Appends a request's body as it comes. What arrived before it broke off stays; with a `limit`
    /// it breaks off after so many bytes.
    pub(super) async fn receive(&mut self, body: Body, limit: Option<u64>) -> Result<(), Error> {
        let mut stream = body.into_data_stream();
        let mut room = limit;
        while room != Some(0) {
            let Some(chunk) = stream.try_next().await.map_err(Error::Body)? else {
                self.file.flush().await?;
                return Ok(());
            };
            let fits = room
                .and_then(|room| usize::try_from(room).ok())
                .map_or(chunk.len(), |room| room.min(chunk.len()));
            self.write(&chunk[..fits]).await?;
            room = room.map(|room| room - fits as u64);
        }
        self.file.flush().await?;
        Err(Error::CutOff)
    }

    async fn write(&mut self, chunk: &[u8]) -> std::io::Result<()> {
        self.file.write_all(chunk).await?;
        self.hash.update(chunk);
        self.size += chunk.len() as u64;
        Ok(())
    }
}

/// The `Range` header that tells how much of an upload has arrived.
pub(super) fn received(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

/// Whether the file has the digest.
pub(crate) async fn verify(path: &Path, digest: &Digest) -> std::io::Result<bool> {
    let mut file = File::open(path).await?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = file.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
    }
    Ok(Digest::from_hash(hash.finalize().as_slice()) == *digest)
}
