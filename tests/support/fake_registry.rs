//! A registry in this process that misbehaves on demand, and a wire that breaks.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use quilt_mcp_deploy::image::{Digest, RepositoryName};
use quilt_mcp_deploy::registry::{Access, Credentials, RetryPolicy};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A repository as whom such a registry lets in, and with little patience.
pub fn impatient(repository: RepositoryName) -> Access {
    Access {
        retry: RetryPolicy {
            attempts: 4,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(5),
        },
        ..Access::new(repository, Some(Credentials::new("AWS", "s3cret", None)))
    }
}

/// What the registry answers instead of doing its work.
#[derive(Clone)]
pub enum Fault {
    /// This status, `Retry-After`, error code and message.
    Refuse(u16, Option<u64>, &'static str, &'static str),
    /// Success, but with this digest.
    ReportDigest(Digest),
    /// Success, but without saying a digest.
    ReportNoDigest,
    /// It is done, but the answer is this status.
    DoneBut(u16),
    /// Another client puts this manifest under the tag first.
    LoseRace(Vec<u8>),
}

struct Trap {
    method: Method,
    path: &'static str,
    times: usize,
    fault: Fault,
}

#[derive(Default)]
pub struct Contents {
    pub blobs: HashMap<String, Vec<u8>>,
    pub tags: HashMap<String, Vec<u8>>,
    /// `METHOD path` of every request, in order.
    pub requests: Vec<String>,
    /// The `Authorization` header of every request.
    pub authorisations: Vec<Option<String>>,
    /// Whether it answers the referrers API.
    pub knows_referrers: bool,
    /// How many referrers it lists on a page; all without it.
    pub referrers_at_once: Option<usize>,
    /// Where it says that every list of referrers goes on.
    pub referrers_go_on_at: Option<String>,
    uploads: HashMap<u64, Vec<u8>>,
    traps: Vec<Trap>,
}

#[derive(Clone)]
pub struct FakeRegistry {
    address: SocketAddr,
    contents: Arc<Mutex<Contents>>,
}

static NEXT_UPLOAD: AtomicU64 = AtomicU64::new(1);

impl Contents {
    /// The manifest under this tag or digest.
    fn manifest(&self, name: &str) -> Option<&Vec<u8>> {
        let mut manifests = self.tags.values();
        let tagged = self.tags.get(name);
        tagged.or_else(|| manifests.find(|manifest| Digest::of(manifest).as_str() == name))
    }
}

impl FakeRegistry {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = Self {
            address: listener.local_addr().unwrap(),
            contents: Arc::default(),
        };
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(registry.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        registry
    }

    pub fn repository(&self) -> RepositoryName {
        format!("{}/team/server", self.address).parse().unwrap()
    }

    pub fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }

    /// The next `times` requests of `method` whose path contains `path` meet `fault`.
    pub fn trap(&self, method: Method, path: &'static str, times: usize, fault: Fault) {
        self.contents().traps.push(Trap {
            method,
            path,
            times,
            fault,
        });
    }

    pub fn requests_of(&self, method: &str) -> usize {
        let contents = self.contents();
        contents
            .requests
            .iter()
            .filter(|request| request.starts_with(method))
            .count()
    }

    /// Whether `tag` names a manifest all of whose blobs are here and sound; `None` if it names none.
    pub fn is_complete(&self, tag: &str) -> Option<bool> {
        let contents = self.contents();
        let manifest: Value = serde_json::from_slice(contents.tags.get(tag)?).unwrap();
        let layers = manifest["layers"].as_array().unwrap().iter();
        let mut blobs = std::iter::once(&manifest["config"]).chain(layers);
        Some(blobs.all(|blob| {
            let digest = blob["digest"].as_str().unwrap();
            contents
                .blobs
                .get(digest)
                .is_some_and(|blob| Digest::of(blob).as_str() == digest)
        }))
    }
}

async fn answer(
    State(registry): State<FakeRegistry>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut contents = registry.contents();
    contents.requests.push(format!("{method} {}", uri.path()));
    let authorisation = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    contents.authorisations.push(authorisation);
    let sprung = contents
        .traps
        .iter_mut()
        .find(|trap| trap.times > 0 && trap.method == method && uri.path().contains(trap.path));
    let fault = sprung.map(|trap| {
        trap.times -= 1;
        trap.fault.clone()
    });
    let path = uri
        .path()
        .strip_prefix("/v2/team/server/")
        .unwrap_or_default();
    match fault {
        None => serve(&mut contents, &method, path, uri.query(), body),
        Some(Fault::Refuse(status, wait, code, message)) => {
            let mut response = refusal(status, code, message);
            if let Some(wait) = wait {
                response.headers_mut().insert("retry-after", wait.into());
            }
            response
        }
        Some(Fault::ReportDigest(digest)) => {
            let mut response = serve(&mut contents, &method, path, uri.query(), body);
            let digest = digest.as_str().parse().unwrap();
            response
                .headers_mut()
                .insert("docker-content-digest", digest);
            response
        }
        Some(Fault::ReportNoDigest) => {
            let mut response = serve(&mut contents, &method, path, uri.query(), body);
            response.headers_mut().remove("docker-content-digest");
            response
        }
        Some(Fault::DoneBut(status)) => {
            serve(&mut contents, &method, path, uri.query(), body);
            refusal(status, "UNKNOWN", "done, but the answer is lost")
        }
        Some(Fault::LoseRace(manifest)) => {
            let tag = path.trim_start_matches("manifests/").to_owned();
            contents.tags.insert(tag, manifest);
            refusal(
                400,
                "TAG_INVALID",
                "the tag exists and the repository is immutable",
            )
        }
    }
}

