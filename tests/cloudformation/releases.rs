//! What a release changes in the stack, and what it must find there (docs/deploy-through.md).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::difference;
use crate::evaluate::Evaluation;
use crate::scenarios;
use crate::template;

const TEMPLATE: &str = "mcp-service.yaml";
const IMAGE: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/quilt/sales-prod/mcp-server@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn resources(more: &[(&str, &str)]) -> Map<String, Value> {
    let parameters = [scenarios::least().parameters, more.to_vec()].concat();
    let evaluation = Evaluation::new(template::read(TEMPLATE), &parameters);
    assert_eq!(evaluation.broken_rules(), Vec::<String>::new());
    evaluation.resources()
}

fn tags(task_definition: &Value) -> Vec<(&str, &str)> {
    task_definition["Tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["Key"].as_str().unwrap(), tag["Value"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_release_changes_the_revision_and_the_count() {
    let before = resources(&[]);
    let after = resources(&[
        ("ImageUri", IMAGE),
        ("ReleaseCommit", "3f2a9c1"),
        (
            "ReleasedBy",
            "arn:aws:sts::123456789012:assumed-role/ci/run",
        ),
    ]);
    let changed = difference::between(&before.into(), &after.into());
    let changed: BTreeSet<&str> = changed.iter().map(|change| change.at.as_str()).collect();
    assert_eq!(
        changed,
        BTreeSet::from([
            "Service/DesiredCount",
            "TaskDefinition/ContainerDefinitions/mcp-server/Image",
            "TaskDefinition/Tags/quilt-mcp:caller",
            "TaskDefinition/Tags/quilt-mcp:commit",
        ])
    );
}

#[test]
fn the_revision_says_what_it_is() {
    let released = resources(&[
        ("ImageUri", IMAGE),
        ("ReleaseCommit", "3f2a9c1"),
        (
            "ReleasedBy",
            "arn:aws:sts::123456789012:assumed-role/ci/run",
        ),
    ]);
    let revision = &released["TaskDefinition"];
    assert_eq!(revision["ContainerDefinitions"][0]["Image"], IMAGE);
    let ours = ["ManagedBy", "quilt-mcp:commit", "quilt-mcp:caller"];
    let said: Vec<_> = tags(revision)
        .into_iter()
        .filter(|(key, _)| ours.contains(key))
        .collect();
    assert_eq!(
        said,
        [
            ("ManagedBy", "cloudformation"),
            ("quilt-mcp:commit", "3f2a9c1"),
            (
                "quilt-mcp:caller",
                "arn:aws:sts::123456789012:assumed-role/ci/run"
            ),
        ]
    );
    // Nobody released it: an image that was given by hand.
    let by_hand = resources(&[("ImageUri", IMAGE)]);
    let keys: Vec<_> = tags(&by_hand["TaskDefinition"])
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert!(
        !keys.iter().any(|key| key.starts_with("quilt-mcp:")),
        "{keys:?}"
    );
}

#[test]
fn the_count_is_none_then_the_least_then_left_alone() {
    for (parameters, count) in [
        (vec![], Some(json!(0))),
        (vec![("TaskCount", "Unchanged")], Some(json!(0))),
        (vec![("ImageUri", IMAGE)], Some(json!("2"))),
        (
            vec![("ImageUri", IMAGE), ("MinTasks", "4")],
            Some(json!("4")),
        ),
        (vec![("ImageUri", IMAGE), ("TaskCount", "Unchanged")], None),
    ] {
        let said = resources(&parameters)["Service"]
            .get("DesiredCount")
            .cloned();
        assert_eq!(said, count, "{parameters:?}");
    }
}

/// How `quilt-mcp-deploy` finds the service and its revision in a stack: there is one of each.
#[test]
fn there_is_one_service_and_one_task_definition() {
    let template = template::read(TEMPLATE);
    let resources = template["Resources"].as_object().unwrap();
    for kind in ["AWS::ECS::Service", "AWS::ECS::TaskDefinition"] {
        let of_kind = resources
            .values()
            .filter(|resource| resource["Type"] == kind);
        assert_eq!(of_kind.count(), 1, "{kind}");
    }
    let service = &template["Resources"]["Service"];
    assert_eq!(
        service["Properties"]["TaskDefinition"],
        json!({"Ref": "TaskDefinition"})
    );
    for parameter in ["ImageUri", "ReleaseCommit", "ReleasedBy"] {
        assert_eq!(
            template["Parameters"][parameter]["Type"], "String",
            "{parameter}"
        );
        assert_eq!(
            template["Parameters"][parameter]["Default"], "",
            "{parameter}"
        );
    }
}

/// What would be lost, or must be there first.
#[test]
fn resources_outlive_what_they_must_and_wait_for_what_they_need() {
    let service = template::read(TEMPLATE);
    let repository = template::read("ecr.yaml");
    for (template, id, on_deletion) in [
        (&service, "LogGroup", "RetainExceptOnCreate"),
        (&service, "TaskDefinition", "Retain"),
        (&repository, "Repository", "RetainExceptOnCreate"),
    ] {
        let resource = &template["Resources"][id];
        assert_eq!(resource["DeletionPolicy"], on_deletion, "{id}");
        assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
    }
    assert_eq!(
        service["Resources"]["Service"]["DependsOn"],
        json!(["ListenerRule"])
    );
}
