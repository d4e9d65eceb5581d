//! What refers to an image: it is attached, other clients find it, and it goes along, theirs too.

use std::sync::Arc;

use axum::http::Method;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::{
    ImageIndexEntry, OciDescriptor, OciImageIndex, OciImageManifest, OciManifest,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use quilt_mcp_deploy::image::{Digest, Image, sbom};
use quilt_mcp_deploy::registry::{
    Access, Credentials, Moved, PartKind, Published, SbomState, publish_image,
};

use crate::copy;
use crate::support::fake_registry::{FakeRegistry, Fault, impatient};
use crate::support::images;
use crate::support::rehearsal::Rehearsal;

const SOURCE: &str = "quilt-local-mcp-server";
const TARGET: &str = "other";
const USER: &str = "AWS";
const COMPONENTS: &[u8] = b"{\"bomFormat\":\"CycloneDX\"}";

/// The registry of a local environment with a second repository, and an image beside which a list
/// of its components lies.
struct Shelf {
    host: String,
    password: String,
    image: Image,
    _rehearsal: Rehearsal,
    _folder: tempfile::TempDir,
}

impl Shelf {
    fn start() -> Self {
        let rehearsal = Rehearsal::new();
        rehearsal.run(&["local", "up"]).expect(0);
        let description = rehearsal.description();
        let create = rehearsal.ecr().create_repository().repository_name(TARGET);
        runtime().block_on(create.send()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let image = images::image(folder.path(), b"x");
        std::fs::write(image.layout.join(sbom::FILE), COMPONENTS).unwrap();
        Self {
            host: description["registry"].as_str().unwrap().to_owned(),
            password: rehearsal.registry_password(),
            image,
            _rehearsal: rehearsal,
            _folder: folder,
        }
    }

    fn access(&self, repository: &str) -> Access {
        let credentials = Credentials::new(USER, &self.password, None);
        let repository = format!("{}/{repository}", self.host).parse().unwrap();
        Access::new(repository, Some(credentials))
    }

    async fn publish(&self, tag: &str) -> Published {
        let (source, tag) = (self.access(SOURCE), tag.parse().unwrap());
        let published = publish_image(&source, &self.image, &tag, Arc::new(|_| ())).await;
        published.unwrap()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn the_list_of_components_is_attached_and_goes_along() {
    let shelf = Shelf::start();
    let (source, target) = (shelf.access(SOURCE), shelf.access(TARGET));
    runtime().block_on(async {
        assert_eq!(shelf.publish("a").await.sbom, Some(SbomState::Attached));
        assert_eq!(shelf.publish("a").await.sbom, None, "nothing to do");
        assert_eq!(shelf.publish("b").await.sbom, Some(SbomState::Present));
        let copied = copy(&source, &target, &shelf.image, "a").await.unwrap();
        assert_eq!(copied.referrers, 1);
        let again = copy(&source, &target, &shelf.image, "a").await.unwrap();
        assert_eq!((again.referrers, again.tagged), (0, false));
        refused_where_nobody_takes_it(&source, &shelf.image).await;
    });
}

/// A registry that takes no such manifest gets the image all the same.
async fn refused_where_nobody_takes_it(source: &Access, image: &Image) {
    let picky = FakeRegistry::start().await;
    picky.contents().knows_referrers = true;
    let manifests = "manifests/sha256:";
    picky.trap(Method::PUT, manifests, 1, Fault::DoneBut(201));
    let odd = Fault::Refuse(400, None, "MANIFEST_INVALID", "odd artifact");
    picky.trap(Method::PUT, manifests, usize::MAX, odd);
    let target = impatient(picky.repository());
    let copied = copy(source, &target, image, "a").await.unwrap();
    let referrers = copied.parts.iter();
    let referrers = referrers.filter(|part| part.kind == PartKind::Referrer);
    let moved: Vec<Moved> = referrers.map(|part| part.how).collect();
    assert_eq!(moved, [Moved::NotTaken]);
    assert_eq!((copied.referrers, copied.tagged), (0, true));
    assert_eq!(picky.is_complete("a"), Some(true));
}

#[test]
fn the_client_of_oras_reads_what_we_attach_and_what_it_attaches_goes_along() {
    let shelf = Shelf::start();
    runtime().block_on(async {
        shelf.publish("a").await;
        let source = Oras::of(&shelf, SOURCE).await;
        let listed = source.referrers(Some(sbom::MEDIA_TYPE)).await.manifests;
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(source.content(&listed[0].digest).await, COMPONENTS);

        let of_image = source.sign(&source.subject, b"signed").await;
        let of_list = source.sign(&described(&listed[0]), b"read").await;
        let (from, to) = (shelf.access(SOURCE), shelf.access(TARGET));
        let copied = copy(&from, &to, &shelf.image, "a").await.unwrap();
        assert_eq!(copied.referrers, 3);
        let target = Oras::of(&shelf, TARGET).await;
        assert_eq!(target.referrers(None).await.manifests.len(), 2);
        let list = target.at(&listed[0].digest);
        for (place, signature, content) in [
            (&target, of_image, b"signed".as_slice()),
            (&list, of_list, b"read"),
        ] {
            let signed = place.referrers(Some(Oras::SIGNATURE)).await.manifests;
            assert_eq!(signed.len(), 1, "{signed:?}");
            assert_eq!(signed[0].digest, signature.as_str());
            assert_eq!(place.content(signature.as_str()).await, content);
        }
        let again = copy(&from, &to, &shelf.image, "a").await.unwrap();
        assert_eq!(again.referrers, 0, "nothing to do");
    });
}

/// A registry that lists two referrers on a page, with an image to which five refer.
async fn long_list(image: &Image) -> FakeRegistry {
    let registry = FakeRegistry::start().await;
    let (access, tag) = (impatient(registry.repository()), "a".parse().unwrap());
    let published = publish_image(&access, image, &tag, Arc::new(|_| ())).await;
    published.unwrap();
    let mut contents = registry.contents();
    contents.knows_referrers = true;
    contents.referrers_at_once = Some(2);
    for number in 0..5 {
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "subject": describe(&image.manifest_media_type, &image.manifest),
            "annotations": {"number": number.to_string()},
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = Digest::of(&manifest).to_string();
        contents.tags.insert(digest, manifest);
    }
    drop(contents);
    registry
}

#[tokio::test]
async fn every_page_of_the_referrers_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let image = images::image(folder.path(), b"x");
    let (source, target) = (long_list(&image).await, FakeRegistry::start().await);
    target.contents().knows_referrers = true;
    target.contents().referrers_at_once = Some(3);
    let (from, to) = (
        impatient(source.repository()),
        impatient(target.repository()),
    );
    assert_eq!(copy(&from, &to, &image, "a").await.unwrap().referrers, 5);
    let again = copy(&from, &to, &image, "a").await.unwrap();
    let there = again
        .parts
        .iter()
        .filter(|part| (part.kind, part.how) == (PartKind::Referrer, Moved::Present));
    assert_eq!((again.referrers, there.count()), (0, 5));
}

#[tokio::test]
async fn a_list_of_referrers_that_leads_astray_is_no_list() {
    let folder = tempfile::tempdir().unwrap();
    let image = images::image(folder.path(), b"x");
    let same = format!("/v2/team/server/referrers/{}", image.digest);
    for (next, sign) in [
        (
            "https://elsewhere.example/list?token=s3ssion",
            "goes on at https://elsewhere.example, which is not this registry",
        ),
        (same.as_str(), "goes on at a page that was read before"),
    ] {
        let (source, target) = (long_list(&image).await, FakeRegistry::start().await);
        source.contents().referrers_go_on_at = Some(next.to_owned());
        let (from, to) = (
            impatient(source.repository()),
            impatient(target.repository()),
        );
        let error = copy(&from, &to, &image, "a").await.unwrap_err().to_string();
        assert!(error.contains(sign), "{error}");
        assert!(!error.contains("s3ssion"), "{error}");
        assert_eq!(target.is_complete("a"), None);
    }
}

/// The ORAS project's client (<https://github.com/oras-project/rust-oci-client>) at an image.
struct Oras {
    client: Client,
    auth: RegistryAuth,
    image: Reference,
    subject: OciDescriptor,
}

impl Oras {
    const SIGNATURE: &str = "application/vnd.example.signature";
    const EMPTY: &str = "application/vnd.oci.empty.v1+json";

    async fn of(shelf: &Shelf, repository: &str) -> Self {
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::Http,
            ..ClientConfig::default()
        });
        let auth = RegistryAuth::Basic(USER.to_owned(), shelf.password.clone());
        let digest = shelf.image.digest.to_string();
        let image = Reference::with_digest(shelf.host.clone(), repository.to_owned(), digest);
        for operation in [RegistryOperation::Pull, RegistryOperation::Push] {
            client.auth(&image, &auth, operation).await.unwrap();
        }
        let subject = describe(&shelf.image.manifest_media_type, &shelf.image.manifest);
        Self {
            client,
            auth,
            image,
            subject,
        }
    }

    /// The same at another manifest of the repository.
    fn at(&self, digest: &str) -> Self {
        let subject = OciDescriptor {
            digest: digest.to_owned(),
            ..self.subject.clone()
        };
        Self {
            client: self.client.clone(),
            auth: self.auth.clone(),
            image: self.image.clone_with_digest(digest.to_owned()),
            subject,
        }
    }

    async fn referrers(&self, artifact_type: Option<&str>) -> OciImageIndex {
        let listed = self.client.pull_referrers(&self.image, artifact_type).await;
        listed.unwrap()
    }

    /// The only layer of the artifact of that digest.
    async fn content(&self, digest: &str) -> Vec<u8> {
        let artifact = self.image.clone_with_digest(digest.to_owned());
        let (manifest, _) = self
            .client
            .pull_manifest(&artifact, &self.auth)
            .await
            .unwrap();
        let OciManifest::Image(manifest) = manifest else {
            panic!("{manifest:?}");
        };
        let subject = manifest.subject.as_ref().map(|subject| &subject.digest);
        assert_eq!(subject, Some(&self.subject.digest));
        let mut content = Vec::new();
        let layer = &manifest.layers[0];
        let pulled = self.client.pull_blob(&artifact, layer, &mut content).await;
        pulled.unwrap();
        content
    }

    /// Attaches a signature of that content to `subject`; gives the digest of its manifest.
    async fn sign(&self, subject: &OciDescriptor, content: &[u8]) -> Digest {
        let (config, layer) = (
            describe(Self::EMPTY, b"{}"),
            describe(Self::SIGNATURE, content),
        );
        for (blob, data) in [(&config, b"{}".as_slice()), (&layer, content)] {
            let sent = self
                .client
                .push_blob(&self.image, data.to_vec(), &blob.digest);
            sent.await.unwrap();
        }
        let manifest = OciImageManifest {
            media_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
            artifact_type: Some(Self::SIGNATURE.to_owned()),
            config,
            layers: vec![layer],
            subject: Some(subject.clone()),
            ..OciImageManifest::default()
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let digest = Digest::of(&manifest);
        let place = self.image.clone_with_digest(digest.to_string());
        let media_type = "application/vnd.oci.image.manifest.v1+json"
            .parse()
            .unwrap();
        let put = self.client.push_manifest_raw(&place, manifest, media_type);
        put.await.unwrap();
        digest
    }
}

/// What a list of referrers says of one.
fn described(listed: &ImageIndexEntry) -> OciDescriptor {
    OciDescriptor {
        media_type: listed.media_type.clone(),
        digest: listed.digest.clone(),
        size: listed.size,
        ..OciDescriptor::default()
    }
}

fn describe(media_type: &str, content: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(content).to_string(),
        size: content.len().try_into().unwrap(),
        ..OciDescriptor::default()
    }
}
