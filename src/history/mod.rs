//! The releases of a service: what ECS and the tags on its revisions remember.

mod deployments;
mod revisions;
mod show;

use std::collections::BTreeMap;

use futures::StreamExt;
use jiff::Timestamp;
use serde::Serialize;

use crate::aws::{AwsError, AwsErrorKind, Clients};
use crate::config::Environment;
use crate::release::{Described, ReleaseTags, describe};
use crate::rollout::preflight::{PreflightError, Snapshot};

/// How many revisions are described at once.
const AT_ONCE: usize = 4;

/// A release of the service, as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct PastRelease {
    /// The revision's ARN.
    pub revision: String,
    /// The image's digest, where it is known.
    pub digest: Option<String>,
    /// Commit and image tag, and who released it; all absent for what this tool did not release.
    #[serde(flatten)]
    pub tags: ReleaseTags,
    /// What became of it.
    pub verdict: PastVerdict,
    /// Why, in ECS's words, where it says so.
    pub reason: Option<String>,
    /// The revision's ARN that the service returned to, where it was rolled back and that is known.
    pub rolled_back_to: Option<String>,
    /// The revision's ARN that the service was on before, where this deployment returned it to an
    /// earlier one, as `rollback` does; who asked for that, ECS does not remember.
    pub returned_from: Option<String>,
    /// When the deployment was created; for a revision without a known deployment, when it was registered.
    pub started_at: Option<Timestamp>,
    /// When the deployment, with its rollback, ended.
    pub finished_at: Option<Timestamp>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// The service deployment's ARN, where ECS's record of deployments could be read.
    pub service_deployment: Option<String>,
    /// Whether the revision is a template: it names no image that was released.
    pub template: bool,
    /// Whether the service names this revision now.
    pub current: bool,
}

/// What became of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PastVerdict {
    /// Its deployment was successful.
    Succeeded,
    /// The service returned to another revision.
    RolledBack,
    /// It failed, and the service did not return to another revision.
    Failed,
    /// It was stopped, or another deployment took its place.
    Stopped,
    /// It is under way, or being rolled back.
    InProgress,
    /// ECS does not remember, or says what this tool does not know.
    Unknown,
}

/// The releases of a service.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Releases {
    /// Newest first.
    pub releases: Vec<PastRelease>,
    /// Why ECS's record of deployments could not be read, so that verdicts are known only of the
    /// deployments that the service still shows.
    pub degraded: Option<String>,
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The service cannot be described.
    #[error(transparent)]
    Service(#[from] PreflightError),
    /// An ECS call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The revisions cannot be listed.
    #[error(transparent)]
    Release(#[from] crate::release::ReleaseError),
}

/// At most `limit` releases of the service, newest first, by its service deployments (which ECS
/// keeps for 90 days). Where that API is denied or unknown, by the tags of the revisions and the
/// deployments that the service still shows; [`Releases::degraded`] says so.
///
/// # Errors
/// [`HistoryError`].
pub async fn releases(
    clients: &Clients,
    environment: &Environment,
    limit: usize,
) -> Result<Releases, HistoryError> {
    let snapshot = Snapshot::take(clients, environment).await?;
    let (container, running) = (&environment.container, &snapshot.task_definition);
    match deployments::read(clients, environment, limit).await {
        Ok(found) => Ok(Releases {
            releases: described(clients, found, container, running).await,
            degraded: None,
        }),
        Err(error) if is_without_the_api(&error) => {
            let found = revisions::read(clients, &snapshot, limit).await?;
            Ok(Releases {
                releases: described(clients, found, container, running).await,
                degraded: Some(error.to_string()),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Denied, or an ECS (or an emulator of it) that does not know the operation: emulators answer
/// such a call with whatever page they have. The service was described a moment before, so ECS is there.
fn is_without_the_api(error: &AwsError) -> bool {
    !error.is_credentials() && error.kind != AwsErrorKind::Throttled
}

/// What ECS says of a deployment, before its revision is described.
#[derive(Debug, Clone)]
struct Found {
    revision: String,
    digest: Option<String>,
    verdict: PastVerdict,
    reason: Option<String>,
    rolled_back_to: Option<String>,
    returned_from: Option<String>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    service_deployment: Option<String>,
}

/// Adds what the revisions' tags say; a revision that is gone or cannot be read has no record.
async fn described(
    clients: &Clients,
    found: Vec<Found>,
    container: &str,
    running: &str,
) -> Vec<PastRelease> {
    let mut arns: Vec<String> = found.iter().map(|found| found.revision.clone()).collect();
    arns.sort();
    arns.dedup();
    let revisions: BTreeMap<String, Described> = futures::stream::iter(arns)
        .map(|arn| async move {
            let described = describe(clients, &arn).await;
            if let Err(error) = &described {
                tracing::warn!("{error}");
            }
            Some((arn, described.ok()?))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    found
        .into_iter()
        .map(|found| found.with(&revisions, container, running))
        .collect()
}

impl Found {
    fn with(
        self,
        revisions: &BTreeMap<String, Described>,
        container: &str,
        running: &str,
    ) -> PastRelease {
        let described = revisions.get(&self.revision);
        let digest = described
            .and_then(|described| described.document.image(container))
            .and_then(|image| image.split_once('@'))
            .map(|(_, digest)| digest.to_owned());
        let elapsed = match (self.started_at, self.finished_at) {
            (Some(from), Some(to)) => Some(to.duration_since(from).as_secs_f64()),
            _ => None,
        };
        PastRelease {
            tags: described
                .map(|described| ReleaseTags::read(&described.tags))
                .unwrap_or_default(),
            digest: self.digest.or(digest),
            verdict: self.verdict,
            reason: self.reason,
            rolled_back_to: self.rolled_back_to,
            returned_from: self.returned_from,
            started_at: self.started_at,
            finished_at: self.finished_at,
            seconds: elapsed,
            service_deployment: self.service_deployment,
            template: described.is_some_and(Described::is_template),
            current: self.revision == running,
            revision: self.revision,
        }
    }
}

/// An instant of the AWS SDK.
fn instant(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.to_millis().ok()?).ok()
}
