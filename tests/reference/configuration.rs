//! The keys of quilt-mcp.toml, from its JSON Schema.

use quilt_mcp_deploy::config::{Config, FILE_NAME, schema};
use serde_json::Value;

use crate::page::{Page, code};

pub fn page() -> String {
    let schema = schema().to_value();
    let mut page = Page::new(
        "Keys of quilt-mcp.toml",
        "What the file is and where it is looked for stands in [configuration](../configuration.md). \
         Editors that know JSON Schema can check it: \
         [schema/quilt-mcp.toml.json](../schema/quilt-mcp.toml.json).",
    );
    page.heading(2, "The file");
    keys(&mut page, &schema);
    page.heading(2, "`[environments.NAME]`");
    let environment = &schema["$defs"]["EnvironmentModel"];
    page.paragraph(environment["description"].as_str().unwrap());
    keys(&mut page, environment);
    page.text()
}

fn keys(page: &mut Page, table: &Value) {
    let required = table["required"].as_array();
    let rows = table["properties"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, property)| {
            let needed = required.is_some_and(|keys| keys.contains(&Value::from(key.as_str())));
            let default = match &property["default"] {
                _ if needed => "required".to_owned(),
                Value::Null => String::new(),
                // Tables and lists that are empty need not be there.
                Value::Array(none) if none.is_empty() => String::new(),
                Value::Object(none) if none.is_empty() => String::new(),
                Value::String(text) => code(text),
                other => code(&other.to_string()),
            };
            [
                code(key),
                kind(property),
                default,
                property["description"]
                    .as_str()
                    .unwrap_or_else(|| panic!("the key {key} is not described"))
                    .to_owned(),
            ]
        });
    page.table(["key", "type", "default", "meaning"], rows.collect());
}

fn kind(property: &Value) -> String {
    let kinds: Vec<&str> = match &property["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        other => panic!("{property}: what type is {other}"),
    };
    let kind = kinds.into_iter().find(|kind| *kind != "null").unwrap();
    match kind {
        "array" => "list of strings",
        "object" => "table",
        other => other,
    }
    .to_owned()
}

/// The schema is made from the very types that read the file; this sees that it says the same.
#[test]
fn the_schema_takes_what_the_configuration_takes() {
    let schema = schema();
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    let good = "[environments.dev]\naccount_id = \"123456789012\"\nregion = \"us-east-1\"\n\
                repository = \"r\"\ncluster = \"c\"\nservice = \"s\"\nurl = \"https://a.example/\"\n";
    for (text, taken) in [
        (good.to_owned(), true),
        (String::new(), true),
        (good.replace("cluster", "clutser"), false),
        (good.replace("\"123456789012\"", "123456789012"), false),
        (good.replace("123456789012", "1234"), false),
        (
            format!("{good}tags = {{ Owner = \"us\" }}\nbake_seconds = 3\n"),
            true,
        ),
        (
            format!("{good}cors_origins = \"https://b.example\"\n"),
            false,
        ),
    ] {
        let parsed: Value = toml::from_str(&text).unwrap();
        assert_eq!(validator.is_valid(&parsed), taken, "{text}");
        let read = Config::parse(std::path::Path::new(FILE_NAME), &text);
        assert_eq!(read.is_ok(), taken, "{text}");
    }
}
