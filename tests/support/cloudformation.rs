//! Templates as they are written: YAML with CloudFormation's short forms of its functions.

use std::path::PathBuf;

use regex::Regex;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use super::terraform::checkout;

/// Names a folder to read instead of the checkout's `cloudformation/`.
const FOLDER: &str = "QUILT_MCP_CLOUDFORMATION_FOLDER";

/// The templates.
pub const NAMES: [&str; 3] = ["mcp-service.yaml", "ecr.yaml", "github-oidc.yaml"];

/// Where the templates are.
fn folder() -> PathBuf {
    std::env::var_os(FOLDER).map_or(checkout().join("cloudformation"), PathBuf::from)
}

/// The path of a template.
pub fn path(name: &str) -> PathBuf {
    folder().join(name)
}

/// The text of a template.
pub fn text(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// A template, with every function in its long form: `!Ref X` is `{"Ref": "X"}`.
pub fn read(name: &str) -> Value {
    let text = text(name);
    let documents = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let [document] = &documents[..] else {
        panic!("{name}: {} documents", documents.len());
    };
    long_form(document)
}

fn long_form(node: &Yaml) -> Value {
    match node {
        Yaml::Value(scalar) => plain(scalar),
        Yaml::Sequence(items) => items.iter().map(long_form).collect(),
        Yaml::Mapping(members) => members
            .iter()
            .map(|(name, value)| (key(name), long_form(value)))
            .collect::<Map<_, _>>()
            .into(),
        Yaml::Tagged(tag, value) => function(&tag.suffix, long_form(value)),
        other => panic!("not in a template: {other:?}"),
    }
}

fn plain(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => json!(value),
        Scalar::Integer(value) => json!(value),
        Scalar::FloatingPoint(value) => json!(value.into_inner()),
        Scalar::String(value) => json!(value),
    }
}

fn key(name: &Yaml) -> String {
    match long_form(name) {
        Value::String(name) => name,
        other => panic!("a key is {other}"),
    }
}

/// The User Guide's "Intrinsic function reference" says which long form a short one has.
fn function(short: &str, argument: Value) -> Value {
    match (short, argument) {
        ("Ref" | "Condition", argument) => json!({ short: argument }),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').unwrap();
            json!({"Fn::GetAtt": [resource, attribute]})
        }
        (_, argument) => {
            let mut long = Map::new();
            long.insert(format!("Fn::{short}"), argument);
            long.into()
        }
    }
}

/// Whether CloudFormation takes a value (User Guide, "Parameters"): patterns match as a whole.
pub fn is_taken(parameter: &Value, value: &str) -> bool {
    let pattern = parameter["AllowedPattern"].as_str();
    let pattern = pattern.map(|pattern| Regex::new(&format!("^(?:{pattern})$")).unwrap());
    let among = parameter["AllowedValues"].as_array();
    let number: Option<f64> = value.parse().ok();
    let length = value.chars().count() as u64;
    pattern.is_none_or(|pattern| pattern.is_match(value))
        && among.is_none_or(|among| among.iter().any(|one| written(one) == value))
        && parameter["MinLength"]
            .as_u64()
            .is_none_or(|least| length >= least)
        && parameter["MaxLength"]
            .as_u64()
            .is_none_or(|most| length <= most)
        && (parameter["Type"] != "Number" || number.is_some())
        && parameter["MinValue"]
            .as_f64()
            .is_none_or(|least| number.unwrap() >= least)
        && parameter["MaxValue"]
            .as_f64()
            .is_none_or(|most| number.unwrap() <= most)
}

/// A value as parameters have it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
