//! Counts, where they are asked for.

use quilt_demo_registry::DEMO_TOKEN;
use serde_json::json;

use crate::harness::{Registry, Server, eventually};

#[tokio::test]
async fn what_is_served_is_counted() {
    let registry = Registry::start().await;
    let vars = [
        ("MCP_METRICS_LISTEN", "127.0.0.1:0"),
        ("MCP_BUILD_COMMIT", "3f2a9c1"),
    ];
    let server = Server::start_with(&registry.url(), &vars).await;
    let line = server
        .line(|line| line["message"] == "metrics are served at /metrics")
        .await;
    let url = format!("http://{}/metrics", line["address"].as_str().unwrap());
    server.call("bucket_list", json!({})).await;
    server.call("bucket_list", json!({})).await;
    server
        .call("package_list", json!({"bucket": "no-such-bucket"}))
        .await;
    let refused = "qk_secret_refused_token";
    server.list_tools(refused).send().await.unwrap();
    let text = || async {
        let answer = server.http.get(&url).send().await.unwrap();
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("application/openmetrics-text")
        );
        answer.text().await.unwrap()
    };
    eventually("all calls are counted", || async {
        text()
            .await
            .contains("quilt_mcp_requests_total{status=\"200\"} 3")
    })
    .await;
    let text = text().await;
    for line in [
        "quilt_mcp_requests_total{status=\"401\"} 1",
        "quilt_mcp_requests_in_flight 0",
        "quilt_mcp_tool_calls_total{tool=\"bucket_list\",outcome=\"ok\"} 2",
        "quilt_mcp_tool_calls_total{tool=\"package_list\",outcome=\"not_found\"} 1",
        "quilt_mcp_tool_call_duration_seconds_count{tool=\"bucket_list\"} 2",
        "quilt_mcp_build_info{version=",
        "commit=\"3f2a9c1\"",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    assert!(text.trim_end().ends_with("# EOF"));
    for secret in [DEMO_TOKEN, refused, "no-such-bucket"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn nothing_is_counted_in_public() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let answer = server
        .http
        .get(server.url("/metrics"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
}