fn serve(
    contents: &mut Contents,
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: Bytes,
) -> Response<Body> {
    let (kind, rest) = path.split_once('/').unwrap_or((path, ""));
    match (method.as_str(), kind, rest) {
        ("POST", "blobs", "uploads/") => {
            let id = NEXT_UPLOAD.fetch_add(1, Ordering::Relaxed);
            contents.uploads.insert(id, Vec::new());
            located(202, id)
        }
        ("PATCH", "blobs", upload) => {
            let id = upload_id(upload);
            let Some(content) = contents.uploads.get_mut(&id) else {
                return refusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
            };
            content.extend_from_slice(&body);
            located(202, id)
        }
        ("PUT", "blobs", upload) => {
            let Some(content) = contents.uploads.remove(&upload_id(upload)) else {
                return refusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
            };
            let digest = Digest::of(&content).to_string();
            let wanted = query.unwrap_or_default().replace("%3A", ":");
            if !wanted.contains(&format!("digest={digest}")) {
                return refusal(400, "DIGEST_INVALID", "the content has another digest");
            }
            contents.blobs.insert(digest.clone(), content);
            with_digest(201, &digest)
        }
        ("HEAD", "blobs", digest) if contents.blobs.contains_key(digest) => {
            with_digest(200, digest)
        }
        ("GET", "blobs", digest) if contents.blobs.contains_key(digest) => {
            let mut response = with_digest(200, digest);
            *response.body_mut() = Body::from(contents.blobs[digest].clone());
            response
        }
        ("HEAD" | "GET", "manifests", name) if contents.manifest(name).is_some() => {
            let manifest = contents.manifest(name).unwrap().clone();
            let mut response = with_digest(200, Digest::of(&manifest).as_str());
            *response.body_mut() = Body::from(manifest);
            response
        }
        ("GET", "referrers", subject) if contents.knows_referrers => {
            referrers(contents, subject, query)
        }
        ("PUT", "manifests", tag) => {
            contents.tags.insert(tag.to_owned(), body.to_vec());
            with_digest(201, Digest::of(&body).as_str())
        }
        _ => refusal(404, "NOT_FOUND", "nothing here"),
    }
}

/// A page of what refers to `subject`.
fn referrers(contents: &Contents, subject: &str, query: Option<&str>) -> Response<Body> {
    let mut referrers = BTreeMap::new();
    for content in contents.tags.values() {
        let manifest: Value = serde_json::from_slice(content).unwrap();
        if manifest["subject"]["digest"] == subject {
            let (digest, size) = (Digest::of(content).to_string(), content.len());
            let media_type = &manifest["mediaType"];
            let descriptor = json!({"mediaType": media_type, "digest": digest, "size": size});
            referrers.insert(digest, descriptor);
        }
    }
    let at_once = contents.referrers_at_once.unwrap_or(usize::MAX);
    let start = query.and_then(|query| query.strip_prefix("from="));
    let start: usize = start.map_or(0, |start| start.parse().unwrap());
    let page: Vec<&Value> = referrers.values().skip(start).take(at_once).collect();
    let end = start + page.len();
    let more =
        (end < referrers.len()).then(|| format!("/v2/team/server/referrers/{subject}?from={end}"));
    let mut response = Response::builder().status(200);
    if let Some(next) = contents.referrers_go_on_at.clone().or(more) {
        response = response.header("link", format!("<{next}>; rel=\"next\""));
    }
    let index = json!({"schemaVersion": 2, "manifests": page});
    response.body(Body::from(index.to_string())).unwrap()
}

fn upload_id(path: &str) -> u64 {
    path.trim_start_matches("uploads/").parse().unwrap()
}

fn located(status: u16, id: u64) -> Response<Body> {
    let location = format!("/v2/team/server/blobs/uploads/{id}?_state=s3ssion");
    Response::builder()
        .status(status)
        .header("location", location)
        .body(Body::empty())
        .unwrap()
}

fn with_digest(status: u16, digest: &str) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("docker-content-digest", digest)
        .body(Body::empty())
        .unwrap()
}

fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    let body = json!({"errors": [{"code": code, "message": message, "detail": {}}]});
    let status = StatusCode::from_u16(status).unwrap();
    Response::builder()
        .status(status)
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// A wire to `registry` that breaks: the n-th connection is cut after the n-th number of
/// bytes from the client, those after the last number stay whole.
pub async fn breaking_wire(registry: &FakeRegistry, cuts: Vec<u64>) -> RepositoryName {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let target = registry.address;
    tokio::spawn(async move {
        let mut cuts = cuts.into_iter();
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, target, cuts.next()));
        }
    });
    format!("{address}/team/server").parse().unwrap()
}

async fn relay(mut client: TcpStream, target: SocketAddr, cut: Option<u64>) {
    let Ok(mut registry) = TcpStream::connect(target).await else {
        return;
    };
    let Some(cut) = cut else {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut registry).await;
        return;
    };
    let (mut from_client, mut to_client) = client.split();
    let (from_registry, mut to_registry) = registry.split();
    let forth = async {
        let _ = tokio::io::copy(&mut (&mut from_client).take(cut), &mut to_registry).await;
    };
    let back = async {
        let mut from_registry = from_registry;
        let _ = tokio::io::copy(&mut from_registry, &mut to_client).await;
    };
    // The end of either way ends both: the sockets are dropped.
    tokio::select! { () = forth => {}, () = back => {} }
    let _ = to_registry.shutdown().await;
}
