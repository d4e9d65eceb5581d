//! Through CloudFormation: our call is UpdateStack with the image as a parameter; CloudFormation
//! registers the revision and calls UpdateService, and both are looked for.

mod held;
mod moving;

use std::time::Duration;

pub use self::held::Held;
use self::moving::Moving;
use super::{Begun, StackUpdate, by_ecs, refuse_in_flight};
use crate::aws::AwsError;
use crate::release::{Described, ReleaseTags, Revision, describe};
use crate::rollout::engine::{Engine, RolloutError, Update};
use crate::rollout::preflight::Snapshot;
use crate::rollout::release::OnInterrupt;
use crate::stack::{Change, Stack, StackError, Updated};

/// What the service is to run.
#[derive(Debug, Clone, Copy)]
pub(in crate::rollout) struct WantedImage<'a> {
    /// The image: `REPOSITORY@DIGEST`.
    pub(in crate::rollout) image: &'a str,
    /// What is known of it.
    pub(in crate::rollout) tags: &'a ReleaseTags,
    /// Whether to start a deployment although the service runs it.
    pub(in crate::rollout) force: bool,
    /// Whether to take the place of another deployment that is under way; never of another update.
    pub(in crate::rollout) supersede: bool,
    /// What to do on Ctrl-C and SIGTERM.
    pub(in crate::rollout) on_interrupt: OnInterrupt,
    /// How long to wait for the deployment.
    pub(in crate::rollout) timeout: Duration,
}

/// Begins the release of an image by an update of the stack `name`. An update to this very image
/// that is under way is attached to; where the stack has the image already, ECS is asked only if
/// the service does not run what the stack says.
pub(in crate::rollout) async fn begin(
    engine: &Engine<'_>,
    name: &str,
    wanted: &WantedImage<'_>,
) -> Result<Begun, RolloutError> {
    let shield = engine.interrupt.shield();
    let before = Snapshot::take(engine.clients, engine.environment).await?;
    let held = Held::find(
        engine.clients,
        engine.environment,
        name,
        &before.task_definition,
    )
    .await?;
    let has_it = held.stack.image()? == wanted.image;
    let moving = |stale| Moving {
        engine,
        update: StackUpdate {
            name: name.to_owned(),
            stale,
        },
        before: &before,
        wanted,
    };
    let (moving, started) = if has_it && held.stack.status.is_updating() {
        (moving(None), false)
    } else {
        held.stack.can_be_updated()?;
        let ours = if has_it { held.revision.as_str() } else { "" };
        refuse_in_flight(engine, &before, ours, wanted.supersede)?;
        if has_it || update(engine, &held.stack, wanted).await? == Updated::NothingToDo {
            return at_rest(engine, &held, wanted, before, shield).await;
        }
        (moving(held.stack.last_updated), true)
    };
    let (described, deployment) = moving.deployment(started).await?;
    let update = moving.update;
    Ok(Begun {
        revision: revision_of(described, started),
        deployment,
        started,
        stack: Some(update),
        before,
        _shield: shield,
    })
}

/// Asks CloudFormation for the update.
async fn update(
    engine: &Engine<'_>,
    stack: &Stack,
    wanted: &WantedImage<'_>,
) -> Result<Updated, RolloutError> {
    let tags = wanted.tags.written();
    let change = Change {
        image: wanted.image,
        commit: tags.commit.as_deref(),
        released_by: tags
            .released
            .as_ref()
            .and_then(|released| released.caller.as_deref()),
    };
    let now = jiff::Timestamp::now().as_nanosecond();
    let token = format!("quilt-mcp-deploy-{now:x}-{:x}", std::process::id());
    match stack.update(engine.clients, &change, &token).await {
        Ok(updated) => Ok(updated),
        Err(error) => Err(refused(engine, stack, error).await.into()),
    }
}

/// Another operation may have begun since the stack was looked at: that is no fault of ours.
async fn refused(engine: &Engine<'_>, stack: &Stack, error: AwsError) -> StackError {
    let now = Stack::describe(engine.clients, &stack.name, &engine.environment.region).await;
    match now.map(|now| now.can_be_updated()) {
        Ok(Err(in_progress @ StackError::InProgress { .. })) if !error.is_ambiguous() => {
            in_progress
        }
        _ => error.into(),
    }
}

/// The stack has the image already and rests; so should the service, on the stack's revision.
async fn at_rest(
    engine: &Engine<'_>,
    held: &Held,
    wanted: &WantedImage<'_>,
    before: Snapshot,
    shield: crate::interrupt::Shield,
) -> Result<Begun, RolloutError> {
    let described = describe(engine.clients, &held.revision).await?;
    if described.document.image(&engine.environment.container) != Some(wanted.image) {
        return Err(StackError::NoRevision {
            stack: held.stack.name.clone(),
            status: held.stack.status.clone(),
        }
        .into());
    }
    let (deployment, started) = match before.deployment_of(&held.revision) {
        Some(deployment) if !wanted.force => (deployment.clone(), false),
        _ => {
            if before.task_definition != held.revision {
                engine.warn(format!(
                    "the service runs {}, and stack {} says {}: somebody moved it behind the stack's back; moving it to what the stack says",
                    before.task_definition, held.stack.name, held.revision
                ));
            }
            let update = Update {
                revision: &held.revision,
                desired_count: by_ecs::first_count(engine, &before),
            };
            (engine.update(update, &before).await?, true)
        }
    };
    Ok(Begun {
        revision: revision_of(described, false),
        deployment,
        started,
        before,
        stack: None,
        _shield: shield,
    })
}

fn revision_of(described: Described, registered: bool) -> Revision {
    Revision {
        arn: described.document.arn().to_owned(),
        template: None,
        registered,
        document: described.document,
    }
}
