//! Registering a release revision, once.

use std::collections::BTreeMap;

use aws_smithy_types::body::SdkBody;
use serde::Serialize;

use super::template::describe;
use super::{Document, ReleaseError, ReleaseTags, Template, key};
use crate::aws::{AwsError, Clients};

/// A release revision of the task definition.
#[derive(Debug, Clone, Serialize)]
pub struct Revision {
    /// Its full ARN.
    pub arn: String,
    /// The template revision's ARN.
    pub template: String,
    /// Whether this run registered it; false when it was there already.
    pub registered: bool,
    /// The task definition, as it stands in ECS.
    #[serde(skip)]
    pub document: Document,
}

/// The release revision of `template` with `image` in `container`: the newest revision when
/// it already is that, else a new one.
///
/// # Errors
/// [`ReleaseError`]; nothing was registered then, as far as ECS said.
pub async fn find_or_register(
    clients: &Clients,
    template: &Template,
    container: &str,
    image: &str,
    release: &ReleaseTags,
    environment_tags: &BTreeMap<String, String>,
) -> Result<Revision, ReleaseError> {
    let template_arn = template.described.document.arn().to_owned();
    let wanted = template.described.document.with_image(container, image)?;
    let tags = release.merged(&template.described.tags, environment_tags, &template_arn);
    if let Some(existing) = &template.newest_release
        && wanted.same_content(&existing.document)
        && existing.tags.get(key::TEMPLATE) == Some(&template_arn)
        && ReleaseTags::read(&existing.tags) == *release
    {
        return Ok(Revision {
            arn: existing.document.arn().to_owned(),
            template: template_arn,
            registered: false,
            document: existing.document.clone(),
        });
    }
    let arn = register(clients, &wanted, &tags).await?;
    let document = describe(clients, &arn).await?.document;
    Ok(Revision {
        arn,
        template: template_arn,
        registered: true,
        document,
    })
}

/// Sends the document as it is: the SDK's own types would drop what they do not know.
async fn register(
    clients: &Clients,
    document: &Document,
    tags: &BTreeMap<String, String>,
) -> Result<String, ReleaseError> {
    const ACTION: &str = "ecs:RegisterTaskDefinition";
    let family = document.family();
    let body = document.registration(tags).to_string();
    let answer = clients
        .ecs
        .register_task_definition()
        .family(family)
        .customize()
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
