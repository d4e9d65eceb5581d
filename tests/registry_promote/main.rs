//! Promotion, the list of images and pruning, between environments of this machine and between
//! registries that we did not write.

#[path = "../support/mod.rs"]
mod support;

mod referrers;

use std::path::Path;
use std::sync::Arc;

use quilt_mcp_deploy::image::{Image, Tag};
use quilt_mcp_deploy::registry::{
    Access, Copied, Copy, CopyError, Credentials, PublishProgress, PushError, publish_image,
};
use serde_json::Value;
use support::docker_registry::{DockerRegistry, PASSWORD, Setup, USER};
use support::fake_registry::{FakeRegistry, impatient};
use support::images::{self, noise};
use support::rehearsal::{Ended, Rehearsal};
use support::schema::assert_valid;

/// Two environments behind the local one's endpoint: `local`, and `second`, whose service is
/// the same but whose repository is another.
struct Two {
    rehearsal: Rehearsal,
    folder: tempfile::TempDir,
}

impl Two {
    fn start() -> Self {
        let rehearsal = Rehearsal::new();
        rehearsal.run(&["local", "up"]).expect(0);
        let endpoint = rehearsal.description()["endpoint_url"]
            .as_str()
            .unwrap()
            .to_owned();
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[environments.second]\n\
             account_id = \"111122223333\"\nregion = \"us-east-1\"\nendpoint_url = \"{endpoint}\"\n\
             repository = \"second/mcp-server\"\ncluster = \"quilt-local\"\n\
             service = \"quilt-local-mcp-server\"\ncontainer = \"mcp-server\"\n\
             url = \"http://127.0.0.1:1/mcp/\"\n"
        );
        std::fs::write(folder.path().join("quilt-mcp.toml"), config).unwrap();
        Self { rehearsal, folder }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let configuration = self.folder.path().join("quilt-mcp.toml");
        self.rehearsal.run_with(&configuration, arguments)
    }

    /// What the command prints, which is as its schema says.
    fn json(&self, arguments: &[&str]) -> Value {
        let printed = self
            .run(&[arguments, &["--output", "json"]].concat())
            .expect(0)
            .json();
        assert_valid(arguments[0], &printed);
        printed
    }
}

