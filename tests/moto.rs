//! The command against moto: AWS's APIs as software that we did not write understands them.
//!
//! moto keeps task definitions, services and repositories, but runs no task and has no
//! registry: what a deployment becomes is the local environment's to rehearse, not its.

mod support;

use std::collections::BTreeMap;

use quilt_mcp_deploy::image::Digest;
use serde_json::{Value, json};
use support::aws_endpoint::{AwsEndpoint, Fault};
use support::cli::{Cli, Run};
use support::fake_registry::FakeRegistry;
use support::images;
use support::moto::{ACCOUNT, Moto, REGION};
use support::template::{FAMILY, template};

const CLUSTER: &str = "acme-staging";
const SERVICE: &str = "acme-staging-mcp-server";
/// The repository that `FakeRegistry` serves.
const REPOSITORY: &str = "team/server";
const TAG: &str = "1.4.0-3f2a9c1";

/// An AWS account in moto and a user of it, with everything between them on record.
struct World {
    moto: Moto,
    endpoint: AwsEndpoint,
    cli: Cli,
}

impl World {
    /// An account with nothing in it, where moto is installed.
    async fn empty() -> Option<Self> {
        let moto = Moto::start()?;
        let endpoint = AwsEndpoint::before(moto.url()).await;
        let cli = Cli::new().credentials();
        let world = Self {
            moto,
            endpoint,
            cli,
        };
        world.configure(ACCOUNT);
        Some(world)
    }

    /// An account with a repository, one image in it, a template and a service that runs it.
    async fn ready() -> Option<(Self, String)> {
        let world = Self::empty().await?;
        world.create_repository().await;
        let digest = world.put_image(TAG).await;
        world.register(template()).await;
        let cluster = json!({"clusterName": CLUSTER});
        world.moto.ecs("CreateCluster", cluster).await;
        world.create_service(FAMILY, json!({"type": "ECS"})).await;
        Some((world, digest))
    }

