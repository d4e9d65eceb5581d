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
    /// Whether Terraform made it, as what releases are made from.
    pub fn is_template(&self) -> bool {
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
    /// Revisions newer than the running one, newest first: releases that were begun and not finished.
    pub unfinished: Vec<String>,
    /// The number of the newest revision of the family, of any kind.
    pub newest: u64,
}

/// The most revisions that are looked at for an unfinished release.
const MOST_UNFINISHED: usize = 20;

impl Template {
    /// This template's ARN, when what runs was made from an older one.
    pub fn waiting_for_release(&self, running: &Described) -> Option<&str> {
        let of_release = running.tags.get(key::TEMPLATE).map(String::as_str);
        // Before the first release, the service has a template itself.
        let made_from = of_release.or(running.is_template().then(|| running.document.arn()))?;
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
    let mut revisions = revisions(clients, family);
    let mut first_page: Option<Vec<String>> = None;
    while let Some(page) = revisions.next().await {
        let page = page?;
        let first = first_page.get_or_insert_with(|| page.clone());
        let newest = first.first().map_or(0, |arn| number_of(arn));
        let unfinished = newer(first, number_of(running));
        let template = |described: Described, newest_release| Template {
            tagged: described.is_template(),
            described,
            newest_release,
            unfinished: unfinished.clone(),
            newest,
        };
        for arn in page {
            let described = describe(clients, &arn).await?;
            if described.is_template() {
                return Ok(template(described, None));
            }
            if let Some(made_from) = described.tags.get(key::TEMPLATE).cloned() {
                let made_from = describe(clients, &made_from).await?;
                return Ok(template(made_from, Some(described)));
            }
        }
    }
    let first = first_page.unwrap_or_default();
    Ok(Template {
        described: describe(clients, running).await?,
        tagged: false,
        newest_release: None,
        unfinished: Vec::new(),
        newest: first.first().map_or(0, |arn| number_of(arn)),
    })
}

/// The newest revisions of `family` with a number above `number`, newest first.
///
/// # Errors
/// [`ReleaseError::Aws`].
pub(super) async fn newer_than(
    clients: &Clients,
    family: &str,
    number: u64,
) -> Result<Vec<String>, ReleaseError> {
    let page = revisions(clients, family).next().await.transpose()?;
    Ok(newer(&page.unwrap_or_default(), number))
}

fn newer(newest_first: &[String], number: u64) -> Vec<String> {
    let newer = newest_first.iter().filter(|arn| number_of(arn) > number);
    newer.take(MOST_UNFINISHED).cloned().collect()
}

/// The ARNs of the active revisions of the family that `revision` belongs to, newest first, by pages.
pub fn revisions<'a>(clients: &'a Clients, revision: &str) -> Revisions<'a> {
    Revisions {
        clients,
        family: family_of(revision).to_owned(),
        next: Next::First,
    }
}

/// Pages of a family's revisions.
pub struct Revisions<'a> {
    clients: &'a Clients,
    family: String,
    next: Next,
}

enum Next {
    First,
    Page(String),
    None,
}

impl Revisions<'_> {
    /// The next page, newest first.
    pub async fn next(&mut self) -> Option<Result<Vec<String>, ReleaseError>> {
        let token = match std::mem::replace(&mut self.next, Next::None) {
            Next::First => None,
            Next::Page(token) => Some(token),
            Next::None => return None,
        };
        let page = self
            .clients
            .ecs
            .list_task_definitions()
            .family_prefix(&self.family)
            .status(TaskDefinitionStatus::Active)
            .sort(SortOrder::Desc)
            .set_next_token(token)
            .send()
            .await;
        Some(match page {
            Ok(page) => {
                if let Some(token) = page.next_token() {
                    self.next = Next::Page(token.to_owned());
                }
                let own = newest_first(page.task_definition_arns(), &self.family);
                Ok(own.into_iter().map(str::to_owned).collect())
            }
            Err(error) => {
                Err(AwsError::new("ecs:ListTaskDefinitions", &self.family, &error).into())
            }
        })
    }
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
pub(crate) fn family_of(revision: &str) -> &str {
    let name = last_part(revision);
    name.split(':').next().unwrap_or(name)
}

/// The number in `arn:…:task-definition/FAMILY:REVISION`; 0 where there is none.
pub(crate) fn number_of(revision: &str) -> u64 {
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
    use serde_json::json;

    use super::{Described, Document, Template, family_of, key, newest_first};

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
    fn a_newer_template_is_waiting_for_a_release_or_an_older_template() {
        let revision = |arn: &str, tags: &[(&str, &str)]| Described {
            document: Document::new(
                json!({"taskDefinitionArn": arn})
                    .as_object()
                    .unwrap()
                    .clone(),
            ),
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let template = [(key::MANAGED_BY, key::TERRAFORM)];
        let found = |tagged| Template {
            described: revision("mcp:3", &template),
            tagged,
            newest_release: None,
            unfinished: Vec::new(),
            newest: 3,
        };
        for (running, waiting) in [
            (
                revision("mcp:2", &[(key::TEMPLATE, "mcp:1")]),
                Some("mcp:3"),
            ),
            (revision("mcp:4", &[(key::TEMPLATE, "mcp:3")]), None),
            (revision("mcp:1", &template), Some("mcp:3")),
            (revision("mcp:3", &template), None),
            (revision("mcp:1", &[]), None),
        ] {
            assert_eq!(found(true).waiting_for_release(&running), waiting);
            assert_eq!(found(false).waiting_for_release(&running), None);
        }
    }

    #[test]
    fn the_newest_of_the_family_comes_first() {
        let listed = ["mcp-canary:11", "mcp:2", "mcp:10", "mcp:9", "mcp2:12"].map(String::from);
        assert_eq!(newest_first(&listed, "mcp"), ["mcp:10", "mcp:9", "mcp:2"]);
    }
}
