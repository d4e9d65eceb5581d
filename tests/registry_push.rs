//! Publishing to a registry that misbehaves.

mod support;

use std::sync::{Arc, Mutex};

use axum::http::Method;
use proptest::prelude::*;
use quilt_mcp_deploy::image::{Digest, Image, RepositoryName, Tag};
use quilt_mcp_deploy::registry::{
    Access, Credentials, PublishProgress, Published, PushError, SbomState, publish_image,
    published_before,
};
use support::fake_registry::{FakeRegistry, Fault, breaking_wire, impatient};
use support::images::{self, noise};

const BUSY: Fault = Fault::Refuse(503, None, "UNAVAILABLE", "try later");

fn tag() -> Tag {
    "1.4.0-3f2a9c1".parse().unwrap()
}

async fn push(repository: RepositoryName, image: &Image) -> Result<Published, PushError> {
    publish_image(&impatient(repository), image, &tag(), Arc::new(|_| ())).await
}

fn image() -> (tempfile::TempDir, Image) {
    let folder = tempfile::tempdir().unwrap();
    let image = images::image(folder.path(), &noise(300_000, 7));
    (folder, image)
}

#[tokio::test]
async fn a_commit_that_was_published_is_known_by_its_label() {
    let registry = FakeRegistry::start().await;
    let (_folder, image) = image();
    let target = impatient(registry.repository());
    assert_eq!(
        published_before(&target, &tag(), images::COMMIT).await,
        None
    );

    let first = push(registry.repository(), &image).await.unwrap();
    let before = published_before(&target, &tag(), images::COMMIT).await;
    let expected = Published {
        pushed: false,
        bytes_uploaded: 0,
        blobs_uploaded: 0,
        blobs_present: 3,
        sbom: None,
        ..first
    };
    assert_eq!(before, Some(expected));
    // The tag of somebody else's image, and a registry that does not show its images.
    assert_eq!(
        published_before(&target, &tag(), &"0".repeat(40)).await,
        None
    );
    registry.trap(
        Method::GET,
        "/blobs/",
        1,
        Fault::Refuse(403, None, "DENIED", "no"),
    );
    assert_eq!(
        published_before(&target, &tag(), images::COMMIT).await,
        None
    );
}

#[tokio::test]
async fn pushes_what_is_missing_and_then_nothing() {
    let registry = FakeRegistry::start().await;
    let (_folder, image) = image();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let sink = steps.clone();

    let published = publish_image(
        &impatient(registry.repository()),
        &image,
        &tag(),
        Arc::new(move |step| sink.lock().unwrap().push(step)),
    )
    .await
    .unwrap();

    assert!(published.pushed);
    assert_eq!(published.digest, image.digest);
    assert_eq!((published.blobs_uploaded, published.blobs_present), (3, 0));
    let sizes: u64 = image.blobs().iter().map(|blob| blob.size).sum();
    assert_eq!(published.bytes_uploaded, sizes);
    assert_eq!(
        published.reference().to_string(),
        format!("{}@{}", registry.repository(), image.digest)
    );
    assert_eq!(registry.is_complete(tag().as_str()), Some(true));
    assert_eq!(registry.contents().tags[tag().as_str()], image.manifest);

    let steps = std::mem::take(&mut *steps.lock().unwrap());
    for blob in image.blobs() {
        let all = PublishProgress::BlobSending {
            digest: blob.digest.clone(),
            sent: blob.size,
            size: blob.size,
        };
        let done = PublishProgress::BlobSent {
            digest: blob.digest.clone(),
            size: blob.size,
        };
        assert!(steps.contains(&all) && steps.contains(&done), "{steps:?}");
    }
    assert!(
        matches!(steps.last(), Some(PublishProgress::Tagged { .. })),
        "{steps:?}"
    );

    let lookups = || registry.requests_of("HEAD /v2/team/server/manifests/");
    assert_eq!(lookups(), 2, "in the beginning, and before the tag");
    let writes = registry.requests_of("P");
    let again = push(registry.repository(), &image).await.unwrap();
    assert!(!again.pushed);
    assert_eq!(lookups(), 3, "a no-op looks once");
    assert_eq!(again.bytes_uploaded, 0);
    assert_eq!(again.digest, image.digest);
    assert_eq!(registry.requests_of("P"), writes, "a no-op writes nothing");
    let authorisations = registry.contents().authorisations.clone();
    let shown: Vec<&String> = authorisations.iter().flatten().collect();
    assert!(
        shown
            .iter()
            .all(|header| *header == "Basic QVdTOnMzY3JldA==")
    );
    assert_eq!(
        authorisations.len() - shown.len(),
        2,
        "each push asks, without credentials, whether the registry wants TLS"
    );
}

