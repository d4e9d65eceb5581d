//! The release revision, and what ECS is asked for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::aws_endpoint::Fault;
use crate::support::moto::{ACCOUNT, REGION};
use crate::support::template::{FAMILY, template};
use crate::world::{CLUSTER, REPOSITORY, SERVICE, TAG, World, text};

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
    let at = tags["quilt-mcp:released-at"].clone();
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    let expected = [
        ("CostCentre", "4711"),
        ("Environment", "staging"),
        ("ManagedBy", "quilt-mcp-deploy"),
        ("quilt-mcp:caller", "arn:aws:sts::123456789012:user/moto"),
        ("quilt-mcp:image-tag", TAG),
        ("quilt-mcp:released-at", &at),
        ("quilt-mcp:template", template),
        ("quilt-mcp:tool-version", env!("CARGO_PKG_VERSION")),
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
