//! Finding the newest template revision of a family.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_ecs::types::{SortOrder, TaskDefinitionField, TaskDefinitionStatus};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

use super::{Document, ReleaseError, key};
use crate::arn::last_part;
use crate::aws::{AwsError, Clients};

/// A revision as ECS describes it, with its tags.
#[derive(Debug, Clone)]
pub struct Described {
    /// The whole description.
    pub document: Document,
    /// The revision's tags.
    pub tags: BTreeMap<String, String>,
}

impl Described {
    fn is_template(&self) -> bool {
        self.tags.get(key::MANAGED_BY).map(String::as_str) == Some(key::TERRAFORM)
    }
}

/// What a release is based on.
#[derive(Debug, Clone)]
pub struct Template {
    /// The revision.
    pub described: Described,
    /// False when no revision carries `ManagedBy=terraform` and the running one stands in.
    pub tagged: bool,
    /// The newest revision of the family, when it is one of ours made from this template.
    pub newest_release: Option<Described>,
}

impl Template {
    /// This template's ARN, when what runs was made from an older one.
    pub fn waiting_for_release(&self, running: &Described) -> Option<&str> {
        let made_from = running.tags.get(key::TEMPLATE)?;
        let newest = self.described.document.arn();
        (self.tagged && made_from != newest).then_some(newest)
    }
}

/// The newest template revision of the family that `running` (an ARN) belongs to.
///
/// Walks from the newest revision down. A release revision names the template that it
/// was made from, which was the newest one then, so the walk ends at the first revision
/// of either kind: it takes one or two calls however many releases there were.
///
/// # Errors
/// [`ReleaseError::Aws`], and [`ReleaseError::Answer`] when ECS's answer is not understood.
pub async fn newest_template(clients: &Clients, running: &str) -> Result<Template, ReleaseError> {
    let family = family_of(running);
    let mut pages = clients
        .ecs
        .list_task_definitions()
        .family_prefix(family)
        .status(TaskDefinitionStatus::Active)
        .sort(SortOrder::Desc)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| AwsError::new("ecs:ListTaskDefinitions", family, &error))?;
        for arn in newest_first(page.task_definition_arns(), family) {
            let described = describe(clients, arn).await?;
            if described.is_template() {
                return Ok(Template {
                    described,
                    tagged: true,
                    newest_release: None,
                });
            }
            if let Some(template) = described.tags.get(key::TEMPLATE).cloned() {
                let template = describe(clients, &template).await?;
                let tagged = template.is_template();
                return Ok(Template {
                    described: template,
                    tagged,
                    newest_release: Some(described),
                });
            }
        }
    }
    Ok(Template {
        described: describe(clients, running).await?,
        tagged: false,
        newest_release: None,
    })
}

/// The revisions of exactly this family, newest first. The filter of ECS is a prefix: `mcp`
/// also lists `mcp-canary`. Its order is as asked for, but emulators list the oldest first.
fn newest_first<'a>(listed: &'a [String], family: &str) -> Vec<&'a str> {
    let mut own: Vec<&str> = listed.iter().map(String::as_str).collect();
    own.retain(|arn| family_of(arn) == family);
    own.sort_by_key(|arn| Reverse(number_of(arn)));
    own
}

/// The family in `arn:…:task-definition/FAMILY:REVISION`, or in `FAMILY:REVISION`.
fn family_of(revision: &str) -> &str {
    let name = last_part(revision);
    name.split(':').next().unwrap_or(name)
}

/// The number in `arn:…:task-definition/FAMILY:REVISION`; 0 where there is none.
fn number_of(revision: &str) -> u64 {
    let number = revision.rsplit(':').next();
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// Describes one revision, every field kept.
///
/// # Errors
/// As [`newest_template`].
pub async fn describe(clients: &Clients, revision: &str) -> Result<Described, ReleaseError> {
    const ACTION: &str = "ecs:DescribeTaskDefinition";
    let body = CapturedBody::default();
    let answer = clients
        .ecs
        .describe_task_definition()
        .task_definition(revision)
        .include(TaskDefinitionField::Tags)
        .customize()
        .interceptor(body.clone())
        .send()
        .await
        .map_err(|error| AwsError::new(ACTION, revision, &error))?;
    let missing = |missing| ReleaseError::Answer {
        action: ACTION,
        resource: revision.to_owned(),
        missing,
    };
    let described = body
        .json()
        .and_then(|mut json| json.get_mut("taskDefinition").map(Value::take))
        .ok_or_else(|| missing("taskDefinition"))?;
    let Value::Object(fields) = described else {
        return Err(missing("a taskDefinition object"));
    };
    let tags = answer
        .tags()
        .iter()
        .filter_map(|tag| {
            Some((
                tag.key()?.to_owned(),
                tag.value().unwrap_or_default().to_owned(),
            ))
        })
        .collect();
    Ok(Described {
        document: Document::new(fields),
        tags,
    })
}

/// Keeps the body of the answer as AWS sent it, beside what the SDK makes of it.
#[derive(Debug, Clone, Default)]
struct CapturedBody(Arc<Mutex<Vec<u8>>>);

impl CapturedBody {
    fn json(&self) -> Option<Value> {
        let bytes = self.0.lock().expect("no holder of this lock panics");
        serde_json::from_slice(&bytes).ok()
    }
}

impl Intercept for CapturedBody {
    fn name(&self) -> &'static str {
        "CapturedBody"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(bytes) = context.response().body().bytes() {
            *self.0.lock().expect("no holder of this lock panics") = bytes.to_vec();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{family_of, newest_first};

    #[test]
    fn reads_the_family() {
        for (revision, family) in [
            (
                "arn:aws:ecs:us-east-1:123456789012:task-definition/acme-mcp:12",
                "acme-mcp",
            ),
            ("acme-mcp:12", "acme-mcp"),
            ("acme-mcp", "acme-mcp"),
        ] {
            assert_eq!(family_of(revision), family);
        }
    }
    #[test]
    fn the_newest_of_the_family_comes_first() {
        let listed = ["mcp-canary:11", "mcp:2", "mcp:10", "mcp:9", "mcp2:12"].map(String::from);
        assert_eq!(newest_first(&listed, "mcp"), ["mcp:10", "mcp:9", "mcp:2"]);
    }
}
