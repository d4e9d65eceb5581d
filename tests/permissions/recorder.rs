//! A local environment that counts calls.

use std::collections::BTreeMap;

use quilt_mcp_deploy::image::Image;
use serde_json::{Value, json};

use crate::Actions;
use crate::support::rehearsal::{Ended, Rehearsal};
use crate::support::stack::{STACK, StandIn};

/// Nobody has to grant it.
const FREE: &str = "sts:GetCallerIdentity";

/// A local environment that says which APIs a command called.
pub struct Recorder {
    pub rehearsal: Rehearsal,
    /// What each command called.
    pub calls: BTreeMap<&'static str, Actions>,
}

impl Recorder {
    pub fn start() -> Self {
        let rehearsal = Rehearsal::new();
        rehearsal.run(&["local", "up"]).expect(0);
        Self {
            rehearsal,
            calls: BTreeMap::new(),
        }
    }

    /// Runs a command, and notes its calls under `name`.
    pub fn run(&mut self, name: &'static str, code: i32, arguments: &[&str]) -> Value {
        let ended = self.attempt(name, arguments);
        ended.expect(code).json()
    }

    /// Runs a command where releases go through the stack, and notes its calls under `name`, with
    /// those that CloudFormation makes in the caller's name.
    pub fn run_through(
        &mut self,
        name: &'static str,
        stand_in: &StandIn,
        arguments: &[&str],
    ) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("quilt-mcp.toml");
        let description = self.rehearsal.description();
        let balancer = description["load_balancer_url"].as_str().unwrap();
        let text = stand_in.configuration(balancer, "quilt-local-mcp-server", STACK);
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap();
        let chosen = ["--env", "staging", "--config", config];
        let ended = self.attempt(name, &[arguments, &chosen].concat());
        let told = std::mem::take(&mut stand_in.stack().told);
        let told = told
            .iter()
            .map(|told| format!("cloudformation:{}", told.operation));
        self.calls.entry(name).or_default().extend(told);
        ended
    }

    fn attempt(&mut self, name: &'static str, arguments: &[&str]) -> Ended {
        self.rehearsal.run(&["local", "calls", "--reset"]).expect(0);
        let mut command = self.rehearsal.command(arguments);
        command.args(["--output", "json"]);
        for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env(variable, "test");
        }
        let ended = Ended::from(command.output().unwrap());
        let counted = self.rehearsal.run(&["local", "calls", "--output", "json"]);
        let counted = counted.expect(0).json();
        let operations = counted["operations"].as_object().unwrap();
        let seen = self.calls.entry(name).or_default();
        seen.extend(operations.keys().filter(|action| *action != FREE).cloned());
        ended
    }

    pub fn publish(&mut self, image: &Image, tag: &str, more: &[&str]) -> String {
        let layout = image.layout.to_str().unwrap();
        let publish = ["publish", "--image-layout", layout, "--tag", tag];
        self.run("publish", 0, &[&publish, more].concat());
        image.digest.to_string()
    }

    /// Copies an image to another repository behind the same endpoint.
    pub fn promote(&mut self, tag: &str) {
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
    pub fn deploy_with_secrets(&self, digest: &str) {
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

    pub fn endpoint(&self) -> String {
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
