//! What a model reads before it calls tools.

use quilt_demo_registry::DEMO_TOKEN;
use serde_json::{Value, json};

use crate::harness::{Registry, Server, first_event};
use crate::tools::{bad, good};

async fn ask(server: &Server, method: &str, params: Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer = server
        .post("/mcp", Some(DEMO_TOKEN), &message)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    first_event(&answer.text().await.unwrap())
}

#[tokio::test]
async fn every_resource_is_listed_and_can_be_read() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let list = ask(&server, "resources/list", json!({})).await;
    let resources = list["result"]["resources"].as_array().unwrap().clone();
    let uris: Vec<_> = resources
        .iter()
        .map(|one| one["uri"].as_str().unwrap())
        .collect();
    assert_eq!(
        uris,
        [
            "quilt-platform://search_syntax",
            "quilt-platform://athena",
            "quilt-platform://buckets",
            "quilt-platform://me"
        ]
    );
    for resource in &resources {
        let uri = &resource["uri"];
        assert!(
            resource["description"].as_str().unwrap().len() > 20,
            "{uri}"
        );
        // No AWS is there: what Athena has is said to be unknown, and the rest is told.
        let read = ask(&server, "resources/read", json!({ "uri": uri })).await;
        let contents = &read["result"]["contents"][0];
        assert_eq!(contents["uri"], *uri);
        assert_eq!(contents["mimeType"], resource["mimeType"]);
        let text = contents["text"].as_str().unwrap();
        assert!(
            (20..=16 * 1024).contains(&text.len()),
            "{uri}: {}",
            text.len()
        );
        let same = good(&server, "get_resource", json!({ "uri": uri })).await;
        assert_eq!(same["text"], text, "{uri}");
    }
}

#[tokio::test]
async fn resources_are_the_callers_own() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let me = good(
        &server,
        "get_resource",
        json!({"uri": "quilt-platform://me"}),
    )
    .await;
    let me: Value = serde_json::from_str(me["text"].as_str().unwrap()).unwrap();
    assert_eq!(me["name"], "demo");
    let buckets = good(
        &server,
        "get_resource",
        json!({"uri": "quilt-platform://buckets"}),
    )
    .await;
    let buckets: Value = serde_json::from_str(buckets["text"].as_str().unwrap()).unwrap();
    assert_eq!(buckets["total"], 3);
}

#[tokio::test]
async fn an_unknown_resource_is_an_error() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    for uri in [
        "quilt-platform://nothing",
        "file:///etc/passwd",
        "http://169.254.169.254/",
    ] {
        let read = ask(&server, "resources/read", json!({ "uri": uri })).await;
        assert!(read["error"]["code"].is_i64(), "{read}");
        let error = bad(&server, "get_resource", json!({ "uri": uri })).await;
        assert_eq!(error["code"], "not_found");
    }
}
