//! What the log says, and what it never says.

use quilt_demo_registry::DEMO_TOKEN;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Registry, Server, initialize, tools_call};

const REFUSED: &str = "qk_refused_token_that_nobody_may_see";

#[tokio::test]
async fn no_token_is_ever_logged() {
    let registry = Registry::start().await;
    let vars = [("MCP_LOG", "trace"), ("MCP_DRAIN_GRACE_SECONDS", "0")];
    let mut server = Server::start_with(&registry.url(), &vars).await;
    for token in [DEMO_TOKEN, REFUSED] {
        for message in [
            initialize("2025-06-18"),
            tools_call("auth_status", json!({})),
            tools_call("bucket_list", json!({"oops": 1})),
        ] {
            server
                .post("/mcp", Some(token), &message)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
        }
    }
    for status in [500, 401] {
        registry.faults().fail_with(Some(status));
        for token in [DEMO_TOKEN, REFUSED, "qk_third_token_that_nobody_may_see"] {
            let message = tools_call("auth_status", json!({}));
            server
                .post("/mcp", Some(token), &message)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
        }
    }
    server.signal(Signal::TERM);
    server.end().await;
    server.line(|line| line["message"] == "stopped").await;

    let output = server.output();
    assert!(
        output
            .iter()
            .any(|line| line.contains("\"level\":\"TRACE\"")),
        "the trace level is on"
    );
    for line in &output {
        assert!(!line.contains(DEMO_TOKEN), "{line}");
        assert!(!line.contains("nobody_may_see"), "{line}");
        assert!(!line.to_lowercase().contains("bearer qk"), "{line}");
    }
}

#[tokio::test]
async fn there_is_one_line_per_request() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let trace = "Root=1-67891233-abcdef012345678912345678";
    let message = tools_call("package_list", json!({"bucket": "no-such-bucket"}));
    let request = server
        .post("/mcp/?token=in-a-query", Some(DEMO_TOKEN), &message)
        .header("x-amzn-trace-id", trace)
        .header("x-request-id", "another");
    request.send().await.unwrap().text().await.unwrap();
    let line = server.line(|line| line["request_id"] == trace).await;
    for (field, expected) in [
        ("level", json!("INFO")),
        ("message", json!("request")),
        ("method", json!("POST")),
        ("path", json!("/mcp/")),
        ("status", json!(200)),
        ("tool", json!("package_list")),
        ("tool_error", json!("not_found")),
        ("complete", json!(true)),
    ] {
        assert_eq!(line[field], expected, "{field} in {line}");
    }
    assert!(line["duration_ms"].is_u64(), "{line}");
    assert_eq!(line["caller"].as_str().unwrap().len(), 16, "{line}");

    let request = server
        .post("/nowhere", None, &json!({}))
        .header("x-request-id", "my-id");
    request.send().await.unwrap();
    let line = server.line(|line| line["request_id"] == "my-id").await;
    assert_eq!(line["status"], 404);
    assert_eq!(line.get("caller"), None);

    assert_eq!(server.health().await, Some(200));
    for line in server.output() {
        let line: Value = serde_json::from_str(&line).expect("every line is JSON");
        assert_ne!(
            line["path"], "/healthz",
            "health checks are not worth a line"
        );
    }
}
