//! The repository in ECR, and the push to the registry that it names.

use serde_json::json;

use crate::support::aws_endpoint::Fault;
use crate::support::fake_registry::FakeRegistry;
use crate::support::images;
use crate::world::{REPOSITORY, TAG, World};

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
    let authorisations = registry.contents().authorisations.clone();
    let shown: Vec<&String> = authorisations.iter().flatten().collect();
    assert!(shown.iter().all(|header| header.starts_with("Basic ")));
    assert_eq!(
        authorisations.len() - shown.len(),
        1,
        "the question whether the registry wants TLS, without credentials"
    );
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
    world
        .cli
        .refuses(&publish, 6, &["nowhere", "--image-layout"]);
    assert!(world.changes().is_empty());
}
