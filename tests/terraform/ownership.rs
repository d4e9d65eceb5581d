//! Who owns what: Terraform writes templates, the command makes releases of them and moves the
//! service, autoscaling sets the number of tasks; and none undoes what another did.

use serde_json::{Value, json};

use crate::stack::{self, NAME};
use crate::support::moto::REGION;
use crate::world::{REPOSITORY, SERVICE, World};

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
    let images = [
        stack::put_image(&world.moto, REPOSITORY, "1.0.0-3f2a9c1").await,
        stack::put_image(&world.moto, REPOSITORY, "1.1.0-7c1d2e3").await,
    ];
    let first = the_first_release_starts_the_tasks(&world, &images[0]).await;
    let second = autoscaling_and_releases_are_left_alone(&world, &images[1], &first).await;
    a_change_waits_for_a_release(&world, &images[1], &second).await;
    it_comes_with_the_next_release(&world, &images[1]).await;

    // A return to an older revision stays, too.
    let back =
        json!({"cluster": NAME, "service": SERVICE, "taskDefinition": first["revision"]["arn"]});
    world.moto.ecs("UpdateService", back).await;
    assert_eq!(world.changes(&DEBUG), Vec::<String>::new());
}

/// A change of an input that concerns the container.
const DEBUG: [&str; 1] = ["-var=log_filter=debug"];

async fn the_first_release_starts_the_tasks(world: &World, digest: &str) -> Value {
    assert_eq!(world.service().await["desiredCount"], 0);
    let first = world.rollout(digest);
    let service = world.service().await;
    assert_eq!(service["taskDefinition"], first["revision"]["arn"]);
    assert_eq!(service["desiredCount"], 2);
    let released = world.container_of(&first["revision"]["arn"]).await;
    let image = format!("123456789012.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{digest}");
    assert_eq!(released["image"], image);
    assert_eq!(world.changes(&[]), Vec::<String>::new());
    assert_eq!(world.status()["release"]["template_waiting"], Value::Null);
    assert_eq!(world.plan_of(digest).code, 0);
    first
}

async fn autoscaling_and_releases_are_left_alone(
    world: &World,
    digest: &str,
    first: &Value,
) -> Value {
    let five = json!({"cluster": NAME, "service": SERVICE, "desiredCount": 5});
    world.moto.ecs("UpdateService", five).await;
    let second = world.rollout(digest);
    assert_eq!(
        second["revision"]["template"],
        first["revision"]["template"]
    );
    assert_eq!(world.service().await["desiredCount"], 5);
    assert_eq!(world.changes(&[]), Vec::<String>::new());
    second
}

async fn a_change_waits_for_a_release(world: &World, digest: &str, running: &Value) {
    let template = "module.mcp_server.aws_ecs_task_definition.this";
    assert_eq!(world.changes(&DEBUG), [template]);
    world.apply(&DEBUG);
    assert_eq!(world.changes(&DEBUG), Vec::<String>::new());
    let service = world.service().await;
    assert_eq!(service["taskDefinition"], running["revision"]["arn"]);
    assert_eq!(service["desiredCount"], 5);

    // It is said to be waiting, and what it is.
    let waiting = world.status()["release"]["template_waiting"].clone();
    assert!(waiting.is_string(), "{waiting}");
    let status = world.cli.run(&["status"]);
    let says = "comes with the next rollout";
    assert!(status.stdout.contains(says), "{status:?}");
    let plan = world.plan_of(digest);
    assert_eq!(plan.code, 3, "{plan:?}");
    let plan = plan.json();
    assert_eq!(plan["template"]["newer_than_running"], true);
    assert_eq!(plan["template"]["arn"], waiting);
    assert!(plan["changes"].to_string().contains("MCP_LOG"), "{plan}");
}

async fn it_comes_with_the_next_release(world: &World, digest: &str) {
    let waiting = world.status()["release"]["template_waiting"].clone();
    let third = world.rollout(digest);
    let revision = &third["revision"]["arn"];
    assert_eq!(third["revision"]["template"], waiting);
    assert_eq!(world.service().await["taskDefinition"], *revision);
    let released = world.container_of(revision).await;
    let variable = json!({"name": "MCP_LOG", "value": "debug"});
    let environment = released["environment"].as_array().unwrap();
    assert!(environment.contains(&variable), "{released}");
    assert_eq!(world.status()["release"]["template_waiting"], Value::Null);
    assert_eq!(world.changes(&DEBUG), Vec::<String>::new());
}
