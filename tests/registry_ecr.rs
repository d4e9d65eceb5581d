//! ECR's API: moto as a server that we did not write, and canned answers for what it cannot rehearse.

mod support;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{BehaviorVersion, Region};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use quilt_mcp_deploy::aws::AwsErrorKind;
use quilt_mcp_deploy::registry::{Ecr, Repository, Scan, Severity, TagImmutability};
use serde_json::{Value, json};
use support::moto::Moto;
use tokio::net::TcpListener;

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_ecr::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::from_keys("test", "test", None))
        .build();
    Client::from_conf(config)
}

/// An endpoint that answers every call with what `answer` says of its operation and body.
async fn canned<F>(answer: F) -> Ecr
where
    F: Fn(&str, Value) -> (StatusCode, Value) + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let handler = move |headers: HeaderMap, body: Bytes| {
        let target = headers["x-amz-target"].to_str().unwrap();
        let operation = target.rsplit('.').next().unwrap();
        let (status, body) = answer(operation, serde_json::from_slice(&body).unwrap());
        let headers = [
            ("x-amzn-requestid", "7f3c-11"),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        std::future::ready((status, headers, body.to_string()).into_response())
    };
    let router = Router::new().route("/", post(handler));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ecr::new(&client(&endpoint))
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let ecr = canned(|operation, _| {
        let message = format!(
            "User: arn:aws:iam::111122223333:user/ci is not authorized to perform: ecr:{operation}"
        );
        (
            StatusCode::BAD_REQUEST,
            json!({"__type": "AccessDeniedException", "message": message}),
        )
    })
    .await;
    let digest = quilt_mcp_deploy::image::Digest::of(b"x");
    let errors = [
        (
            ecr.repository("app").await.unwrap_err(),
            "ecr:DescribeRepositories",
        ),
        (
            ecr.create_repository("app", &[]).await.unwrap_err(),
            "ecr:CreateRepository",
        ),
        (
            ecr.authorisation().await.unwrap_err(),
            "ecr:GetAuthorizationToken",
        ),
        (
            ecr.image_by_digest("app", &digest).await.unwrap_err(),
            "ecr:DescribeImages",
        ),
        (
            ecr.newest_images("app", 3).await.unwrap_err(),
            "ecr:DescribeImages",
        ),
    ];
    for (error, action) in errors {
        assert_eq!(error.kind, AwsErrorKind::AccessDenied);
        assert_eq!(error.action, action);
        assert_eq!(error.request_id.as_deref(), Some("7f3c-11"));
        let text = error.to_string();
        for sign in ["AccessDeniedException", "not authorized", "request 7f3c-11"] {
            assert!(text.contains(sign), "{sign}: {text}");
        }
        let hint = error.hint().unwrap();
        assert!(hint.contains(&format!("the IAM action {action}")), "{hint}");
    }
}

