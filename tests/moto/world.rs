//! An account in moto and its user.

use std::collections::BTreeMap;

use crate::support::aws_endpoint::AwsEndpoint;
use crate::support::cli::{Cli, Run};
use crate::support::moto::{ACCOUNT, Moto, REGION};
use crate::support::template::{FAMILY, template};
use quilt_mcp_deploy::image::Digest;
use serde_json::{Value, json};

pub const CLUSTER: &str = "acme-staging";
pub const SERVICE: &str = "acme-staging-mcp-server";
/// The repository that `FakeRegistry` serves.
pub const REPOSITORY: &str = "team/server";
pub const TAG: &str = "1.4.0-3f2a9c1";

/// An AWS account in moto and a user of it, with everything between them on record.
pub struct World {
    pub moto: Moto,
    pub endpoint: AwsEndpoint,
    pub cli: Cli,
}

impl World {
    /// An account with nothing in it, where moto is installed.
    pub async fn empty() -> Option<Self> {
        let moto = Moto::start()?;
        let endpoint = AwsEndpoint::before(moto.url()).await;
        let cli = Cli::new().credentials();
        let world = Self {
            moto,
            endpoint,
            cli,
        };
        world.configure(ACCOUNT);
        world.endpoint.name_deployments_as_ecs_does();
        Some(world)
    }

    /// An account with a repository, one image in it, a template and a service that runs it.
    pub async fn ready() -> Option<(Self, String)> {
        let world = Self::empty().await?;
        world.create_repository().await;
        let digest = world.put_image(TAG).await;
        world.register(template()).await;
        let cluster = json!({"clusterName": CLUSTER});
        world.moto.ecs("CreateCluster", cluster).await;
        world.create_service(FAMILY, json!({"type": "ECS"})).await;
        Some((world, digest))
    }

    pub fn configure(&self, account: &str) {
        self.configure_also(account, "");
    }

    /// The same, with these lines in the environment.
    pub fn configure_also(&self, account: &str, more: &str) {
        self.cli.write(
            "quilt-mcp.toml",
            &format!(
                r#"default_environment = "staging"

[environments.staging]
account_id = "{account}"
region = "{REGION}"
endpoint_url = "{}"
repository = "{REPOSITORY}"
cluster = "{CLUSTER}"
service = "{SERVICE}"
url = "http://127.0.0.1:9/mcp/"
tags = {{ Environment = "staging" }}
{more}
"#,
                self.endpoint.url()
            ),
        );
    }

    pub async fn create_repository(&self) {
        let parameters = json!({"repositoryName": REPOSITORY});
        self.moto.ecr("CreateRepository", parameters).await;
    }

    pub async fn create_service(&self, task_definition: &str, controller: Value) {
        let parameters = json!({
            "cluster": CLUSTER, "serviceName": SERVICE, "desiredCount": 2, "launchType": "FARGATE",
            "taskDefinition": task_definition, "deploymentController": controller,
        });
        self.moto.ecs("CreateService", parameters).await;
    }

    pub async fn delete_service(&self) {
        let parameters = json!({"cluster": CLUSTER, "service": SERVICE, "force": true});
        self.moto.ecs("DeleteService", parameters).await;
    }

    /// Puts an image that differs from every other tag's; gives its digest.
    pub async fn put_image(&self, tag: &str) -> String {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2,
                       "digest": Digest::of(b"{}")},
            // moto makes the digest of an image out of its layers.
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 2,
                        "digest": Digest::of(tag.as_bytes())}],
        });
        let parameters = json!({
            "repositoryName": REPOSITORY, "imageManifest": manifest.to_string(), "imageTag": tag,
        });
        let answer = self.moto.ecr("PutImage", parameters).await;
        text(&answer["image"]["imageId"]["imageDigest"])
    }

    /// Registers a revision; gives its ARN.
    pub async fn register(&self, parameters: Value) -> String {
        let answer = self.moto.ecs("RegisterTaskDefinition", parameters).await;
        text(&answer["taskDefinition"]["taskDefinitionArn"])
    }

    /// The family's revisions, oldest first.
    pub async fn revisions(&self) -> Vec<String> {
        let parameters = json!({"familyPrefix": FAMILY});
        let answer = self.moto.ecs("ListTaskDefinitions", parameters).await;
        let arns = answer["taskDefinitionArns"].as_array().unwrap().iter();
        let mut arns: Vec<String> = arns.map(text).collect();
        arns.sort_by_key(|arn| arn.rsplit(':').next().unwrap().parse::<u32>().unwrap());
        arns
    }

    /// A revision as ECS describes it, and its tags.
    pub async fn describe(&self, revision: &str) -> (Value, BTreeMap<String, String>) {
        let parameters = json!({"taskDefinition": revision, "include": ["TAGS"]});
        let mut answer = self.moto.ecs("DescribeTaskDefinition", parameters).await;
        let tags = answer["tags"].as_array().unwrap().iter();
        let tags = tags
            .map(|tag| (text(&tag["key"]), text(&tag["value"])))
            .collect();
        (answer["taskDefinition"].take(), tags)
    }

    pub async fn service(&self) -> Value {
        let parameters = json!({"cluster": CLUSTER, "services": [SERVICE]});
        let mut answer = self.moto.ecs("DescribeServices", parameters).await;
        answer["services"][0].take()
    }

    pub fn rollout(&self, digest: &str, more: &[&str]) -> Run {
        self.cli
            .run(&[&["rollout", "--digest", digest, "--output", "json"], more].concat())
    }

    /// What the command asked for, beyond looking, since the last time.
    pub fn changes(&self) -> Vec<String> {
        let changes = self.endpoint.changes();
        self.endpoint.forget();
        changes
    }
}

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
