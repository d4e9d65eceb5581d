//! The shared state: in memory behind a lock, and on disk.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::aws::names;
use crate::calls::Calls;
use crate::faults::Faults;
use crate::logs::Logs;
use crate::registry::blobs::Blobs;
use crate::state::{State, store};
use crate::{Error, RuntimeKind};

/// What every part of the environment shares. The lock is held for moments only, never across an
/// await.
pub(crate) struct World {
    pub state_dir: PathBuf,
    state: Mutex<State>,
    /// The state as it was last written.
    written: Mutex<Vec<u8>>,
    /// Wakes the engine.
    pub changed: Notify,
    pub logs: Logs,
    pub blobs: Blobs,
    pub faults: Faults,
    pub calls: Calls,
    pub runtime: RuntimeKind,
    /// The password of the registry, which GetAuthorizationToken gives out.
    pub registry_password: String,
    /// Cancelled when the environment shall end.
    pub shutdown: CancellationToken,
}

impl World {
    pub(crate) fn new(
        state_dir: PathBuf,
        state: State,
        logs: Logs,
        blobs: Blobs,
        runtime: RuntimeKind,
    ) -> Self {
        Self {
            state_dir,
            state: Mutex::new(state),
            written: Mutex::default(),
            changed: Notify::new(),
            logs,
            blobs,
            faults: Faults::default(),
            calls: Calls::default(),
            runtime,
            registry_password: format!("{}{}", names::hex32(), names::hex32()),
            shutdown: CancellationToken::new(),
        }
    }

    /// Looks at the state.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.lock())
    }

    /// Changes the state and wakes the engine.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_one();
        result
    }

    /// Changes the state without waking the engine.
    pub(crate) fn touch<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.lock())
    }

    /// Writes the state if it differs from what is on disk. Blocks on the disk.
    pub(crate) fn save(&self) -> Result<(), Error> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let text = self.read(|state| store::encode(&self.state_dir, state))?;
        if *written != text {
            store::save(&self.state_dir, &text)?;
            *written = text;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a defect, and a stopped rehearsal helps nobody find it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
