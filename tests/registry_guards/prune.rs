//! `prune` deletes nothing while it is not known what every environment runs or ran.

use std::sync::Arc;

use quilt_mcp_deploy::config::StateFolder;
use quilt_mcp_deploy::image::Digest;
use serde_json::{Value, json};

use crate::Guarded;
use crate::support::aws_endpoint::Fault;

const SERVICE: &str = "quilt-local-mcp-server";
const CONTAINER: &str = "mcp-server";

impl Guarded {
    /// `prune` of everything is refused, saying all of `says`, and the image is still there.
    fn prune_is_refused(&self, says: &[&str]) {
        let refused = self.run(&["prune", "--env", "a", "--keep", "0"]).expect(4);
        for words in says.iter().chain(&["so nothing was"]) {
            assert!(
                refused.stderr.contains(words),
                "{words}: {}",
                refused.stderr
            );
        }
        let left = self.json(&["images", "--env", "a"]);
        assert_eq!(left["images"].as_array().unwrap().len(), 1, "{left:#}");
        let unknown = left["unknown"].to_string();
        assert!(unknown.contains(says[0]), "{unknown}");
    }

    fn trap(&self, operation: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        let fault = Fault::rewrite(change);
        self.endpoint.trap(operation, usize::MAX, fault);
    }

