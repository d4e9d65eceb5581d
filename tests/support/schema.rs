//! The JSON Schemas of docs/schema, which what the program prints is held against.

use jsonschema::Validator;
use serde_json::Value;

/// The validator of docs/schema/NAME.json.
pub fn schema(name: &str) -> Validator {
    let file = format!("{}/docs/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

/// The value is as docs/schema/NAME.json says.
pub fn assert_valid(name: &str, value: &Value) {
    if let Err(error) = schema(name).validate(value) {
        panic!("not as docs/schema/{name}.json says: {error}\n{value:#}");
    }
}
