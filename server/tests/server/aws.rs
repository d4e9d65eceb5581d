//! With whose rights AWS is asked: the caller's, as the registry lends them, and nobody else's.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use quilt_demo_registry::{DEMO_TOKEN, LENT_SECRET, LENT_SESSION};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Registry, Server};
use crate::tools::{bad, good};

/// An endpoint that stands for all of AWS: it writes down who asks, and answers one error.
struct Endpoint {
    url: String,
    requests: Arc<AtomicUsize>,
    authorizations: Arc<Mutex<Vec<(String, String)>>>,
}

impl Endpoint {
    async fn answering(
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    ) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let authorizations: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let (count, seen) = (Arc::clone(&requests), Arc::clone(&authorizations));
        let answer = move |request: Request| {
            count.fetch_add(1, Ordering::SeqCst);
            let header = |name: &str| {
                let value = request.headers().get(name);
                value
                    .map(|value| value.to_str().unwrap().to_owned())
                    .unwrap_or_default()
            };
            let pair = (header("authorization"), header("x-amz-security-token"));
            seen.lock().unwrap().push(pair);
            async move {
                let status = axum::http::StatusCode::from_u16(status).unwrap();
                let mut answer = (status, body).into_response();
                for (name, value) in headers {
                    answer.headers_mut().insert(*name, value.parse().unwrap());
                }
                answer
            }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self {
            url,
            requests,
            authorizations,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Every tool that asks AWS, with arguments that are good.
fn calls() -> Vec<(&'static str, Value)> {
    let object = json!({"bucket": "quilt-local-raw", "key": "a.txt"});
    vec![
        ("s3_object_list", json!({"bucket": "quilt-local-raw"})),
        ("s3_object_info", object.clone()),
        ("s3_object_link", object),
        ("object_read", json!({"uri": "s3://quilt-local-raw/a.txt"})),
        (
            "s3_object_put",
            json!({"bucket": "quilt-local-raw", "key": "a.txt", "content": "x"}),
        ),
        ("athena_query", json!({"sql": "SELECT 1"})),
        (
            "athena_query_results",
            json!({"execution_id": "00000000-0000-0000-0000-000000000000"}),
        ),
        (
            "package_create",
            json!({"bucket": "quilt-local-raw", "name": "a/b", "entries": {"x": {"type": "inline", "content": "x"}}}),
        ),
    ]
}

#[tokio::test]
async fn the_tasks_own_role_is_never_used() {
    // Whatever an SDK's credential chain would find: keys, a profile, the task's
    // metadata endpoint, a web identity.
    let ambient = Endpoint::answering(
        200,
        &[],
        r#"{"AccessKeyId":"ASIAAMBIENT","SecretAccessKey":"ambient","Token":"ambient","Expiration":"2099-01-01T00:00:00Z"}"#,
    )
    .await;
    let aws = Endpoint::answering(200, &[], "").await;
    let registry = Registry::start().await;
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("credentials");
    std::fs::write(
        &profile,
        "[default]\naws_access_key_id=AKIAAMBIENT\naws_secret_access_key=ambient\n",
    )
    .unwrap();
    let metadata = format!("{}/creds", ambient.url);
    let vars = [
        ("AWS_ENDPOINT_URL", aws.url.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAAMBIENT"),
        ("AWS_SECRET_ACCESS_KEY", "ambient"),
        ("AWS_SESSION_TOKEN", "ambient"),
        ("AWS_SHARED_CREDENTIALS_FILE", profile.to_str().unwrap()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &ambient.url),
        ("HOME", folder.path().to_str().unwrap()),
    ];
    let server = Server::start_with(&registry.url(), &vars).await;
    server.call("auth_status", json!({})).await;
    for (status, code) in [
        (500, "registry_unavailable"),
        (503, "registry_unavailable"),
        (404, "registry_failed"),
    ] {
        registry.faults().fail_at("get_credentials", Some(status));
        for (tool, arguments) in calls() {
            let error = bad(&server, tool, arguments).await;
            assert_eq!(error["code"], code, "{tool}: {error}");
        }
    }
    assert!(registry.faults().asked("get_credentials") > 0);
    assert_eq!(aws.requests(), 0, "AWS was asked without lent credentials");
    assert_eq!(ambient.requests(), 0, "ambient credentials were looked for");

    // With the exchange healed, AWS sees the lent credentials and no others.
    registry.faults().fail_at("get_credentials", None);
    for (tool, arguments) in calls() {
        server.call(tool, arguments).await;
    }
    assert!(aws.requests() > 0);
    assert_eq!(ambient.requests(), 0);
    for (authorization, session) in aws.authorizations.lock().unwrap().iter() {
        assert!(
            authorization.contains("Credential=ASIADEMOREGISTRY0001/"),
            "{authorization}"
        );
        assert_eq!(session, &format!("{LENT_SESSION}-demo"));
    }
}

#[tokio::test]
async fn credentials_are_exchanged_once_per_token_while_they_last() {
    let aws = Endpoint::answering(403, &[], "").await;
    let registry = Registry::start().await;
    registry.add_user("qk_other");
    let vars = [("AWS_ENDPOINT_URL", aws.url.as_str())];
    let server = Server::start_with(&registry.url(), &vars).await;
    for _ in 0..3 {
        bad(
            &server,
            "s3_object_list",
            json!({"bucket": "quilt-local-raw"}),
        )
        .await;
    }
    assert_eq!(registry.faults().asked("get_credentials"), 1);
    let message =
        crate::harness::tools_call("s3_object_list", json!({"bucket": "quilt-local-raw"}));
    server
        .post("/mcp", Some("qk_other"), &message)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(registry.faults().asked("get_credentials"), 2);
    let seen = aws.authorizations.lock().unwrap().clone();
    let sessions: Vec<_> = seen.iter().map(|(_, session)| session.as_str()).collect();
    let own = format!("{LENT_SESSION}-demo");
    assert!(sessions[..3].iter().all(|session| *session == own));
    assert_ne!(sessions[3], own, "another caller has other credentials");

    // Those that end within the margin are not kept.
    let short = Registry::start().await;
    short.faults().lend_for(Duration::from_secs(299));
    let server = Server::start_with(&short.url(), &vars).await;
    for _ in 0..3 {
        bad(
            &server,
            "s3_object_list",
            json!({"bucket": "quilt-local-raw"}),
        )
        .await;
    }
    assert_eq!(short.faults().asked("get_credentials"), 3);
}

#[tokio::test]
async fn each_refusal_of_aws_has_its_code() {
    let xml = |code: &str| format!("<Error><Code>{code}</Code><Message>said so</Message></Error>");
    for (status, code, expected, retryable) in [
        (403, "AccessDenied", "forbidden", false),
        (404, "NoSuchKey", "not_found", false),
        (404, "NoSuchBucket", "not_found", false),
        (400, "ExpiredToken", "aws_unavailable", true),
        (503, "SlowDown", "aws_unavailable", true),
        (500, "InternalError", "aws_unavailable", true),
        (400, "InvalidArgument", "aws_failed", false),
        (302, "Found", "aws_failed", false),
    ] {
        let body: &'static str = Box::leak(xml(code).into_boxed_str());
        let aws =
            Endpoint::answering(status, &[("location", "http://169.254.169.254/")], body).await;
        let registry = Registry::start().await;
        let vars = [("AWS_ENDPOINT_URL", aws.url.as_str())];
        let server = Server::start_with(&registry.url(), &vars).await;
        let error = bad(
            &server,
            "object_read",
            json!({"uri": "s3://quilt-local-raw/a"}),
        )
        .await;
        assert_eq!(error["code"], expected, "{code}: {error}");
        assert_eq!(error["retryable"], retryable, "{code}");
        // Credentials that AWS does not know any more are exchanged anew.
        bad(
            &server,
            "object_read",
            json!({"uri": "s3://quilt-local-raw/a"}),
        )
        .await;
        let exchanges = if code == "ExpiredToken" { 2 } else { 1 };
        assert_eq!(
            registry.faults().asked("get_credentials"),
            exchanges,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_buckets_region_is_learnt_and_never_a_host() {
    for (region, requests) in [
        ("eu-west-3", 2),
        ("evil.example/", 1),
        ("", 1),
        ("us-east-1", 1),
    ] {
        let headers: &'static [(&'static str, &'static str)] =
            Box::leak(vec![("x-amz-bucket-region", region)].into_boxed_slice());
        let aws = Endpoint::answering(301, headers, "").await;
        let registry = Registry::start().await;
        let vars = [("AWS_ENDPOINT_URL", aws.url.as_str())];
        let server = Server::start_with(&registry.url(), &vars).await;
        bad(
            &server,
            "s3_object_list",
            json!({"bucket": "quilt-local-raw"}),
        )
        .await;
        assert_eq!(aws.requests(), requests, "{region:?}");
        let seen = aws.authorizations.lock().unwrap().clone();
        let last = &seen.last().unwrap().0;
        let signed = if requests == 2 { region } else { "us-east-1" };
        assert!(
            last.contains(&format!("/{signed}/s3/aws4_request")),
            "{last}"
        );
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_before_anything_is_asked() {
    let aws = Endpoint::answering(200, &[], "").await;
    let registry = Registry::start().await;
    let vars = [("AWS_ENDPOINT_URL", aws.url.as_str())];
    let server = Server::start_with(&registry.url(), &vars).await;
    let raw = "quilt-local-raw";
    for (tool, arguments) in [
        (
            "object_read",
            json!({"uri": "s3://quilt-local-raw/../other/key"}),
        ),
        (
            "object_read",
            json!({"uri": "s3://quilt-local-raw/%2e%2e/other"}),
        ),
        (
            "object_read",
            json!({"uri": "http://169.254.169.254/latest/meta-data/"}),
        ),
        ("object_read", json!({"uri": "file:///proc/self/environ"})),
        ("object_read", json!({"uri": "s3://169.254.169.254:80/x"})),
        ("object_read", json!({"uri": "s3://user:pass@host/x"})),
        (
            "s3_object_info",
            json!({"bucket": raw, "key": "../other/key"}),
        ),
        ("s3_object_info", json!({"bucket": "../other", "key": "x"})),
        (
            "s3_object_info",
            json!({"bucket": "evil.example#", "key": "x"}),
        ),
        ("s3_object_link", json!({"bucket": "a@b", "key": "x"})),
        ("s3_object_link", json!({"bucket": raw, "key": "a/./b"})),
        (
            "s3_object_put",
            json!({"bucket": raw, "key": "a\nb", "content": "x"}),
        ),
        (
            "s3_object_put",
            json!({"bucket": raw, "key": "x", "content": "x", "content_type": "text/html\r\nx-evil: 1"}),
        ),
        (
            "s3_object_put",
            json!({"bucket": raw, "key": "x", "content": "%%%", "encoding": "base64"}),
        ),
        ("athena_query", json!({"sql": "DROP TABLE t"})),
        ("athena_query", json!({"sql": "SELECT 1; DELETE FROM t"})),
        (
            "athena_query",
            json!({"sql": "SELECT 1", "database": "a\"; DROP"}),
        ),
        ("athena_query_results", json!({"execution_id": "../../x"})),
    ] {
        let error = bad(&server, tool, arguments.clone()).await;
        assert_eq!(
            error["code"], "invalid_input",
            "{tool} {arguments}: {error}"
        );
    }
    assert_eq!(aws.requests(), 0);
    assert_eq!(registry.faults().asked("get_credentials"), 0);
}

#[tokio::test]
async fn neither_credentials_nor_signatures_are_ever_logged() {
    let aws = Endpoint::answering(200, &[("content-length", "0")], "").await;
    let registry = Registry::start().await;
    let vars = [
        ("AWS_ENDPOINT_URL", aws.url.as_str()),
        ("MCP_LOG", "trace"),
        ("MCP_DRAIN_GRACE_SECONDS", "0"),
        ("LOG_SIGNABLE_BODY", "1"),
    ];
    let mut server = Server::start_with(&registry.url(), &vars).await;
    for (tool, arguments) in calls() {
        server.call(tool, arguments).await;
    }
    let object = json!({"bucket": "quilt-local-raw", "key": "a.txt"});
    let link = good(&server, "s3_object_link", object).await;
    let url = link["url"].as_str().unwrap();
    let signature = url
        .split("X-Amz-Signature=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    assert_eq!(signature.len(), 64, "{url}");
    server.signal(Signal::TERM);
    server.end().await;
    server.line(|line| line["message"] == "stopped").await;
    let output = server.output();
    assert!(
        output
            .iter()
            .any(|line| line.contains("\"level\":\"TRACE\""))
    );
    for line in &output {
        for secret in [
            LENT_SECRET,
            LENT_SESSION,
            DEMO_TOKEN,
            signature,
            "X-Amz-Signature=",
            "Signature=",
        ] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}
