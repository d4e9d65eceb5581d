use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use serde_json::{Value, json};

use super::*;

fn document(value: Value) -> Document {
    Document::new(value.as_object().unwrap().clone())
}

fn template() -> Value {
    json!({
        "family": "mcp", "networkMode": "awsvpc", "cpu": "512", "memory": "2048",
        "taskRoleArn": "arn:aws:iam::1:role/task",
        "requiresCompatibilities": ["EC2", "FARGATE"],
        "volumes": [{"name": "scratch"}],
        "containerDefinitions": [
            {"name": "sidecar", "image": "side:1", "memory": 64},
            {"name": "mcp-server", "image": "repo@sha256:old",
             "portMappings": [{"containerPort": 8000}, {"containerPort": 9000}],
             "environment": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "API_TOKEN", "value": "t0p"}],
             "secrets": [{"name": "KEY", "valueFrom": "arn:aws:ssm:eu-west-1:1:parameter/a"}],
             "healthCheck": {"command": ["CMD", "/check"]},
             "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/tmp"}],
             "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/a"}}}
        ]
    })
}

/// The template as ECS describes it: its own fields, defaults filled in.
fn described() -> Value {
    let mut described = template();
    for (field, value) in [
        (
            "taskDefinitionArn",
            json!("arn:aws:ecs:eu-west-1:1:task-definition/mcp:8"),
        ),
        ("revision", json!(8)),
        ("status", json!("ACTIVE")),
        ("registeredAt", json!(1_700_000_000.5)),
        ("registeredBy", json!("arn:aws:iam::1:user/x")),
        ("compatibilities", json!(["EC2", "FARGATE"])),
        (
            "requiresAttributes",
            json!([{"name": "com.amazonaws.ecs.capability.ecr-auth"}]),
        ),
        ("placementConstraints", json!([])),
        ("enableFaultInjection", json!(false)),
        ("volumes", json!([{"name": "scratch", "host": {}}])),
    ] {
        described[field] = value;
    }
    for container in described["containerDefinitions"].as_array_mut().unwrap() {
        container["cpu"] = json!(0);
        container["essential"] = json!(true);
        for list in ["volumesFrom", "systemControls", "dependsOn"] {
            container[list] = json!([]);
        }
    }
    let server = &mut described["containerDefinitions"][1];
    for port in server["portMappings"].as_array_mut().unwrap() {
        port["hostPort"] = port["containerPort"].clone();
        port["protocol"] = json!("tcp");
    }
    server["healthCheck"] =
        json!({"command": ["CMD", "/check"], "interval": 30, "timeout": 5, "retries": 3});
    server["mountPoints"][0]["readOnly"] = json!(false);
    server["logConfiguration"]["secretOptions"] = json!([]);
    described
}

fn lines(before: Value, after: Value) -> Vec<String> {
    let changes = diff(&document(before), &document(after));
    let line = |change: &Change| {
        let container = change.container.as_deref().unwrap_or("task");
        let text = change.to_string();
        let words: Vec<&str> = text.split_whitespace().collect();
        format!("{container} {}", words.join(" "))
    };
    changes.iter().map(line).collect()
}

#[test]
fn what_ecs_adds_is_no_difference() {
    assert_eq!(lines(template(), described()), Vec::<String>::new());
    assert_eq!(lines(described(), template()), Vec::<String>::new());
}

