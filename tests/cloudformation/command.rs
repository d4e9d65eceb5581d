//! The command against the stack of the real template in moto: the environment is the stack's own
//! output, and what it tells CloudFormation is held against the template.
//!
//! Of an update moto takes the container's members as they are written, registers the revision without its
//! tags and leaves the service where it was: the template's members are written for it as ECS has them, and
//! the service is moved here. It does not say which capabilities a stack was made with, so that none are sent:
//! the stand-in of `tests/cloudformation_release` refuses an update without them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::evaluate::Evaluation;
use crate::quilt::{Stack, put_image};
use crate::stack::{NAME, call, environment, for_moto, parameters, stack_says};
use crate::support::aws_endpoint::{AwsEndpoint, Fault, name_deployment};
use crate::support::cli::{Cli, Run};
use crate::support::moto::{ACCOUNT, Moto, REGION};
use crate::template;

const REPOSITORY: &str = "quilt/sales-prod/mcp-server";
const TEMPLATE: &str = "mcp-service.yaml";

/// The stack as the guide makes it, and its operator.
struct World {
    moto: Moto,
    endpoint: AwsEndpoint,
    cli: Cli,
    /// The parameters that the stack was made with.
    given: Vec<(&'static str, String)>,
}

impl World {
    async fn set() -> Option<Self> {
        let moto = Moto::start()?;
        let quilt = Stack::build(&moto).await;
        moto.ecr("CreateRepository", json!({"repositoryName": REPOSITORY}))
            .await;
        let given = parameters(&quilt);
        let values: Vec<(&str, &str)> = given
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let evaluation = Evaluation::new(template::read(TEMPLATE), &values);
        let mut written = evaluation.decided_but(&["HasImage", "CountIsUnchanged"]);
        let container =
            &mut written["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"][0];
        *container = as_ecs_has_it(container);
        let text = for_moto(&written);
        // As the console's form does: moto remembers no default as a previous value.
        let values = evaluation.values();
        let all: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        call(&moto, "CreateStack", NAME, &text, &all).await;
        let endpoint = AwsEndpoint::before(moto.url()).await;
        let table = environment(&stack_says(&moto).await);
        let cli = Cli::new().credentials();
        let endpoint_url = format!("endpoint_url = \"{}\"\n", endpoint.url());
        cli.write("quilt-mcp.toml", &format!("{table}{endpoint_url}"));
        Some(Self {
            moto,
            endpoint,
            cli,
            given,
        })
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let common = ["--env", "prod", "--output", "json"];
        self.cli.run(&[arguments, &common].concat())
    }

    /// Releases the image to a service that wants so many tasks; once CloudFormation is told, the service is on
    /// this revision.
    fn roll_out(&self, digest: &str, desired: i64, revision: u32) -> Value {
        let endpoint = self.endpoint.clone();
        let told = endpoint.calls_of("UpdateStack").len();
        let follow = Fault::rewrite(move |answer| {
            let updated = endpoint.calls_of("UpdateStack").len() > told;
            let service = &mut answer["services"][0];
            service["taskDefinition"] = json!(arn(if updated { revision } else { revision - 1 }));
            service["desiredCount"] = json!(desired);
            name_deployment(service);
        });
        self.endpoint.trap("DescribeServices", usize::MAX, follow);
        let release = ["rollout", "--digest", digest, "--no-wait"];
        self.run(&release).result()
    }

    /// What the stack's parameters are after the last UpdateStack, which is held against the template.
    fn told(&self) -> BTreeMap<String, String> {
        let calls = self.endpoint.calls_of("UpdateStack");
        let form = calls
            .last()
            .unwrap()
            .parameters
            .as_object()
            .unwrap()
            .clone();
        assert_eq!(form["StackName"], NAME);
        assert_eq!(form["UsePreviousTemplate"], "true");
        assert!(!form["ClientRequestToken"].as_str().unwrap().is_empty());
        let declared = template::read(TEMPLATE)["Parameters"].take();
        let declared = declared.as_object().unwrap();
        let said = said(&form);
        let all: BTreeSet<&String> = declared.keys().collect();
        let every = "every parameter of the template, and no other";
        assert_eq!(said.keys().collect::<BTreeSet<_>>(), all, "{every}");
        let changed: BTreeMap<String, String> = said
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        for (name, value) in &changed {
            assert!(
                template::is_taken(&declared[name], value),
                "{name} refuses {value}"
            );
        }
        changed
    }

