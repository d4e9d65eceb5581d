//! The list of IAM actions (`terraform/modules/github-oidc/actions.json`) against the calls that the
//! commands really make: nothing is missing, and nothing is there that no command uses.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use quilt_mcp_deploy::image::{Image, Tag};
use quilt_mcp_deploy::registry::{Access, Copy, Credentials, Inspector, publish_image};
use serde_json::{Value, json};
use support::fake_registry::FakeRegistry;
use support::images;
use support::rehearsal::{Ended, Rehearsal};
use support::{skip, tool_named_by};

type Actions = BTreeSet<String>;

const LIST: &str = include_str!("../terraform/modules/github-oidc/actions.json");

/// AWS checks these when a call is made that names something else: RegisterTaskDefinition with
/// roles and with tags.
const IMPLIED: [&str; 2] = ["iam:PassRole", "ecs:TagResource"];
/// Nobody has to grant it.
const FREE: &str = "sts:GetCallerIdentity";

/// What each command needs, by the list.
fn listed() -> BTreeMap<String, Actions> {
    let list: Vec<Value> = serde_json::from_str(LIST).unwrap();
    let entries = list.iter().map(|entry| {
        let needs = entry["needs"].as_object().unwrap().values();
        let actions = needs.flat_map(|actions| actions.as_array().unwrap());
        let actions = actions.map(|action| action.as_str().unwrap().to_owned());
        (
            entry["command"].as_str().unwrap().to_owned(),
            actions.collect(),
        )
    });
    entries.collect()
}

/// A local environment that says which APIs a command called.
struct Recorder {
    rehearsal: Rehearsal,
    calls: BTreeMap<&'static str, Actions>,
}

impl Recorder {
    /// Runs a command, and notes its calls under `name`.
    fn run(&mut self, name: &'static str, code: i32, arguments: &[&str]) -> Value {
        self.rehearsal.run(&["local", "calls", "--reset"]).expect(0);
        let begun = std::time::Instant::now();
        let mut command = self.rehearsal.command(arguments);
        command.args(["--output", "json"]);
        for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env(variable, "test");
        }
        let ended = Ended::from(command.output().unwrap()).expect(code);
        println!("{arguments:?}: {:.1} s", begun.elapsed().as_secs_f64());
        let counted = self.rehearsal.run(&["local", "calls", "--output", "json"]);
        let counted = counted.expect(0).json();
        let operations = counted["operations"].as_object().unwrap();
        let seen = self.calls.entry(name).or_default();
        seen.extend(operations.keys().filter(|action| *action != FREE).cloned());
        ended.json()
    }

    fn publish(&mut self, image: &Image, tag: &str) -> String {
        let layout = image.layout.to_str().unwrap();
        let publish = ["publish", "--image-layout", layout, "--tag", tag];
        self.run("publish", 0, &publish);
        image.digest.to_string()
    }

    /// Copies an image to another repository behind the same endpoint.
    fn promote(&mut self, tag: &str) {
        let endpoint = self.endpoint();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("quilt-mcp.toml");
        let text = format!(
            "[environments.second]\naccount_id = \"111122223333\"\nregion = \"us-east-1\"\n\
             endpoint_url = \"{endpoint}\"\nrepository = \"second/mcp-server\"\n\
             cluster = \"quilt-local\"\nservice = \"quilt-local-mcp-server\"\n\
             url = \"http://127.0.0.1:9/mcp/\"\n"
        );
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap();
        let promote = [
            "promote", "--from", "local", "--to", "second", "--config", config,
        ];
        self.ask(
            "CreateRepository",
            json!({"repositoryName": "second/mcp-server"}),
        );
        self.run("promote from", 0, &promote);
        self.run("promote from", 0, &[&promote[..], &["--tag", tag]].concat());
    }

    /// Releases an image from a template that has secrets.
    fn deploy_with_secrets(&self, digest: &str) {
        let endpoint = self.endpoint();
        for store in ["secrets-manager", "parameter-store"] {
            let secret = json!({"store": store, "name": format!("quilt/{store}"), "value": "x"});
            let put = reqwest::Client::new().put(format!("{endpoint}/_local/secrets"));
            send(put.body(secret.to_string()));
        }
        let listed = send(reqwest::Client::new().get(format!("{endpoint}/_local/secrets")));
        let secrets = listed.as_array().unwrap().iter().map(|secret| {
            let name = secret["name"].as_str().unwrap().replace(['/', '-'], "_");
            json!({"name": name.to_uppercase(), "valueFrom": secret["arn"]})
        });
        let family = json!({"taskDefinition": "quilt-local-mcp-server:1"});
        let mut template = self.ask("DescribeTaskDefinition", family)["taskDefinition"].take();
        template["containerDefinitions"][0]["secrets"] = secrets.collect();
        template["tags"] = json!([{"key": "ManagedBy", "value": "terraform"}]);
        self.ask("RegisterTaskDefinition", template);
        self.rehearsal
            .run(&["rollout", "--digest", digest])
            .expect(0);
    }

    fn endpoint(&self) -> String {
        let description = self.rehearsal.description();
        description["endpoint_url"].as_str().unwrap().to_owned()
    }

    /// Calls ECS or ECR as it is on the wire.
    fn ask(&self, operation: &str, parameters: Value) -> Value {
        let (service, api) = match operation {
            "CreateRepository" => ("ecr", "AmazonEC2ContainerRegistry_V20150921"),
            _ => ("ecs", "AmazonEC2ContainerServiceV20141113"),
        };
        let scope = format!("test/20260101/us-east-1/{service}/aws4_request");
        let signature =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let request = reqwest::Client::new()
            .post(self.endpoint())
            .header("x-amz-target", format!("{api}.{operation}"))
            .header("authorization", signature)
            .header("content-type", "application/x-amz-json-1.1");
        send(request.body(parameters.to_string()))
    }
}

