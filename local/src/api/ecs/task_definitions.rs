use serde_json::{Map, Value, json};

use super::show_tags;
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::api::page::page;
use crate::aws::{Moment, names};
use crate::state::State;
use crate::state::ecs::TaskDefinition;

pub(super) fn register(state: &mut State, input: &Input, now: Moment) -> Answer {
    let family = input
        .text("family")
        .ok_or_else(|| ApiError::client("Family should not be null or empty."))?
        .to_owned();
    if !is_family(&family) {
        return Err(ApiError::client(
            "Family contains invalid characters or exceeds 255 characters.",
        ));
    }
    let tags = input.tags("tags")?;
    let mut document = input.0.clone();
    document.remove("tags");
    check_fargate(input)?;
    complete_containers(&mut document)?;
    for list in ["volumes", "placementConstraints"] {
        document
            .entry(list)
            .or_insert_with(|| Value::Array(Vec::new()));
    }
    let revision = state
        .task_definitions
        .iter()
        .filter(|definition| definition.family == family)
        .map(|definition| definition.revision)
        .max()
        .unwrap_or(0)
        + 1;
    let definition = TaskDefinition {
        family,
        revision,
        active: true,
        registered_at: now,
        deregistered_at: None,
        document,
        tags,
    };
    let answer = json!({
        "taskDefinition": show(&definition), "tags": show_tags(&definition.tags),
    });
    state.task_definitions.push(definition);
    Ok(answer)
}

fn is_family(family: &str) -> bool {
    family.len() <= 255
        && family
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Gives the containers the members that ECS adds, and refuses what it refuses.
fn complete_containers(document: &mut Map<String, Value>) -> Result<(), ApiError> {
    let containers = document
        .get_mut("containerDefinitions")
        .and_then(Value::as_array_mut)
        .filter(|containers| !containers.is_empty())
        .ok_or_else(|| ApiError::client("Container list cannot be empty."))?;
    let mut seen = Vec::new();
    for container in containers {
        let Value::Object(container) = container else {
            return Err(ApiError::client("Container list cannot be empty."));
        };
        for member in ["name", "image"] {
            let text = container.get(member).and_then(Value::as_str);
            if text.is_none_or(str::is_empty) {
                return Err(ApiError::client(format!(
                    "Container.{member} should not be null or empty."
                )));
            }
        }
        let name = container.get("name").cloned();
        if seen.contains(&name) {
            return Err(ApiError::client(
                "Container names must be unique within a task definition.",
            ));
        }
        seen.push(name);
        add_defaults(container);
    }
    Ok(())
}

fn add_defaults(container: &mut Map<String, Value>) {
    let defaults = [
        ("cpu", json!(0)),
        ("essential", json!(true)),
        ("portMappings", json!([])),
        ("environment", json!([])),
        ("mountPoints", json!([])),
        ("volumesFrom", json!([])),
        ("systemControls", json!([])),
    ];
    for (name, value) in defaults {
        container.entry(name).or_insert(value);
    }
    let mappings = container
        .get_mut("portMappings")
        .and_then(Value::as_array_mut);
    for mapping in mappings.into_iter().flatten() {
        if let Value::Object(mapping) = mapping {
            if let Some(port) = mapping.get("containerPort").cloned() {
                mapping.entry("hostPort").or_insert(port);
            }
            mapping.entry("protocol").or_insert_with(|| json!("tcp"));
        }
    }
}

/// What Fargate asks of a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html>
fn check_fargate(input: &Input) -> Result<(), ApiError> {
    if !input.includes("requiresCompatibilities", "FARGATE") {
        return Ok(());
    }
    if input.text("networkMode") != Some("awsvpc") {
        return Err(ApiError::client(
            "Fargate only supports network mode \u{2018}awsvpc\u{2019}.",
        ));
    }
    for member in ["cpu", "memory"] {
        if input.text(member).is_none() {
            return Err(ApiError::client(format!(
                "Fargate requires that '{member}' be defined at the task level."
            )));
        }
    }
    let (cpu, memory) = (input.number("cpu"), input.number("memory"));
    if let (Some(cpu), Some(memory)) = (cpu, memory)
        && !is_offered(cpu, memory)
    {
        return Err(ApiError::client(format!(
            "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values."
        )));
    }
    Ok(())
}

/// Sizes in CPU units and MiB.
fn is_offered(cpu: u64, memory: u64) -> bool {
    let gib = |from: u64, to: u64, step: u64| {
        memory.is_multiple_of(1024)
            && (from..=to).contains(&(memory / 1024))
            && (memory / 1024 - from).is_multiple_of(step)
    };
    match cpu {
        256 => matches!(memory, 512 | 1024 | 2048),
        512 => gib(1, 4, 1),
        1024 => gib(2, 8, 1),
        2048 => gib(4, 16, 1),
        4096 => gib(8, 30, 1),
        8192 => gib(16, 60, 4),
        16384 => gib(32, 120, 8),
        _ => false,
    }
}

/// Finds a revision by `family` (the newest active one), `family:revision` or ARN.
pub(super) fn find<'a>(state: &'a State, name: &str) -> Option<&'a TaskDefinition> {
    let prefix = names::arn("ecs", "task-definition/");
    let name = name.strip_prefix(&prefix).unwrap_or(name);
    match name.split_once(':') {
        Some((family, revision)) => {
            let revision: u32 = revision.parse().ok()?;
            state
                .task_definitions
                .iter()
                .find(|definition| definition.family == family && definition.revision == revision)
        }
        None => state
            .task_definitions
            .iter()
            .filter(|definition| definition.family == name && definition.active)
            .max_by_key(|definition| definition.revision),
    }
}

