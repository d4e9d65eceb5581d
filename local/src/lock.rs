//! One process per state folder: a lock that the kernel releases when its holder ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::Error;

/// Held for as long as the value lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// A look at the lock takes it for a moment; a start that meets one tries again.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

impl Lock {
    /// Takes the lock of `state_dir`, which must exist.
    pub(crate) fn acquire(state_dir: &Path) -> Result<Self, Error> {
        let path = state_dir.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::state("open", &path))?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(Error::state("lock", &path)(error)),
            }
        }
        Err(Error::AlreadyRunning(state_dir.to_owned()))
    }

    /// Whether some process holds the lock of `state_dir`.
    pub(crate) fn is_held(state_dir: &Path) -> Result<bool, Error> {
        let path = state_dir.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::state("open", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(Error::state("lock", &path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holder_and_free_again_after_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Lock::is_held(folder.path()).unwrap());
        let lock = Lock::acquire(folder.path()).unwrap();
        assert!(Lock::is_held(folder.path()).unwrap());
        assert!(matches!(
            Lock::acquire(folder.path()),
            Err(Error::AlreadyRunning(_))
        ));
        drop(lock);
        assert!(!Lock::is_held(folder.path()).unwrap());
        Lock::acquire(folder.path()).unwrap();
    }
}
