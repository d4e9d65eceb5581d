//! The build context: what of a checkout the engine gets to see.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::Stream;
use tar::{Builder, HeaderMode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::DOCKERFILE;
use super::error::DockerBuildError;
use super::ignore::Ignore;
use crate::image::source::Checkout;

const IGNORE_FILE: &str = ".dockerignore";
/// Bytes that are read ahead of the engine, in pieces.
const PIECE: usize = 64 * 1024;
const PIECES_AHEAD: usize = 8;

/// The files of a context, relative to the checkout; sorted.
#[derive(Debug)]
pub struct Context {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl Context {
    /// Every file of the checkout that git does not ignore, less what `.dockerignore` excludes
    /// and what is nobody else's business (keys, environment files, Terraform's state).
    ///
    /// The Dockerfile and `.dockerignore` are sent even where the latter excludes them: the engine
    /// reads both, and keeps from the build's steps what is excluded
    /// (<https://docs.docker.com/build/concepts/context/#dockerignore-files>).
    ///
    /// # Errors
    /// When git does not answer, and when `.dockerignore` cannot be read.
    pub fn of(checkout: &Checkout) -> Result<Self, DockerBuildError> {
        let path = checkout.root.join(IGNORE_FILE);
        let unreadable = |reason: String| DockerBuildError::Context {
            path: path.clone(),
            reason,
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let ignore = Ignore::parse(&text).map_err(unreadable)?;
        let always = Ignore::always();
        let mut files = checkout.files()?;
        let for_the_engine = [DOCKERFILE, IGNORE_FILE].map(Path::new);
        files.retain(|file| {
            let sent = for_the_engine.contains(&file.as_path()) || !ignore.excludes(file);
            sent && !always.excludes(file)
        });
        files.sort();
        files.dedup();
        Ok(Self {
            root: checkout.root.clone(),
            files,
        })
    }

    /// The files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The context as a tar archive, read as the engine takes it, and how reading ended.
    pub fn stream(
        self,
    ) -> (
        impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        JoinHandle<io::Result<()>>,
    ) {
        let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            let result = self.write(Pieces {
                sender: sender.clone(),
                piece: Vec::with_capacity(PIECE),
            });
            if let Err(error) = &result {
                // The engine must not take half a context for a whole one. It may be gone.
                let broken = io::Error::new(error.kind(), error.to_string());
                drop(sender.blocking_send(Err(broken)));
            }
            result
        });
        let pieces = futures::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        (pieces, reading)
    }

    fn write(&self, to: Pieces) -> io::Result<()> {
        let mut archive = Builder::new(to);
        archive.mode(HeaderMode::Deterministic);
        archive.follow_symlinks(false);
        for file in &self.files {
            append(&mut archive, &self.root, file)?;
        }
        archive.into_inner()?.flush()
    }
}

fn append(archive: &mut Builder<Pieces>, root: &Path, file: &Path) -> io::Result<()> {
    let path = root.join(file);
    let named = |error: io::Error| {
        let text = format!("{}: {error}", path.display());
        io::Error::new(error.kind(), text)
    };
    match path.symlink_metadata() {
        // A submodule, or a tracked file that was deleted since.
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(named(error)),
        Ok(_) => archive.append_path_with_name(&path, file).map_err(named),
    }
}

/// Passes on what is written in pieces.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(content);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.sender
            .blocking_send(Ok(piece.into()))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine stopped reading"))
    }
}
