//! The parameters of a request.

use serde_json::{Map, Value};

use super::error::ApiError;
use crate::state::Tag;

/// The members of a request's body, or of its form.
#[derive(Debug, Clone, Default)]
pub(super) struct Input(pub Map<String, Value>);

impl Input {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text; absent and empty are the same, as for AWS.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&str, ApiError> {
        self.text(name)
            .ok_or_else(|| ApiError::invalid(format!("{name} can not be blank.")))
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        value.as_bool().or_else(|| value.as_str()?.parse().ok())
    }

    pub(super) fn list(&self, name: &str) -> Vec<&Value> {
        self.get(name)
            .and_then(Value::as_array)
            .map(|list| list.iter().collect())
            .unwrap_or_default()
    }

    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name)
            .into_iter()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Whether the list `include` (or its like) holds `value`.
    pub(super) fn includes(&self, name: &str, value: &str) -> bool {
        self.texts(name).contains(&value)
    }

    pub(super) fn tags(&self, name: &str) -> Result<Vec<Tag>, ApiError> {
        self.list(name)
            .into_iter()
            .map(|tag| {
                // ECS and ECR differ in the case of the members.
                let member = |lower: &str, upper: &str| {
                    tag.get(lower)
                        .or_else(|| tag.get(upper))
                        .and_then(Value::as_str)
                };
                let key = member("key", "Key")
                    .ok_or_else(|| ApiError::invalid("A tag must have a key."))?;
                Ok(Tag::new(key, member("value", "Value").unwrap_or_default()))
            })
            .collect()
    }
}
