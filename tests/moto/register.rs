//! Registering a revision: once, whatever becomes of the answers.

use serde_json::json;

use crate::support::aws_endpoint::Fault;
use crate::world::{World, text};

const BUSY: &str = "Too many concurrent attempts to create a new revision of the specified family.";

/// A call that ECS may have heard is looked for before it is sent again; one that it refused for
/// the moment is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn leaves_one_revision_whatever_becomes_of_the_answer() {
    for (fault, times, sent) in [
        (Fault::LoseAnswer, 1, 1),
        (Fault::FailAfterwards(500), 1, 1),
        (Fault::FailAfterwards(503), usize::MAX, 1),
        (
            Fault::Refuse(500, "ServerException", "try again later"),
            2,
            3,
        ),
        (
            Fault::Refuse(400, "ThrottlingException", "Rate exceeded"),
            2,
            3,
        ),
        (Fault::Refuse(400, "ClientException", BUSY), 1, 2),
    ] {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        world.endpoint.trap("RegisterTaskDefinition", times, fault);
        let result = world.rollout(&digest, &["--no-wait"]).result();
        let revisions = world.revisions().await;
        assert_eq!(revisions.len(), 2, "{revisions:?}");
        assert_eq!(result["revision"]["arn"], revisions[1]);
        let calls = world.endpoint.calls_of("RegisterTaskDefinition");
        assert_eq!(calls.len(), sent);
        assert_eq!(world.service().await["taskDefinition"], revisions[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_when_ecs_never_takes_it() {
    for (fault, code, says) in [
        (
            Fault::Refuse(400, "ThrottlingException", "Rate exceeded"),
            4,
            ["ecs:RegisterTaskDefinition", "ThrottlingException"],
        ),
        (
            Fault::Refuse(500, "ServerException", "try again later"),
            10,
            ["it may still appear", "the service was not touched"],
        ),
    ] {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        let operation = "RegisterTaskDefinition";
        world.endpoint.trap(operation, usize::MAX, fault);
        let run = world.rollout(&digest, &["--no-wait"]);
        run.assert_refusal(code, &says);
        assert_eq!(world.endpoint.calls_of(operation).len(), 5);
        assert_eq!(world.revisions().await.len(), 1);
        assert!(!world.changes().contains(&"UpdateService".into()));
    }
}

/// What is not going to pass is not tried again.
#[tokio::test(flavor = "multi_thread")]
async fn takes_a_refusal_for_an_answer() {
    let Some((world, digest)) = World::ready().await else {
        return;
    };
    let refused = Fault::Refuse(400, "AccessDeniedException", "not authorized to perform");
    let operation = "RegisterTaskDefinition";
    world.endpoint.trap(operation, usize::MAX, refused);
    let run = world.rollout(&digest, &["--no-wait"]);
    run.assert_refusal(4, &["the caller needs the IAM action"]);
    assert_eq!(world.endpoint.calls_of(operation).len(), 1);
}

/// Killed after RegisterTaskDefinition, or before UpdateService was heard: the next run takes
/// the revision, also when somebody registered another one since.
#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_release_is_taken_up_again() {
    let Some((world, digest)) = World::ready().await else {
        return;
    };
    let gone = Fault::Refuse(400, "InvalidParameterException", "not now");
    world.endpoint.trap("UpdateService", 2, gone);
    assert_eq!(world.rollout(&digest, &["--no-wait"]).code, 4);
    let other = world.put_image("1.4.1-aaaaaaa").await;
    assert_eq!(world.rollout(&other, &["--no-wait"]).code, 4);
    let revisions = world.revisions().await;
    assert_eq!(revisions.len(), 3);

    let again = world.rollout(&digest, &["--no-wait"]).result();
    assert_eq!(again["revision"]["arn"], revisions[1]);
    assert_eq!(again["revision"]["registered"], false);
    assert_eq!(world.revisions().await, revisions);
}

/// Who, when and from which CI run are on record, and make no second revision.
#[tokio::test(flavor = "multi_thread")]
async fn who_released_is_on_record() {
    let Some((mut world, digest)) = World::ready().await else {
        return;
    };
    let first = world.rollout(&digest, &["--no-wait"]).result();
    let revision = text(&first["revision"]["arn"]);
    let (_, tags) = world.describe(&revision).await;
    assert!(tags["quilt-mcp:caller"].starts_with("arn:aws:sts::123456789012:"));
    assert!(!tags.contains_key("quilt-mcp:ci-run"));

    world.cli = world
        .cli
        .variable("GITHUB_ACTIONS", "true")
        .variable("GITHUB_ACTOR", "octocat")
        .variable("GITHUB_SERVER_URL", "https://github.com")
        .variable("GITHUB_REPOSITORY", "acme/mcp")
        .variable("GITHUB_RUN_ID", "42");
    let again = world.rollout(&digest, &["--no-wait"]).result();
    assert_eq!(again["revision"]["arn"], json!(revision));
    let other = world.put_image("1.4.1-aaaaaaa").await;
    let other = world.rollout(&other, &["--no-wait"]).result();
    let (_, tags) = world.describe(&text(&other["revision"]["arn"])).await;
    assert_eq!(tags["quilt-mcp:actor"], "octocat");
    assert_eq!(
        tags["quilt-mcp:ci-run"],
        "https://github.com/acme/mcp/actions/runs/42"
    );
    assert!(tags["quilt-mcp:released-at"].ends_with('Z'));
}
