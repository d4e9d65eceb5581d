//! What a registry is asked for, and what ECR asks IAM then.

use std::sync::Arc;

use quilt_mcp_deploy::image::Tag;
use quilt_mcp_deploy::registry::{
    Access, Copy, Credentials, Inspector, publish_image, published_before,
};

use crate::support::fake_registry::FakeRegistry;
use crate::support::images;
use crate::{Actions, listed};

/// Actions behind ECR's registry API, which the local environment does not count.
pub fn of_registry(action: &str) -> bool {
    REQUESTS.iter().any(|(_, _, known)| known.contains(&action))
}

/// Requests to a registry and the actions that ECR asks IAM about for them
/// (Amazon ECR User Guide, "IAM permissions for pushing an image", "… pulling an image").
const REQUESTS: [(&str, &str, &[&str]); 9] = [
    ("HEAD", "/blobs/", &["ecr:BatchCheckLayerAvailability"]),
    ("GET", "/blobs/", &["ecr:GetDownloadUrlForLayer"]),
    ("POST", "/blobs/uploads/", &["ecr:InitiateLayerUpload"]),
    ("PATCH", "/blobs/uploads/", &["ecr:UploadLayerPart"]),
    (
        "PUT",
        "/blobs/uploads/",
        &["ecr:UploadLayerPart", "ecr:CompleteLayerUpload"],
    ),
    ("GET", "/manifests/", &["ecr:BatchGetImage"]),
    ("HEAD", "/manifests/", &["ecr:BatchGetImage"]),
    ("GET", "/referrers/", &["ecr:BatchGetImage"]),
    ("PUT", "/manifests/", &["ecr:PutImage"]),
];

fn actions_of(registry: &FakeRegistry) -> Actions {
    let contents = registry.contents();
    let requests = contents.requests.iter();
    let actions = requests.flat_map(|request| {
        let (method, path) = request.split_once(' ').unwrap();
        let known = REQUESTS
            .iter()
            .filter(|(known, part, _)| *known == method && path.contains(part));
        // The longest part that fits: uploads are blobs too.
        let known = known.max_by_key(|(_, part, _)| part.len());
        let ping = path == "/v2/";
        assert!(
            known.is_some() || ping,
            "what does ECR ask for `{request}`?"
        );
        known.map_or(&[] as &[&str], |(_, _, actions)| actions)
    });
    actions.map(|action| (*action).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_is_asked_for_what_is_listed_and_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let image = images::image(folder.path(), b"a program");
    let (source, target) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let tag: Tag = "1.0.0".parse().unwrap();
    let access = |registry: &FakeRegistry| {
        let credentials = Credentials::new("AWS", "s3cret", None);
        Access::new(registry.repository(), Some(credentials))
    };
    publish_image(&access(&source), &image, &tag, Arc::new(|_| ()))
        .await
        .unwrap();
    // The same commit again.
    let revision = image.commit.as_deref().unwrap();
    let before = published_before(&access(&source), &tag, revision).await;
    assert_eq!(before.unwrap().digest, image.digest);
    assert_eq!(actions_of(&source), of_registry_in("publish"));

    source.contents().requests.clear();
    let (from, to) = (access(&source), access(&target));
    let copy = Copy::new(&from, &to, &image.digest, Arc::new(|_| ())).await;
    copy.unwrap().run(&tag).await.unwrap();
    assert_eq!(actions_of(&source), of_registry_in("promote from"));

    source.contents().requests.clear();
    let inspector = Inspector::connect(&from).await.unwrap();
    inspector.about(&image.digest).await.unwrap();
    for looks in ["verify", "images", "rollout"] {
        assert_eq!(actions_of(&source), of_registry_in(looks));
    }
    assert!(actions_of(&target).is_subset(&of_registry_in("publish")));
}

fn of_registry_in(command: &str) -> Actions {
    let mut needs = listed().remove(command).unwrap();
    needs.retain(|action| of_registry(action));
    needs
}
