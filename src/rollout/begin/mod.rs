//! How a deployment begins: who registers the revision, and who moves the service to it. From
//! there on every deployment is watched alike.

pub(super) mod by_ecs;
pub(super) mod by_stack;

use super::engine::{Engine, RolloutError};
use super::observation::Deployment;
use super::preflight::Snapshot;
use crate::interrupt::Shield;
use crate::release::Revision;

/// A deployment that began, or was there.
pub(super) struct Begun {
    /// The revision that it moves the service to.
    pub(super) revision: Revision,
    /// The deployment.
    pub(super) deployment: Deployment,
    /// Whether we started it; false when it was there already.
    pub(super) started: bool,
    /// The service as it was before.
    pub(super) before: Snapshot,
    /// The update of a stack that it is part of, where it is.
    pub(super) stack: Option<StackUpdate>,
    /// From the beginning on a signal is ours to answer.
    pub(super) _shield: Shield,
}

/// An update of a stack.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StackUpdate {
    /// The stack.
    pub name: String,
    /// When the update before it began: a stack that still says so has not said anything of
    /// this one. Absent where that is not known, or there was none.
    pub stale: Option<String>,
}

impl StackUpdate {
    /// Whether the stack speaks of this update, and not of the one before.
    pub fn is_of(&self, stack: &crate::stack::Stack) -> bool {
        self.stale.is_none() || self.stale != stack.last_updated
    }
}

/// Refuses to disturb a deployment of another revision than `ours`, unless its place is to be taken.
fn refuse_in_flight(
    engine: &Engine<'_>,
    before: &Snapshot,
    ours: &str,
    supersede: bool,
) -> Result<(), RolloutError> {
    match before.refuse_in_flight(ours) {
        Err(other) if supersede => {
            engine.warn(format!("{other}; taking its place"));
            Ok(())
        }
        answer => Ok(answer?),
    }
}
