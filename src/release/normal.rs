//! The normal form of a task definition: what two revisions that do the same have in common.
//!
//! ECS answers with fields of its own, fills in documented defaults, leaves empty lists, and
//! gives lists of named things in any order. None of that is a difference.

use serde_json::{Map, Value};

/// Fields that `DescribeTaskDefinition` answers and `RegisterTaskDefinition` does not take
/// (Amazon ECS API Reference, `TaskDefinition` beside `RegisterTaskDefinition`).
pub(super) const OUTPUT_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// Lists whose order means nothing, with the fields that tell their items apart.
const KEYED: [(&str, &[&str]); 18] = [
    ("containerDefinitions", &["name"]),
    ("dependsOn", &["containerName"]),
    ("devices", &["hostPath"]),
    ("environment", &["name"]),
    ("extraHosts", &["hostname"]),
    ("inferenceAccelerators", &["deviceName"]),
    ("mountPoints", &["containerPath"]),
    ("placementConstraints", &["type", "expression"]),
    (
        "portMappings",
        &["containerPort", "containerPortRange", "protocol"],
    ),
    ("properties", &["name"]),
    ("resourceRequirements", &["type"]),
    ("secretOptions", &["name"]),
    ("secrets", &["name"]),
    ("systemControls", &["namespace"]),
    ("tmpfs", &["containerPath"]),
    ("ulimits", &["name"]),
    ("volumes", &["name"]),
    ("volumesFrom", &["sourceContainer"]),
];

/// Lists of words whose order means nothing.
const SETS: [&str; 5] = [
    "add",
    "drop",
    "dockerSecurityOptions",
    "ignoredExitCodes",
    "requiresCompatibilities",
];

/// What a missing field means, by the field that it stands in
/// (Amazon ECS API Reference: `ContainerDefinition`, `PortMapping`, `MountPoint`, `VolumeFrom`,
/// `HealthCheck`, `EFSVolumeConfiguration`, `EFSAuthorizationConfig`, `TaskDefinition`).
fn is_default(owner: &str, field: &str, value: &Value) -> bool {
    match (owner, field) {
        ("containerDefinitions", "cpu") => *value == 0,
        ("containerDefinitions", "essential") => *value == true,
        ("containerDefinitions", "versionConsistency") => *value == "enabled",
        ("portMappings", "hostPort") => *value == 0,
        ("mountPoints" | "volumesFrom", "readOnly") => *value == false,
        ("volumes", "configuredAtLaunch") => *value == false,
        ("healthCheck", "interval") => *value == 30,
        ("healthCheck", "timeout") => *value == 5,
        ("healthCheck", "retries") => *value == 3,
        ("healthCheck", "startPeriod") => *value == 0,
        ("restartPolicy", "restartAttemptPeriod") => *value == 300,
        ("efsVolumeConfiguration", "rootDirectory") => *value == "/",
        ("efsVolumeConfiguration", "transitEncryption") => *value == "DISABLED",
        ("authorizationConfig", "iam") => *value == "DISABLED",
        ("", "enableFaultInjection") => *value == false,
        _ => false,
    }
}

/// The normal form of a described or to be registered task definition. Lists of named things
/// become objects by name; fields that say what their absence says are absent.
pub(super) fn normal(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = fields.clone();
    for name in OUTPUT_ONLY {
        fields.shift_remove(name);
    }
    let awsvpc = fields.get("networkMode").and_then(Value::as_str) == Some("awsvpc");
    let mut fields = normal_fields("", fields);
    if awsvpc {
        drop_mirrored_host_ports(&mut fields);
    }
    fields
}

fn normal_fields(owner: &str, fields: Map<String, Value>) -> Map<String, Value> {
    fields
        .into_iter()
        .filter(|(field, value)| !is_default(owner, field, value))
        .map(|(field, value)| {
            let value = normal_value(&field, value);
            (field, value)
        })
        .filter(|(_, value)| !says_nothing(value))
        .collect()
}

fn normal_value(field: &str, value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(normal_fields(field, fields)),
        Value::Array(items) => normal_list(field, items),
        other => other,
    }
}

fn normal_list(field: &str, mut items: Vec<Value>) -> Value {
    if let Some((_, key)) = KEYED.iter().find(|(name, _)| *name == field)
        && items.iter().all(Value::is_object)
    {
        return Value::Object(by_key(field, key, items));
    }
    if SETS.contains(&field) {
        items.sort_by_cached_key(Value::to_string);
    }
    let items = items.into_iter().map(|item| normal_value(field, item));
    Value::Array(items.collect())
}

/// Items of the same key stay in their order: a later one may win over an earlier one.
fn by_key(field: &str, key: &[&str], items: Vec<Value>) -> Map<String, Value> {
    let mut keyed = Map::new();
    for item in items {
        let Value::Object(mut item) = item else {
            continue;
        };
        if field == "portMappings" && !item.contains_key("protocol") {
            item.insert("protocol".into(), "tcp".into());
        }
        let parts: Vec<String> = key
            .iter()
            .filter_map(|part| item.shift_remove(*part))
            .map(|part| part.as_str().map_or(part.to_string(), str::to_owned))
            .collect();
        let name = parts.join("/");
        let mut unique = name.clone();
        let mut count = 1;
        while keyed.contains_key(&unique) {
            count += 1;
            unique = format!("{name} ({count})");
        }
        keyed.insert(unique, Value::Object(normal_fields(field, item)));
    }
    keyed
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// In `awsvpc` a host port can only be the container port, and ECS fills it in.
fn drop_mirrored_host_ports(fields: &mut Map<String, Value>) {
    let containers = fields
        .get_mut("containerDefinitions")
        .and_then(Value::as_object_mut);
    for container in containers.into_iter().flat_map(|found| found.values_mut()) {
        let Some(container) = container.as_object_mut() else {
            continue;
        };
        let mappings = container
            .get_mut("portMappings")
            .and_then(Value::as_object_mut);
        for (key, mapping) in mappings.into_iter().flatten() {
            let container_port = key.split('/').next().unwrap_or_default();
            if let Some(mapping) = mapping.as_object_mut()
                && mapping
                    .get("hostPort")
                    .is_some_and(|port| port.to_string() == container_port)
            {
                mapping.shift_remove("hostPort");
            }
        }
    }
}