    fn answer(&self, operation: &'static str, answer: Value) {
        let fault = Fault::Answer(Arc::new(move || answer.clone()));
        self.endpoint.trap(operation, usize::MAX, fault);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_or_container_that_is_missing_is_no_environment_that_runs_nothing() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    for (service, container, sign) in [
        ("quilt-local-typo", CONTAINER, "no service quilt-local-typo"),
        (SERVICE, "typo", "no image for a container typo"),
    ] {
        guarded.configure(&[("a", SERVICE, CONTAINER), ("b", service, container)]);
        guarded.prune_is_refused(&["what b runs or ran: ", sign, "quilt-mcp.toml"]);
    }
    // Nothing but the names was wrong: nobody runs the image.
    guarded.configure(&[("a", SERVICE, CONTAINER), ("b", SERVICE, CONTAINER)]);
    let pruned = guarded.json(&["prune", "--env", "a", "--keep", "0"]);
    assert_eq!(pruned["deleted"][0]["digest"], image.digest.as_str());
    let text = guarded
        .run(&["prune", "--env", "a", "--keep", "0"])
        .expect(0);
    assert!(text.stdout.contains("deleted 0 images"), "{}", text.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_refused_or_has_gaps_is_no_empty_history() {
    let guarded = Guarded::start().await;
    guarded.publish("live");
    let refuse = Fault::Refuse(400, "InvalidParameterException", "not today");
    // Asked by prune, and by images afterwards.
    guarded.endpoint.trap("ListServiceDeployments", 2, refuse);
    guarded.prune_is_refused(&[
        "what a runs or ran: ",
        "ecs:ListServiceDeployments",
        "not today",
    ]);

    let gone =
        "arn:aws:ecs:us-east-1:111122223333:service-revision/quilt-local/quilt-local-mcp-server/1";
    let deployment = json!({
        "serviceDeploymentArn": "arn:aws:ecs:us-east-1:111122223333:service-deployment/quilt-local/quilt-local-mcp-server/1",
        "status": "SUCCESSFUL",
        "targetServiceRevisionArn": gone,
    });
    guarded.answer(
        "ListServiceDeployments",
        json!({"serviceDeployments": [deployment]}),
    );
    let failures = json!([{"arn": gone, "reason": "MISSING"}]);
    guarded.answer(
        "DescribeServiceRevisions",
        json!({"serviceRevisions": [], "failures": failures}),
    );
    guarded.prune_is_refused(&["what a runs or ran: ", gone, "(MISSING)"]);
    // A revision of which ECS says nothing at all.
    guarded.answer("DescribeServiceRevisions", json!({}));
    guarded.prune_is_refused(&["what a runs or ran: ", gone, "no reason"]);
}

/// The release before the current one, whose own deployment is older than ECS's list.
#[tokio::test(flavor = "multi_thread")]
async fn what_ran_when_a_listed_deployment_began_or_was_returned_to_stays() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    let digest = image.digest.to_string();
    let arn = |kind: &str, number: u8| {
        format!("arn:aws:ecs:us-east-1:111122223333:{kind}/quilt-local/{SERVICE}/{number}")
    };
    let (deployment, newer, older) = (
        arn("service-deployment", 1),
        arn("service-revision", 2),
        arn("service-revision", 1),
    );
    let listed = json!({
        "serviceDeploymentArn": deployment,
        "status": "SUCCESSFUL",
        "targetServiceRevisionArn": newer,
    });
    guarded.answer(
        "ListServiceDeployments",
        json!({"serviceDeployments": [listed]}),
    );
    let revision = |arn: &str, digest: &str| {
        let container = json!({"containerName": CONTAINER, "imageDigest": digest});
        json!({"serviceRevisionArn": arn, "containerImages": [container]})
    };
    let revisions = [
        revision(&newer, &Digest::of(b"newer").to_string()),
        revision(&older, &digest),
    ];
    guarded.answer(
        "DescribeServiceRevisions",
        json!({"serviceRevisions": revisions}),
    );
    for before in [
        json!({"sourceServiceRevisions": [{"arn": older}]}),
        json!({"rollback": {"serviceRevisionArn": older}}),
    ] {
        let mut described = before;
        described["serviceDeploymentArn"] = json!(deployment);
        guarded.answer(
            "DescribeServiceDeployments",
            json!({"serviceDeployments": [described]}),
        );
        let kept = guarded.json(&["prune", "--env", "a", "--keep", "0"]);
        assert_eq!(kept["needed"], json!([digest]));
        assert_eq!(kept["deleted"], json!([]));
    }

    let denied = Fault::Refuse(400, "AccessDeniedException", "not for you");
    guarded
        .endpoint
        .trap("DescribeServiceDeployments", 2, denied);
    guarded.prune_is_refused(&["what a runs or ran: ", "ecs:DescribeServiceDeployments"]);
    guarded.answer("DescribeServiceDeployments", json!({}));
    guarded.prune_is_refused(&["what a runs or ran: ", &deployment, "does not describe"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_ecr_keeps_or_is_not_asked_for_is_told() {
    let guarded = Guarded::start().await;
    guarded.publish("live");
    let prune = ["prune", "--env", "a", "--keep", "0"];
    let told = |code: i32, signs: &[&str]| {
        let ended = guarded.run(&prune).expect(code);
        for sign in signs.iter().chain(&["0 of 1 images were deleted"]) {
            assert!(ended.stderr.contains(sign), "{sign}: {}", ended.stderr);
        }
        assert_eq!(ended.stdout, "");
    };
    let refuse = Fault::Refuse(400, "InvalidParameterException", "not today");
    guarded.endpoint.trap("BatchDeleteImage", 1, refuse);
    told(6, &["ecr:BatchDeleteImage", "not today"]);
    let expired = Fault::Refuse(400, "ExpiredTokenException", "too late");
    guarded.endpoint.trap("BatchDeleteImage", 1, expired);
    told(13, &["too late"]);
    let kept = json!({
        "imageId": {"imageDigest": "sha256:1234"},
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": "an index refers to it",
    });
    let answer = json!({"imageIds": [], "failures": [kept]});
    let answer = Fault::Answer(Arc::new(move || answer.clone()));
    guarded.endpoint.trap("BatchDeleteImage", 1, answer);
    told(6, &["sha256:1234: an index refers to it", "again"]);
    let silent = Fault::Answer(Arc::new(|| json!({})));
    guarded.endpoint.trap("BatchDeleteImage", 1, silent);
    told(6, &["nothing of the others"]);
}

/// On this machine, no other run may roll an image out of the repository meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn every_environment_of_the_repository_is_locked() {
    let guarded = Guarded::start().await;
    guarded.publish("live");
    guarded.configure(&[("a", SERVICE, CONTAINER), ("b", SERVICE, CONTAINER)]);
    let state = StateFolder::at(guarded.rehearsal.state());
    let prune = ["prune", "--env", "a", "--keep", "0"];
    for name in ["a", "b"] {
        let lock = state.lock(name).unwrap();
        let busy = guarded.run(&prune).expect(11);
        assert!(busy.stderr.contains(name), "{}", busy.stderr);
        let dry = [&prune[..], &["--dry-run"]].concat();
        guarded.run(&dry).expect(0);
        drop(lock);
    }
    guarded.run(&prune).expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_runs_by_its_tag_stays() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    let listed = guarded.json(&["images", "--env", "a"]);
    assert_eq!(listed["images"][0]["deployed"], json!([]));
    let registry = guarded.rehearsal.description()["registry"].clone();
    let registry = registry.as_str().unwrap().to_owned();
    let runs = move |tag: &'static str| {
        let name = format!("{registry}/{SERVICE}:{tag}");
        move |answer: &mut Value| {
            answer["taskDefinition"]["containerDefinitions"][0]["image"] = json!(name);
        }
    };
    guarded.answer("ListServiceDeployments", json!({"serviceDeployments": []}));
    guarded.trap("DescribeServices", |answer| {
        answer["services"][0]["deployments"][0]["runningCount"] = json!(1);
    });

    // Its repository's tags never move, so the tag tells.
    guarded.trap("DescribeTaskDefinition", runs("live"));
    let kept = guarded.json(&["prune", "--env", "a", "--keep", "0"]);
    assert_eq!(kept["needed"], json!([image.digest]));
    assert_eq!(kept["deleted"], json!([]));
    let listed = guarded.json(&["images", "--env", "a"]);
    assert_eq!(listed["images"][0]["deployed"], json!(["a"]));

    guarded.trap("DescribeTaskDefinition", runs("gone"));
    guarded.prune_is_refused(&[
        "what a runs or ran: ",
        ":gone",
        "holds no such tag",
        "by digest",
    ]);
    guarded.trap("DescribeTaskDefinition", runs("live"));
    guarded.trap("DescribeRepositories", |answer| {
        answer["repositories"][0]["imageTagMutability"] = json!("MUTABLE");
    });
    guarded.prune_is_refused(&["what a runs or ran: ", ":live", "may move"]);
}