fn send(request: reqwest::RequestBuilder) -> Value {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap()
    })
}

#[test]
fn commands_call_what_is_listed_and_all_of_it() {
    let mut recorder = Recorder {
        rehearsal: Rehearsal::new(),
        calls: BTreeMap::new(),
    };
    recorder.rehearsal.run(&["local", "up"]).expect(0);
    let images = [
        recorder.rehearsal.server(&"1".repeat(40)),
        recorder.rehearsal.server(&"2".repeat(40)),
        recorder.rehearsal.server(&"3".repeat(40)),
        recorder.rehearsal.fixture("exits"),
        recorder.rehearsal.fixture("unhealthy"),
    ];
    let tags = ["first", "second", "never-released", "exits", "unhealthy"];
    let digests: Vec<String> = images
        .iter()
        .zip(tags)
        .map(|(image, tag)| recorder.publish(image, tag))
        .collect();
    let layout = images[0].layout.to_str().unwrap();
    let gate = [
        "publish",
        "--image-layout",
        layout,
        "--tag",
        tags[0],
        "--scan-gate",
        "high",
    ];
    recorder.run("publish", 0, &gate);

    recorder.run("rollout", 0, &["rollout", "--digest", &digests[0]]);
    recorder.run("rollout", 0, &["rollout", "--digest", &digests[1]]);
    let broken = recorder.run("rollout", 8, &["rollout", "--digest", &digests[3]]);
    recorder.run("rollback and stop", 0, &["rollback"]);
    let start = ["rollout", "--digest", &digests[4], "--no-wait"];
    recorder.run("rollout", 0, &start);
    recorder.run("rollback and stop", 0, &["rollback"]);
    recorder.run("rollout", 8, &["rollout", "--digest", &digests[4]]);
    let broken = broken["revision"]["arn"].as_str().unwrap();
    recorder.run("rollback and stop", 7, &["rollback", "--to", broken]);
    recorder.run("status", 0, &["status"]);
    recorder.run("history", 0, &["history"]);
    recorder.run("logs", 0, &["logs"]);
    recorder.run("images and prune", 0, &["images"]);
    recorder.run("images and prune", 0, &["prune", "--keep", "0"]);
    recorder.run("rollout", 0, &["plan", "--digest", &digests[0]]);
    recorder.promote(tags[1]);

    recorder.deploy_with_secrets(&digests[1]);
    recorder.run("verify", 0, &["verify"]);
    // Where ECS's newer operations may not be used, revisions tell the history.
    let deny = ["local", "fault", "deny", "ecs:ListServiceDeployments"];
    recorder.rehearsal.run(&deny).expect(0);
    recorder.run("history", 0, &["history"]);
    recorder.run("rollback and stop", 4, &["rollback"]);

    let listed = listed();
    for (command, calls) in &recorder.calls {
        println!("{command}: {calls:#?}");
    }
    let mut wrong = Vec::new();
    for (command, needs) in &listed {
        let called = &recorder.calls[command.as_str()];
        for action in called.difference(needs) {
            wrong.push(format!("{command} calls {action}, which is not listed"));
        }
        let of_apis = needs
            .iter()
            .filter(|action| !IMPLIED.contains(&action.as_str()) && !of_registry(action));
        for action in of_apis.filter(|action| !called.contains(*action)) {
            wrong.push(format!("{command} lists {action}, and never calls it"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

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
    let document = include_str!("../docs/permissions.md");
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
        "log_group" => &["log-group", "log-stream"],
        _ => panic!("what is {on}?"),
    };
    assert!(
        one_of.iter().any(|resource| resources.contains(resource)),
        "{action} cannot be granted on {on}, but on {resources:?}"
    );
}

/// Actions behind ECR's registry API, which the local environment does not count.
fn of_registry(action: &str) -> bool {
    REQUESTS.iter().any(|(_, _, known)| known.contains(&action))
}

/// Requests to a registry and the actions that ECR asks IAM about for them
/// (Amazon ECR User Guide, "IAM permissions for pushing an image", "… pulling an image").
const REQUESTS: [(&str, &str, &[&str]); 9] = [
    ("HEAD", "/blobs/", &["ecr:BatchCheckLayerAvailability"]),
    ("GET", "/blobs/", &["ecr:GetDownloadUrlForLayer"]),
    ("POST", "/blobs/uploads/", &["ecr:InitiateLayerUpload"]),
    ("PATCH", "/blobs/uploads/", &["ecr:UploadLayerPart"]),
    (
        "PUT",
        "/blobs/uploads/",
        &["ecr:UploadLayerPart", "ecr:CompleteLayerUpload"],
    ),
    ("GET", "/manifests/", &["ecr:BatchGetImage"]),
    ("HEAD", "/manifests/", &["ecr:BatchGetImage"]),
    ("GET", "/referrers/", &["ecr:BatchGetImage"]),
    ("PUT", "/manifests/", &["ecr:PutImage"]),
];

fn actions_of(registry: &FakeRegistry) -> Actions {
    let contents = registry.contents();
    let requests = contents.requests.iter();
    let actions = requests.flat_map(|request| {
        let (method, path) = request.split_once(' ').unwrap();
        let known = REQUESTS
            .iter()
            .filter(|(known, part, _)| *known == method && path.contains(part));
        // The longest part that fits: uploads are blobs too.
        let known = known.max_by_key(|(_, part, _)| part.len());
        let ping = path == "/v2/";
        assert!(
            known.is_some() || ping,
            "what does ECR ask for `{request}`?"
        );
        known.map_or(&[] as &[&str], |(_, _, actions)| actions)
    });
    actions.map(|action| (*action).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_is_asked_for_what_is_listed_and_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let image = images::image(folder.path(), b"a program");
    let (source, target) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let tag: Tag = "1.0.0".parse().unwrap();
    let access = |registry: &FakeRegistry| {
        let credentials = Credentials::new("AWS", "s3cret", None);
        Access::new(registry.repository(), Some(credentials))
    };
    publish_image(&access(&source), &image, &tag, Arc::new(|_| ()))
        .await
        .unwrap();
    assert_eq!(actions_of(&source), of_registry_in("publish"));

    source.contents().requests.clear();
    let (from, to) = (access(&source), access(&target));
    let copy = Copy::new(&from, &to, &image.digest, Arc::new(|_| ())).await;
    copy.unwrap().run(&tag).await.unwrap();
    assert_eq!(actions_of(&source), of_registry_in("promote from"));

    source.contents().requests.clear();
    let inspector = Inspector::connect(&from).await.unwrap();
    inspector.platform(&image.digest).await.unwrap();
    inspector.commit(&image.digest).await.unwrap();
    for looks in ["verify", "images and prune"] {
        assert_eq!(actions_of(&source), of_registry_in(looks));
    }
    assert!(actions_of(&target).is_subset(&of_registry_in("publish")));
}

fn of_registry_in(command: &str) -> Actions {
    let mut needs = listed().remove(command).unwrap();
    needs.retain(|action| of_registry(action));
    needs
}
