//! A task definition as ECS's own JSON, and what a release changes in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::normal::{OUTPUT_ONLY, normal};

/// A task definition as ECS describes it, every field kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Map<String, Value>);

/// Why a release cannot be made of a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// The template has no container of the configured name.
    #[error("template revision {template} has no container named `{container}`; it has {}", present.join(", "))]
    NoSuchContainer {
        /// The template revision.
        template: String,
        /// The configured name.
        container: String,
        /// The names there are.
        present: Vec<String>,
    },
}

impl Document {
    /// Wraps what ECS described.
    pub fn new(described: Map<String, Value>) -> Self {
        Self(described)
    }

    /// The revision's ARN.
    pub fn arn(&self) -> &str {
        self.text("taskDefinitionArn")
    }

    /// The family.
    pub fn family(&self) -> &str {
        self.text("family")
    }

    /// The image of the container named `container`.
    pub fn image(&self, container: &str) -> Option<&str> {
        self.container(container)?.get("image")?.as_str()
    }

    /// The log driver of the container named `container`.
    pub fn log_driver(&self, container: &str) -> Option<&str> {
        self.container(container)?
            .get("logConfiguration")?
            .get("logDriver")?
            .as_str()
    }

    /// A container's `awslogs` option, for example `awslogs-group`.
    pub fn log_option(&self, container: &str, option: &str) -> Option<&str> {
        self.container(container)?
            .get("logConfiguration")?
            .get("options")?
            .get(option)?
            .as_str()
    }

    /// This template with `image` in `container`, as a request to register; nothing else changes.
    ///
    /// # Errors
    /// [`ComposeError::NoSuchContainer`].
    pub fn with_image(&self, container: &str, image: &str) -> Result<Self, ComposeError> {
        let mut fields = self.0.clone();
        for name in OUTPUT_ONLY {
            fields.shift_remove(name);
        }
        let target = fields
            .get_mut("containerDefinitions")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .find(|definition| definition.get("name").and_then(Value::as_str) == Some(container));
        match target {
            Some(definition) => definition["image"] = json!(image),
            None => {
                return Err(ComposeError::NoSuchContainer {
                    template: self.arn().to_owned(),
                    container: container.to_owned(),
                    present: self
                        .containers()
                        .iter()
                        .map(|name| format!("`{name}`"))
                        .collect(),
                });
            }
        }
        Ok(Self(fields))
    }

    /// Whether registering `self` would give a revision with the same content as `registered`.
    pub fn same_content(&self, registered: &Self) -> bool {
        self.normal() == registered.normal()
    }

    /// What it says, without what ECS adds to it by itself.
    pub(super) fn normal(&self) -> Map<String, Value> {
        normal(&self.0)
    }

    /// The body of a `RegisterTaskDefinition` request.
    pub fn registration(&self, tags: &BTreeMap<String, String>) -> Value {
        let mut fields = self.0.clone();
        let tags: Vec<Value> = tags
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        fields.insert("tags".into(), Value::Array(tags));
        Value::Object(fields)
    }

    fn containers(&self) -> Vec<&str> {
        self.definitions()
            .filter_map(|definition| definition.get("name")?.as_str())
            .collect()
    }

    fn container(&self, name: &str) -> Option<&Value> {
        self.definitions()
            .find(|definition| definition.get("name").and_then(Value::as_str) == Some(name))
    }

    fn definitions(&self) -> impl Iterator<Item = &Value> {
        self.0
            .get("containerDefinitions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    fn text(&self, field: &str) -> &str {
        self.0
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Document {
        let described = json!({
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:1:task-definition/mcp:7",
            "family": "mcp",
            "revision": 7,
            "status": "ACTIVE",
            "requiresAttributes": [{"name": "x"}],
            "aFieldOfNextYear": {"deep": [1, 2]},
            "containerDefinitions": [
                {"name": "sidecar", "image": "side:1"},
                {"name": "mcp-server", "image": "repo:bootstrap", "newKnob": true,
                 "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
                 "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/g"}}}
            ]
        });
        Document::new(described.as_object().unwrap().clone())
    }

    #[test]
    fn changes_only_the_image() {
        let release = template()
            .with_image("mcp-server", "repo@sha256:abc")
            .unwrap();
        assert_eq!(release.image("mcp-server"), Some("repo@sha256:abc"));
        assert_eq!(release.image("sidecar"), Some("side:1"));
        let request = release.registration(&BTreeMap::from([("k".into(), "v".into())]));
        assert_eq!(request["aFieldOfNextYear"], json!({"deep": [1, 2]}));
        assert_eq!(request["containerDefinitions"][1]["newKnob"], json!(true));
        assert_eq!(request["tags"], json!([{"key": "k", "value": "v"}]));
        for name in OUTPUT_ONLY {
            assert!(request.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn names_the_containers_there_are() {
        let error = template().with_image("server", "x").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("it has `sidecar`, `mcp-server`"),
            "{error}"
        );
    }

    #[test]
    fn order_of_named_lists_is_not_a_difference_but_a_value_is() {
        let release = template().with_image("mcp-server", "i").unwrap();
        let mut turned = release.0.clone();
        turned["containerDefinitions"]
            .as_array_mut()
            .unwrap()
            .reverse();
        turned.insert("revision".into(), json!(8));
        assert!(release.same_content(&Document(turned.clone())));
        turned["aFieldOfNextYear"] = json!(null);
        assert!(!release.same_content(&Document(turned)));
    }

    #[test]
    fn finds_the_log_group() {
        assert_eq!(
            template().log_option("mcp-server", "awslogs-group"),
            Some("/g")
        );
        assert_eq!(template().log_option("sidecar", "awslogs-group"), None);
    }
}
