//! Failures to switch on, and counts of what was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// How a registry says that it does not know a bearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refusal {
    /// HTTP 401.
    #[default]
    Unauthorized,
    /// HTTP 200 with `me: null`.
    NullMe,
}

/// The switches of one registry. Clones are the same switches.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    status: Option<u16>,
    statuses: BTreeMap<String, u16>,
    refusal: Refusal,
    latency: Duration,
    credentials_last: Option<Duration>,
    held: BTreeMap<String, watch::Receiver<bool>>,
    asked: BTreeMap<String, usize>,
    waiting: BTreeMap<String, usize>,
}

/// Keeps operations of one name waiting until it is dropped.
#[derive(Debug)]
pub struct Hold {
    release: watch::Sender<bool>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release.send_replace(true);
    }
}

impl Faults {
    /// Answers every operation with this HTTP status; `None` heals.
    pub fn fail_with(&self, status: Option<u16>) {
        self.state().status = status;
    }

    /// Answers operations of one name with this HTTP status; `None` heals.
    pub fn fail_at(&self, operation: &str, status: Option<u16>) {
        let statuses = &mut self.state().statuses;
        match status {
            Some(status) => statuses.insert(operation.to_owned(), status),
            None => statuses.remove(operation),
        };
    }

    /// Chooses how unknown bearers are refused.
    pub fn refuse_by(&self, refusal: Refusal) {
        self.state().refusal = refusal;
    }

    /// For how long lent AWS credentials are good; an hour unless told otherwise.
    pub fn lend_for(&self, duration: Duration) {
        self.state().credentials_last = Some(duration);
    }

    pub(crate) fn credentials_last(&self) -> Duration {
        self.state()
            .credentials_last
            .unwrap_or(Duration::from_secs(3600))
    }

    /// Delays every operation.
    pub fn delay(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Keeps every operation of that name waiting while the [`Hold`] lives.
    #[must_use = "the operations are released when the hold is dropped"]
    pub fn hold(&self, operation: &str) -> Hold {
        let (release, held) = watch::channel(false);
        self.state().held.insert(operation.to_owned(), held);
        Hold { release }
    }

    /// How often an operation of that name has been asked for.
    pub fn asked(&self, operation: &str) -> usize {
        self.state().asked.get(operation).copied().unwrap_or(0)
    }

    /// How many operations of that name wait for a delay or a hold; one whose
    /// client has gone waits no longer.
    pub fn waiting(&self, operation: &str) -> usize {
        self.state().waiting.get(operation).copied().unwrap_or(0)
    }

    pub(crate) fn refusal(&self) -> Refusal {
        self.state().refusal
    }

    /// Counts the operation, makes it wait as told, and says which status to fail with.
    pub(crate) async fn admit(&self, operation: &str) -> Option<u16> {
        let (latency, held) = {
            let mut state = self.state();
            *state.asked.entry(operation.to_owned()).or_default() += 1;
            (state.latency, state.held.get(operation).cloned())
        };
        let _waiting = Waiting::enter(self, operation);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if let Some(mut held) = held {
            // An error means that the hold is gone, which releases as well.
            let _ = held.wait_for(|released| *released).await;
        }
        let state = self.state();
        state
            .status
            .or_else(|| state.statuses.get(operation).copied())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a waiting operation, also when its request is dropped.
struct Waiting<'f> {
    faults: &'f Faults,
    operation: &'f str,
}

impl<'f> Waiting<'f> {
    fn enter(faults: &'f Faults, operation: &'f str) -> Self {
        let mut state = faults.state();
        *state.waiting.entry(operation.to_owned()).or_default() += 1;
        Self { faults, operation }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.faults.state().waiting.get_mut(self.operation) {
            *count -= 1;
        }
    }
}
