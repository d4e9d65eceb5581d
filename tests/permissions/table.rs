//! The list against the document, and against AWS's own table.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::LIST;
use crate::support::{skip, tool_named_by};

/// docs/permissions.md has a line for each action and what it is granted on, and no others.
#[test]
fn the_document_tells_the_list() {
    let list: Vec<Value> = serde_json::from_str(LIST).unwrap();
    let mut rows: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for entry in &list {
        for (on, actions) in entry["needs"].as_object().unwrap() {
            for action in actions.as_array().unwrap() {
                let commands = rows.entry((action.as_str().unwrap(), on)).or_default();
                commands.push(entry["command"].as_str().unwrap());
            }
        }
    }
    let rows = rows.iter().map(|((action, on), commands)| {
        let on = on.replace('_', " ");
        format!("| `{action}` | {on} | {} |", commands.join(", "))
    });
    let document = include_str!("../../docs/permissions.md");
    let (_, table) = document
        .split_once("| action | granted on | commands |")
        .unwrap();
    let told = table.lines().skip(2).take_while(|line| !line.is_empty());
    assert_eq!(told.collect::<Vec<_>>(), rows.collect::<Vec<_>>());
}

/// AWS's table of actions and of the resources that each can be granted on, as cfn-lint has it.
#[test]
fn aws_knows_the_actions_and_what_they_are_granted_on() {
    let Some(moto) = tool_named_by("QUILT_MCP_MOTO_SERVER", "moto_server") else {
        return;
    };
    let Some(table) = aws_table(&moto) else {
        skip("cfn-lint is not installed beside moto");
        return;
    };
    let list: Vec<Value> = serde_json::from_str(LIST).unwrap();
    for entry in &list {
        for (on, actions) in entry["needs"].as_object().unwrap() {
            for action in actions.as_array().unwrap() {
                granted_as_aws_does(&table, on, action.as_str().unwrap());
            }
        }
    }
}

fn aws_table(moto: &Path) -> Option<Value> {
    let libraries = std::fs::read_dir(moto.parent()?.parent()?.join("lib")).ok()?;
    let tables = libraries.filter_map(Result::ok).map(|python| {
        let data = "site-packages/cfnlint/data/AdditionalSpecs/Policies.json";
        python.path().join(data)
    });
    let table = tables.into_iter().find(|path| path.is_file())?;
    Some(serde_json::from_str(&std::fs::read_to_string(table).unwrap()).unwrap())
}

fn granted_as_aws_does(table: &Value, on: &str, action: &str) {
    let (service, operation) = action.split_once(':').unwrap();
    let actions = &table[service]["Actions"];
    let known = &actions[operation.to_lowercase()];
    assert!(known.is_object(), "AWS does not know {action}");
    let resources: Vec<&str> = known["Resources"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|resource| resource.as_str().unwrap())
        .collect();
    let one_of: &[&str] = match on {
        "anything" => {
            assert!(
                resources.is_empty(),
                "{action} can be granted on {resources:?}"
            );
            return;
        }
        "repository" => &["repository"],
        "cluster" => &["cluster"],
        "service" => &["service"],
        "service_deployments" => &["service-deployment"],
        "service_revisions" => &["service-revision"],
        // With the condition `ecs:cluster`: a Fargate task is on no container instance of ours.
        "in_cluster" => &["container-instance"],
        "tasks" => &["task"],
        "task_definition" | "new_task_definition" => &["task-definition"],
        "roles" | "passed_roles" | "caller" => &["role"],
        "secrets" => &["Secret"],
        "stack" => &["stack"],
        "log_group" => &["log-group", "log-stream"],
        _ => panic!("what is {on}?"),
    };
    assert!(
        one_of.iter().any(|resource| resources.contains(resource)),
        "{action} cannot be granted on {on}, but on {resources:?}"
    );
}
