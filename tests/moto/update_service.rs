//! The one call that must never be sent twice.

use crate::support::aws_endpoint::Fault;
use crate::world::World;

/// However it fails, it is taken once: it has no client token, and twice would be two
/// deployments. Only where ECS says that it did not take it is it sent again.
#[tokio::test(flavor = "multi_thread")]
async fn is_sent_once() {
    let lost = [
        "ecs:UpdateService",
        "no deployment of acme-staging-mcp-server:2",
        "status",
        "running the same command again is safe",
    ];
    let throttled = ["ecs:UpdateService", "ThrottlingException", "wait a minute"];
    let refused = ["ecs:UpdateService", "InvalidParameterException", "subnets"];
    for (fault, code, sent, says) in [
        (
            Fault::Refuse(
                500,
                "ServerException",
                "Service Unavailable. Please try again later.",
            ),
            10,
            1,
            &lost[..],
        ),
        (
            Fault::Refuse(503, "ServiceUnavailable", "Slow down"),
            10,
            1,
            &lost,
        ),
        (
            Fault::Refuse(400, "ThrottlingException", "Rate exceeded"),
            4,
            7,
            &throttled,
        ),
        (
            Fault::Refuse(400, "InvalidParameterException", "subnets are gone"),
            4,
            1,
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
        assert_eq!(world.endpoint.calls_of("UpdateService").len(), sent);
        assert_eq!(world.revisions().await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_answer_is_lost_is_found_in_the_service() {
    for fault in [
        Fault::LoseAnswer,
        Fault::FailAfterwards(500),
        Fault::FailAfterwards(502),
    ] {
        let Some((world, digest)) = World::ready().await else {
            return;
        };
        world.endpoint.trap("UpdateService", 1, fault);
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
