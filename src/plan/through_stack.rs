//! What a rollout through a stack would do.

use super::{Action, Found, PlanError};
use crate::aws::Clients;
use crate::config::Environment;
use crate::release::{ReleaseError, describe};
use crate::rollout::preflight::Snapshot;
use crate::rollout::{Held, ReleaseImage};

/// As the rollout decides: an update to this image that is under way is attached to, any other
/// refused; where the stack has the image, all is done unless the service does not run it.
pub(super) async fn find(
    clients: &Clients,
    environment: &Environment,
    image: &ReleaseImage,
    snapshot: &Snapshot,
    name: &str,
) -> Result<Found, PlanError> {
    let held = Held::find(clients, environment, name, &snapshot.task_definition).await?;
    let has_it = held.stack.image()? == image.reference;
    let document = describe(clients, &held.revision).await?.document;
    let registered = document.image(&environment.container) == Some(&image.reference);
    let document = document
        .with_image(&environment.container, &image.reference)
        .map_err(ReleaseError::from)?;
    let under_way = held.stack.status.is_under_way();
    if !under_way {
        held.stack.can_be_updated()?;
    }
    let runs_it = registered && snapshot.deployment_of(&held.revision).is_some();
    let busy = snapshot.in_flight().is_some();
    let action = match (has_it, runs_it) {
        (true, _) if held.stack.status.is_updating() => Action::Attach,
        _ if under_way => Action::Refuse,
        (true, true) if busy => Action::Attach,
        (true, true) => Action::Nothing,
        _ if busy => Action::Refuse,
        (true, false) => Action::Start,
        (false, _) => Action::UpdateStack,
    };
    Ok(Found {
        document,
        revision: registered.then_some(held.revision),
        template: None,
        stack: Some(held.stack.state()),
        action: Some(action),
    })
}