pub(super) fn describe(state: &State, input: &Input) -> Answer {
    let name = input
        .text("taskDefinition")
        .ok_or_else(|| ApiError::client("Task definition can not be blank."))?;
    let definition =
        find(state, name).ok_or_else(|| ApiError::client("Unable to describe task definition."))?;
    let tags = input
        .includes("include", "TAGS")
        .then(|| show_tags(&definition.tags));
    Ok(json!({ "taskDefinition": show(definition), "tags": tags }))
}

pub(super) fn deregister(state: &mut State, input: &Input, now: Moment) -> Answer {
    let name = input
        .text("taskDefinition")
        .ok_or_else(|| ApiError::client("Task definition can not be blank."))?;
    let arn = find(state, name)
        .filter(|_| {
            name.rsplit('/')
                .next()
                .is_some_and(|last| last.contains(':'))
        })
        .map(TaskDefinition::arn)
        .ok_or_else(|| ApiError::client("The specified task definition does not exist."))?;
    let definition = state
        .task_definitions
        .iter_mut()
        .find(|definition| definition.arn() == arn)
        .ok_or_else(|| ApiError::client("The specified task definition does not exist."))?;
    definition.active = false;
    definition.deregistered_at.get_or_insert(now);
    Ok(json!({ "taskDefinition": show(definition) }))
}

pub(super) fn list(state: &State, input: &Input) -> Answer {
    let family = input.text("familyPrefix");
    let active = input.text("status").unwrap_or("ACTIVE") == "ACTIVE";
    let mut found: Vec<&TaskDefinition> = state
        .task_definitions
        .iter()
        .filter(|definition| definition.active == active)
        // In spite of its name it is compared with the whole family.
        .filter(|definition| family.is_none_or(|family| definition.family == family))
        .collect();
    found.sort_by_key(|definition| (definition.family.clone(), definition.revision));
    if input.text("sort") == Some("DESC") {
        found.reverse();
    }
    let arns = found.into_iter().map(TaskDefinition::arn).collect();
    let (arns, next): (Vec<String>, _) = page(arns, input, "maxResults", 100)?;
    Ok(json!({ "taskDefinitionArns": arns, "nextToken": next }))
}

pub(super) fn families(state: &State, input: &Input) -> Answer {
    let prefix = input.text("familyPrefix").unwrap_or_default();
    let mut families: Vec<&str> = state
        .task_definitions
        .iter()
        .map(|definition| definition.family.as_str())
        .filter(|family| family.starts_with(prefix))
        .collect();
    families.sort_unstable();
    families.dedup();
    let (families, next) = page(families, input, "maxResults", 100)?;
    Ok(json!({ "families": families, "nextToken": next }))
}

fn show(definition: &TaskDefinition) -> Value {
    let mut shown = definition.document.clone();
    let fargate = shown
        .get("requiresCompatibilities")
        .and_then(Value::as_array)
        .is_some_and(|list| list.contains(&json!("FARGATE")));
    let added = [
        ("taskDefinitionArn", json!(definition.arn())),
        ("revision", json!(definition.revision)),
        (
            "status",
            json!(if definition.active {
                "ACTIVE"
            } else {
                "INACTIVE"
            }),
        ),
        (
            "compatibilities",
            if fargate {
                json!(["EC2", "FARGATE"])
            } else {
                json!(["EC2"])
            },
        ),
        ("registeredAt", definition.registered_at.to_json()),
        (
            "deregisteredAt",
            definition
                .deregistered_at
                .map_or(Value::Null, Moment::to_json),
        ),
        ("registeredBy", json!(names::caller())),
    ];
    for (name, value) in added {
        shown.insert(name.to_owned(), value);
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fargate_sizes() {
        let cases = [
            (256, 512, true),
            (256, 4096, false),
            (512, 1024, true),
            (512, 512, false),
            (1024, 8192, true),
            (1024, 9216, false),
            (8192, 20480, true),
            (8192, 21504, false),
            (300, 512, false),
        ];
        for (cpu, memory, expected) in cases {
            assert_eq!(is_offered(cpu, memory), expected, "{cpu} {memory}");
        }
    }

    fn seeded() -> State {
        State::seed(crate::state::Addresses::default(), Moment(0))
    }

    #[test]
    fn what_was_registered_comes_back_with_unknown_members_and_all() {
        let mut state = seeded();
        let request = json!({
            "family": "f", "tags": [{ "key": "k", "value": "v" }], "newMember": { "a": [1] },
            "containerDefinitions": [{ "name": "c", "image": "i", "alsoNew": 7 }],
        });
        let input = Input(request.as_object().unwrap().clone());
        let answer = register(&mut state, &input, Moment(0)).unwrap();
        let definition = &answer["taskDefinition"];
        assert_eq!(definition["newMember"], json!({ "a": [1] }));
        assert_eq!(definition["containerDefinitions"][0]["alsoNew"], json!(7));
        assert_eq!(
            definition["containerDefinitions"][0]["essential"],
            json!(true)
        );
        assert!(definition.get("tags").is_none());
        assert_eq!(answer["tags"], request["tags"]);
    }

    #[test]
    fn names_of_revisions() {
        let mut state = seeded();
        for _ in 0..2 {
            let input = Input(
                json!({
                    "family": "f",
                    "containerDefinitions": [{ "name": "c", "image": "i" }],
                })
                .as_object()
                .unwrap()
                .clone(),
            );
            register(&mut state, &input, Moment(0)).unwrap();
        }
        let revision = |name: &str| find(&state, name).map(|definition| definition.revision);
        assert_eq!(revision("f"), Some(2));
        assert_eq!(revision("f:1"), Some(1));
        assert_eq!(revision(&names::task_definition("f", 1)), Some(1));
        assert_eq!(revision("f:3"), None);
        assert_eq!(revision("f:x"), None);
        assert_eq!(revision("g"), None);
    }
}
