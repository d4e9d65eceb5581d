//! Being let in while publishing: credentials that end, permissions that lack, and token servers.

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode};
use quilt_mcp_deploy::image::{Image, RepositoryName, Tag};
use quilt_mcp_deploy::registry::{Access, Credentials, PushError, Renewal, publish_image};
use rcgen::{CertificateParams, KeyPair};
use support::fake_registry::{FakeRegistry, Fault, impatient};
use support::images::{self, noise};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn tag() -> Tag {
    "1.4.0-3f2a9c1".parse().unwrap()
}

fn image() -> (tempfile::TempDir, Image) {
    let folder = tempfile::tempdir().unwrap();
    let image = images::image(folder.path(), &noise(30_000, 7));
    (folder, image)
}

/// Counts the renewals, each of which gives good credentials.
fn renewing(target: Access) -> (Access, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let renewal = Renewal::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok(Credentials::new("AWS", "s3cret", None)) }
    });
    let renewal = Some(renewal);
    (Access { renewal, ..target }, asked)
}

#[tokio::test]
async fn a_token_that_ended_is_renewed_also_where_the_answer_is_403_or_400() {
    const ENDED: &str = "Your authorization token has expired. Reauthenticate and try again.";
    for (method, path, status, message, renewals) in [
        (Method::HEAD, "manifests/", 403, ENDED, 1),
        (Method::HEAD, "blobs/", 403, "", 1),
        (Method::POST, "uploads/", 403, ENDED, 1),
        (Method::PATCH, "uploads/", 403, ENDED, 1),
        (Method::PUT, "uploads/", 400, ENDED, 1),
        (Method::PUT, "manifests/", 403, ENDED, 1),
    ] {
        let registry = FakeRegistry::start().await;
        let (_folder, image) = image();
        let (target, asked) = renewing(impatient(registry.repository()));
        let refusal = Fault::Refuse(status, None, "DENIED", message);
        registry.trap(method.clone(), path, 1, refusal);
        let published = publish_image(&target, &image, &tag(), Arc::new(|_| ())).await;
        assert!(
            published.is_ok_and(|published| published.pushed),
            "{method} {path}"
        );
        assert_eq!(asked.load(Ordering::Relaxed), renewals, "{method} {path}");
        assert_eq!(registry.is_complete(tag().as_str()), Some(true));
    }
}

#[tokio::test]
async fn a_lack_of_permission_is_told_after_one_try() {
    for (method, path, renewals, requests) in [
        (Method::HEAD, "manifests/", 1, 2),
        (Method::PUT, "manifests/", 0, 1),
    ] {
        let registry = FakeRegistry::start().await;
        let (_folder, image) = image();
        let (target, asked) = renewing(impatient(registry.repository()));
        let refusal = Fault::Refuse(
            403,
            None,
            "DENIED",
            "not authorized to perform: ecr:PutImage",
        );
        registry.trap(method.clone(), path, usize::MAX, refusal);
        let error = publish_image(&target, &image, &tag(), Arc::new(|_| ()))
            .await
            .unwrap_err();
        assert!(matches!(error, PushError::Unauthorised { .. }), "{error}");
        assert!(error.to_string().contains("ecr:PutImage"), "{error}");
        assert_eq!(asked.load(Ordering::Relaxed), renewals, "{method} {path}");
        let refused = format!("{method} /v2/team/server/{path}");
        let met = registry.contents().requests.clone();
        let met = met.iter().filter(|request| request.starts_with(&refused));
        assert_eq!(met.count(), requests, "{method} {path}");
    }
}

#[tokio::test]
async fn credentials_are_renewed_before_they_end() {
    let soon = jiff::Timestamp::now() + Duration::from_secs(20);
    for expires_at in [soon, "2020-01-01T00:00:00Z".parse().unwrap()] {
        let registry = FakeRegistry::start().await;
        let (_folder, image) = image();
        let old = Credentials::new("AWS", "0ld", Some(expires_at));
        let (target, asked) = renewing(Access {
            credentials: Some(old),
            ..impatient(registry.repository())
        });
        publish_image(&target, &image, &tag(), Arc::new(|_| ()))
            .await
            .unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let shown = registry.contents().authorisations.clone();
        let shown: BTreeSet<String> = shown.into_iter().flatten().collect();
        assert_eq!(shown, BTreeSet::from(["Basic QVdTOnMzY3JldA==".to_owned()]));
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_renewed_are_used_to_their_end() {
    let in_vain = Renewal::new(|| async { Err("ExpiredToken".to_owned()) });
    let soon = jiff::Timestamp::now() + Duration::from_secs(50);
    let registry = FakeRegistry::start().await;
    let (_folder, image) = image();
    let ending = Access {
        credentials: Some(Credentials::new("AWS", "s3cret", Some(soon))),
        renewal: Some(in_vain),
        ..impatient(registry.repository())
    };
    let published = publish_image(&ending, &image, &tag(), Arc::new(|_| ())).await;
    assert!(published.unwrap().pushed);

    let past = "2020-01-01T00:00:00Z".parse().unwrap();
    let ended = Access {
        credentials: Some(Credentials::new("AWS", "s3cret", Some(past))),
        ..ending
    };
    let error = publish_image(&ended, &image, &tag(), Arc::new(|_| ()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ExpiredToken"), "{error}");
}

/// A token server with a certificate that nobody signed, on every address of this machine; gives
/// its port and what it was told through TLS.
async fn token_server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "0.0.0.0".to_owned()];
    let certificate = CertificateParams::new(names).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let acceptor = support::tls::acceptor(&certificate, &key);
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not like the certificate goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            heard.lock().unwrap().push(text);
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 13\r\n\r\n\
                          {\"token\":\"t\"}";
            drop(stream.write_all(answer.as_bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    (port, told)
}

/// A registry on this machine that names the token server at `realm`, and takes its tokens to say
/// that there is nothing.
async fn registry_with_tokens_from(realm: String) -> RepositoryName {
    let answer = move |headers: HeaderMap| {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"test\"");
        async move {
            if headers
                .get("authorization")
                .is_some_and(|shown| shown == "Bearer t")
            {
                return (StatusCode::NOT_IMPLEMENTED, HeaderMap::new());
            }
            let challenge = HeaderMap::from_iter([(
                axum::http::header::WWW_AUTHENTICATE,
                challenge.parse().unwrap(),
            )]);
            (StatusCode::UNAUTHORIZED, challenge)
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("{address}/team/server").parse().unwrap()
}

/// 0.0.0.0 stands for a host elsewhere: it is reached, and is no name of this machine.
#[tokio::test]
async fn a_password_goes_to_no_token_server_elsewhere_that_nobody_vouches_for() {
    for (host, gets_it) in [("127.0.0.1", true), ("0.0.0.0", false)] {
        let (port, told) = token_server().await;
        let realm = format!("https://{host}:{port}/token");
        let repository = registry_with_tokens_from(realm).await;
        let (_folder, image) = image();
        let error = publish_image(&impatient(repository), &image, &tag(), Arc::new(|_| ()))
            .await
            .unwrap_err()
            .to_string();
        let told = told.lock().unwrap().join("\n").to_ascii_lowercase();
        assert_eq!(
            told.contains("authorization: basic"),
            gets_it,
            "{host}: {told}"
        );
        assert_eq!(error.contains("501"), gets_it, "{host}: {error}");
        assert_eq!(error.contains("certificate"), !gets_it, "{host}: {error}");
    }
}
