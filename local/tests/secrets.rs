//! Secrets of containers, from Secrets Manager and the Parameter Store as the control port fills
//! them.

mod common;

use common::{Environment, eventually};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Rolls out a revision whose secret has this `valueFrom`.
async fn release(environment: &Environment, value_from: &str) -> String {
    let image = environment.push_image().await;
    let revision = environment
        .register_with(&image, &["serve", "one"], |container| {
            container["secrets"] = json!([{ "name": "FIXTURE_SECRET", "valueFrom": value_from }]);
        })
        .await;
    environment.update(&revision).await
}

async fn failure(environment: &Environment, deployment: &str) -> String {
    let task = eventually("a task fails", async || {
        let tasks = environment.tasks("STOPPED").await;
        tasks
            .into_iter()
            .find(|task| task["startedBy"] == json!(deployment))
    })
    .await;
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    task["stoppedReason"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_gets_its_secrets() {
    let environment = common::start().await;
    let set = environment
        .secret("secrets-manager", "quilt/mcp", r#"{"token":"s3cr3t"}"#)
        .await;
    let arn = set[0]["arn"].as_str().unwrap();
    release(&environment, &format!("{arn}:token::")).await;
    environment.settled().await;
    let secret = environment.get("/mcp/secret").await.text().await.unwrap();
    assert_eq!(secret, "s3cr3t");
    environment
        .secret("parameter-store", "/quilt/mcp", "p4r4m")
        .await;
    release(&environment, "/quilt/mcp").await;
    environment.settled().await;
    let secret = environment.get("/mcp/secret").await.text().await.unwrap();
    assert_eq!(secret, "p4r4m");

    // No value is in the state folder, nor in what the control port tells.
    let listed = environment.http.get(environment.control_url("secrets"));
    let listed = listed.send().await.unwrap().text().await.unwrap();
    assert!(
        listed.contains("quilt/mcp") && !listed.contains("s3cr3t"),
        "{listed}"
    );
    let state = std::fs::read_to_string(environment.state_dir().join("state.json")).unwrap();
    assert!(!state.contains("s3cr3t") && !state.contains("p4r4m"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_forbidden_secret_fails_the_task_in_the_words_of_ecs() {
    let environment = common::start().await;
    let absent = "arn:aws:secretsmanager:us-east-1:111122223333:secret:absent-AbCdEf";
    let missing = release(&environment, absent).await;
    let reason = failure(&environment, &missing).await;
    assert!(
        reason.starts_with("ResourceInitializationError: unable to pull secrets or registry auth:"),
        "{reason}"
    );
    assert!(reason.contains("ResourceNotFoundException"), "{reason}");
    let set = environment
        .secret("secrets-manager", "there", "value")
        .await;
    environment
        .fault(json!({ "fault": "deny", "operation": "secretsmanager:GetSecretValue" }))
        .await;
    let forbidden = release(&environment, set[0]["arn"].as_str().unwrap()).await;
    let reason = failure(&environment, &forbidden).await;
    assert!(reason.contains("AccessDeniedException"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_described_without_their_values_and_removed() {
    let environment = common::start().await;
    environment.secret("secrets-manager", "a", "value-a").await;
    environment.secret("parameter-store", "/p", "value-p").await;
    let call = async |target: &str, input: Value| {
        let response = environment.send(target, &input).await;
        (response.status(), response.json::<Value>().await.unwrap())
    };
    let (_, described) = call("secretsmanager.DescribeSecret", json!({ "SecretId": "a" })).await;
    assert_eq!(described["Name"], "a");
    assert!(!described.to_string().contains("value-a"));
    let (_, value) = call("secretsmanager.GetSecretValue", json!({ "SecretId": "a" })).await;
    assert_eq!(value["SecretString"], "value-a");
    let filter = json!([{ "Key": "Name", "Option": "Equals", "Values": ["/p"] }]);
    let (_, listed) = call(
        "AmazonSSM.DescribeParameters",
        json!({ "ParameterFilters": filter }),
    )
    .await;
    assert_eq!(listed["Parameters"][0]["Name"], "/p");
    assert!(!listed.to_string().contains("value-p"));
    let (_, got) = call("AmazonSSM.GetParameters", json!({ "Names": ["/p", "/q"] })).await;
    assert_eq!(got["Parameters"][0]["Value"], "value-p");
    assert_eq!(got["InvalidParameters"], json!(["/q"]));

    let remove = || {
        environment
            .http
            .delete(environment.control_url("secrets"))
            .body(json!({ "store": "secrets-manager", "name": "a" }).to_string())
            .send()
    };
    assert_eq!(remove().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(remove().await.unwrap().status(), StatusCode::NOT_FOUND);
    let (status, error) = call("secretsmanager.DescribeSecret", json!({ "SecretId": "a" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["__type"], "ResourceNotFoundException");
    // A refusal never quotes what was sent.
    let request = environment.http.put(environment.control_url("secrets"));
    let refused = request
        .body(r#"{"store":"x","value":"hush-hush"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(!refused.text().await.unwrap().contains("hush"));
}
