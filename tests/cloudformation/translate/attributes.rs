//! A Terraform resource's values, taken one by one, so that none is forgotten.

use serde_json::{Map, Value, json};

use crate::module::Resource;

/// What is left of a resource's values.
pub struct Attributes {
    address: String,
    left: Map<String, Value>,
}

impl Attributes {
    pub fn of(resource: Resource) -> Self {
        Self {
            address: resource.address,
            left: resource.values,
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// A value that must be there.
    pub fn take(&mut self, name: &str) -> Value {
        let taken = self.left.remove(name);
        taken.unwrap_or_else(|| panic!("{} has no {name}", self.address))
    }

    /// A value in which nothing was said, as it is when it is absent.
    pub fn take_if_said(&mut self, name: &str) -> Option<Value> {
        let taken = self.take(name);
        (!is_unsaid(&taken)).then_some(taken)
    }

    /// A document in JSON.
    pub fn take_json(&mut self, name: &str) -> Value {
        let text = self.take(name);
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    }

    /// The one block of that name.
    pub fn take_block(&mut self, name: &str) -> Self {
        let address = format!("{}.{name}", self.address);
        let mut blocks = self.take_blocks(name);
        assert_eq!(blocks.len(), 1, "{address}");
        blocks.remove(0)
    }

    /// All blocks of that name.
    pub fn take_blocks(&mut self, name: &str) -> Vec<Self> {
        let blocks = self.take(name);
        let blocks = blocks.as_array().unwrap().iter();
        blocks
            .map(|block| Self {
                address: format!("{}.{name}", self.address),
                left: block.as_object().unwrap().clone(),
            })
            .collect()
    }

    /// The tags as CloudFormation has them.
    pub fn take_tags(&mut self) -> Value {
        let tags = self.take("tags");
        let tags = tags.as_object().into_iter().flatten();
        tags.map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect()
    }

    /// Adds the tags, where there are some.
    pub fn add_tags(&mut self, properties: &mut Value) {
        let tags = self.take_tags();
        if tags != json!([]) {
            properties["Tags"] = tags;
        }
    }

    /// Looks away from what cannot be said in CloudFormation, or says nothing.
    pub fn drop(mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
        self.finish();
    }

    /// Fails where something was said that nobody took.
    pub fn finish(self) {
        for (name, value) in &self.left {
            assert!(
                is_unsaid(value),
                "{}: nobody compares {name} = {value}",
                self.address
            );
        }
    }
}

/// Whether a value is absent, or one that Terraform's mock made up: zero, or eight letters and
/// digits.
fn is_unsaid(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(said) => !said,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || is_made_up(text),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

fn is_made_up(text: &str) -> bool {
    text.len() == 8
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}