    /// The template's resources with these parameters beside those that the stack was made with.
    fn resources(&self, changed: &BTreeMap<String, String>) -> Map<String, Value> {
        let given = self.given.iter().map(|(name, value)| (*name, value));
        let changed = changed.iter().map(|(name, value)| (name.as_str(), value));
        let values: Vec<(&str, &str)> = given
            .chain(changed)
            .map(|(name, value)| (name, value.as_str()))
            .collect();
        let evaluation = Evaluation::new(template::read(TEMPLATE), &values);
        evaluation.resources()
    }
}

/// The parameters of a request; none where the previous value is to stay.
fn said(form: &Map<String, Value>) -> BTreeMap<String, Option<String>> {
    let text = |name: String| form.get(&name).and_then(Value::as_str).map(str::to_owned);
    let mut said = BTreeMap::new();
    for position in 1.. {
        let of = |member: &str| text(format!("Parameters.member.{position}.{member}"));
        let Some(name) = of("ParameterKey") else {
            break;
        };
        let (value, stays) = (of("ParameterValue"), of("UsePreviousValue"));
        assert_eq!(value.is_none(), stays.as_deref() == Some("true"), "{name}");
        assert!(said.insert(name, value).is_none());
    }
    said
}

fn arn(revision: u32) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{NAME}:{revision}")
}

/// Members as ECS writes them, `containerPort`; functions and the names of log options stay.
fn as_ecs_has_it(value: &Value) -> Value {
    let name = |name: &str| match name.contains("::") || name == "Ref" {
        true => name.to_owned(),
        false => name[..1].to_lowercase() + &name[1..],
    };
    match value {
        Value::Array(items) => items.iter().map(as_ecs_has_it).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match key.as_str() {
                "Fn::Sub" => (key.clone(), value.clone()),
                _ => (name(key), as_ecs_has_it(value)),
            })
            .collect::<Map<_, _>>()
            .into(),
        plain => plain.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_release_tells_cloudformation_is_what_the_template_takes() {
    let Some(world) = World::set().await else {
        return;
    };
    let first = put_image(&world.moto, REPOSITORY, "1.4.0-3f2a9c1").await;
    let planned = world.run(&["plan", "--digest", &first]).result();
    assert_eq!(planned["deployment"]["action"], "update_stack", "{planned}");
    assert_eq!(planned["stack"]["name"], NAME);
    assert!(world.endpoint.changes().is_empty(), "plan changes nothing");

    let released = world.roll_out(&first, 0, 2);
    assert_eq!(released["started"], true, "{released}");
    assert_eq!(released["revision"]["arn"], arn(2));
    assert_eq!(world.endpoint.changes(), ["UpdateStack"]);
    let image = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{first}");
    let told = world.told();
    assert_eq!(told["ImageUri"], image);
    assert_eq!(told["TaskCount"], "MinTasks");
    assert!(told["ReleasedBy"].starts_with("arn:aws:"), "{told:?}");
    assert_eq!(told.len(), 4, "{told:?}");
    let resources = world.resources(&told);
    let container = &resources["TaskDefinition"]["ContainerDefinitions"][0];
    assert_eq!(container["Image"], image);
    assert_eq!(resources["Service"]["DesiredCount"], "2");

    let status = world.run(&["status"]).result();
    assert_eq!(status["stack"]["status"], "UPDATE_COMPLETE");
    assert_eq!(status["release"]["digest"], first);

    // Autoscaling made three tasks of two: the template says no number, and CloudFormation sends none.
    let second = put_image(&world.moto, REPOSITORY, "1.5.0-9b1c2d3").await;
    world.roll_out(&second, 3, 3);
    let told = world.told();
    assert!(told["ImageUri"].ends_with(&second), "{told:?}");
    assert_eq!(told["TaskCount"], "Unchanged");
    assert_eq!(world.resources(&told)["Service"].get("DesiredCount"), None);
}

/// A stack without an image, one that may not be looked at, and one that is not there any more.
#[tokio::test(flavor = "multi_thread")]
async fn verify_looks_at_the_stack() {
    let Some(world) = World::set().await else {
        return;
    };
    let stack = || {
        let run = world.run(&["verify"]);
        let checks = run.json()["checks"].as_array().unwrap().clone();
        let mut of_stack = checks.into_iter().filter(|check| check["name"] == "stack");
        of_stack
            .next()
            .unwrap_or_else(|| panic!("no check of the stack: {run:?}"))
    };
    let check = stack();
    assert_eq!(check["outcome"], "ok", "{check}");
    assert!(
        check["detail"].as_str().unwrap().contains("empty"),
        "{check}"
    );
    let denied = Fault::Refuse(403, "AccessDenied", "no");
    world.endpoint.trap("ListStackResources", 1, denied);
    let check = stack();
    assert_eq!(check["outcome"], "unknown", "{check}");
    let gone = [("StackName", NAME)];
    let (service, version) = ("cloudformation", "2010-05-15");
    world
        .moto
        .query(service, version, "DeleteStack", &gone)
        .await;
    let check = stack();
    assert_eq!(check["outcome"], "failed", "{check}");
    let detail = check["detail"].as_str().unwrap();
    assert!(detail.contains("there is no stack"), "{detail}");
}