#[test]
fn says_what_differs_by_container_and_field() {
    type Edit = fn(&mut Value);
    let edits: [(Edit, &[&str]); 10] = [
        (
            |new| new["containerDefinitions"][1]["image"] = json!("repo@sha256:new"),
            &[r#"mcp-server ~ image "repo@sha256:old" -> "repo@sha256:new""#],
        ),
        (
            |new| new["containerDefinitions"][1]["environment"][0]["value"] = json!("debug"),
            &[r#"mcp-server ~ environment.LOG_LEVEL "info" -> "debug""#],
        ),
        (
            |new| new["containerDefinitions"][1]["environment"][1]["value"] = json!("n3w"),
            &["mcp-server ~ environment.API_TOKEN (hidden) -> (hidden)"],
        ),
        (
            |new| {
                let arn = json!("arn:aws:ssm:eu-west-1:1:parameter/b");
                new["containerDefinitions"][1]["secrets"][0]["valueFrom"] = arn;
            },
            &[
                r#"mcp-server ~ secrets.KEY "arn:aws:ssm:eu-west-1:1:parameter/a" -> "arn:aws:ssm:eu-west-1:1:parameter/b""#,
            ],
        ),
        (
            |new| new["containerDefinitions"][1]["environment"] = json!([]),
            &[
                "mcp-server - environment.API_TOKEN (hidden)",
                r#"mcp-server - environment.LOG_LEVEL "info""#,
            ],
        ),
        (
            |new| {
                new["cpu"] = json!("1024");
                new["executionRoleArn"] = json!("arn:aws:iam::1:role/x");
            },
            &[
                r#"task ~ cpu "512" -> "1024""#,
                r#"task + executionRoleArn "arn:aws:iam::1:role/x""#,
            ],
        ),
        (
            |new| new["containerDefinitions"][1]["healthCheck"]["interval"] = json!(10),
            &["mcp-server + healthCheck.interval 10"],
        ),
        (
            |new| new["containerDefinitions"][1]["portMappings"] = json!([{"containerPort": 8000}]),
            &["mcp-server - portMappings.9000/tcp"],
        ),
        (
            |new| new["volumes"][0]["efsVolumeConfiguration"] = json!({"fileSystemId": "fs-1"}),
            &[r#"task + volumes.scratch.efsVolumeConfiguration.fileSystemId "fs-1""#],
        ),
        (
            |new| {
                drop(
                    new["containerDefinitions"]
                        .as_array_mut()
                        .unwrap()
                        .remove(0),
                )
            },
            &[r#"sidecar - image "side:1""#, "sidecar - memory 64"],
        ),
    ];
    for (edit, expected) in edits {
        let mut new = described();
        edit(&mut new);
        assert_eq!(lines(template(), new), expected);
    }
}

/// A setting that may stand in a task definition.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z/]{1,12}", "[A-Za-z0-9=/+]{20,44}", "\\PC{0,20}"]
}

prop_compose! {
    fn any_document()(
        variables in prop::collection::btree_map("[A-Z_]{1,10}", text(), 0..6),
        command in prop::collection::vec(text(), 0..4),
        ports in prop::collection::btree_set(1_u16.., 0..4),
        cpu in 0_u32..3,
        labels in prop::collection::btree_map("[a-z.]{1,8}", text(), 0..4),
    ) -> Value {
        let mut document = template();
        let server = &mut document["containerDefinitions"][1];
        server["environment"] =
            variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        server["command"] = json!(command);
        server["portMappings"] = ports.iter().map(|port| json!({"containerPort": port})).collect();
        server["cpu"] = json!(cpu);
        server["dockerLabels"] = json!(labels);
        document
    }
}

/// As ECS may answer: other orders, filled-in defaults, fields of its own.
fn as_ecs_answers(mut document: Value, turn: &Index) -> Value {
    document["revision"] = json!(turn.index(1000));
    document["placementConstraints"] = json!([]);
    for container in document["containerDefinitions"].as_array_mut().unwrap() {
        container["essential"] = json!(true);
        container["volumesFrom"] = json!([]);
        for list in ["environment", "portMappings"] {
            let Some(items) = container.get_mut(list).and_then(Value::as_array_mut) else {
                container[list] = json!([]);
                continue;
            };
            if !items.is_empty() {
                let by = turn.index(items.len());
                items.rotate_left(by);
            }
            if list == "portMappings" {
                for port in items {
                    port["hostPort"] = port["containerPort"].clone();
                    port["protocol"] = json!("tcp");
                }
            }
        }
    }
    let containers = document["containerDefinitions"].as_array_mut().unwrap();
    let by = turn.index(containers.len());
    containers.rotate_left(by);
    document
}

/// Names that say that the value is secret, whatever it looks like.
const SECRET_NAMES: [&str; 8] = [
    "PASSWORD",
    "api_token",
    "clientSecret",
    "DB_PASS",
    "SENTRY_DSN",
    "access-key",
    "AUTH",
    "webhookUrl",
];

proptest! {
    #[test]
    fn a_document_differs_in_nothing_from_itself(one in any_document()) {
        prop_assert_eq!(diff(&document(one.clone()), &document(one)), vec![]);
    }

    #[test]
    fn order_and_defaults_are_no_difference(
        one in any_document(), other in any_document(), turn in any::<Index>(),
    ) {
        let answered = as_ecs_answers(one.clone(), &turn);
        prop_assert_eq!(diff(&document(one.clone()), &document(answered.clone())), vec![]);
        let plain = diff(&document(one), &document(other.clone()));
        prop_assert_eq!(diff(&document(answered), &document(as_ecs_answers(other, &turn))), plain);
    }

    #[test]
    fn the_way_back_is_the_same_the_other_way_round(one in any_document(), other in any_document()) {
        let there = diff(&document(one.clone()), &document(other.clone()));
        let back = diff(&document(other), &document(one));
        let turned: Vec<Change> = back.into_iter().map(|change| Change {
            change: match change.change {
                ChangeKind::Added => ChangeKind::Removed,
                ChangeKind::Removed => ChangeKind::Added,
                ChangeKind::Changed => ChangeKind::Changed,
            },
            before: change.after,
            after: change.before,
            ..change
        }).collect();
        prop_assert_eq!(there, turned);
    }

    #[test]
    fn a_secret_never_shows(
        secret in "XQ[A-Za-z0-9]{6,30}",
        names in subsequence(&SECRET_NAMES[..], 1..=SECRET_NAMES.len()),
        place in 0_usize..6,
    ) {
        let mut with = template();
        let server = &mut with["containerDefinitions"][1];
        for name in names {
            match place {
                0 => server["environment"] = json!([{"name": name, "value": secret}]),
                1 => server["secrets"] = json!([{"name": name, "valueFrom": secret}]),
                2 => server["dockerLabels"] = json!({name: secret}),
                3 => server["logConfiguration"]["options"] = json!({name: secret}),
                4 => server["command"] = json!(["serve", format!("--{name}"), secret]),
                _ => server["command"] = json!(["serve", format!("--{name}={secret}")]),
            }
        }
        for (before, after) in [(template(), with.clone()), (with, template())] {
            let changes = diff(&document(before), &document(after));
            prop_assert!(!changes.is_empty());
            let shown: String = changes.iter().map(ToString::to_string).collect();
            let json = serde_json::to_string(&changes).unwrap();
            let debug = format!("{changes:?}");
            prop_assert!(![shown, json, debug].iter().any(|text| text.contains(&secret)));
        }
    }
}
