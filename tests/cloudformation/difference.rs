//! Two descriptions of a resource, compared property by property.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

/// A property that is not the same: where, and what each says.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub at: String,
    pub module: Option<Value>,
    pub template: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or("nothing".to_owned(), Value::to_string)
        };
        let (module, template) = (said(&self.module), said(&self.template));
        write!(
            f,
            "{}: the module says {module}, the template {template}",
            self.at
        )
    }
}

/// Everything that is not the same.
pub fn between(module: &Value, template: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(
        "",
        Some(&normal(module)),
        Some(&normal(template)),
        &mut found,
    );
    found
}

fn walk(at: &str, module: Option<&Value>, template: Option<&Value>, found: &mut Vec<Difference>) {
    let below = |name: &str| {
        if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}/{name}")
        }
    };
    match (module, template) {
        (module, template) if module == template => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let names: BTreeMap<&String, ()> = one
                .keys()
                .chain(other.keys())
                .map(|name| (name, ()))
                .collect();
            for name in names.keys() {
                walk(&below(name), one.get(*name), other.get(*name), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for index in 0..one.len().max(other.len()) {
                walk(
                    &below(&index.to_string()),
                    one.get(index),
                    other.get(index),
                    found,
                );
            }
        }
        (module, template) => found.push(Difference {
            at: at.to_owned(),
            module: module.cloned(),
            template: template.cloned(),
        }),
    }
}

/// What means the same becomes the same: numbers and booleans are texts, lists whose members have
/// names are maps, and lists of other objects have no order.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("DashboardBody" | "LifecyclePolicyText", Value::String(text)) => {
                        &serde_json::from_str(text).unwrap()
                    }
                    (_, value) => value,
                };
                let mut value = normal(value);
                // Those of a listener rule's condition have no order.
                if let ("Values", Value::Array(values)) = (name.as_str(), &mut value) {
                    values.sort_by_key(Value::to_string);
                }
                (name.clone(), value)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(normal).collect();
            if let Some(named) = by_name(&items) {
                return named.into();
            }
            if items.iter().all(Value::is_object) {
                items.sort_by_key(|item| sorted(item).to_string());
            }
            items.into()
        }
        Value::Number(number) => json!(number.to_string()),
        Value::Bool(said) => json!(said.to_string()),
        plain => plain.clone(),
    }
}

/// Members by what names them in their list.
fn by_name(items: &[Value]) -> Option<Map<String, Value>> {
    const NAMES: [&str; 6] = ["Key", "Name", "Id", "Sid", "Field", "PolicyName"];
    let first = items.first()?;
    let name = NAMES.into_iter().find(|name| first.get(name).is_some())?;
    let mut named = Map::new();
    for item in items {
        let of = item.get(name)?.as_str()?.to_owned();
        let before = named.insert(of, item.clone());
        assert_eq!(before, None, "two are named alike in {items:?}");
    }
    Some(named)
}

/// With its members in the order of their names.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members
                .iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            json!(members)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        plain => plain.clone(),
    }
}
