//! Promotion between registries that answer in their own ways.

use std::sync::Arc;

use axum::http::Method;
use quilt_mcp_deploy::image::Tag;
use quilt_mcp_deploy::registry::{
    Access, Copied, Copy, CopyError, Moved, PushError, publish_image,
};
use serde_json::{Value, json};

use crate::Guarded;
use crate::support::fake_registry::{FakeRegistry, Fault};
use crate::support::images;

async fn copy(from: &FakeRegistry, to: &FakeRegistry, tag: &str) -> Result<Copied, CopyError> {
    let folder = tempfile::tempdir().unwrap();
    let image = images::image(folder.path(), b"server");
    let source = Access::new(from.repository(), None);
    let published: Tag = "source".parse().unwrap();
    publish_image(&source, &image, &published, Arc::new(|_| ()))
        .await
        .unwrap();
    let target = Access::new(to.repository(), None);
    let copy = Copy::new(&source, &target, &image.digest, Arc::new(|_| ())).await?;
    copy.run(&tag.parse().unwrap()).await
}

#[tokio::test]
async fn a_registry_that_refuses_to_mount_gets_the_bytes() {
    let registry = FakeRegistry::start().await;
    // One repository plays both: the blobs are there, but not to be found.
    let nothing = Fault::Refuse(404, None, "BLOB_UNKNOWN", "not here");
    registry.trap(Method::HEAD, "blobs/", usize::MAX, nothing);
    for status in [400, 403, 405] {
        let refused = Fault::Refuse(status, None, "UNSUPPORTED", "no mounting");
        let folder = tempfile::tempdir().unwrap();
        let image = images::image(folder.path(), b"server");
        let access = Access::new(registry.repository(), None);
        let tag: Tag = format!("source-{status}").parse().unwrap();
        publish_image(&access, &image, &tag, Arc::new(|_| ()))
            .await
            .unwrap();
        // The first request for an upload is one to mount.
        registry.trap(Method::POST, "blobs/uploads", 1, refused);
        let copy = Copy::new(&access, &access, &image.digest, Arc::new(|_| ()))
            .await
            .unwrap();
        let target: Tag = format!("target-{status}").parse().unwrap();
        let copied = copy.run(&target).await.unwrap();
        assert!(copied.parts.iter().all(|part| part.how == Moved::Copied));
        assert_eq!(registry.is_complete(target.as_str()), Some(true));
    }
}

#[tokio::test]
async fn a_target_that_reports_no_digest_is_asked_again() {
    let (from, to) = (FakeRegistry::start().await, FakeRegistry::start().await);
    to.trap(Method::PUT, "manifests/", usize::MAX, Fault::ReportNoDigest);
    let before = to.requests_of("GET");
    let copied = copy(&from, &to, "t").await.unwrap();
    assert!(copied.tagged);
    assert!(to.requests_of("GET") > before, "the manifest is read back");
    assert_eq!(to.is_complete("t"), Some(true));

    // One that stores nothing of what it takes.
    let to = FakeRegistry::start().await;
    to.trap(Method::PUT, "manifests/", usize::MAX, Fault::ReportNoDigest);
    let nothing = Fault::Refuse(404, None, "MANIFEST_UNKNOWN", "not here");
    to.trap(Method::GET, "manifests/", usize::MAX, nothing);
    copy(&from, &to, "t").await.unwrap_err();
    assert_eq!(to.is_complete("t"), None);
}

