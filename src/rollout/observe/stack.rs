//! Looking at the stack whose update a deployment is part of.

use crate::aws::Clients;
use crate::config::Environment;
use crate::rollout::begin::StackUpdate;
use crate::rollout::observation;
use crate::stack::{LastUpdate, Stack, StackError};

/// One look; nothing where the stack still speaks of the update before.
pub(super) async fn look(
    clients: &Clients,
    environment: &Environment,
    update: &StackUpdate,
) -> Result<Option<observation::Stack>, StackError> {
    let stack = Stack::describe(clients, &update.name, &environment.region).await?;
    if !update.is_of(&stack) {
        return Ok(None);
    }
    let status = &stack.status;
    let last = if status.is_returning() || status.has_returned() || status.has_failed() {
        // Without the events there is less to tell; what is true of the stack is seen all the same.
        Stack::last_update(clients, &update.name)
            .await
            .inspect_err(|error| tracing::warn!("{error}"))
            .unwrap_or_default()
    } else {
        LastUpdate::default()
    };
    Ok(Some(observation::Stack {
        status: stack.status,
        reason: stack.reason,
        failures: last.failures,
        failure_to_return: last.failure_to_return,
    }))
}