#[tokio::test]
async fn the_next_release_sends_only_what_changed() {
    let registry = FakeRegistry::start().await;
    let folder = tempfile::tempdir().unwrap();
    push(
        registry.repository(),
        &images::image(folder.path(), b"first"),
    )
    .await
    .unwrap();
    let second = images::image(folder.path(), b"second");
    let published = publish_image(
        &impatient(registry.repository()),
        &second,
        &"next".parse().unwrap(),
        Arc::new(|_| ()),
    )
    .await
    .unwrap();
    assert_eq!((published.blobs_uploaded, published.blobs_present), (2, 1));
}

#[tokio::test]
async fn trouble_that_passes_is_no_trouble() {
    let slow_down = Fault::Refuse(429, Some(0), "TOOMANYREQUESTS", "slow down");
    let lost = Fault::Refuse(404, None, "BLOB_UPLOAD_UNKNOWN", "who?");
    for (method, path, fault) in [
        (Method::HEAD, "manifests/", BUSY),
        (Method::HEAD, "blobs/", BUSY),
        (Method::POST, "uploads/", slow_down.clone()),
        (Method::PATCH, "uploads/", BUSY),
        (Method::PATCH, "uploads/", lost),
        (Method::PUT, "uploads/", BUSY),
        (Method::PUT, "manifests/", slow_down),
        (Method::PUT, "manifests/", BUSY),
    ] {
        let registry = FakeRegistry::start().await;
        let (_folder, image) = image();
        registry.trap(method.clone(), path, 2, fault);
        let published = push(registry.repository(), &image).await;
        assert!(
            published.is_ok_and(|published| published.pushed),
            "{method} {path}"
        );
        assert_eq!(
            registry.is_complete(tag().as_str()),
            Some(true),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn trouble_that_stays_is_told_and_tags_nothing() {
    for (method, path) in [
        (Method::HEAD, "manifests/"),
        (Method::POST, "uploads/"),
        (Method::PATCH, "uploads/"),
        (Method::PUT, "manifests/"),
    ] {
        let registry = FakeRegistry::start().await;
        let (_folder, image) = image();
        registry.trap(method.clone(), path, usize::MAX, BUSY);
        let error = push(registry.repository(), &image).await.unwrap_err();
        assert!(
            matches!(error, PushError::GaveUp { attempts: 4, .. }),
            "{method} {path}: {error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("503") && (method == Method::HEAD || text.contains("try later")),
            "{text}"
        );
        assert_eq!(registry.is_complete(tag().as_str()), None);
    }
}

#[tokio::test]
async fn a_tag_that_names_another_image_never_moves() {
    let registry = FakeRegistry::start().await;
    let folder = tempfile::tempdir().unwrap();
    let first = images::image(folder.path(), b"first");
    let second = images::image(folder.path(), b"second");
    push(registry.repository(), &first).await.unwrap();
    let writes = registry.requests_of("P");

    let error = push(registry.repository(), &second).await.unwrap_err();

    assert!(matches!(error, PushError::TagTaken { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(first.digest.as_str()) && text.contains(second.digest.as_str()),
        "{text}"
    );
    assert_eq!(registry.requests_of("P"), writes, "nothing was written");
    assert_eq!(registry.contents().tags[tag().as_str()], first.manifest);
}

/// The registry would let the tag move.
#[tokio::test]
async fn a_tag_that_another_image_takes_meanwhile_stays_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let ours = images::image(folder.path(), b"ours");
    let theirs = images::image(folder.path(), b"theirs");
    let while_sending = |step: &PublishProgress| matches!(step, PublishProgress::BlobSent { .. });
    let between_attempts = |step: &PublishProgress| {
        matches!(step, PublishProgress::Retrying { operation, .. }
            if operation.starts_with("tagging"))
    };
    for moment in [while_sending, between_attempts] {
        let registry = FakeRegistry::start().await;
        registry.trap(Method::PUT, "manifests/", 1, BUSY);
        let (other, manifest) = (registry.clone(), theirs.manifest.clone());
        let progress = Arc::new(move |step| {
            if moment(&step) {
                let mut contents = other.contents();
                contents.tags.insert(tag().to_string(), manifest.clone());
            }
        });
        let target = impatient(registry.repository());
        let error = publish_image(&target, &ours, &tag(), progress)
            .await
            .unwrap_err();
        let PushError::TagTaken {
            existing, ours: us, ..
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!((existing, us), (&theirs.digest, &ours.digest));
        assert_eq!(registry.contents().tags[tag().as_str()], theirs.manifest);
    }
}

#[tokio::test]
async fn somebody_else_may_tag_first() {
    let folder = tempfile::tempdir().unwrap();
    let ours = images::image(folder.path(), b"ours");
    let theirs = images::image(folder.path(), b"theirs");

    let registry = FakeRegistry::start().await;
    registry.trap(
        Method::PUT,
        "manifests/",
        1,
        Fault::LoseRace(ours.manifest.clone()),
    );
    let published = push(registry.repository(), &ours).await.unwrap();
    assert!(!published.pushed, "the very same image is fine");

    let registry = FakeRegistry::start().await;
    registry.trap(
        Method::PUT,
        "manifests/",
        1,
        Fault::LoseRace(theirs.manifest.clone()),
    );
    let error = push(registry.repository(), &ours).await.unwrap_err();
    assert!(
        matches!(&error, PushError::TagTaken { existing, .. } if *existing == theirs.digest),
        "{error}"
    );
}

#[tokio::test]
async fn the_registry_must_report_our_digest() {
    let (_folder, image) = image();
    let other = Digest::of(b"other");
    for (method, path) in [(Method::PUT, "manifests/"), (Method::PUT, "uploads/")] {
        let registry = FakeRegistry::start().await;
        registry.trap(method.clone(), path, 1, Fault::ReportDigest(other.clone()));
        let error = push(registry.repository(), &image).await.unwrap_err();
        assert!(
            matches!(&error, PushError::DigestMismatch { reported, .. } if *reported == other),
            "{path}: {error}"
        );
        assert!(error.to_string().contains("sha256:"), "{error}");
    }

    let registry = FakeRegistry::start().await;
    registry.trap(Method::PUT, "manifests/", 1, Fault::ReportNoDigest);
    let published = push(registry.repository(), &image).await.unwrap();
    assert_eq!(published.digest, image.digest, "then the tag is asked");

    registry.trap(Method::HEAD, "manifests/", 1, Fault::ReportNoDigest);
    assert!(
        !push(registry.repository(), &image).await.unwrap().pushed,
        "then the manifest is fetched"
    );
}

#[tokio::test]
async fn refusals_say_what_to_do_and_no_secret() {
    for (method, path, fault, sign) in [
        (
            Method::HEAD,
            "manifests/",
            Fault::Refuse(401, None, "UNAUTHORIZED", "no"),
            "ecr:PutImage",
        ),
        (
            Method::POST,
            "uploads/",
            Fault::Refuse(403, None, "DENIED", "no"),
            "ecr:PutImage",
        ),
        (
            Method::POST,
            "uploads/",
            Fault::Refuse(404, None, "NAME_UNKNOWN", "no"),
            "--create-repository",
        ),
        (
            Method::PATCH,
            "uploads/",
            Fault::Refuse(400, None, "SIZE_INVALID", "odd"),
            "SIZE_INVALID: odd",
        ),
        (
            Method::PUT,
            "manifests/",
            Fault::Refuse(400, None, "MANIFEST_INVALID", "odd"),
            "MANIFEST_INVALID: odd",
        ),
    ] {
        let registry = FakeRegistry::start().await;
        let (_folder, image) = image();
        registry.trap(method.clone(), path, usize::MAX, fault);
        let error = push(registry.repository(), &image).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(sign), "{method} {path}: {text}");
        assert!(text.contains(&registry.repository().to_string()), "{text}");
        for secret in ["s3cret", "QVdTOnMzY3JldA", "s3ssion"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(registry.is_complete(tag().as_str()), None);
    }
}

#[tokio::test]
async fn missing_and_expired_credentials_are_named() {
    let (_folder, image) = image();
    let expired = Credentials::new(
        "AWS",
        "s3cret",
        Some("2020-01-01T00:00:00Z".parse().unwrap()),
    );
    for (credentials, sign) in [
        (None, "none were given"),
        (Some(expired), "expired at 2020-01-01"),
    ] {
        let registry = FakeRegistry::start().await;
        registry.trap(
            Method::HEAD,
            "manifests/",
            1,
            Fault::Refuse(401, None, "", ""),
        );
        let target = Access::new(registry.repository(), credentials);
        let error = publish_image(&target, &image, &tag(), Arc::new(|_| ()))
            .await
            .unwrap_err();
        assert!(matches!(error, PushError::Unauthorised { .. }), "{error}");
        assert!(error.to_string().contains(sign), "{error}");
    }
}

#[tokio::test]
async fn a_blob_that_changed_on_disk_is_not_published() {
    let registry = FakeRegistry::start().await;
    let (_folder, image) = image();
    let layer = image.blob_path(&image.layers[1].digest);
    let mut content = std::fs::read(&layer).unwrap();
    // A byte of the program, so that the layer still reads well.
    content[600] ^= 1;
    std::fs::write(&layer, &content).unwrap();
    let error = push(registry.repository(), &image).await.unwrap_err();
    assert!(error.to_string().contains("DIGEST_INVALID"), "{error}");

    std::fs::write(&layer, &content[..1000]).unwrap();
    let error = push(registry.repository(), &image).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");

    std::fs::remove_file(&layer).unwrap();
    let error = push(registry.repository(), &image).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    assert_eq!(registry.is_complete(tag().as_str()), None);
}

#[tokio::test]
async fn an_image_that_breaks_a_rule_is_not_even_offered() {
    let registry = FakeRegistry::start().await;
    let (_folder, mut image) = image();
    image.commit = None;
    let error = push(registry.repository(), &image).await.unwrap_err();
    assert!(matches!(error, PushError::Check(_)), "{error}");
    assert!(registry.contents().requests.is_empty());
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let repository: RepositoryName = format!("{}/a", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let (_folder, image) = image();
    let error = push(repository.clone(), &image).await.unwrap_err();
    assert!(matches!(error, PushError::GaveUp { .. }), "{error}");
    assert!(
        error.to_string().contains(&repository.to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_tag_whose_answer_is_lost_is_looked_up() {
    // It is carried out and not answered: the next attempt finds it.
    let registry = FakeRegistry::start().await;
    let (_folder, image) = image();
    registry.trap(Method::PUT, "manifests/", 4, Fault::DoneBut(504));
    let published = push(registry.repository(), &image).await.unwrap();
    assert!(published.pushed);
    assert_eq!(registry.requests_of("PUT /v2/team/server/manifests/"), 1);

    // It is seen late, when the next attempt was refused since the tag exists.
    let registry = FakeRegistry::start().await;
    let unseen = Fault::Refuse(404, None, "MANIFEST_UNKNOWN", "no such tag");
    registry.trap(Method::HEAD, "manifests/", 3, unseen);
    registry.trap(Method::PUT, "manifests/", 1, Fault::DoneBut(504));
    let immutable = Fault::Refuse(400, None, "TAG_INVALID", "the repository is immutable");
    registry.trap(Method::PUT, "manifests/", 1, immutable);
    let published = push(registry.repository(), &image).await.unwrap();
    assert!(published.pushed, "our own first one won");

    // Nobody can say: the lookup fails as well, from the first failed attempt on.
    let registry = FakeRegistry::start().await;
    registry.trap(Method::PUT, "manifests/", 4, Fault::DoneBut(504));
    let repository = registry.repository();
    let blind = registry.clone();
    let error = publish_image(
        &impatient(repository),
        &image,
        &tag(),
        Arc::new(move |step| {
            let tagging = matches!(&step, PublishProgress::Retrying { operation, .. }
                if operation.starts_with("tagging"));
            if tagging {
                blind.trap(Method::HEAD, "manifests/", usize::MAX, BUSY);
            }
        }),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, PushError::TagUnknown { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("not known") && !text.contains("nothing was tagged"),
        "{text}"
    );
    assert_eq!(registry.is_complete(tag().as_str()), Some(true));
}

/// An image with a list of components beside it.
fn image_with_sbom() -> (tempfile::TempDir, Image) {
    let (folder, image) = image();
    std::fs::write(image.layout.join("sbom.cdx.json"), "{}").unwrap();
    (folder, image)
}

async fn push_with_warnings(
    registry: &FakeRegistry,
    image: &Image,
) -> (Result<Published, PushError>, Vec<String>) {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let sink = warnings.clone();
    let progress = Arc::new(move |step| {
        if let PublishProgress::NotAttached { reason } = step {
            sink.lock().unwrap().push(reason);
        }
    });
    let published = publish_image(&impatient(registry.repository()), image, &tag(), progress).await;
    let warnings = std::mem::take(&mut *warnings.lock().unwrap());
    (published, warnings)
}

#[tokio::test]
async fn a_list_of_components_follows_its_image_and_goes_before_the_tag() {
    let registry = FakeRegistry::start().await;
    registry.contents().knows_referrers = true;
    let (_folder, image) = image_with_sbom();
    let (published, warnings) = push_with_warnings(&registry, &image).await;
    assert_eq!(published.unwrap().sbom, Some(SbomState::Attached));
    assert_eq!(warnings, Vec::<String>::new());
    let requests = registry.contents().requests.clone();
    let written: Vec<&str> = requests
        .iter()
        .filter_map(|request| request.strip_prefix("PUT /v2/team/server/manifests/"))
        .collect();
    assert_eq!(written.len(), 3, "{written:?}");
    assert_eq!(written[0], image.digest.as_str());
    assert!(written[1].starts_with("sha256:"));
    assert_eq!(written[2], tag().as_str());
}

#[tokio::test]
async fn a_registry_that_refuses_the_list_of_components_gets_the_image() {
    for (method, path, fault, sign) in [
        (
            Method::GET,
            "referrers/",
            Fault::Refuse(403, None, "DENIED", "no"),
            "listing what refers to the image: HTTP 403: DENIED: no",
        ),
        (
            Method::PUT,
            "manifests/sha256:",
            Fault::Refuse(400, None, "MANIFEST_INVALID", "odd artifact"),
            "attaching the list of components: HTTP 400: MANIFEST_INVALID: odd artifact",
        ),
    ] {
        let registry = FakeRegistry::start().await;
        registry.contents().knows_referrers = true;
        let (_folder, image) = image_with_sbom();
        // The image's own manifest goes through before.
        let own = Fault::DoneBut(201);
        registry.trap(Method::PUT, "manifests/sha256:", 1, own);
        registry.trap(method, path, usize::MAX, fault);
        let (published, warnings) = push_with_warnings(&registry, &image).await;
        let published = published.unwrap();
        assert!(published.pushed);
        assert_eq!(published.sbom, Some(SbomState::NotTaken));
        assert_eq!(warnings, [sign]);
        assert_eq!(registry.is_complete(tag().as_str()), Some(true));
    }
}

#[tokio::test]
async fn trouble_with_the_list_of_components_that_stays_is_told_and_tags_nothing() {
    let registry = FakeRegistry::start().await;
    registry.contents().knows_referrers = true;
    let (_folder, image) = image_with_sbom();
    registry.trap(Method::GET, "referrers/", usize::MAX, BUSY);
    let (published, warnings) = push_with_warnings(&registry, &image).await;
    let error = published.unwrap_err();
    assert!(
        matches!(error, PushError::GaveUp { attempts: 4, .. }),
        "{error}"
    );
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(registry.is_complete(tag().as_str()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Wherever the wire breaks, the push is complete or says that it is not.
    #[test]
    fn a_broken_wire_leaves_no_incomplete_image(cuts in proptest::collection::vec(0u64..330_000, 0..12)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let registry = FakeRegistry::start().await;
            let (_folder, image) = image();
            let repository = breaking_wire(&registry, cuts).await;
            match push(repository, &image).await {
                Ok(published) => {
                    assert_eq!(published.digest, image.digest);
                    assert_eq!(registry.is_complete(tag().as_str()), Some(true));
                }
                Err(error) => {
                    // What it says of the tag is true, and an incomplete image is not tagged.
                    let state = registry.is_complete(tag().as_str());
                    match error {
                        PushError::GaveUp { .. } => assert_eq!(state, None, "{error}"),
                        PushError::TagUnknown { .. } => assert_ne!(state, Some(false)),
                        _ => panic!("{error}"),
                    }
                }
            }
        });
    }
}
