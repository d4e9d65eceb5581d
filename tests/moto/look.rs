//! `plan` and `history`: they look, and change nothing.

use serde_json::{Value, json};

use crate::support::aws_endpoint::Fault;
use crate::support::template::template;
use crate::world::{TAG, World};

fn plan(world: &World, digest: &str, more: &[&str]) -> crate::support::cli::Run {
    let arguments = ["plan", "--digest", digest, "--output", "json"];
    world.cli.run(&[&arguments, more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_says_what_rollout_then_does() {
    let Some((world, digest)) = World::ready().await else {
        return;
    };
    let run = plan(&world, &digest, &["--detailed-exitcode"]);
    assert_eq!(run.code, 3, "{run:?}");
    let first = run.json();
    assert_eq!(first["has_changes"], true);
    assert_eq!(first["deployment"]["action"], "register_and_start");
    assert_eq!(first["release"]["revision"], Value::Null);
    assert_eq!(first["release"]["digest"], digest);
    assert_eq!(first["release"]["image_tag"], TAG);
    let changes = first["changes"].as_array().unwrap();
    let [image] = changes.as_slice() else {
        panic!("only the image differs from the template: {changes:#?}");
    };
    assert_eq!(image["container"], "mcp-server");
    assert_eq!(image["path"], json!(["image"]));
    assert!(image["after"].as_str().unwrap().ends_with(&digest));
    assert!(world.changes().is_empty(), "plan only looks");

    let released = world.rollout(&digest, &["--no-wait"]).result();
    let run = plan(&world, &digest, &["--detailed-exitcode"]);
    assert_eq!(run.code, 0, "{run:?}");
    let after = run.json();
    assert_eq!(after["has_changes"], false);
    assert_eq!(after["changes"], json!([]));
    assert_eq!(after["release"]["revision"], released["revision"]["arn"]);

    let text = world.cli.run(&["plan", "--digest", &digest]);
    assert!(text.stdout.contains("no changes"), "{text:?}");
}

/// A newer template comes along, and none of its secrets is shown.
#[tokio::test(flavor = "multi_thread")]
async fn plan_shows_drift_and_no_secret() {
    const SECRET: &str = "correct-horse-battery-staple";
    let Some((world, digest)) = World::ready().await else {
        return;
    };
    world.rollout(&digest, &["--no-wait"]).result();
    let mut newer = template();
    newer["cpu"] = json!("1024");
    newer["containerDefinitions"][1]["environment"] = json!([
        {"name": "LOG_LEVEL", "value": "debug"},
        {"name": "CLIENT_SECRET", "value": SECRET},
    ]);
    let newer = world.register(newer).await;
    let run = plan(&world, &digest, &["--detailed-exitcode"]);
    assert_eq!(run.code, 3, "{run:?}");
    let drift = run.json();
    assert_eq!(
        drift["template"],
        json!({"arn": newer, "tagged": true, "newer_than_running": true})
    );
    let text = world.cli.run(&["plan", "--digest", &digest]);
    for says in [
        "newer than what runs",
        "\"512\" -> \"1024\"",
        "environment.LOG_LEVEL",
        "environment.CLIENT_SECRET",
        "(hidden)",
    ] {
        assert!(text.stdout.contains(says), "{says}: {}", text.stdout);
    }
    for said in [&run.stdout, &run.stderr, &text.stdout, &text.stderr] {
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_tells_a_deployment_in_flight_and_one_image_in_full() {
    let Some((world, digest)) = World::ready().await else {
        return;
    };
    let in_flight = Fault::rewrite(|answer| {
        answer["services"][0]["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
    });
    world.endpoint.trap("DescribeServices", 1, in_flight);
    let plan = plan(&world, &digest, &[]).result();
    assert_eq!(plan["deployment"]["action"], "refuse");
    assert_eq!(plan["deployment"]["in_flight"]["rollout"], "IN_PROGRESS");

    let image = plan["release"]["image"].as_str().unwrap();
    let same = world
        .cli
        .run(&["plan", "--image", image, "--output", "json"]);
    assert_eq!(same.result()["release"]["digest"], digest);
    let repository = image.split('@').next().unwrap();
    for (wrong, says) in [
        (format!("{repository}:{TAG}"), "names no digest"),
        (
            format!("elsewhere.example/x@{digest}"),
            "is not in the environment's repository",
        ),
    ] {
        world
            .cli
            .run(&["plan", "--image", &wrong])
            .assert_refusal(2, &[says]);
    }
}

/// moto knows no service deployments: the tags and the service say what they can, and it is said.
#[tokio::test(flavor = "multi_thread")]
async fn history_without_the_record_of_deployments() {
    let Some((world, digest)) = World::ready().await else {
        return;
    };
    let first = world.rollout(&digest, &["--no-wait"]).result();
    let other = world.put_image("1.4.1-aaaaaaa").await;
    let second = world.rollout(&other, &["--no-wait"]).result();
    world.changes();

    let run = world.cli.run(&["history", "--output", "json"]);
    let history = run.result();
    let releases = history["releases"].as_array().unwrap();
    assert_eq!(releases.len(), 2, "{releases:#?}");
    assert_eq!(releases[0]["revision"], second["revision"]["arn"]);
    assert_eq!(releases[0]["digest"], other);
    assert_eq!(releases[0]["current"], true);
    assert_eq!(releases[1]["revision"], first["revision"]["arn"]);
    assert_eq!(releases[1]["verdict"], "unknown");
    assert_eq!(releases[1]["image_tag"], TAG);
    assert!(releases[1]["started_at"].is_string());
    assert!(history["degraded"].is_string());
    assert_eq!(run.stderr.matches("warning:").count(), 1, "{run:?}");

    let one = world
        .cli
        .run(&["history", "--limit", "1", "--output", "json"]);
    assert_eq!(one.result()["releases"].as_array().unwrap().len(), 1);
    let text = world.cli.run(&["history"]).stdout;
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );

    let denied = Fault::Refuse(400, "AccessDeniedException", "not authorized");
    world.endpoint.trap("ListServiceDeployments", 1, denied);
    let run = world.cli.run(&["history", "--output", "json"]);
    assert!(
        run.result()["degraded"]
            .as_str()
            .unwrap()
            .contains("AccessDenied")
    );
    assert!(world.changes().is_empty(), "history only looks");
}
