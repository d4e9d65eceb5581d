//! The registry as an OCI client sees it, by plain HTTP.

mod common;

use common::{Environment, descriptor, digest};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

async fn request(environment: &Environment, method: Method, rest: &str) -> RequestBuilder {
    environment
        .http
        .request(method, environment.registry_url(rest))
        .header("authorization", environment.authorization().await)
}

async fn error_of(response: reqwest::Response) -> (StatusCode, String, String) {
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    let error = &body["errors"][0];
    (
        status,
        error["code"].as_str().unwrap().to_owned(),
        error["message"].as_str().unwrap().to_owned(),
    )
}

fn manifest(config: &[u8], layers: &[&[u8]], extra: &Value) -> String {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer))
        .collect();
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers,
    });
    let extra = extra.as_object().cloned().unwrap_or_default();
    manifest.as_object_mut().unwrap().extend(extra);
    manifest.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_with_the_token_of_ecr() {
    let environment = common::start().await;
    let url = format!("http://{}/v2/", environment.description.registry);
    for authorization in [None, Some("Basic QVdTOndyb25n"), Some("Bearer x")] {
        let mut request = environment.http.get(&url);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
    }
    let request = environment
        .http
        .get(&url)
        .header("authorization", environment.authorization().await);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_in_chunks_and_back_in_parts() {
    let environment = common::start().await;
    let content = b"0123456789";
    let response = request(&environment, Method::POST, "blobs/uploads/")
        .await
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let id = location.rsplit('/').next().unwrap();
    let upload = format!("blobs/uploads/{id}");
    let chunk = async |range: &str, part: &[u8]| {
        request(&environment, Method::PATCH, &upload)
            .await
            .header("content-range", range)
            .body(part.to_vec())
            .send()
            .await
            .unwrap()
    };
    let response = chunk("0-3", &content[..4]).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["range"], "0-3");
    let response = chunk("0-3", &content[..4]).await;
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(response.headers()["range"], "0-3");
    // A client that was cut off asks where to go on.
    let response = request(&environment, Method::GET, &upload)
        .await
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["range"], "0-3");
    assert_eq!(
        chunk("4-8", &content[4..9]).await.status(),
        StatusCode::ACCEPTED
    );
    let response = request(
        &environment,
        Method::PUT,
        &format!("{upload}?digest={}", digest(content)),
    )
    .await
    .body(content[9..].to_vec())
    .send()
    .await
    .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);

    let blob = format!("blobs/{}", digest(content));
    let cases = [
        (None, StatusCode::OK, "0123456789"),
        (Some("bytes=2-4"), StatusCode::PARTIAL_CONTENT, "234"),
        (Some("bytes=-2"), StatusCode::PARTIAL_CONTENT, "89"),
    ];
    for (range, status, expected) in cases {
        let mut get = request(&environment, Method::GET, &blob).await;
        if let Some(range) = range {
            get = get.header("range", range);
        }
        let response = get.send().await.unwrap();
        assert_eq!(response.status(), status, "{range:?}");
        assert_eq!(response.text().await.unwrap(), expected, "{range:?}");
    }
    let head = request(&environment, Method::HEAD, &blob)
        .await
        .send()
        .await
        .unwrap();
    assert_eq!(head.headers()["content-length"], "10");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_digest_is_refused_and_an_upload_can_be_cancelled() {
    let environment = common::start().await;
    let start = format!("blobs/uploads/?digest={}", digest(b"something else"));
    let response = request(&environment, Method::POST, &start)
        .await
        .body("content")
        .send()
        .await
        .unwrap();
    let (status, code, _) = error_of(response).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::BAD_REQUEST, "DIGEST_INVALID")
    );

    let response = request(&environment, Method::POST, "blobs/uploads/")
        .await
        .send()
        .await
        .unwrap();
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let upload = format!("blobs/uploads/{}", location.rsplit('/').next().unwrap());
    let cancel = request(&environment, Method::DELETE, &upload).await;
    assert_eq!(
        cancel.send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    let again = request(&environment, Method::PATCH, &upload).await;
    let (status, code, _) = error_of(again.body("x").send().await.unwrap()).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_immutable_and_the_same_digest_again_is_fine() {
    let environment = common::start().await;
    for blob in [b"config".as_slice(), b"one", b"two"] {
        environment.push_blob(blob).await;
    }
    let one = manifest(b"config", &[b"one"], &json!({}));
    let two = manifest(b"config", &[b"two"], &json!({}));
    for _ in 0..2 {
        let response = environment.push_manifest("1.0", one.clone()).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(
            response.headers()["docker-content-digest"]
                .to_str()
                .unwrap(),
            digest(one.as_bytes())
        );
    }
    let (status, code, message) = error_of(environment.push_manifest("1.0", two).await).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::BAD_REQUEST, "TAG_INVALID")
    );
    assert_eq!(
        message,
        "The image tag '1.0' already exists in the 'quilt-local-mcp-server' repository and cannot be overwritten because the repository is immutable."
    );
    for reference in ["1.0", &digest(one.as_bytes())] {
        let path = format!("manifests/{reference}");
        let get = request(&environment, Method::GET, &path).await;
        let response = get.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], MANIFEST);
        assert_eq!(response.text().await.unwrap(), one);
    }
    let tags = request(&environment, Method::GET, "tags/list").await;
    let tags: Value = tags.send().await.unwrap().json().await.unwrap();
    assert_eq!(tags["tags"], json!(["1.0"]));
    let image = environment
        .ecr(
            "DescribeImages",
            json!({ "repositoryName": "quilt-local-mcp-server" }),
        )
        .await;
    assert_eq!(
        image["imageDetails"][0]["imageDigest"],
        json!(digest(one.as_bytes()))
    );
    assert_eq!(image["imageDetails"][0]["imageSizeInBytes"], 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_need_their_blobs_and_their_digest() {
    let environment = common::start().await;
    environment.push_blob(b"config").await;
    let incomplete = manifest(b"config", &[b"absent"], &json!({}));
    let (status, code, message) =
        error_of(environment.push_manifest("1.0", incomplete).await).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN")
    );
    assert!(message.contains(&digest(b"absent")), "{message}");
    let complete = manifest(b"config", &[], &json!({}));
    let wrong = digest(b"other");
    let (_, code, _) = error_of(environment.push_manifest(&wrong, complete).await).await;
    assert_eq!(code, "DIGEST_INVALID");
    let (_, code, _) = error_of(
        environment
            .push_manifest("1.0", "not json".to_owned())
            .await,
    )
    .await;
    assert_eq!(code, "MANIFEST_INVALID");
    let get = request(&environment, Method::GET, "manifests/1.0").await;
    let (status, code, _) = error_of(get.send().await.unwrap()).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_referrers_and_unknown_repositories() {
    let environment = common::start().await;
    let blob = environment.push_blob(b"config").await;
    environment
        .ecr("CreateRepository", json!({ "repositoryName": "other/one" }))
        .await;
    let other = |rest: &str| {
        format!(
            "http://{}/v2/other/one/{rest}",
            environment.description.registry
        )
    };
    let authorization = environment.authorization().await;
    let unseen = environment
        .http
        .get(other(&format!("blobs/{blob}")))
        .header("authorization", &authorization);
    assert_eq!(unseen.send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let mount = other(&format!(
        "blobs/uploads/?mount={blob}&from=quilt-local-mcp-server"
    ));
    let mount = environment
        .http
        .post(mount)
        .header("authorization", &authorization);
    assert_eq!(mount.send().await.unwrap().status(), StatusCode::CREATED);
    let seen = environment
        .http
        .get(other(&format!("blobs/{blob}")))
        .header("authorization", &authorization);
    assert_eq!(seen.send().await.unwrap().text().await.unwrap(), "config");

    let image = manifest(b"config", &[], &json!({}));
    environment.push_manifest("1.0", image.clone()).await;
    let subject = descriptor(MANIFEST, image.as_bytes());
    let signature = manifest(
        b"config",
        &[],
        &json!({ "subject": subject, "artifactType": "application/x.signature" }),
    );
    let response = environment
        .push_manifest(&digest(signature.as_bytes()), signature.clone())
        .await;
    assert_eq!(
        response.headers()["oci-subject"].to_str().unwrap(),
        digest(image.as_bytes())
    );
    let path = format!("referrers/{}", digest(image.as_bytes()));
    let referrers = request(&environment, Method::GET, &path).await;
    let index: Value = referrers.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        index["manifests"][0]["digest"],
        json!(digest(signature.as_bytes()))
    );

    let absent = environment
        .http
        .get(format!(
            "http://{}/v2/absent/tags/list",
            environment.description.registry
        ))
        .header("authorization", &authorization);
    let (status, code, message) = error_of(absent.send().await.unwrap()).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::NOT_FOUND, "NAME_UNKNOWN")
    );
    assert_eq!(
        message,
        "The repository with name 'absent' does not exist in the registry with id '111122223333'"
    );
}
