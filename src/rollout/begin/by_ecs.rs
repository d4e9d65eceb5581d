//! Through ECS: the revision is registered by us, and UpdateService is our call.

use super::{Begun, refuse_in_flight};
use crate::release::{Revision, Wanted, newest_template, take_or_register};
use crate::rollout::engine::{Engine, RolloutError, Update};
use crate::rollout::preflight::Snapshot;
use crate::rollout::release::{Options, ReleaseImage};

/// Begins the release of `image`; both steps are left out where they were taken before.
pub(in crate::rollout) async fn begin(
    engine: &Engine<'_>,
    image: &ReleaseImage,
    options: Options,
) -> Result<Begun, RolloutError> {
    let first_look = Snapshot::take(engine.clients, engine.environment).await?;
    let revision = release_revision(engine, image, &first_look, options).await?;
    // From here on a signal is ours to answer: ECS may have been told of a deployment.
    let shield = engine.interrupt.shield();
    let before = Snapshot::take(engine.clients, engine.environment).await?;
    refuse_in_flight(engine, &before, &revision.arn, options.supersede)?;
    let (deployment, started) = match before.deployment_of(&revision.arn) {
        Some(deployment) if !options.force => (deployment.clone(), false),
        _ => {
            let update = Update {
                revision: &revision.arn,
                desired_count: first_count(engine, &before),
            };
            (engine.update(update, &before).await?, true)
        }
    };
    Ok(Begun {
        revision,
        deployment,
        started,
        before,
        stack: None,
        _shield: shield,
    })
}

/// How many tasks a service that wants none is to run.
pub(super) fn first_count(engine: &Engine<'_>, before: &Snapshot) -> Option<i32> {
    (before.service.desired == 0).then_some(engine.environment.desired_count)
}

/// The revision to release; nothing is registered while another deployment is under way.
async fn release_revision(
    engine: &Engine<'_>,
    image: &ReleaseImage,
    before: &Snapshot,
    options: Options,
) -> Result<Revision, RolloutError> {
    let template = newest_template(engine.clients, &before.task_definition).await?;
    if !template.tagged {
        engine.warn(format!(
            "no revision of the family is tagged ManagedBy=terraform; the release is based on {}, which the service runs",
            template.described.document.arn()
        ));
    }
    let wanted = Wanted::new(
        &template,
        &engine.environment.container,
        &image.reference,
        &image.tags,
        &engine.environment.tags,
    )?;
    let found = wanted.find(engine.clients, &template).await?;
    let ours = found.as_ref().map(|found| found.document.arn());
    refuse_in_flight(engine, before, ours.unwrap_or_default(), options.supersede)?;
    Ok(take_or_register(engine.clients, &template, &wanted, found).await?)
}
