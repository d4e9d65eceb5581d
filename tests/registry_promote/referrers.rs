//! What refers to an image: it is attached, other clients find it, and it goes along, theirs too.

use std::sync::Arc;

use axum::http::Method;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::{OciDescriptor, OciImageIndex, OciImageManifest, OciManifest};
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

        let signature = source.sign(b"signed").await;
        let (from, to) = (shelf.access(SOURCE), shelf.access(TARGET));
        let copied = copy(&from, &to, &shelf.image, "a").await.unwrap();
        assert_eq!(copied.referrers, 2);
        let target = Oras::of(&shelf, TARGET).await;
        assert_eq!(target.referrers(None).await.manifests.len(), 2);
        let signed = target.referrers(Some(Oras::SIGNATURE)).await.manifests;
        assert_eq!(signed.len(), 1, "{signed:?}");
        assert_eq!(signed[0].digest, signature.as_str());
        assert_eq!(target.content(signature.as_str()).await, b"signed");
    });
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

    /// Attaches a signature of that content; gives the digest of its manifest.
    async fn sign(&self, content: &[u8]) -> Digest {
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
            subject: Some(self.subject.clone()),
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

fn describe(media_type: &str, content: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(content).to_string(),
        size: content.len().try_into().unwrap(),
        ..OciDescriptor::default()
    }
}
