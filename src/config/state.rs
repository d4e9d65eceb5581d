//! The one folder that this program keeps on a machine: the local environment's
//! state and the locks that keep two runs apart.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The state folder: `QUILT_MCP_STATE_DIR`, else `$XDG_STATE_HOME/quilt-mcp-deploy`,
/// else `~/.local/state/quilt-mcp-deploy` (XDG base directory specification).
#[derive(Debug, Clone)]
pub struct StateFolder(PathBuf);

/// A lock held until it is dropped; the kernel releases it when the process dies.
#[derive(Debug)]
pub struct HeldLock {
    _file: File,
}

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error(
        "another run (process {holder}) is changing environment {environment} from this machine"
    )]
    Held {
        /// The environment.
        environment: String,
        /// The other process's id, as far as it said.
        holder: String,
    },
    /// The folder or the file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateFolder {
    /// Finds the folder; does not make it.
    pub fn find() -> Self {
        let from = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let folder = from("QUILT_MCP_STATE_DIR").unwrap_or_else(|| {
            from("XDG_STATE_HOME")
                .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))
                .unwrap_or_else(std::env::temp_dir)
                .join("quilt-mcp-deploy")
        });
        Self(folder)
    }

    /// A state folder at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the local environment keeps its state.
    pub fn local(&self) -> PathBuf {
        self.0.join("local")
    }

    /// Keeps every other run on this machine from changing `environment` until the lock is dropped.
    ///
    /// # Errors
    /// [`LockError::Held`] when another run has it, [`LockError::Unwritable`] when it cannot be made.
    pub fn lock(&self, environment: &str) -> Result<HeldLock, LockError> {
        let path = self.0.join(format!("{environment}.lock"));
        let unwritable = |source| LockError::Unwritable {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(&self.0).map_err(unwritable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(unwritable)?;
                let holder = match holder.trim() {
                    "" => "unknown".to_owned(),
                    pid => pid.to_owned(),
                };
                return Err(LockError::Held {
                    environment: environment.to_owned(),
                    holder,
                });
            }
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .and_then(|()| file.flush())
            .map_err(unwritable)?;
        Ok(HeldLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(folder.path());
        let held = state.lock("staging").unwrap();
        let error = state.lock("staging").unwrap_err();
        assert!(
            error.to_string().contains(&std::process::id().to_string()),
            "{error}"
        );
        state.lock("prod").unwrap();
        drop(held);
        state.lock("staging").unwrap();
    }

    #[test]
    fn an_unwritable_folder_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = StateFolder::at(file.path().join("inside"))
            .lock("local")
            .unwrap_err();
        assert!(matches!(error, LockError::Unwritable { .. }), "{error}");
    }
}