#[tokio::test]
async fn a_lost_race_for_a_tag_is_told_as_what_it_is() {
    let (from, to) = (FakeRegistry::start().await, FakeRegistry::start().await);
    to.trap(
        Method::PUT,
        "manifests/t",
        1,
        Fault::LoseRace(b"{}".to_vec()),
    );
    let lost = copy(&from, &to, "t").await.unwrap_err();
    assert!(
        matches!(lost, CopyError::Target(PushError::TagTaken { .. })),
        "{lost}"
    );
    // The other one promoted the same image.
    let folder = tempfile::tempdir().unwrap();
    let same = images::image(folder.path(), b"server").manifest;
    let to = FakeRegistry::start().await;
    to.trap(Method::PUT, "manifests/t", 1, Fault::LoseRace(same));
    let copied = copy(&from, &to, "t").await.unwrap();
    assert!(!copied.tagged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_lists_what_would_move_also_into_a_repository_that_would_be_made() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    guarded.configure_target("second/mcp-server");
    let promote = [
        "promote", "--from", "a", "--to", "second", "--tag", "live", "--force",
    ];
    let create = [&promote[..], &["--create-repository"]].concat();
    let dry = [&create[..], &["--dry-run"]].concat();

    let planned = guarded.json(&dry);
    assert_eq!(planned["creates_repository"], true);
    let image_name = planned["image"].as_str().unwrap().to_owned();
    assert!(image_name.contains("/second/mcp-server@"), "{image_name}");
    let text = guarded.run(&dry).expect(0).stdout;
    for blob in image.blobs() {
        let line = format!("mount?   blob {}, {} bytes", blob.digest, blob.size);
        assert!(text.contains(&line), "{line}: {text}");
        let part =
            json!({"kind": "blob", "digest": blob.digest, "size": blob.size, "how": "mountable"});
        let parts = planned["copied"]["parts"].as_array().unwrap();
        assert!(parts.contains(&part), "{part} is not in {planned:#}");
    }
    assert!(text.contains("creates  the repository"), "{text}");
    let at_most: u64 = image.blobs().iter().map(|blob| blob.size).sum();
    assert_eq!(planned["copied"]["bytes_sent"], at_most);
    let most = format!("sends    at most {at_most} bytes: the registry is asked to mount");
    assert!(text.contains(&most), "{most}: {text}");
    let missing = guarded.run(&[&promote[..], &["--dry-run"]].concat());
    missing.expect(6);

    let done = guarded.json(&create);
    assert_eq!(done["image"], image_name.as_str());
    let parts = |result: &Value| result["copied"]["parts"].as_array().unwrap().clone();
    let mounted = parts(&planned).into_iter().map(|mut part| {
        part["how"] = json!("mounted");
        part
    });
    assert_eq!(parts(&done), mounted.collect::<Vec<Value>>());
    let again = guarded.json(&dry);
    assert_eq!(again["creates_repository"], false);
    assert_eq!(again["copied"]["parts"][0]["how"], "present");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_mounts_nothing_gets_the_bytes_that_the_plan_counts() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    guarded.configure_target("second/mcp-server");
    let promote = [
        "promote",
        "--from",
        "a",
        "--to",
        "second",
        "--tag",
        "live",
        "--force",
        "--create-repository",
    ];
    let fault = [
        "local",
        "fault",
        "refuse-mounts",
        "--repository",
        "second/*",
    ];
    guarded.run(&fault).expect(0);
    let planned = guarded.json(&[&promote[..], &["--dry-run"]].concat());
    let done = guarded.json(&promote);
    for field in ["blobs_mounted", "blobs_sent", "bytes_sent"] {
        assert_eq!(done["copied"][field], planned["copied"][field], "{field}");
    }
    assert_eq!(done["copied"]["blobs_mounted"], 0);
    let parts = done["copied"]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), image.blobs().len());
    assert!(parts.iter().all(|part| part["how"] == "copied"), "{done:#}");
}

impl Guarded {
    /// Adds the environment `second`, whose repository is another.
    fn configure_target(&self, repository: &str) {
        let path = self.folder.path().join("quilt-mcp.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let second = text
            .replace("environments.a", "environments.second")
            .replace(
                "repository = \"quilt-local-mcp-server\"",
                &format!("repository = \"{repository}\""),
            );
        std::fs::write(path, format!("{text}{second}")).unwrap();
    }
}
