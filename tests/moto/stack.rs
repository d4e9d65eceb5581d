//! Releases through a stack, as moto's CloudFormation understands them.
//!
//! It registers the revision at once, and runs no task; it leaves the service where it was; it knows no CancelUpdateStack, no update that fails and no time of the last update.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::aws_endpoint::{Fault, name_deployment};
use crate::support::moto::{ACCOUNT, REGION};
use crate::support::template::FAMILY;
use crate::world::{CLUSTER, REPOSITORY, SERVICE, TAG, World};

const STACK: &str = "acme-staging-mcp-server";

/// As much of cloudformation/mcp-service.yaml as moto can make.
fn template() -> Value {
    json!({
        "Parameters": {
            "ImageUri": {"Type": "String", "Default": ""},
            "ReleaseCommit": {"Type": "String", "Default": ""},
            "Level": {"Type": "String", "Default": "info"},
            "Token": {"Type": "String", "NoEcho": true},
        },
        "Conditions": {"HasImage": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ImageUri"}, ""]}]}},
        "Resources": {
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/quilt/acme"}},
            "Revision": {"Type": "AWS::ECS::TaskDefinition", "Properties": {
                "Family": FAMILY,
                // On an update moto takes their members as they are written.
                "ContainerDefinitions": [{
                    "name": "mcp-server",
                    "image": {"Fn::If": ["HasImage", {"Ref": "ImageUri"}, "busybox:bootstrap"]},
                    "memory": 512,
                    "environment": [
                        {"name": "LEVEL", "value": {"Ref": "Level"}},
                        {"name": "TOKEN", "value": {"Ref": "Token"}},
                    ],
                }],
            }},
            "Service": {"Type": "AWS::ECS::Service", "Properties": {
                "ServiceName": SERVICE, "Cluster": CLUSTER, "DesiredCount": 2,
                "TaskDefinition": {"Ref": "Revision"},
            }},
        },
    })
}

/// An account whose service is in a stack, and a published image.
async fn ready() -> Option<(World, String)> {
    let world = World::empty().await?;
    world.create_repository().await;
    let digest = world.put_image(TAG).await;
    let cluster = json!({"clusterName": CLUSTER});
    world.moto.ecs("CreateCluster", cluster).await;
    let template = template().to_string();
    let parameters = [
        ("StackName", STACK),
        ("TemplateBody", &template),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("Parameters.member.1.ParameterKey", "Level"),
        ("Parameters.member.1.ParameterValue", "debug"),
        ("Parameters.member.2.ParameterKey", "Token"),
        ("Parameters.member.2.ParameterValue", "s3cr3t"),
    ];
    let version = "2010-05-15";
    world
        .moto
        .query("cloudformation", version, "CreateStack", &parameters)
        .await;
    configure(&world, STACK);
    move_the_service_with_the_stack(&world);
    Some((world, digest))
}

/// CloudFormation moves the service to the revision that it registers; moto's registers it and
/// leaves the service where it was.
fn move_the_service_with_the_stack(world: &World) {
    let endpoint = world.endpoint.clone();
    let updated = AtomicBool::new(false);
    let follow = Fault::rewrite(move |answer| {
        let called = !endpoint.calls_of("UpdateStack").is_empty();
        if updated.fetch_or(called, Ordering::Relaxed) || called {
            answer["services"][0]["taskDefinition"] = json!(revision(2));
        }
        name_deployment(&mut answer["services"][0]);
    });
    world.endpoint.trap("DescribeServices", usize::MAX, follow);
}

fn revision(number: u32) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{FAMILY}:{number}")
}

fn configure(world: &World, stack: &str) {
    let through = format!("deploy_through = \"cloudformation\"\nstack = \"{stack}\"");
    world.configure_also(ACCOUNT, &through);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_is_a_parameter_and_every_other_one_stays() {
    let Some((world, digest)) = ready().await else {
        return;
    };
    let plan = ["plan", "--digest", &digest, "--output", "json"];
    let planned = world.cli.run(&plan).result();
    assert_eq!(planned["deployment"]["action"], "update_stack");
    assert_eq!(planned["stack"]["status"], "CREATE_COMPLETE");
    assert!(world.changes().is_empty(), "plan changes nothing");

    let result = world.rollout(&digest, &["--no-wait"]).result();
    assert_eq!(world.changes(), ["UpdateStack"]);
    assert_eq!(result["stack"], STACK);
    assert_eq!(result["started"], true);
    let (described, _) = world.describe(&revision(2)).await;
    let container = &described["containerDefinitions"][0];
    let image = container["image"].as_str().unwrap();
    assert!(
        image.ends_with(&format!("{REPOSITORY}@{digest}")),
        "{image}"
    );
    let values = container["environment"].as_array().unwrap();
    let kept = [
        json!({"name": "LEVEL", "value": "debug"}),
        json!({"name": "TOKEN", "value": "s3cr3t"}),
    ];
    assert_eq!(*values, kept);

    let status = world.cli.run(&["status", "--output", "json"]).result();
    assert_eq!(status["deploy_through"], "cloudformation");
    assert_eq!(status["stack"]["status"], "UPDATE_COMPLETE");
    assert_eq!(status["release"]["digest"], digest);
    assert_eq!(status["release"]["revision"], result["revision"]["arn"]);
}

/// moto runs no task: the stack's word alone is no success.
#[tokio::test(flavor = "multi_thread")]
async fn an_updated_stack_without_evidence_is_no_success() {
    let Some((world, digest)) = ready().await else {
        return;
    };
    let run = world.rollout(&digest, &["--timeout", "2"]);
    assert_eq!(run.code, 10, "{run:?}");
    let result = run.json();
    assert_eq!(result["verdict"]["verdict"], "unknown");
    assert_eq!(result["verdict"]["waiting_for"], "tasks to run: 0 of 2");
    world.changes();
    // The stack has the image: nothing is asked of anybody.
    let run = world.rollout(&digest, &["--timeout", "1"]);
    assert_eq!(run.code, 10, "{run:?}");
    assert_eq!(run.json()["started"], false);
    assert!(world.changes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_not_there_or_not_ours_is_refused() {
    let Some((world, digest)) = ready().await else {
        return;
    };
    let rollout = ["rollout", "--digest", &digest];
    configure(&world, "another-stack");
    let says = [
        "there is no stack another-stack in eu-west-1",
        "nothing was changed",
    ];
    world.cli.refuses(&rollout, 4, &says);
    let body = json!({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}).to_string();
    let parameters = [("StackName", "another-stack"), ("TemplateBody", &body)];
    let version = "2010-05-15";
    world
        .moto
        .query("cloudformation", version, "CreateStack", &parameters)
        .await;
    let says = ["stack another-stack does not hold service acme-staging-mcp-server"];
    world.cli.refuses(&rollout, 4, &says);
    assert!(world.changes().is_empty());
}

/// CloudFormation sees nothing to do, and yet no revision in the stack has the image.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_update_is_no_success_by_itself() {
    let Some((world, digest)) = ready().await else {
        return;
    };
    let nothing = Fault::Refuse(400, "ValidationError", "No updates are to be performed.");
    world.endpoint.trap("UpdateStack", 2, nothing);
    let says = ["no task definition in it has that image"];
    world
        .cli
        .refuses(&["rollout", "--digest", &digest], 7, &says);
}
