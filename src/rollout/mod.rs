//! Moving the service to a revision, and the truth about how it went.
//!
//! [`observe`] fetches what AWS says into an [`Observation`]; [`mod@decide`] turns a
//! history of observations into a [`Decision`] and knows no client, no clock and
//! no terminal; the [`engine`] fetches, waits, acts and emits events; [`mod@release`],
//! [`rollback`], [`returning`] and [`attach`] are the stories told with it.

pub mod attach;
mod begin;
mod changes;
pub mod decide;
pub mod diagnosis;
pub mod engine;
mod logs;
pub mod observation;
pub mod observe;
pub mod preflight;
pub mod release;
pub mod returning;
pub mod rollback;
mod stack_release;

pub use begin::StackUpdate;
pub use begin::by_stack::Held;
pub use decide::{Decision, Evidence, Plan, Verdict, decide};
pub use diagnosis::Diagnosis;
pub use engine::{Engine, RolloutError};
pub use observation::{History, Observation};
pub use release::{OnFailure, OnInterrupt, Options, Outcome, ReleaseImage, release};
