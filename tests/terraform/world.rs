//! An account in moto with a stack in it, the module applied to it with the real provider, and the
//! real command.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::stack::{self, NAME, Stack};
use crate::support::aws_endpoint::{AwsEndpoint, Fault, name_deployment};
use crate::support::cli::{Cli, Run};
use crate::support::moto::{Moto, REGION};
use crate::support::terraform::Terraform;

pub const FOLDER: &str = "environments/tried";
pub const SERVICE: &str = "sales-prod-mcp-server";
pub const REPOSITORY: &str = "quilt/sales-prod/mcp-server";

/// An account with a stack in it, and everybody who works there.
pub struct World {
    pub moto: Moto,
    pub terraform: Terraform,
    pub endpoint: AwsEndpoint,
    pub cli: Cli,
}

impl World {
    pub async fn new() -> Option<Self> {
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

    pub fn apply(&self, more: &[&str]) {
        let apply = ["apply", "-auto-approve", "-input=false"];
        self.terraform.run(FOLDER, &[&apply, more].concat());
    }

    /// The resources that Terraform would change now.
    pub fn changes(&self, more: &[&str]) -> Vec<String> {
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

    /// Writes quilt-mcp.toml as an operator does; gives the environment's keys.
    pub fn configure(&self) -> String {
        let outputs = self.terraform.run(FOLDER, &["output", "-json"]);
        self.cli.write("outputs.json", &outputs);
        let endpoint = self.endpoint.url();
        let init = [
            "init",
            "--env",
            "prod",
            "--endpoint-url",
            &endpoint,
            "--output",
            "json",
        ];
        let made = [&init[..], &["--from-terraform", "outputs.json"]].concat();
        let made = self.cli.run(&made).result();
        // The service itself tells the same.
        let name = format!("{NAME}/{SERVICE}");
        let dry = ["--dry-run", "--config", "found.toml", "--region", REGION];
        let found = [&init[..], &dry, &["--from-service", &name]].concat();
        let found = self.cli.run(&found).result();
        let keys = |result: &Value| plain(result["table"].as_str().unwrap());
        assert_eq!(keys(&found), keys(&made));
        keys(&made)
    }

    pub fn rollout(&self, digest: &str) -> Value {
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

    pub fn status(&self) -> Value {
        self.cli.run(&["status", "--output", "json"]).result()
    }

    pub fn plan_of(&self, digest: &str) -> Run {
        self.cli.run(&[
            "plan",
            "--digest",
            digest,
            "--detailed-exitcode",
            "--output",
            "json",
        ])
    }

    pub async fn service(&self) -> Value {
        let parameters = json!({"cluster": NAME, "services": [SERVICE]});
        let mut answer = self.moto.ecs("DescribeServices", parameters).await;
        answer["services"][0].take()
    }

    pub async fn container_of(&self, revision: &Value) -> Value {
        let parameters = json!({"taskDefinition": revision});
        let mut answer = self.moto.ecs("DescribeTaskDefinition", parameters).await;
        answer["taskDefinition"]["containerDefinitions"][0].take()
    }
}

/// A table without what a service does not tell and without remarks.
fn plain(table: &str) -> String {
    let lines = table.lines().map(|line| line.split(" # ").next().unwrap());
    let lines: Vec<&str> = lines
        .filter(|line| !line.starts_with("desired_count"))
        .collect();
    lines.join("\n")
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
