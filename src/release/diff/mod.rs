//! What differs between two revisions, for people: by container and field, without what ECS
//! adds by itself and without the value of anything that may be a secret.

mod mask;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Document;
pub use mask::HIDDEN;

/// How a field differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its value is another.
    Changed,
}

/// One difference between two revisions.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// The container; absent for a field of the task.
    pub container: Option<String>,
    /// The field's place: `["cpu"]`, `["environment", "LOG_LEVEL"]`, `["healthCheck", "interval"]`.
    pub path: Vec<String>,
    /// How it differs.
    pub change: ChangeKind,
    /// What it was; `"(hidden)"` where it may be a secret.
    pub before: Option<Value>,
    /// What it will be; `"(hidden)"` where it may be a secret.
    pub after: Option<Value>,
}

/// A field's place, from the task definition down.
type Place = Vec<String>;

/// What `after` says that `before` does not, and the other way round; empty when both do the same.
pub fn diff(before: &Document, after: &Document) -> Vec<Change> {
    let (before, after) = (leaves(&before.normal()), leaves(&after.normal()));
    let mut changes: Vec<Change> = Vec::new();
    for (place, old) in &before {
        match after.get(place) {
            Some(new) if new == old => {}
            Some(new) => changes.push(Change::new(place, Some(old), Some(new))),
            None if stands_for_more(place, old, &after) => {}
            None => changes.push(Change::new(place, Some(old), None)),
        }
    }
    for (place, new) in &after {
        if !before.contains_key(place) && !stands_for_more(place, new, &before) {
            changes.push(Change::new(place, None, Some(new)));
        }
    }
    changes.sort_by(|one, other| one.order().cmp(&other.order()));
    changes
}

/// An item without fields of its own on one side, and with some on the other, is there on both.
fn stands_for_more(place: &Place, value: &Value, other: &BTreeMap<Place, Value>) -> bool {
    value.is_object()
        && other
            .range(place.clone()..)
            .next()
            .is_some_and(|(longer, _)| longer.starts_with(place))
}

/// Every value that has no fields below it, by its place.
fn leaves(fields: &Map<String, Value>) -> BTreeMap<Place, Value> {
    let mut found = BTreeMap::new();
    collect(&mut Vec::new(), fields, &mut found);
    found
}

fn collect(place: &mut Place, fields: &Map<String, Value>, found: &mut BTreeMap<Place, Value>) {
    for (name, value) in fields {
        place.push(name.clone());
        match value {
            Value::Object(below) if !below.is_empty() => collect(place, below, found),
            value => {
                found.insert(place.clone(), value.clone());
            }
        }
        place.pop();
    }
}

impl Change {
    fn new(place: &[String], before: Option<&Value>, after: Option<&Value>) -> Self {
        let (container, path) = match place {
            [list, container, path @ ..] if list == "containerDefinitions" => {
                (Some(container.clone()), path)
            }
            path => (None, path),
        };
        // `environment.NAME.value` is the variable's value: nothing else can be there.
        let path = match path {
            [path @ .., last] if path.len() > 1 && (last == "value" || last == "valueFrom") => path,
            path => path,
        };
        let shown = |value: &Value| mask::shown(path, value);
        Self {
            change: match (before, after) {
                (None, _) => ChangeKind::Added,
                (_, None) => ChangeKind::Removed,
                _ => ChangeKind::Changed,
            },
            before: before.map(shown),
            after: after.map(shown),
            container,
            path: path.to_vec(),
        }
    }

    /// Whether it is this container's image.
    pub fn is_image_of(&self, container: &str) -> bool {
        self.container.as_deref() == Some(container) && self.path == ["image"]
    }

    fn order(&self) -> (&Option<String>, bool, &Place) {
        (&self.container, self.path != ["image"], &self.path)
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "+",
            Self::Removed => "-",
            Self::Changed => "~",
        })
    }
}

/// One line, without the container: `~ environment.LOG_LEVEL  "info" -> "debug"`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:<28}", self.change, self.path.join("."))?;
        let item = |value: &Value| match value {
            Value::String(text) if text == HIDDEN => text.clone(),
            other => other.to_string(),
        };
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, " {} -> {}", item(before), item(after)),
            (Some(only), None) | (None, Some(only)) if *only != Value::Object(Map::new()) => {
                write!(f, " {}", item(only))
            }
            _ => Ok(()),
        }
    }
}
