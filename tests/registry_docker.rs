//! Publishing to Debian's docker-registry, looked at with skopeo: software that we did not write.

mod support;

use std::process::Command;
use std::sync::Arc;

use quilt_mcp_deploy::image::Tag;
use quilt_mcp_deploy::registry::{Access, Credentials, PushError, publish_image};
use support::docker_registry::{DockerRegistry, PASSWORD, Setup, USER};
use support::images::{self, noise};
use support::tool;

fn target(registry: &DockerRegistry, password: &str) -> Access {
    Access::new(
        registry.repository("team/quilt-mcp-server"),
        Some(Credentials::new(USER, password, None)),
    )
}

#[tokio::test]
async fn a_real_registry_holds_what_we_published() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup {
        password: true,
        tls: false,
    };
    let Some(registry) = DockerRegistry::start(folder.path(), setup).await else {
        return;
    };
    let image = images::image(&folder.path().join("images"), &noise(5_000_000, 3));
    let tag: Tag = "1.4.0-3f2a9c1".parse().unwrap();
    let publish = || publish_image_to(&registry, PASSWORD, &image, &tag);

    let first = publish().await.unwrap();
    assert!(first.pushed);
    assert_eq!(first.blobs_uploaded, 3);
    let again = publish().await.unwrap();
    assert!(!again.pushed);

    let next = images::image(&folder.path().join("images"), b"another binary");
    let error = publish_image_to(&registry, PASSWORD, &next, &tag)
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::TagTaken { .. }), "{error}");
    let published = publish_image_to(&registry, PASSWORD, &next, &"next".parse().unwrap())
        .await
        .unwrap();
    assert_eq!((published.blobs_uploaded, published.blobs_present), (2, 1));

    let error = publish_image_to(&registry, "wrong", &image, &tag)
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::Unauthorised { .. }), "{error}");

    let Some(skopeo) = tool("skopeo") else {
        return;
    };
    let reference = format!("docker://{}", first.reference());
    let credentials = format!("{USER}:{PASSWORD}");
    let run = |arguments: &[&str]| {
        let output = Command::new(&skopeo).args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let remote = ["--tls-verify=false", "--creds", &credentials, &reference];
    let inspected = run(&[&["inspect"], &remote[..]].concat());
    let inspected: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
    assert_eq!(inspected["Digest"], image.digest.as_str());
    assert_eq!(inspected["Architecture"], "amd64");
    assert_eq!(
        inspected["Labels"]["org.opencontainers.image.revision"],
        images::COMMIT
    );
    assert_eq!(
        run(&[&["inspect", "--raw"], &remote[..]].concat()),
        image.manifest
    );

    // skopeo verifies every blob on its way; then our own reader verifies them again.
    let copy = folder.path().join("copy");
    let destination = format!("oci:{}", copy.display());
    run(&[
        "copy",
        "--quiet",
        "--preserve-digests",
        "--src-tls-verify=false",
        "--src-creds",
        &credentials,
        &reference,
        &destination,
    ]);
    let read = quilt_mcp_deploy::image::layout::read(&copy).unwrap();
    assert_eq!(read.digest, image.digest);
}

async fn publish_image_to(
    registry: &DockerRegistry,
    password: &str,
    image: &quilt_mcp_deploy::image::Image,
    tag: &Tag,
) -> Result<quilt_mcp_deploy::registry::Published, PushError> {
    publish_image(&target(registry, password), image, tag, Arc::new(|_| ())).await
}