#[tokio::test]
async fn an_answer_without_what_it_promises_is_an_error() {
    let ecr = canned(|_, _| {
        (
            StatusCode::OK,
            json!({"authorizationData": [{"authorizationToken": "bm8gY29sb24="}],
        "repositories": [{"repositoryName": "app", "repositoryUri": "nonsense"}]}),
        )
    })
    .await;
    let error = ecr.authorisation().await.unwrap_err().to_string();
    assert!(
        error.contains("no usable token") && !error.contains("no colon"),
        "{error}"
    );
    let error = ecr.repository("app").await.unwrap_err().to_string();
    assert!(
        error.contains("repository app") && error.contains("nonsense"),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_there_is_told_with_the_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Ecr::new(&client(&endpoint))
        .repository("app")
        .await
        .unwrap_err();
    assert_eq!(error.code, None);
    assert!(
        error.to_string().to_lowercase().contains("refused"),
        "{error}"
    );
}

#[tokio::test]
async fn the_newest_images_come_from_all_pages() {
    let ecr = canned(|operation, request| {
        assert_eq!(operation, "DescribeImages");
        assert_eq!(request["filter"]["tagStatus"], "TAGGED");
        let page: u64 = request["nextToken"]
            .as_str()
            .map_or(0, |token| token.parse().unwrap());
        let digest = quilt_mcp_deploy::image::Digest::of(&[page as u8]);
        // Neither sorted nor the other way round.
        let pushed_at = [1_700_000_200.0, 1_700_000_300.5, 1_700_000_100.0][page as usize];
        let mut answer = json!({"imageDetails": [{
            "imageDigest": digest, "imageTags": [format!("tag-{page}"), "also"],
            "imagePushedAt": pushed_at, "imageSizeInBytes": 12_000_000 + page,
        }]});
        if page < 2 {
            answer["nextToken"] = json!((page + 1).to_string());
        }
        (StatusCode::OK, answer)
    })
    .await;
    let newest = ecr.newest_images("app", 2).await.unwrap();
    let tags: Vec<_> = newest.iter().map(|image| image.tags.join(" ")).collect();
    assert_eq!(tags, ["also tag-1", "also tag-0"]);
    assert_eq!(newest[0].size, Some(12_000_001));
    assert_eq!(
        newest[0].pushed_at.unwrap().as_millisecond(),
        1_700_000_300_500
    );
}

#[tokio::test]
async fn moto_agrees_about_repositories_and_images() {
    let Some(moto) = Moto::start() else {
        return;
    };
    let client = client(moto.url());
    let ecr = Ecr::new(&client);

    assert_eq!(ecr.repository("team/app").await.unwrap(), None);
    let tags = [("ManagedBy".to_owned(), "quilt-mcp-deploy".to_owned())];
    let created = ecr.create_repository("team/app", &tags).await.unwrap();
    assert_eq!(created.tag_immutability, TagImmutability::Immutable);
    assert!(created.scan_on_push);
    assert_eq!(created.uri.path(), "team/app");
    assert!(
        created.arn.ends_with(":repository/team/app"),
        "{}",
        created.arn
    );
    assert_eq!(
        ecr.repository("team/app").await.unwrap(),
        Some(created.clone())
    );
    let listed = client
        .list_tags_for_resource()
        .resource_arn(&created.arn)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.tags()[0].key(), "ManagedBy");
    let error = ecr.create_repository("team/app", &[]).await.unwrap_err();
    assert_eq!(
        error.code.as_deref(),
        Some("RepositoryAlreadyExistsException")
    );

    let credentials = ecr.authorisation().await.unwrap();
    assert!(credentials.expires_at().is_some());

    let folder = tempfile::tempdir().unwrap();
    let image = support::images::image(folder.path(), b"binary");
    let put = client
        .put_image()
        .repository_name("team/app")
        .image_tag("1.4.0-3f2a9c1")
        .image_manifest(String::from_utf8(image.manifest.clone()).unwrap())
        .image_manifest_media_type(&image.manifest_media_type)
        .send()
        .await
        .unwrap();
    let tag = "1.4.0-3f2a9c1".parse().unwrap();
    let found = ecr.image_by_tag("team/app", &tag).await.unwrap().unwrap();
    // Moto computes a digest of its own making, so it is asked which.
    let put = put.image().unwrap().image_id().unwrap();
    assert_eq!(found.digest.as_str(), put.image_digest().unwrap());
    assert_eq!(found.tags, ["1.4.0-3f2a9c1"]);
    assert_eq!(
        ecr.image_by_digest("team/app", &found.digest)
            .await
            .unwrap(),
        Some(found.clone())
    );
    assert_eq!(ecr.newest_images("team/app", 5).await.unwrap(), [found]);

    assert_eq!(
        ecr.image_by_tag("team/app", &"other".parse().unwrap())
            .await
            .unwrap(),
        None
    );
    let error = ecr.newest_images("missing", 5).await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("RepositoryNotFoundException"));
    assert!(error.to_string().contains("repository missing"), "{error}");
}

