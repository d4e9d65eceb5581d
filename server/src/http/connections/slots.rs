//! How many connections are open at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Places for connections.
pub(super) struct Slots {
    free: Arc<Semaphore>,
    all_taken: watch::Sender<bool>,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
            all_taken: watch::Sender::new(false),
        }
    }

    /// Takes a place, as soon as one is free; dropping it frees it.
    pub(super) async fn take(&self) -> OwnedSemaphorePermit {
        if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
            return slot;
        }
        self.all_taken.send_replace(true);
        let slot = Arc::clone(&self.free).acquire_owned().await;
        self.all_taken.send_replace(false);
        slot.expect("nobody closes the semaphore")
    }

    /// Whether every place is taken and the next is waited for.
    pub(super) fn all_taken(&self) -> watch::Receiver<bool> {
        self.all_taken.subscribe()
    }
}
