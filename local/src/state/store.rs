//! The state on disk: `state.json`, replaced whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{FORMAT, State};
use crate::Error;

/// Reads the state in `state_dir`; `None` in a new folder.
pub(crate) fn load(state_dir: &Path) -> Result<Option<State>, Error> {
    let path = path(state_dir);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::state("read", &path)(error)),
    };
    let unreadable = |reason: String| Error::Unreadable {
        path: path.clone(),
        folder: state_dir.to_owned(),
        reason,
    };
    let state: State = serde_json::from_slice(&text).map_err(|e| unreadable(e.to_string()))?;
    if state.format != FORMAT {
        return Err(unreadable(format!("format {}", state.format)));
    }
    Ok(Some(state))
}

/// The state as it is written in `state_dir`.
pub(crate) fn encode(state_dir: &Path, state: &State) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(state).map_err(|error| Error::state("write", &path(state_dir))(error.into()))
}

/// Writes the encoded state so that a reader, or the next life, sees the old or the new one, never a
/// part.
pub(crate) fn save(state_dir: &Path, encoded: &[u8]) -> Result<(), Error> {
    replace(&path(state_dir), encoded)
}

/// Replaces the file at `path` whole.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_data()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(Error::state("write", path))
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("state.json")
}
