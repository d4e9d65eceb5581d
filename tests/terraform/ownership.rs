//! Who owns what: Terraform writes templates, the command makes releases of them and moves the
//! service, autoscaling sets the number of tasks; and none undoes what another did. The module is
//! applied to moto with the real provider, and the releases are the real command's.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::stack::{self, NAME, Stack};
use crate::support::aws_endpoint::{AwsEndpoint, Fault, name_deployment};
use crate::support::cli::{Cli, Run};
use crate::support::moto::{Moto, REGION};
use crate::support::terraform::Terraform;

const FOLDER: &str = "environments/tried";
const SERVICE: &str = "sales-prod-mcp-server";
const REPOSITORY: &str = "quilt/sales-prod/mcp-server";

/// An account with a stack in it, and everybody who works there.
struct World {
    moto: Moto,
    terraform: Terraform,
    endpoint: AwsEndpoint,
    cli: Cli,
}

impl World {
    async fn new() -> Option<Self> {
        let terraform = Terraform::copy()?;
        let moto = Moto::start()?;
        let stack = Stack::build(&moto).await;
        let endpoint = AwsEndpoint::before(moto.url()).await;
        remember_what_moto_forgets(&endpoint);
        let terraform = terraform
            .variable("AWS_ENDPOINT_URL", &endpoint.url())
            .variable("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .variable("AWS_SECRET_ACCESS_KEY", "none")
            .variable("AWS_EC2_METADATA_DISABLED", "true");
        terraform.write(&format!("{FOLDER}/main.tf"), &stack::environment(&stack));
        terraform.init(FOLDER);
        Some(Self {
            moto,
            terraform,
            endpoint,
            cli: Cli::new().credentials(),
        })
    }

    fn apply(&self, more: &[&str]) {
        let apply = ["apply", "-auto-approve", "-input=false"];
        self.terraform.run(FOLDER, &[&apply, more].concat());
    }

    /// The resources that Terraform would change now.
    fn changes(&self, more: &[&str]) -> Vec<String> {
        let file = self.terraform.path("plan.bin");
        let out = format!("-out={}", file.display());
        let plan = ["plan", "-input=false", &out];
        self.terraform.run(FOLDER, &[&plan, more].concat());
        let show = ["show", "-json", file.to_str().unwrap()];
        let plan: Value = serde_json::from_str(&self.terraform.run(FOLDER, &show)).unwrap();
        let changes = plan["resource_changes"].as_array().unwrap().iter();
        changes
            .filter(|change| change["change"]["actions"] != json!(["no-op"]))
            .filter(|change| change["mode"] == "managed")
            .map(|change| change["address"].as_str().unwrap().to_owned())
            .filter(|address| address != FORGOTTEN_RULE)
            .collect()
    }

    /// Writes quilt-mcp.toml from what Terraform says, key by key.
    fn configure(&self) {
        let outputs = self.terraform.run(FOLDER, &["output", "-json"]);
        let outputs: Value = serde_json::from_str(&outputs).unwrap();
        let environment = &outputs["quilt_mcp_environment"]["value"];
        let mut lines = vec![
            "default_environment = \"prod\"".to_owned(),
            "[environments.prod]".to_owned(),
            format!("endpoint_url = \"{}\"", self.endpoint.url()),
        ];
        for (key, value) in environment.as_object().unwrap() {
            // JSON's texts, numbers and lists of texts are TOML's too.
            lines.push(format!("{key} = {value}"));
        }
        self.cli.write("quilt-mcp.toml", &lines.join("\n"));
    }

    fn rollout(&self, digest: &str) -> Value {
        let rollout = [
            "rollout",
            "--digest",
            digest,
            "--no-wait",
            "--output",
            "json",
        ];
        self.cli.run(&rollout).result()
    }

    fn status(&self) -> Value {
        self.cli.run(&["status", "--output", "json"]).result()
    }

    fn plan_of(&self, digest: &str) -> Run {
        self.cli.run(&[
            "plan",
            "--digest",
            digest,
            "--detailed-exitcode",
            "--output",
            "json",
        ])
    }

    async fn service(&self) -> Value {
        let parameters = json!({"cluster": NAME, "services": [SERVICE]});
        let mut answer = self.moto.ecs("DescribeServices", parameters).await;
        answer["services"][0].take()
    }

    async fn container_of(&self, revision: &Value) -> Value {
        let parameters = json!({"taskDefinition": revision});
        let mut answer = self.moto.ecs("DescribeTaskDefinition", parameters).await;
        answer["taskDefinition"]["containerDefinitions"][0].take()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_accepts_what_terraform_made() {
    let Some(world) = World::new().await else {
        return;
    };
    world.apply(&[]);
    world.configure();
    let digest = stack::put_image(&world.moto, REPOSITORY, "1.0.0-3f2a9c1").await;
    world.rollout(&digest);
    let found = world.cli.run(&["verify", "--output", "json"]).result();
    let mut unclear = Vec::new();
    for check in found["checks"].as_array().unwrap() {
        match check["outcome"].as_str().unwrap() {
            "ok" => {}
            "unknown" => unclear.push(check["name"].as_str().unwrap()),
            _ => panic!("{check}"),
        }
    }
    // moto has no registry to ask for the image's platform, and no simulation of policies.
    assert_eq!(unclear, ["running image", "permissions"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_and_releases_leave_each_other_alone() {
    let Some(world) = World::new().await else {
        return;
    };
    world.apply(&[]);
    world.configure();
    assert_eq!(world.service().await["desiredCount"], 0);
    let digest = stack::put_image(&world.moto, REPOSITORY, "1.0.0-3f2a9c1").await;
    let next = stack::put_image(&world.moto, REPOSITORY, "1.1.0-7c1d2e3").await;

    // The first release starts the tasks.
    let first = world.rollout(&digest);
    let service = world.service().await;
    assert_eq!(service["taskDefinition"], first["revision"]["arn"]);
    assert_eq!(service["desiredCount"], 2);
    let released = world.container_of(&first["revision"]["arn"]).await;
    let image = format!("123456789012.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{digest}");
    assert_eq!(released["image"], image);
    assert_eq!(world.changes(&[]), Vec::<String>::new());
    assert_eq!(world.status()["release"]["template_waiting"], Value::Null);
    assert_eq!(world.plan_of(&digest).code, 0);

    // Autoscaling and further releases are none of Terraform's business.
    let five = json!({"cluster": NAME, "service": SERVICE, "desiredCount": 5});
    world.moto.ecs("UpdateService", five).await;
    let second = world.rollout(&next);
    assert_eq!(
        second["revision"]["template"],
        first["revision"]["template"]
    );
    assert_eq!(world.service().await["desiredCount"], 5);
    assert_eq!(world.changes(&[]), Vec::<String>::new());

    // A change of the configuration is a new template, and the service goes on with what it has.
    let debug = ["-var=log_filter=debug"];
    assert_eq!(
        world.changes(&debug),
        ["module.mcp_server.aws_ecs_task_definition.this"]
    );
    world.apply(&debug);
    assert_eq!(world.changes(&debug), Vec::<String>::new());
    let service = world.service().await;
    assert_eq!(service["taskDefinition"], second["revision"]["arn"]);
    assert_eq!(service["desiredCount"], 5);

    // It is said to be waiting, and what it is.
    let waiting = world.status()["release"]["template_waiting"].clone();
    assert!(waiting.is_string(), "{waiting}");
    let status = world.cli.run(&["status"]);
    assert!(
        status.stdout.contains("comes with the next rollout"),
        "{status:?}"
    );
    let plan = world.plan_of(&next);
    assert_eq!(plan.code, 3, "{plan:?}");
    let plan = plan.json();
    assert_eq!(plan["template"]["newer_than_running"], true);
    assert_eq!(plan["template"]["arn"], waiting);
    assert!(plan["changes"].to_string().contains("MCP_LOG"), "{plan}");

    // It comes with the next rollout, of the same image.
    let third = world.rollout(&next);
    assert_eq!(third["revision"]["template"], waiting);
    assert_eq!(
        world.service().await["taskDefinition"],
        third["revision"]["arn"]
    );
    let released = world.container_of(&third["revision"]["arn"]).await;
    let debug_variable = json!({"name": "MCP_LOG", "value": "debug"});
    assert!(
        released["environment"]
            .as_array()
            .unwrap()
            .contains(&debug_variable),
        "{released}"
    );
    assert_eq!(world.status()["release"]["template_waiting"], Value::Null);
    assert_eq!(world.changes(&debug), Vec::<String>::new());

    // A return to an older revision stays, too.
    let back =
        json!({"cluster": NAME, "service": SERVICE, "taskDefinition": first["revision"]["arn"]});
    world.moto.ecs("UpdateService", back).await;
    assert_eq!(world.changes(&debug), Vec::<String>::new());
}

/// ECS keeps these fields of a service, and moto does not.
const FORGOTTEN_FIELDS: [&str; 4] = [
    "availabilityZoneRebalancing",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "healthCheckGracePeriodSeconds",
];
/// moto loses the description of a rule that names a security group.
const FORGOTTEN_RULE: &str = "module.mcp_server.aws_vpc_security_group_ingress_rule.load_balancer";

/// Has moto answer as AWS does where Terraform or the command looks.
fn remember_what_moto_forgets(endpoint: &AwsEndpoint) {
    endpoint.name_deployments_as_ecs_does();
    let record = endpoint.clone();
    let remember = Fault::rewrite(move |answer| {
        let Some(service) = answer.pointer_mut("/services/0") else {
            return;
        };
        name_deployment(service);
        let created = record.calls_of("CreateService");
        for field in FORGOTTEN_FIELDS {
            let value = created.last().map(|call| call.parameters[field].clone());
            service[field] = value.unwrap_or_default();
        }
    });
    endpoint.trap("DescribeServices", usize::MAX, remember);
    let record = endpoint.clone();
    let tags = Fault::Answer(Arc::new(move || {
        let registered = record.calls_of("RegisterScalableTarget");
        let tags = registered
            .last()
            .map(|call| call.parameters["Tags"].clone());
        json!({"Tags": tags.unwrap_or_default()})
    }));
    endpoint.trap(
        "application-autoscaling:ListTagsForResource",
        usize::MAX,
        tags,
    );
}
