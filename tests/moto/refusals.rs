//! What is refused before anything is changed.

use serde_json::json;

use crate::support::aws_endpoint::Fault;
use crate::support::images;
use crate::support::moto::{ACCOUNT, REGION};
use crate::support::template::FAMILY;
use crate::world::{TAG, World};

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
    world.cli.refuses(&["policy", "--for", "status"], 4, &says);

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
async fn a_policy_for_what_this_environment_has_not() {
    let Some((world, _)) = World::ready().await else {
        return;
    };
    let through_a_stack = ["policy", "--for", "rollout through CloudFormation"];
    let says = ["go through no stack", "deploy_through"];
    world.cli.refuses(&through_a_stack, 2, &says);
    let asked = world.cli.run(&["policy", "--for", "deploy"]);
    asked.assert_refusal(2, &["deploy", "rollback and stop"]);
    let without_role = world.cli.run(&["policy", "--for", "verify"]);
    assert_eq!(without_role.code, 0, "{without_role:?}");
    assert!(without_role.stderr.contains("without --role"));
    assert!(!without_role.stdout.contains("Caller"), "{without_role:?}");
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
