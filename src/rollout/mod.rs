//! Moving the service to a revision, and the truth about how it went.
//!
//! [`observe`] fetches what AWS says into an [`Observation`]; [`decide`] turns a
//! history of observations into a [`Decision`] and knows no client, no clock and
//! no terminal; the [`engine`] fetches, waits, acts and emits events.

mod changes;
pub mod decide;
pub mod diagnosis;
pub mod engine;
mod logs;
pub mod observation;
pub mod observe;
pub mod preflight;

pub use decide::{Decision, Evidence, Plan, Verdict, decide};
pub use diagnosis::Diagnosis;
pub use engine::{OnFailure, Options, Outcome, ReleaseImage, Rollout, RolloutError};
pub use observation::{History, Observation};