    fn configure(&self, account: &str) {
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
"#,
                self.endpoint.url()
            ),
        );
    }

    async fn create_repository(&self) {
        let parameters = json!({"repositoryName": REPOSITORY});
        self.moto.ecr("CreateRepository", parameters).await;
    }

    async fn create_service(&self, task_definition: &str, controller: Value) {
        let parameters = json!({
            "cluster": CLUSTER, "serviceName": SERVICE, "desiredCount": 2, "launchType": "FARGATE",
            "taskDefinition": task_definition, "deploymentController": controller,
        });
        self.moto.ecs("CreateService", parameters).await;
    }

    async fn delete_service(&self) {
        let parameters = json!({"cluster": CLUSTER, "service": SERVICE, "force": true});
        self.moto.ecs("DeleteService", parameters).await;
    }

    /// Puts an image that differs from every other tag's; gives its digest.
    async fn put_image(&self, tag: &str) -> String {
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
    async fn register(&self, parameters: Value) -> String {
        let answer = self.moto.ecs("RegisterTaskDefinition", parameters).await;
        text(&answer["taskDefinition"]["taskDefinitionArn"])
    }

    /// The family's revisions, oldest first.
    async fn revisions(&self) -> Vec<String> {
        let parameters = json!({"familyPrefix": FAMILY});
        let answer = self.moto.ecs("ListTaskDefinitions", parameters).await;
        let arns = answer["taskDefinitionArns"].as_array().unwrap().iter();
        let mut arns: Vec<String> = arns.map(text).collect();
        arns.sort_by_key(|arn| arn.rsplit(':').next().unwrap().parse::<u32>().unwrap());
        arns
    }

    /// A revision as ECS describes it, and its tags.
    async fn describe(&self, revision: &str) -> (Value, BTreeMap<String, String>) {
        let parameters = json!({"taskDefinition": revision, "include": ["TAGS"]});
        let mut answer = self.moto.ecs("DescribeTaskDefinition", parameters).await;
        let tags = answer["tags"].as_array().unwrap().iter();
        let tags = tags
            .map(|tag| (text(&tag["key"]), text(&tag["value"])))
            .collect();
        (answer["taskDefinition"].take(), tags)
    }

    async fn service(&self) -> Value {
        let parameters = json!({"cluster": CLUSTER, "services": [SERVICE]});
        let mut answer = self.moto.ecs("DescribeServices", parameters).await;
        answer["services"][0].take()
    }

    fn rollout(&self, digest: &str, more: &[&str]) -> Run {
        self.cli
            .run(&[&["rollout", "--digest", digest, "--output", "json"], more].concat())
    }

    /// What the command asked for, beyond looking, since the last time.
    fn changes(&self) -> Vec<String> {
        let changes = self.endpoint.changes();
        self.endpoint.forget();
        changes
    }

    /// ECS puts a new PRIMARY where the revision changes; moto leaves the old one there.
    fn name_deployments_as_ecs_does(&self) {
        for (operation, services) in [
            ("UpdateService", "/service"),
            ("DescribeServices", "/services/0"),
        ] {
            let rename = Fault::rewrite(move |answer| {
                let Some(service) = answer.pointer_mut(services) else {
                    return;
                };
                let revision = text(&service["taskDefinition"]);
                let number = revision.rsplit(':').next().unwrap().to_owned();
                service["deployments"][0]["taskDefinition"] = json!(revision);
                service["deployments"][0]["id"] = json!(format!("ecs-svc/{number}"));
            });
            self.endpoint.trap(operation, usize::MAX, rename);
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

mod rollout {
    use super::*;

    /// What ECS itself says of a revision, and what of it is not the template's.
    const OF_THE_REVISION: [&str; 3] = ["taskDefinitionArn", "revision", "registeredAt"];

    #[tokio::test(flavor = "multi_thread")]
    async fn registers_one_revision_that_differs_in_the_image_alone() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        let result = world.rollout(&digest, &["--no-wait"]).result();
        assert_eq!(world.changes(), ["RegisterTaskDefinition", "UpdateService"]);

        let revisions = world.revisions().await;
        let [template, release] = revisions.as_slice() else {
            panic!("one release of one template, not {revisions:?}");
        };
        assert_eq!(result["revision"]["arn"], **release);
        assert_eq!(result["revision"]["registered"], true);
        assert_eq!(result["nothing_to_do"], false);
        assert_eq!(result["exit_code"], 0);
        assert_eq!(world.service().await["taskDefinition"], **release);

        let (mut of_template, _) = world.describe(template).await;
        let (mut of_release, tags) = world.describe(release).await;
        let image = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{digest}");
        assert_eq!(of_release["containerDefinitions"][1]["image"], image);
        of_template["containerDefinitions"][1]["image"] = json!(image);
        for described in [&mut of_template, &mut of_release] {
            for field in OF_THE_REVISION {
                described.as_object_mut().unwrap().remove(field);
            }
        }
        assert_eq!(of_release, of_template);
        let expected = [
            ("CostCentre", "4711"),
            ("Environment", "staging"),
            ("ManagedBy", "quilt-mcp-deploy"),
            ("quilt-mcp:image-tag", TAG),
            ("quilt-mcp:template", template),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(tags, BTreeMap::from(expected));
    }

    /// moto must keep the unusual fields, or the test above would compare too little.
    #[tokio::test(flavor = "multi_thread")]
    async fn moto_keeps_what_the_template_holds() {
        let Some((world, _)) = World::ready().await else {
            return;
        };
        let (described, _) = world.describe(FAMILY).await;
        let Value::Object(mut written) = template() else {
            unreachable!()
        };
        written.remove("tags");
        for (field, value) in written {
            assert!(contains(&described[&field], &value), "{field}: {described}");
        }
    }

    fn contains(whole: &Value, part: &Value) -> bool {
        match (whole, part) {
            (Value::Object(whole), Value::Object(part)) => part
                .iter()
                .all(|(key, value)| whole.get(key).is_some_and(|own| contains(own, value))),
            (Value::Array(whole), Value::Array(part)) => {
                whole.len() == part.len()
                    && whole
                        .iter()
                        .zip(part)
                        .all(|(whole, part)| contains(whole, part))
            }
            _ => whole == part,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_fields_that_the_sdk_does_not_know() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        let of_next_year = json!({"deep": [1, {"er": null}], "text": "grüße"});
        let added = of_next_year.clone();
        let add = Fault::rewrite(move |answer| {
            answer["taskDefinition"]["aFieldOfNextYear"] = added.clone();
            answer["taskDefinition"]["containerDefinitions"][1]["another"] = added.clone();
        });
        world.endpoint.trap("DescribeTaskDefinition", 1, add);
        world.rollout(&digest, &["--no-wait"]).result();
        let calls = world.endpoint.calls_of("RegisterTaskDefinition");
        let [call] = calls.as_slice() else {
            panic!("{calls:?}")
        };
        assert_eq!(call.parameters["aFieldOfNextYear"], of_next_year);
        let container = &call.parameters["containerDefinitions"][1];
        assert_eq!(container["another"], of_next_year);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn asks_ecs_for_the_revision_and_nothing_else() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        let result = world.rollout(&digest, &["--no-wait"]).result();
        let calls = world.endpoint.calls_of("UpdateService");
        let [call] = calls.as_slice() else {
            panic!("{calls:?}")
        };
        let expected = json!({
            "cluster": CLUSTER, "service": SERVICE, "taskDefinition": result["revision"]["arn"],
        });
        assert_eq!(call.parameters, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn again_is_the_same_revision() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        let first = world.rollout(&digest, &["--no-wait"]).result();
        world.changes();
        let again = world.rollout(&digest, &["--no-wait"]).result();
        assert_eq!(again["revision"]["arn"], first["revision"]["arn"]);
        assert_eq!(again["revision"]["registered"], false);
        assert!(!world.changes().contains(&"RegisterTaskDefinition".into()));
        assert_eq!(world.revisions().await.len(), 2);

        let other = world.put_image("1.4.1-aaaaaaa").await;
        let changed = world.rollout(&other, &["--no-wait"]).result();
        assert_eq!(changed["revision"]["registered"], true);
        assert_eq!(
            changed["revision"]["template"],
            first["revision"]["template"]
        );
        assert_eq!(world.revisions().await.len(), 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_newer_template_comes_with_the_next_rollout() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        world.rollout(&digest, &["--no-wait"]).result();
        let status = world.cli.run(&["status", "--output", "json"]).result();
        assert_eq!(status["release"]["template_waiting"], Value::Null);
        assert_eq!(status["release"]["digest"], digest);
        assert_eq!(status["release"]["image_tag"], TAG);

        let mut newer = template();
        newer["cpu"] = json!("1024");
        let newer = world.register(newer).await;
        // Another family, of which ours is a prefix, is none of our business. moto does not
        // list it: unlike ECS, it takes the prefix for the whole name.
        let mut canary = template();
        canary["family"] = json!(format!("{FAMILY}-canary"));
        let canary = world.register(canary).await;
        let list = Fault::rewrite(move |answer| {
            let arns = answer["taskDefinitionArns"].as_array_mut().unwrap();
            arns.insert(0, json!(canary));
        });
        world.endpoint.trap("ListTaskDefinitions", usize::MAX, list);

        let status = world.cli.run(&["status", "--output", "json"]).result();
        assert_eq!(status["release"]["template_waiting"], newer);
        let result = world.rollout(&digest, &["--no-wait"]).result();
        assert_eq!(result["revision"]["template"], newer);
        let (described, tags) = world.describe(&text(&result["revision"]["arn"])).await;
        assert_eq!(described["cpu"], "1024");
        assert_eq!(described["family"], FAMILY);
        assert_eq!(tags["quilt-mcp:template"], newer);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_tagged_template_what_runs_stands_in() {
        let Some(world) = World::empty().await else {
            return;
        };
        world.create_repository().await;
        let digest = world.put_image(TAG).await;
        let mut by_hand = template();
        by_hand["tags"] = json!([]);
        let by_hand = world.register(by_hand).await;
        let cluster = json!({"clusterName": CLUSTER});
        world.moto.ecs("CreateCluster", cluster).await;
        world.create_service(FAMILY, json!({"type": "ECS"})).await;
        let run = world.rollout(&digest, &["--no-wait"]);
        assert_eq!(run.result()["revision"]["template"], by_hand);
        assert!(
            run.stderr
                .contains("warning: no revision of the family is tagged ManagedBy=terraform"),
            "{run:?}"
        );
    }

    /// moto runs no task: there is never evidence of success.
    #[tokio::test(flavor = "multi_thread")]
    async fn without_evidence_there_is_no_success() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        world.name_deployments_as_ecs_does();
        let run = world.rollout(&digest, &["--timeout", "1"]);
        assert_eq!(run.code, 10, "{run:?}");
        let result = run.json();
        assert_eq!(result["verdict"]["verdict"], "unknown");
        assert_eq!(result["verdict"]["waiting_for"], "tasks to run: 0 of 2");
        assert_eq!(world.changes(), ["RegisterTaskDefinition", "UpdateService"]);

        // ECS says COMPLETED of this release, and still nobody saw a task of it.
        let run = world.rollout(&digest, &["--timeout", "1"]);
        assert_eq!(run.code, 10, "{run:?}");
        assert_eq!(run.json()["started"], false);
        assert!(
            world.changes().is_empty(),
            "the deployment is there already"
        );
    }
}

mod refusals {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn another_account_is_not_touched() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        world.configure("210987654321");
        for arguments in [
            &["rollout", "--digest", &digest][..],
            &[
                "publish",
                "--create-repository",
                "--image-layout",
                "x",
                "--tag",
                "1",
            ],
            &["deploy", "--image-layout", "x", "--tag", "1"],
        ] {
            let says = ["is in account 210987654321", "for account 123456789012"];
            world.cli.refuses(arguments, 13, &says);
        }
        assert!(
            world
                .endpoint
                .operations()
                .iter()
                .all(|name| name == "GetCallerIdentity")
        );
        assert_eq!(world.revisions().await.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_service_that_cannot_be_rolled_out() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        let rollout = ["rollout", "--digest", &digest];
        world.delete_service().await;
        let says = ["service acme-staging-mcp-server in cluster acme-staging is INACTIVE"];
        world.cli.refuses(&rollout, 4, &says);
        world.cli.refuses(&["status"], 4, &says);

        world
            .create_service(FAMILY, json!({"type": "EXTERNAL"}))
            .await;
        let says = [
            "is deployed by EXTERNAL, not by ECS",
            "deployment controller ECS",
        ];
        world.cli.refuses(&rollout, 4, &says);

        let text = std::fs::read_to_string(world.cli.work().join("quilt-mcp.toml")).unwrap();
        for (from, to, says) in [
            (
                "service = \"acme",
                "service = \"other",
                "there is no service other-staging-mcp-server in cluster acme-staging",
            ),
            (
                "cluster = \"acme",
                "cluster = \"other",
                "in cluster other-staging",
            ),
        ] {
            world.cli.write("quilt-mcp.toml", &text.replace(from, to));
            world
                .cli
                .refuses(&rollout, 4, &[says, "check cluster and service"]);
        }
        assert!(world.changes().is_empty());
        assert_eq!(world.revisions().await.len(), 1, "nothing was registered");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_deployment_in_flight() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        let in_progress = Fault::rewrite(|answer| {
            answer["services"][0]["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
        });
        world
            .endpoint
            .trap("DescribeServices", usize::MAX, in_progress);
        let says = [
            "another deployment of service",
            "acme-staging-mcp-server:1",
            "wait until it ends",
        ];
        world
            .cli
            .refuses(&["rollout", "--digest", &digest], 11, &says);
        assert!(world.changes().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_container_that_the_template_lacks() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        let path = world.cli.work().join("quilt-mcp.toml");
        let text = std::fs::read_to_string(path).unwrap();
        world.cli.write(
            "quilt-mcp.toml",
            &format!("{}container = \"server\"\n", text),
        );
        let says = [
            "no container named `server`",
            "`envoy`, `mcp-server`, `log-router`",
            "quilt-mcp.toml",
        ];
        world
            .cli
            .refuses(&["rollout", "--digest", &digest], 4, &says);
        assert!(world.changes().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_image_that_is_not_there() {
        let Some((world, _)) = World::ready().await else {
            return;
        };
        world.put_image("1.4.1-aaaaaaa").await;
        let digest = format!("sha256:{}", "a".repeat(64));
        let says = [
            "in repository team/server",
            "publish it first",
            "newest published images",
            TAG,
            "1.4.1-aaaaaaa",
        ];
        world.cli.refuses(
            &["rollout", "--digest", &digest],
            4,
            &[&[&*digest], &says[..]].concat(),
        );
        world.cli.refuses(
            &["rollout", "--tag", "2.0.0"],
            4,
            &[&["2.0.0"], &says[..]].concat(),
        );
        assert!(world.changes().is_empty());
        assert_eq!(world.revisions().await.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_repository_that_is_not_there() {
        let Some(world) = World::empty().await else {
            return;
        };
        let says = ["there is no repository team/server"];
        world.cli.refuses(&["rollout", "--tag", "1.0.0"], 4, &says);
        let layout = world.cli.work().join("image");
        let image = images::image(&layout, b"a program");
        let layout = image.layout.to_str().unwrap();
        let publish = ["publish", "--image-layout", layout, "--tag", TAG];
        let says = [
            says[0],
            ACCOUNT,
            REGION,
            "--create-repository",
            "nothing was changed",
        ];
        world.cli.refuses(&publish, 6, &says);
        assert!(world.changes().is_empty());
        let all = world.moto.ecr("DescribeRepositories", json!({})).await;
        assert_eq!(all["repositories"], json!([]));
    }
}

mod update_service {
    use super::*;

    /// However it fails, it is sent once: it has no client token, and twice would be two deployments.
    #[tokio::test(flavor = "multi_thread")]
    async fn is_sent_once() {
        let lost = [
            "ecs:UpdateService",
            "no deployment of the new revision",
            "status",
            "running the same command again is safe",
        ];
        let throttled = ["ecs:UpdateService", "ThrottlingException", "wait a minute"];
        let refused = ["ecs:UpdateService", "InvalidParameterException", "subnets"];
        for (fault, code, says) in [
            (
                Fault::Refuse(
                    500,
                    "ServerException",
                    "Service Unavailable. Please try again later.",
                ),
                10,
                &lost[..],
            ),
            (
                Fault::Refuse(503, "ServiceUnavailable", "Slow down"),
                10,
                &lost,
            ),
            (Fault::LoseAnswer, 10, &lost),
            (Fault::FailAfterwards(502), 10, &lost),
            (
                Fault::Refuse(400, "ThrottlingException", "Rate exceeded"),
                7,
                &throttled,
            ),
            (
                Fault::Refuse(400, "InvalidParameterException", "subnets are gone"),
                7,
                &refused,
            ),
        ] {
            let Some((world, digest)) = World::ready().await else {
                return;
            };
            world.endpoint.trap("UpdateService", usize::MAX, fault);
            let run = world.rollout(&digest, &["--no-wait"]);
            run.assert_refusal(code, says);
            assert_eq!(run.json()["error"]["exit_code"], code);
            assert_eq!(world.endpoint.calls_of("UpdateService").len(), 1);
            assert_eq!(world.revisions().await.len(), 2);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whose_answer_is_lost_is_found_in_the_service() {
        for fault in [Fault::LoseAnswer, Fault::FailAfterwards(500)] {
            let Some((world, digest)) = World::ready().await else {
                return;
            };
            world.endpoint.trap("UpdateService", 1, fault);
            world.name_deployments_as_ecs_does();
            let run = world.rollout(&digest, &["--no-wait"]);
            let result = run.result();
            assert_eq!(result["deployment"], "ecs-svc/2");
            assert_eq!(result["started"], true);
            assert!(
                run.stderr.contains("looking at the service instead"),
                "{run:?}"
            );
            assert_eq!(world.endpoint.calls_of("UpdateService").len(), 1);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn other_calls_are_tried_again() {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        for operation in [
            "DescribeServices",
            "ListTaskDefinitions",
            "DescribeTaskDefinition",
            "DescribeImages",
        ] {
            world.endpoint.trap(
                operation,
                2,
                Fault::Refuse(400, "ThrottlingException", "Rate exceeded"),
            );
        }
        world.rollout(&digest, &["--no-wait"]).result();
        assert_eq!(world.changes(), ["RegisterTaskDefinition", "UpdateService"]);
    }
}

mod publish {
    use super::*;

    /// moto names a registry that it does not have; ours, in this test, has one.
    fn name_registry(world: &World, registry: &str) {
        for operation in ["DescribeRepositories", "CreateRepository"] {
            let uri = json!(format!("{registry}/{REPOSITORY}"));
            let name = Fault::rewrite(move |answer| {
                for place in ["/repositories/0", "/repository"] {
                    if let Some(repository) = answer.pointer_mut(place) {
                        repository["repositoryUri"] = uri.clone();
                    }
                }
            });
            world.endpoint.trap(operation, usize::MAX, name);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn creates_the_repository_on_demand_and_pushes_once() {
        let Some(world) = World::empty().await else {
            return;
        };
        let registry = FakeRegistry::start().await;
        name_registry(&world, registry.repository().registry());
        let image = images::image(&world.cli.work().join("image"), b"a program");
        let layout = image.layout.to_str().unwrap();
        let publish = [
            "publish",
            "--create-repository",
            "--output",
            "json",
            "--image-layout",
            layout,
            "--tag",
            TAG,
        ];

        let run = world.cli.run(&publish);
        let result = run.result();
        assert_eq!(result["published"]["digest"], image.digest.to_string());
        assert_eq!(result["published"]["pushed"], true);
        assert!(
            run.stderr.contains("created the repository team/server"),
            "{run:?}"
        );
        assert_eq!(registry.is_complete(TAG), Some(true));
        assert!(registry.contents().authorisations.iter().all(|header| {
            header
                .as_deref()
                .is_some_and(|header| header.starts_with("Basic "))
        }));
        let all = world.moto.ecr("DescribeRepositories", json!({})).await;
        let repository = &all["repositories"][0];
        assert_eq!(repository["imageTagMutability"], "IMMUTABLE");
        assert_eq!(repository["imageScanningConfiguration"]["scanOnPush"], true);
        let tags = json!({"resourceArn": repository["repositoryArn"]});
        let tags = world.moto.ecr("ListTagsForResource", tags).await;
        assert_eq!(
            tags["tags"],
            json!([{"Key": "Environment", "Value": "staging"}])
        );
        assert_eq!(world.changes(), ["CreateRepository"]);

        let again = world.cli.run(&publish).result();
        assert_eq!(again["published"]["pushed"], false);
        assert!(world.changes().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn says_that_the_registry_does_not_answer() {
        let Some(world) = World::empty().await else {
            return;
        };
        world.create_repository().await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = listener.local_addr().unwrap().to_string();
        drop(listener);
        name_registry(&world, &registry);
        let image = images::image(&world.cli.work().join("image"), b"a program");
        let layout = image.layout.to_str().unwrap();
        let publish = ["publish", "--image-layout", layout, "--tag", TAG];
        world.cli.refuses(&publish, 6, &[&registry, "refused"]);
        assert!(world.changes().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_that_is_no_image() {
        let Some(world) = World::empty().await else {
            return;
        };
        world.create_repository().await;
        let publish = ["publish", "--image-layout", "nowhere", "--tag", TAG];
        world.cli.refuses(&publish, 5, &["nowhere"]);
        assert!(world.changes().is_empty());
    }
}
