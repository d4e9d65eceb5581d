//! Registering a release revision, once.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_smithy_types::body::SdkBody;
use backon::{BackoffBuilder, ExponentialBuilder};
use serde::Serialize;

use super::template::{Described, describe, newer_than};
use super::{Document, ReleaseError, ReleaseTags, Template, key};
use crate::aws::{AwsError, AwsErrorKind, Clients};

const ACTION: &str = "ecs:RegisterTaskDefinition";
/// How often a revision is sent in all, before the answer is that ECS does not take it.
const ATTEMPTS: usize = 5;
/// The wait after the first attempt; it doubles from there, with jitter.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// A release revision of the task definition.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Revision {
    /// Its full ARN.
    pub arn: String,
    /// The template revision's ARN; absent where CloudFormation makes it of the stack's template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Whether this run registered it; false when it was there already.
    pub registered: bool,
    /// The task definition, as it stands in ECS.
    #[serde(skip)]
    pub document: Document,
}

/// A release revision as it should be, registered or not.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its content.
    pub document: Document,
    /// The template revision's ARN.
    pub template: String,
    tags: BTreeMap<String, String>,
    release: ReleaseTags,
}

impl Wanted {
    /// `template` with `image` in `container`, and the tags that say so.
    ///
    /// # Errors
    /// [`ReleaseError::Compose`].
    pub fn new(
        template: &Template,
        container: &str,
        image: &str,
        release: &ReleaseTags,
        environment_tags: &BTreeMap<String, String>,
    ) -> Result<Self, ReleaseError> {
        let arn = template.described.document.arn().to_owned();
        Ok(Self {
            document: template.described.document.with_image(container, image)?,
            tags: release.merged(&template.described.tags, environment_tags, &arn),
            template: arn,
            release: release.clone(),
        })
    }

    /// Whether a registered revision is this one: the same content, from the same template, of
    /// the same commit and image tag.
    fn is(&self, registered: &Described) -> bool {
        self.document.same_content(&registered.document)
            && registered.tags.get(key::TEMPLATE) == Some(&self.template)
            && self
                .release
                .recorded_by(&ReleaseTags::read(&registered.tags))
    }

    /// This revision, where it is registered: the newest of the family, or one that is newer
    /// than what the service runs (a release that was begun and not finished).
    ///
    /// # Errors
    /// [`ReleaseError`] when a revision cannot be described.
    pub async fn find(
        &self,
        clients: &Clients,
        template: &Template,
    ) -> Result<Option<Described>, ReleaseError> {
        if let Some(newest) = template
            .newest_release
            .as_ref()
            .filter(|newest| self.is(newest))
        {
            return Ok(Some(newest.clone()));
        }
        let known = template
            .newest_release
            .as_ref()
            .map(|newest| newest.document.arn());
        let unknown = template
            .unfinished
            .iter()
            .filter(|arn| Some(arn.as_str()) != known);
        self.find_among(clients, unknown).await
    }

    async fn find_among(
        &self,
        clients: &Clients,
        revisions: impl Iterator<Item = &String>,
    ) -> Result<Option<Described>, ReleaseError> {
        for arn in revisions {
            let described = describe(clients, arn).await?;
            if self.is(&described) {
                return Ok(Some(described));
            }
        }
        Ok(None)
    }

    fn revision(&self, arn: String, registered: bool, document: Document) -> Revision {
        Revision {
            arn,
            template: Some(self.template.clone()),
            registered,
            document,
        }
    }
}

/// The release revision that `wanted` asks for: the one that was found, else a new one. However
/// often it is interrupted and begun again, and whatever becomes of ECS's answers, there is one.
///
/// # Errors
/// [`ReleaseError`]; nothing was registered then, unless it is [`ReleaseError::Unregistered`].
pub async fn take_or_register(
    clients: &Clients,
    template: &Template,
    wanted: &Wanted,
    found: Option<Described>,
) -> Result<Revision, ReleaseError> {
    if let Some(found) = found {
        let arn = found.document.arn().to_owned();
        return Ok(wanted.revision(arn, false, found.document));
    }
    let arn = register_once(clients, wanted, template.newest).await?;
    let document = describe(clients, &arn).await?.document;
    Ok(wanted.revision(arn, true, document))
}

/// Registers `wanted`. `RegisterTaskDefinition` has no client token, so after an answer that
/// leaves it open whether ECS heard the call, the revisions newer than `newest` show it.
async fn register_once(
    clients: &Clients,
    wanted: &Wanted,
    newest: u64,
) -> Result<String, ReleaseError> {
    let mut waits = ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_max_times(ATTEMPTS - 1)
        .with_jitter()
        .build();
    loop {
        let error = match register(clients, wanted).await {
            Err(ReleaseError::Aws(error)) if may_pass(&error) => error,
            result => return result,
        };
        let wait = waits.next();
        tokio::time::sleep(wait.unwrap_or(FIRST_WAIT)).await;
        match look(clients, wanted, newest).await {
            Ok(Some(arn)) => return Ok(arn),
            Ok(None) if wait.is_some() => {
                tracing::info!("{error}; sending it again");
            }
            Ok(None) if !error.is_ambiguous() => return Err(error.into()),
            _ => return Err(ReleaseError::Unregistered(error)),
        }
    }
}

async fn look(
    clients: &Clients,
    wanted: &Wanted,
    newest: u64,
) -> Result<Option<String>, ReleaseError> {
    let newer = newer_than(clients, wanted.document.family(), newest).await?;
    let found = wanted.find_among(clients, newer.iter()).await?;
    Ok(found.map(|found| found.document.arn().to_owned()))
}

/// Whether the same call may succeed later. ECS also refuses two registrations in one family at
/// once, as a `ClientException` that only its message tells apart.
fn may_pass(error: &AwsError) -> bool {
    error.is_ambiguous()
        || error.kind == AwsErrorKind::Throttled
        || error.message.contains("Too many concurrent attempts")
}

/// Sends the document once, as it is: the SDK's own types would drop what they do not know.
async fn register(clients: &Clients, wanted: &Wanted) -> Result<String, ReleaseError> {
    let family = wanted.document.family();
    let body = wanted.document.registration(&wanted.tags).to_string();
    let answer = clients
        .ecs
        .register_task_definition()
        .family(family)
        .customize()
        .config_override(
            aws_sdk_ecs::config::Builder::default().retry_config(RetryConfig::disabled()),
        )
        .mutate_request(move |request| {
            request
                .headers_mut()
                .insert("content-length", body.len().to_string());
            *request.body_mut() = SdkBody::from(body.as_str());
        })
        .send()
        .await
        .map_err(|error| AwsError::new(ACTION, family, &error))?;
    answer
        .task_definition()
        .and_then(|definition| definition.task_definition_arn())
        .map(str::to_owned)
        .ok_or_else(|| ReleaseError::Answer {
            action: ACTION,
            resource: family.to_owned(),
            missing: "taskDefinitionArn",
        })
}