#[test]
fn what_runs_is_promoted_listed_and_never_pruned() {
    let two = Two::start();
    let live = two
        .rehearsal
        .server("1111111111111111111111111111111111111111");
    two.rehearsal.deploy(&live, &[]).expect(0);
    let promote = ["promote", "--from", "local", "--to", "second"];

    // No repository yet: nothing is changed.
    let missing = two.run(&promote).expect(6);
    assert!(
        missing.stderr.contains("second/mcp-server"),
        "{}",
        missing.stderr
    );

    let copied = two.json(&[&promote[..], &["--create-repository"]].concat());
    assert_eq!(copied["digest"], live.digest.as_str());
    assert_eq!(copied["proven"], true);
    assert_eq!(copied["copied"]["tagged"], true);
    assert_eq!(copied["copied"]["blobs_mounted"], 3, "{copied:#}");
    assert_eq!(
        copied["copied"]["bytes_sent"], 0,
        "one registry: nothing goes through here"
    );
    let again = two.json(&promote);
    assert_eq!(again["copied"]["tagged"], false);
    assert_eq!(again["copied"]["bytes_missing"], 0);

    // What was never rolled out is refused, unless on purpose.
    let idle = two
        .rehearsal
        .server("2222222222222222222222222222222222222222");
    let layout = idle.layout.to_str().unwrap();
    two.run(&["publish", "--image-layout", layout, "--tag", "idle"])
        .expect(0);
    let idle_too = [&promote[..], &["--tag", "idle"]].concat();
    let refused = two.run(&idle_too).expect(4);
    for sign in [idle.digest.as_str(), "no rollout", "--force"] {
        assert!(refused.stderr.contains(sign), "{sign}: {}", refused.stderr);
    }
    let planned = two.json(&[&idle_too[..], &["--force", "--dry-run"]].concat());
    assert_eq!(
        planned["copied"]["blobs_sent"], 1,
        "at most: only the configuration is new"
    );
    assert_eq!(planned["copied"]["blobs_mounted"], 0);
    assert_eq!(planned["proven"], false);
    let before = two.json(&["images", "--env", "second"]);
    assert_eq!(before["images"].as_array().unwrap().len(), 1, "{before:#}");
    let forced = two.json(&[&idle_too[..], &["--force"]].concat());
    assert_eq!(forced["tag"], "idle-unproven");

    let listed = two.json(&["images", "--env", "second"]);
    let images = listed["images"].as_array().unwrap();
    assert_eq!(images.len(), 2);
    let of = |digest: &str| {
        images
            .iter()
            .find(|image| image["digest"] == digest)
            .unwrap()
    };
    assert_eq!(
        of(live.digest.as_str())["commit"],
        "1111111111111111111111111111111111111111"
    );
    assert_eq!(
        of(live.digest.as_str())["deployed"],
        serde_json::json!(["second"])
    );
    assert_eq!(of(idle.digest.as_str())["deployed"], serde_json::json!([]));
    assert_eq!(listed["unknown"], serde_json::json!([]));

    let prune = ["prune", "--env", "second", "--keep", "0"];
    let planned = two.json(&[&prune[..], &["--dry-run"]].concat());
    assert_eq!(planned["deleted"].as_array().unwrap().len(), 1);
    assert_eq!(planned["deleted"][0]["digest"], idle.digest.as_str());
    assert_eq!(planned["needed"], serde_json::json!([live.digest]));
    assert_eq!(
        two.json(&["images", "--env", "second"])["images"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    two.run(&prune).expect(0);
    let left = two.json(&["images", "--env", "second"]);
    assert_eq!(left["images"].as_array().unwrap().len(), 1);
    assert_eq!(left["images"][0]["digest"], live.digest.as_str());

    let text = two.run(&["images", "--env", "second"]).expect(0).stdout;
    assert!(
        text.contains("1111111") && text.contains("second"),
        "{text}"
    );
}

#[test]
fn a_repository_whose_tags_may_move_is_warned_of() {
    let two = Two::start();
    let create = two.rehearsal.ecr().create_repository();
    let create = create.repository_name("second/mcp-server").send();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(create).unwrap();
    let image = two.rehearsal.fixture("exits");
    let layout = image.layout.to_str().unwrap();
    let publish = ["publish", "--image-layout", layout, "--tag", "a", "--env"];
    let promote = ["promote", "--from", "local", "--to", "second", "--tag", "a"];
    let into_first = two.run(&[&publish[..], &["local"]].concat()).expect(0);
    assert!(
        !into_first.stderr.contains("imageTagMutability"),
        "{}",
        into_first.stderr
    );
    for command in [
        [&publish[..], &["second"]].concat(),
        [&promote[..], &["--force"]].concat(),
    ] {
        let ended = two.run(&command).expect(0);
        let warning = "in the repository second/mcp-server tags may move to other images; \
                       set imageTagMutability to IMMUTABLE";
        assert!(ended.stderr.contains(warning), "{}", ended.stderr);
    }
}

#[test]
fn pruning_stops_where_an_environment_cannot_tell_what_it_runs() {
    let two = Two::start();
    let config = two.folder.path().join("quilt-mcp.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let third = text
        .replace("environments.second", "environments.third")
        .replace("second/mcp-server", "third/mcp-server")
        .replace("quilt-local\"", "no-such-cluster\"");
    std::fs::write(&config, format!("{text}{third}")).unwrap();
    two.run(&[
        "publish",
        "--image-layout",
        two.rehearsal.server("3").layout.to_str().unwrap(),
        "--tag",
        "x",
    ])
    .expect(0);
    let refused = two
        .run(&["prune", "--env", "local", "--keep", "0"])
        .expect(4);
    assert!(refused.stderr.contains("third"), "{}", refused.stderr);
    let left = two.json(&["images", "--env", "local"]);
    assert_eq!(left["images"].as_array().unwrap().len(), 1);
    assert!(
        left["unknown"][0].as_str().unwrap().contains("third"),
        "{left:#}"
    );
}

#[test]
fn a_gate_that_cannot_be_asked_is_no_open_gate() {
    let two = Two::start();
    let image = two.rehearsal.fixture("exits");
    let layout = image.layout.to_str().unwrap();
    let publish = ["publish", "--image-layout", layout, "--tag", "gated"];
    let gated = [&publish[..], &["--scan-gate", "high"]].concat();
    two.run(&["local", "fault", "deny", "ecr:DescribeImageScanFindings"])
        .expect(0);
    let ended = two.run(&gated).expect(6);
    assert!(
        ended.stderr.contains("ecr:DescribeImageScanFindings"),
        "{}",
        ended.stderr
    );
    two.run(&["local", "fault", "clear"]).expect(0);
    two.run(&gated).expect(0);
}

#[tokio::test]
async fn a_tag_that_another_image_takes_during_a_copy_stays_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (
        images::image(folder.path(), b"ours"),
        images::image(folder.path(), b"theirs"),
    );
    let (source, target) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let (from, to) = (
        impatient(source.repository()),
        impatient(target.repository()),
    );
    let tag: Tag = "a".parse().unwrap();
    let published = publish_image(&from, &ours, &tag, Arc::new(|_| ())).await;
    published.unwrap();
    let (other, manifest) = (target.clone(), theirs.manifest.clone());
    let progress = Arc::new(move |step| {
        if matches!(step, PublishProgress::BlobSent { .. }) {
            let mut contents = other.contents();
            contents.tags.insert("a".to_owned(), manifest.clone());
        }
    });
    let copy = Copy::new(&from, &to, &ours.digest, progress).await.unwrap();
    let error = copy.run(&tag).await.unwrap_err();
    let CopyError::Target(PushError::TagTaken { existing, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!(*existing, theirs.digest);
    assert_eq!(target.contents().tags["a"], theirs.manifest);
}

async fn copy(from: &Access, to: &Access, image: &Image, tag: &str) -> Result<Copied, CopyError> {
    let progress = Arc::new(|_| ());
    let copy = Copy::new(from, to, &image.digest, progress).await?;
    copy.run(&tag.parse().unwrap()).await
}

fn with_password(registry: &DockerRegistry, path: &str) -> Access {
    let credentials = Credentials::new(USER, PASSWORD, None);
    Access::new(registry.repository(path), Some(credentials))
}

async fn registry(folder: &Path, tls: bool) -> Option<DockerRegistry> {
    std::fs::create_dir_all(folder).unwrap();
    let setup = Setup {
        password: true,
        tls,
    };
    DockerRegistry::start(folder, setup).await
}

#[tokio::test]
async fn real_registries_give_and_take_the_very_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(first) = registry(&folder.path().join("first"), false).await else {
        return;
    };
    let Some(second) = registry(&folder.path().join("second"), true).await else {
        return;
    };
    let image = images::image(&folder.path().join("images"), &noise(400_000, 2));
    let source = with_password(&first, "staging/server");
    let tag: Tag = "t".parse().unwrap();
    let published = publish_image(&source, &image, &tag, Arc::new(|_| ()))
        .await
        .unwrap();
    assert!(published.pushed);

    // The same registry takes the blobs over; another one gets them through here.
    let sister = with_password(&first, "prod/server");
    let copied = copy(&source, &sister, &image, "t").await.unwrap();
    assert_eq!((copied.blobs_mounted, copied.blobs_sent), (3, 0));
    assert_eq!(first.is_complete("prod/server", "t"), Some(true));
    let away = with_password(&second, "prod/server");
    let copied = copy(&source, &away, &image, "t").await.unwrap();
    assert_eq!((copied.blobs_mounted, copied.blobs_sent), (0, 3));
    assert_eq!(
        copied.bytes_sent,
        image.blobs().iter().map(|blob| blob.size).sum::<u64>()
    );
    assert_eq!(second.is_complete("prod/server", "t"), Some(true));

    // A tag of another image stays where it is.
    let other = images::image(&folder.path().join("images"), b"other");
    publish_image(&source, &other, &"u".parse().unwrap(), Arc::new(|_| ()))
        .await
        .unwrap();
    let error = copy(&source, &away, &other, "t").await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(image.digest.as_str()) && text.contains(other.digest.as_str()),
        "{text}"
    );

    // A source without the image, and one that does not let us in.
    let error = copy(&with_password(&first, "nowhere"), &away, &image, "v")
        .await
        .unwrap_err();
    assert!(matches!(error, CopyError::Source { .. }), "{error}");
    let stranger = Access::new(source.repository.clone(), None);
    let error = copy(&stranger, &away, &image, "v").await.unwrap_err();
    assert!(matches!(error, CopyError::Source { .. }), "{error}");
    assert_eq!(second.is_complete("prod/server", "v"), None);
}

#[tokio::test]
async fn a_damaged_source_is_not_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(first) = registry(&folder.path().join("first"), false).await else {
        return;
    };
    let Some(second) = registry(&folder.path().join("second"), false).await else {
        return;
    };
    let image = images::image(&folder.path().join("images"), &noise(100_000, 2));
    let source = with_password(&first, "a");
    publish_image(&source, &image, &"t".parse().unwrap(), Arc::new(|_| ()))
        .await
        .unwrap();
    let layer = &image.layers[1].digest;
    let stored = folder.path().join(format!(
        "first/storage/docker/registry/v2/blobs/sha256/{}/{}/data",
        &layer.hex()[..2],
        layer.hex()
    ));
    let mut content = std::fs::read(&stored).unwrap();
    content[500] ^= 1;
    std::fs::write(&stored, content).unwrap();
    let error = copy(&source, &with_password(&second, "a"), &image, "t")
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(layer.as_str()) && text.contains("nothing was tagged"),
        "{text}"
    );
    assert_eq!(second.is_complete("a", "t"), None);
}
