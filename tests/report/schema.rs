//! The JSON Schemas in docs/schema: up to date, and true.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use serde_json::Value;

use crate::script::{RUNS, run};

/// Set to `1` to write docs/schema anew instead of comparing it.
const WRITE: &str = "QUILT_MCP_WRITE_SCHEMAS";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

#[test]
fn the_schemas_are_those_of_this_version() {
    let mut names = Vec::new();
    for (name, schema) in quilt_mcp_deploy::cli::schemas() {
        let file = folder().join(format!("{name}.json"));
        let text = format!("{:#}\n", schema.as_value());
        if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == text,
            "{} is stale: run this test with {WRITE}=1",
            file.display()
        );
        names.push(format!("{name}.json"));
    }
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            names.contains(&name),
            "docs/schema/{name} describes nothing"
        );
    }
}

/// A command of commands (`local`) has schemas by their first word.
#[test]
fn every_command_has_a_schema() {
    let schemas = quilt_mcp_deploy::cli::schemas();
    let program = quilt_mcp_deploy::cli::Cli::command();
    for command in program.get_subcommands().filter(|one| !one.is_hide_set()) {
        let command = command.get_name();
        let of_it = |name: &str| name == command || name.starts_with(&format!("{command}-"));
        assert!(schemas.iter().any(|(name, _)| of_it(name)), "{command}");
    }
}

#[test]
fn every_schema_is_one() {
    for (name, schema) in quilt_mcp_deploy::cli::schemas() {
        jsonschema::meta::validate(schema.as_value())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_event_is_as_its_schema_says() {
    let schemas = quilt_mcp_deploy::cli::schemas();
    let (_, schema) = schemas.iter().find(|(name, _)| *name == "event").unwrap();
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    for name in RUNS {
        for record in run(name) {
            let value = serde_json::to_value(&record).unwrap();
            if let Err(error) = validator.validate(&value) {
                panic!("{value}: {error}");
            }
        }
    }
    let wrong: Value = serde_json::json!({"version": 1, "sequence": 1, "event": "no_such_event"});
    assert!(!validator.is_valid(&wrong));
}
