//! Ctrl-C and SIGTERM, as the stages see them.
//!
//! A stage that must not be left half-way holds a [`Shield`]: it is then told of the signal
//! and ends by itself, and only a second signal ends the program at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// What the operator sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Whether the operator wants the program to end.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    wanted: CancellationToken,
    signal: Arc<OnceLock<Signal>>,
    shields: Arc<AtomicUsize>,
    shielded_once: Arc<AtomicBool>,
}

/// As long as it is held, the stage ends by itself.
#[derive(Debug)]
pub struct Shield(Arc<AtomicUsize>);

impl Interrupt {
    /// Takes over the ending of the program until the shield is dropped.
    pub fn shield(&self) -> Shield {
        self.shields.fetch_add(1, Ordering::SeqCst);
        self.shielded_once.store(true, Ordering::SeqCst);
        Shield(Arc::clone(&self.shields))
    }

    /// Whether a stage ends by itself.
    pub fn is_shielded(&self) -> bool {
        self.shields.load(Ordering::SeqCst) > 0
    }

    /// Whether some stage has begun that must not be left half-way, whether or not it has ended.
    pub fn was_shielded(&self) -> bool {
        self.shielded_once.load(Ordering::SeqCst)
    }

    /// The operator wants the program to end.
    pub fn request(&self, signal: Signal) {
        // The first one counts.
        let _ = self.signal.set(signal);
        self.wanted.cancel();
    }

    /// What the operator sent first, if anything.
    pub fn signal(&self) -> Option<Signal> {
        self.signal.get().copied()
    }

    /// Whether the operator wants the program to end.
    pub fn is_requested(&self) -> bool {
        self.wanted.is_cancelled()
    }

    /// Waits until the operator wants the program to end.
    pub async fn requested(&self) {
        self.wanted.cancelled().await;
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