fn repository(scan_on_push: bool) -> Repository {
    Repository {
        name: "app".to_owned(),
        arn: String::new(),
        uri: "111122223333.dkr.ecr.us-east-1.amazonaws.com/app"
            .parse()
            .unwrap(),
        tag_immutability: TagImmutability::Immutable,
        scan_on_push,
    }
}

fn scan_answer(status: &str, findings: Value) -> (StatusCode, Value) {
    let answer = json!({
        "imageScanStatus": {"status": status, "description": "as it is"},
        "imageScanFindings": findings,
    });
    (StatusCode::OK, answer)
}

/// Longer than any answer takes.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn scans_are_read_in_both_forms() {
    let digest = quilt_mcp_deploy::image::Digest::of(b"x");
    let basic = canned(|_, _| {
        let attribute = |key: &str, value: &str| json!({"key": key, "value": value});
        scan_answer("COMPLETE", json!({"findings": [
            {"name": "CVE-2", "severity": "LOW", "attributes": [attribute("package_name", "zlib"), attribute("package_version", "1.2")]},
            {"name": "CVE-1", "severity": "CRITICAL", "attributes": [attribute("package_name", "openssl"), attribute("package_version", "3.0"), attribute("patched_version", "3.1")]},
        ]}))
    })
    .await;
    let Scan::Findings(findings) = basic.scan(&repository(true), &digest, LONG).await.unwrap()
    else {
        panic!("it was scanned");
    };
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "CVE-1 (critical) in openssl 3.0, fixed in 3.1",
            "CVE-2 (low) in zlib 1.2, no fix known",
        ]
    );

    let enhanced = canned(|_, _| {
        scan_answer("ACTIVE", json!({"enhancedFindings": [
            {"severity": "HIGH", "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-3", "vulnerablePackages": [
                {"name": "a", "version": "1", "fixedInVersion": "2"},
                {"name": "b", "version": "1", "fixedInVersion": "NotAvailable"},
            ]}},
            {"severity": "NEW WORD", "title": "odd"},
        ]}))
    })
    .await;
    let Scan::Findings(findings) = enhanced
        .scan(&repository(true), &digest, LONG)
        .await
        .unwrap()
    else {
        panic!("it was scanned");
    };
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "odd (new word, counted as critical), no fix known",
            "CVE-3 (high) in a 1, fixed in 2",
            "CVE-3 (high) in b 1, no fix known",
        ]
    );
    assert!(Severity::High >= Severity::High && Severity::Medium < Severity::High);
}

#[tokio::test]
async fn a_scan_that_is_not_there_or_does_not_end_is_told_apart() {
    // Long enough for a first answer, since it is waited for to its end.
    let short = Duration::from_secs(2);
    let digest = quilt_mcp_deploy::image::Digest::of(b"x");
    let absent = canned(|_, _| {
        (
            StatusCode::BAD_REQUEST,
            json!({"__type": "ScanNotFoundException", "message": "Image scan does not exist"}),
        )
    })
    .await;
    assert_eq!(
        absent
            .scan(&repository(false), &digest, short)
            .await
            .unwrap(),
        Scan::NotScanned("Image scan does not exist".to_owned())
    );
    let error = absent.scan(&repository(true), &digest, short).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("did not begin") && error.contains("Image scan does not exist"),
        "{error}"
    );
    for (status, patience, sign) in [
        ("UNSUPPORTED_IMAGE", LONG, "cannot judge"),
        ("FAILED", LONG, "failed: as it is"),
        ("IN_PROGRESS", short, "did not end"),
    ] {
        let ecr = canned(move |_, _| scan_answer(status, Value::Null)).await;
        let error = ecr.scan(&repository(true), &digest, patience).await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains(sign) && error.contains(digest.as_str()),
            "{error}"
        );
        assert_eq!(
            error.contains("as it is"),
            status != "IN_PROGRESS",
            "{error}"
        );
    }
}
